/** When looks and version checks are due, and the watch after one. Pure. */
import type { Log } from '../base/log.ts';
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import { clockToleranceMs, logFutureTime } from './futureTime.ts';
import { observe } from './judge.ts';
import { type LookTime, provenTimeAt } from './provenTime.ts';
import type { Evidence, Watch } from './watch.ts';

/**
 * The watch after a look at every version of the binding. A look that was brought forward since this one began stays
 * planned.
 */
export function afterLook(watch: Watch, evidence: readonly Evidence[], look: LookTime, policy: Policy): Watch {
  // Another worker's look was recorded during this one.
  if (evidence.some(({ afterLooks }) => afterLooks !== undefined && afterLooks !== watch.lookCount)) return watch;
  const last = { at: watch.lastLookAt, plannedIntervalMs: plannedIntervalMs(watch, policy) };
  const provenTime = provenTimeAt(watch.provenTime, look, last);
  const { isAsleep: _until, ...awake } = watch;
  const seen = evidence.reduce<Watch>((before, one) => observe(before, one, policy, provenTime.elapsedMs), awake);
  const due = look.beganAt + plannedIntervalMs(seen, policy);
  const requested =
    watch.nextLookAt < look.plannedAt
      ? Math.max(watch.nextLookAt, look.beganAt + policy.lookSpacingSeconds * 1000)
      : due;
  return {
    ...seen,
    provenTime,
    lookCount: watch.lookCount + 1,
    lastLookAt: look.beganAt,
    nextLookAt: Math.min(due, requested),
  };
}

/** The watch after some of the evidence of an unfinished look. `afterLook` gets the rest. */
export function duringLook(watch: Watch, evidence: readonly Evidence[], look: LookTime, policy: Policy): Watch {
  const last = { at: watch.lastLookAt, plannedIntervalMs: plannedIntervalMs(watch, policy) };
  const { elapsedMs } = provenTimeAt(watch.provenTime, look, last);
  return evidence.reduce((before, one) => observe(before, one, policy, elapsedMs), watch);
}

/** How soon a look follows another: as soon as the worst version in use needs it. */
function plannedIntervalMs({ versions }: Watch, policy: Policy): number {
  const intervals = Object.values(versions).map(({ status }) => intervalSeconds(status, policy));
  return Math.min(policy.lookIntervalHealthySeconds, ...intervals) * 1000;
}

/** The planned time between two looks at a version of this status. */
export function intervalSeconds(status: WatchStatus, policy: Policy): number {
  switch (status) {
    case 'Suspect':
      return policy.lookIntervalSuspectSeconds;
    case 'Inaccessible':
      return policy.lookIntervalInaccessibleSeconds;
    case 'Accessible':
    case 'Unreachable':
      return policy.lookIntervalHealthySeconds;
  }
}

/**
 * Whether a look is due. A sweep looks at every binding without a recent look, because a look that is due just after
 * the sweep would wait for the next one. So two looks are at most one sweep and `lookSpacingSeconds` apart.
 */
export function isLookDue(watch: Watch, now: EpochMs, isSweep: boolean, policy: Policy): boolean {
  // A time further ahead than any plan comes from a wrong clock, and is void.
  if (watch.nextLookAt <= now || watch.nextLookAt > now + plannedIntervalMs(watch, policy) + clockToleranceMs)
    return true;
  const isHealthyPace = watch.nextLookAt - watch.lastLookAt >= policy.lookIntervalHealthySeconds * 1000;
  return isSweep && isHealthyPace && watch.lastLookAt + policy.lookSpacingSeconds * 1000 <= now;
}

/** The times of a watch for which a look, and a version check, do not wait. */
export function logFuturePlans(watch: Watch, now: EpochMs, policy: Policy, log: Log): void {
  const row = `bindings/${watch.binding.id}/watch`;
  logFutureTime(row, watch.nextLookAt, now + plannedIntervalMs(watch, policy), log);
  logFutureTime(row, watch.nextVersionCheckAt, now + longestVersionWaitMs(watch, policy), log);
}

/**
 * The same for the latest version: a sweep checks early what would be due before half of the time to the next sweep.
 */
export function isVersionCheckDue(watch: Watch, now: EpochMs, isSweep: boolean, policy: Policy): boolean {
  const isVoid = watch.nextVersionCheckAt > now + longestVersionWaitMs(watch, policy) + clockToleranceMs;
  return isVoid || watch.nextVersionCheckAt <= now + (isSweep ? policy.lookIntervalHealthySeconds * 500 : 0);
}

const dayMs = 86_400_000;

/** A binding without accounts is read once a day. */
const longestVersionWaitMs = ({ isAsleep }: Watch, policy: Policy): number =>
  isAsleep === true ? dayMs : policy.versionCheckIntervalSeconds * 1000;

/** No account is bound, so there is no key to unwrap and no reason to call the customer's vault. */
export const afterSleep = (watch: Watch, look: LookTime, policy: Policy): Watch => ({
  ...afterLook(watch, [], look, policy),
  isAsleep: true,
  nextVersionCheckAt: look.beganAt + dayMs,
});

/** A version of the key got no answer, so the newest version is read when the vault answers again. */
export const isUnreachable = ({ versions }: Watch): boolean =>
  Object.values(versions).some(({ status }) => status === 'Unreachable');

/** The time of a requested look or version check: at once, or as soon as it is not a repetition. */
export function soonest(now: EpochMs, lastAt: EpochMs, policy: Policy): EpochMs {
  const spacingMs = policy.lookSpacingSeconds * 1000;
  return Math.min(Math.max(now, lastAt + spacingMs), now + spacingMs);
}

/**
 * The watch after a read of the key's latest version. A check that was brought forward since it began stays planned.
 */
export function afterVersionCheck(
  watch: Watch,
  { beganAt, plannedAt }: { readonly beganAt: EpochMs; readonly plannedAt: EpochMs },
  policy: Policy,
): Watch {
  const due = beganAt + policy.versionCheckIntervalSeconds * 1000;
  const requested =
    watch.nextVersionCheckAt < plannedAt
      ? Math.max(watch.nextVersionCheckAt, beganAt + policy.lookSpacingSeconds * 1000)
      : due;
  return { ...watch, lastVersionCheckAt: beganAt, nextVersionCheckAt: Math.min(due, requested) };
}
