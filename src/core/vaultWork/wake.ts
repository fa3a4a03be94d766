/** When a vault needs its worker before the next sweep. */
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import { isUnreachable, logFuturePlans } from '../watch/lookSchedule.ts';
import type { Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';

/** While no vault answers, versions wait for the looks. */
export const nextWakeOf = (watch: Watch): EpochMs =>
  isUnreachable(watch) ? watch.nextLookAt : Math.min(watch.nextLookAt, watch.nextVersionCheckAt);

/**
 * A healthy key is due one interval after the start of its look, which is before the next sweep reaches it. That sweep
 * looks at it anyway, so work that is due just before the sweep needs no message of its own.
 */
export const isBeforeNextSweep = (wakeAt: EpochMs, now: EpochMs, policy: Policy): boolean =>
  wakeAt < now + (policy.lookIntervalHealthySeconds - policy.lookSpacingSeconds) * 1000;

/**
 * A look that is a whole interval late shows that sweeps or workers do not keep up: docs/operations.md has the alert. A
 * plan from the future shows a host with a wrong clock.
 */
export function logPlans(watch: Watch, { clock, policy, log }: VaultWorkDeps): void {
  logFuturePlans(watch, clock.now(), policy, log);
  const lateMs = clock.now() - watch.nextLookAt;
  if (lateMs > policy.lookIntervalHealthySeconds * 1000)
    log.warn('A key check came late', { bindingId: watch.binding.id, lateMs });
}
