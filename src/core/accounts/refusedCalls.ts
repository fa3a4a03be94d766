import type { Actor, AuditFacts } from '../audit/auditFacts.ts';
import { recordForService } from '../audit/serviceAudit.ts';
import { lruCache } from '../base/lruCache.ts';
import { fold } from '../base/names.ts';
import type { AccountRecord } from './account.ts';
import { appendToChain } from './appendAuditEntry.ts';
import type { AccountsDeps } from './deps.ts';
import type { RefusedCalls } from './processState.ts';

const onceInMs = 60_000;
const rememberedAtOnce = 10_000;
const maxOfOneCaller = 30;

export function createRefusedCalls(
  deps: Pick<AccountsDeps, 'accounts' | 'serialize' | 'serviceAudit' | 'rings' | 'clock' | 'random'>,
): RefusedCalls {
  const auditedAt = lruCache<number>(rememberedAtOnce);
  const callers = lruCache<{ readonly since: number; count: number }>(rememberedAtOnce);
  const underWay = new Map<string, Promise<void>>();

  /** False: this caller has reached the number of entries allowed per minute. */
  function isWithin({ kind, id }: Actor, now: number): boolean {
    const caller = `${kind} ${id}`;
    const known = callers.get(caller);
    const current = known === undefined || now - known.since >= onceInMs ? { since: now, count: 0 } : known;
    current.count += 1;
    callers.set(caller, current);
    return current.count <= maxOfOneCaller;
  }

  async function write(
    stored: AccountRecord | undefined,
    account: string | undefined,
    facts: AuditFacts,
  ): Promise<void> {
    if (stored !== undefined && (await appendToChain(stored, [facts], deps))) return;
    await recordForService([{ ...facts, ...(account === undefined ? {} : { account: fold(account) }) }], deps);
  }

  return {
    async audit({ asked, account, ...about }, code, actor) {
      const stored = account === undefined ? undefined : (await deps.accounts.read(fold(account)))?.value;
      const facts: AuditFacts = { type: 'CallRefused', actor, asked, code, ...about };
      const { key, claim } = about;
      const whose = stored?.instanceId ?? fold(account ?? '');
      const id = JSON.stringify([whose, asked, code, key, claim, actor.kind, actor.id]);
      const now = deps.clock.monotonic();
      const before = auditedAt.get(id);
      if (before !== undefined && now - before < onceInMs) return 'audited';
      const same = underWay.get(id);
      if (same === undefined && !isWithin(actor, now)) return 'tooMany';
      const writing = same ?? write(stored, account, facts).finally(() => underWay.delete(id));
      underWay.set(id, writing);
      await writing;
      auditedAt.set(id, now);
      return 'audited';
    },
  };
}
