/**
 * Whether the calls on data keys and secrets of an account work now. The state alone does not say it: an account stays
 * `Enabled` while its vault has not answered for an hour. Only a proof counts: a verdict that no look has renewed
 * serves the account until a lease from the time of that verdict would end.
 */
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { ShownStatus } from '../base/vocabulary.ts';
import { currentStatus, keyReleasedBy } from '../watch/verdictTimes.ts';
import type { Verdict } from '../watch/watch.ts';
import { type AccountView, leasePolicyOf, verdictOn } from './account.ts';

export type Served =
  | { readonly served: 'yes' | 'no' }
  /** Processes that hold the account key use it until then; others answer 503. */
  | { readonly served: 'untilLeaseEnd'; readonly until: EpochMs };

export function servedOf(view: AccountView, ofService: Policy): Served {
  if (view.record.pendingDeletion !== undefined) return { served: 'no' };
  if (view.record.encryption.type === 'SystemKey') return { served: 'yes' };
  const verdict = verdictOn(view);
  if (verdict === undefined) return { served: 'no' };
  return servedBy(verdict, view.readAt ?? verdict.evidenceAt, leasePolicyOf(view.record, ofService));
}

/** By the verdict on the version that wraps the account key. `policy`: as it is for the account. */
export function servedBy(verdict: Verdict, now: EpochMs, policy: Policy): Served {
  if (verdict.status === 'Inaccessible') return { served: 'no' };
  if (currentStatus(verdict, now, policy) === 'Accessible') return { served: 'yes' };
  const until = keyReleasedBy(verdict, policy) ?? verdict.evidenceAt + policy.leaseSeconds * 1000;
  return now < until ? { served: 'untilLeaseEnd', until } : { served: 'no' };
}

/** Of an account under a customer key. `Unknown` without a verdict, and where no look has renewed it. */
export function statusOf(view: AccountView, policy: Policy): ShownStatus {
  const verdict = verdictOn(view);
  return verdict === undefined ? 'Unknown' : currentStatus(verdict, view.readAt ?? verdict.evidenceAt, policy);
}
