/**
 * The meaning of a verdict at a time: until when the account key can be in use, and whether the verdict is still
 * current. Pure.
 */
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import type { Verdict } from './watch.ts';

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
export const currentForMs = (policy: Policy): number =>
  2 *
  1000 *
  (Math.max(
    policy.lookIntervalHealthySeconds,
    policy.lookIntervalSuspectSeconds,
    policy.lookIntervalInaccessibleSeconds,
  ) +
    policy.lookSpacingSeconds);

/** `Unknown`: looks have stopped, or the time of the last one is from a clock that was wrong. */
export function currentStatus({ status, evidenceAt }: Verdict, now: EpochMs, policy: Policy): WatchStatus | 'Unknown' {
  return Math.abs(now - evidenceAt) > currentForMs(policy) ? 'Unknown' : status;
}
