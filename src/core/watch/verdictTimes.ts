/**
 * The meaning of a verdict at a time: until when the account key can be in use, and whether the verdict is still
 * current. Pure.
 */
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { ShownStatus } from '../base/vocabulary.ts';
import { statusOfKey, type Verdict, type Watch } from './watch.ts';

/**
 * The latest time at which any process could still use the account key, after the key was denied or its vault stopped
 * answering: only good evidence renews a lease (INV-4). Absent while the key is accessible.
 */
export function keyReleasedBy(verdict: Verdict, policy: Policy): EpochMs | undefined {
  const firstDenials = Object.values(verdict.denials).map((denials) => denials.firstAt);
  switch (verdict.status) {
    case 'Accessible':
      return undefined;
    case 'Suspect':
    case 'Inaccessible':
      return Math.min(...firstDenials) + policy.leaseSeconds * 1000;
    case 'Unreachable':
      return verdict.since + (policy.leaseSeconds + policy.leaseGraceSeconds) * 1000;
  }
}

/** Twice the longest time between two looks. A verdict that no look has renewed for longer is not current. */
const currentForMs = (policy: Policy): number =>
  2 *
  1000 *
  (Math.max(
    policy.lookIntervalHealthySeconds,
    policy.lookIntervalSuspectSeconds,
    policy.lookIntervalInaccessibleSeconds,
  ) +
    policy.lookSpacingSeconds);

/** False: looks have stopped, or the time of the last one is from a clock that was wrong. */
const isCurrent = (at: EpochMs, now: EpochMs, forMs: number): boolean => Math.abs(now - at) <= forMs;

export function currentStatus({ status, evidenceAt }: Verdict, now: EpochMs, policy: Policy): ShownStatus {
  return isCurrent(evidenceAt, now, currentForMs(policy)) ? status : 'Unknown';
}

/** Of a key, which may have no account: a look without a sample renews it too. */
export function currentStatusOfKey(
  watch: Pick<Watch, 'versions' | 'lastLookAt'>,
  now: EpochMs,
  policy: Policy,
): ShownStatus {
  return isCurrent(watch.lastLookAt, now, currentForMs(policy)) ? statusOfKey(watch) : 'Unknown';
}

/** How often the sweep runs (docs/states-and-bounds.md). */
const sweepMs = 60_000;

/** What the last pass over a range of vaults has left is as of its end, and the next pass may be about to end. */
export const isCurrentAsSwept = (at: EpochMs, now: EpochMs, policy: Policy): boolean =>
  isCurrent(at, now, currentForMs(policy) + sweepMs);
