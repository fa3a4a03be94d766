/** Audit entries that change nothing else of an account: they are in its chain, and its ETag does not change. */
import { appendEntries } from '../audit/auditEntry.ts';
import { type AuditFacts, withTrigger } from '../audit/auditFacts.ts';
import { retryLostRaces } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import type { AccountsDeps } from './deps.ts';

export type AppendDeps = Pick<AccountsDeps, 'accounts' | 'serialize' | 'rings' | 'clock' | 'random' | 'trigger'>;

/** Appends to the chain of exactly this account instance. False: the instance is gone, and nothing is written. */
export async function appendToChain(
  { name, instanceId }: { readonly name: string; readonly instanceId: string },
  facts: readonly AuditFacts[],
  deps: AppendDeps,
): Promise<boolean> {
  const { audit } = await deps.rings();
  const triggered = withTrigger(facts, deps.trigger);
  return deps.serialize(fold(name), () =>
    retryLostRaces(async () => {
      const stored = await deps.accounts.read(fold(name));
      if (stored === undefined || stored.value.instanceId !== instanceId) return false;
      const added = appendEntries(
        instanceId,
        stored.value.audit,
        triggered,
        deps.clock.now(),
        audit.newest,
        deps.random,
      );
      await deps.accounts.save({ value: { ...stored.value, audit: added.head }, etag: stored.etag }, added.entries);
      return true;
    }),
  );
}
