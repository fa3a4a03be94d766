/**
 * Destroys the key that opens the data keys of an older generation. Every data key that it wrapped is lost for ever.
 */
import type { AccountView, DataKeyGeneration } from '../accounts/account.ts';
import { isOpen } from '../accounts/dataKeyGenerations.ts';
import { refuseWhilePending } from '../accounts/pendingDeletion.ts';
import { getAccount } from '../accounts/readAccount.ts';
import { saveAccount, storedOf } from '../accounts/writeAccount.ts';
import type { Actor } from '../audit/auditFacts.ts';
import { defined } from '../base/defined.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import type { Policy } from '../base/policy.ts';
import { type EpochMs, iso } from '../base/time.ts';
import type { DataKeysDeps } from './deps.ts';
import { dataKeyUsage, type GenerationUsage, seenStepMs } from './lastSeen.ts';

/**
 * `notSeenSince`: a time from the usage call. A key that was seen since then stops the destruction. Has no effect when
 * the generation is already destroyed. @throws Refusal AccountNotFound | NotFound | Conflict
 */
export function destroyGeneration(
  account: string,
  generation: number,
  notSeenSince: EpochMs,
  actor: Actor,
  deps: DataKeysDeps,
): Promise<AccountView> {
  return retryLostRaces(async () => {
    const current = await getAccount(account, deps);
    refuseWhilePending(current.record);
    const usage = (await dataKeyUsage(current, deps)).find((one) => one.generation === generation);
    if (usage === undefined)
      throw new Refusal('NotFound', `The account has wrapped no data keys under generation ${generation}.`, {
        target: 'generation',
      });
    if (usage.destroyedAt !== undefined) return current;
    const now = deps.clock.now();
    refuseWhileInUse(usage, notSeenSince, now, deps.policy);
    const { record } = current;
    const dataKeyGenerations = record.dataKeyGenerations?.map((one): DataKeyGeneration => {
      if (one.generation !== generation || !isOpen(one)) return one;
      const { sealed: _destroyed, ...left } = one;
      return { ...left, destroyedAt: now };
    });
    const next = { ...record, ...defined({ dataKeyGenerations }) };
    const entry = { type: 'DataKeyGenerationDestroyed', actor, before: String(generation) } as const;
    await saveAccount(storedOf(current), next, [entry], deps);
    return getAccount(account, deps);
  });
}

/** @throws Refusal Conflict */
function refuseWhileInUse(
  usage: GenerationUsage,
  notSeenSince: EpochMs,
  now: EpochMs,
  { leaseSeconds }: Pick<Policy, 'leaseSeconds'>,
): void {
  const { generation, isNewest, supersededAt, lastSeenAt } = usage;
  if (isNewest)
    throw conflict(
      `Generation ${generation} is the newest one. First rotate the account key and wrap the data keys again.`,
    );
  // A process that has not read the newer key yet may still wrap under this one: for seconds, which is far shorter than
  // a lease.
  const freeAt = (supersededAt ?? now) + leaseSeconds * 1000;
  if (now < freeAt) throw conflict(`Generation ${generation} can still be in use. Retry after ${iso(freeAt)}.`);
  if (lastSeenAt === undefined || lastSeenAt + seenStepMs <= notSeenSince) return;
  throw conflict(
    `A data key under generation ${generation} was seen at ${iso(lastSeenAt)}, or up to ten minutes later. Wrap it again, or set a later time in notSeenSince if its data may be lost.`,
  );
}

const conflict = (message: string): Refusal => new Refusal('Conflict', message, { target: 'generation' });
