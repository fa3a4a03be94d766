/**
 * Refusals of dangerous calls: somebody has tried to get round a customer's hold, and the account's chain says so; the service's own
 * where there is no such account. The account's ETag stays. The same refusal of the same caller is told once a minute by a process,
 * so that nobody fills a table by being refused.
 */
import { LRUCache } from 'lru-cache';
import { appendToChain } from './accounts/append.ts';
import type { Actor, AuditFacts, DangerousCall } from './audit.ts';
import type { ErrorCode } from './errors.ts';
import { fold } from './names.ts';
import type { Service } from './service.ts';
import { recordForService } from './serviceAudit.ts';

export interface RefusedCall {
  readonly asked: DangerousCall;
  /** The account that the call named. */
  readonly account?: string;
  /** The key that it named. */
  readonly key?: string;
  /** `<kind>/<value>`. */
  readonly claim?: string;
}

export interface RefusedCalls {
  /** @throws Unavailable when it cannot be written */
  tell(call: RefusedCall, code: ErrorCode, actor: Actor): Promise<void>;
}

const onceInMs = 60_000;
const rememberedAtOnce = 10_000;

export function createRefusedCalls(
  tools: Pick<Service, 'accounts' | 'memory' | 'serviceAudit' | 'rings' | 'clock'>,
): RefusedCalls {
  const told = new LRUCache<string, number>({ max: rememberedAtOnce });

  return {
    async tell({ asked, account, ...about }, code, actor) {
      const stored = account === undefined ? undefined : (await tools.accounts.read(fold(account)))?.value;
      const id = JSON.stringify([stored?.instanceId, asked, code, actor.kind, actor.id]);
      const now = tools.clock.monotonic();
      const before = told.get(id);
      if (before !== undefined && now - before < onceInMs) return;
      told.set(id, now);
      const facts: AuditFacts = { type: 'CallRefused', actor, asked, code, ...about };
      const named = account === undefined ? {} : { account: fold(account) };
      try {
        if (stored === undefined) await recordForService([{ ...facts, ...named }], tools);
        else await appendToChain(stored, [facts], tools);
      } catch (error) {
        told.delete(id);
        throw error;
      }
    },
  };
}
