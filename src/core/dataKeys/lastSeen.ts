/**
 * When wrapped data keys of a generation were last seen, for the operator who wants to destroy it. It is exact to some
 * minutes, so that most calls write nothing.
 */
import type { AccountView } from '../accounts/account.ts';
import { defined } from '../base/defined.ts';
import { describeError } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import type { EpochMs } from '../base/time.ts';
import type { DataKeysDeps } from './deps.ts';

/** Each process records a generation in constant use again after this time. */
export const seenStepMs = 10 * 60_000;

/** No call fails for this: the next call records what this one could not. */
export async function noteSeen(
  { record }: AccountView,
  generations: ReadonlySet<number>,
  { dataKeyUse, seenLimiter, clock, log }: Pick<DataKeysDeps, 'dataKeyUse' | 'seenLimiter' | 'clock' | 'log'>,
): Promise<void> {
  const { name, instanceId } = record;
  for (const generation of generations) {
    const id = `${instanceId} ${generation}`;
    if (seenLimiter.admit([id]).length === 0) continue;
    try {
      await dataKeyUse.markSeen(fold(name), instanceId, generation, clock.now());
    } catch (error) {
      seenLimiter.release([id]);
      log.warn('The use of a data key generation was not recorded', {
        account: fold(name),
        generation,
        error: describeError(error),
      });
    }
  }
}

export interface GenerationUsage {
  readonly generation: number;
  readonly isNewest: boolean;
  readonly since: EpochMs;
  readonly supersededAt?: EpochMs;
  /** When a key under it was last unwrapped or wrapped again, to within `seenStepMs`. Absent: never. */
  readonly lastSeenAt?: EpochMs;
  readonly destroyedAt?: EpochMs;
}

/** Every generation that has wrapped data keys, oldest first. */
export async function dataKeyUsage(
  { record }: AccountView,
  { dataKeyUse }: Pick<DataKeysDeps, 'dataKeyUse'>,
): Promise<GenerationUsage[]> {
  const seen = await dataKeyUse.lastSeen(fold(record.name), record.instanceId);
  return (record.dataKeyGenerations ?? []).map(({ sealed: _, ...one }) => {
    const lastSeenAt = seen.get(one.generation);
    const isNewest = one.generation === record.accountKeyGeneration;
    return { ...one, isNewest, ...defined({ lastSeenAt }) };
  });
}
