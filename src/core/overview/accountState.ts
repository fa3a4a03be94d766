/**
 * The state of an indexed account, from the row of its key. A key's row has the times of its last change. That all keys
 * of a range of vaults have been checked since, the range says: `checkedAt` is the oldest last check of any key there.
 * Pure.
 */

import { type AccountState, leasePolicyOf } from '../accounts/account.ts';
import { servedBy } from '../accounts/served.ts';
import type { Cause } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { ShownStatus } from '../base/vocabulary.ts';
import { currentStatus, isCurrentAsSwept, keyReleasedBy } from '../watch/verdictTimes.ts';
import type { Verdict } from '../watch/watch.ts';
import { type IndexedAccount, type IndexedKey, worstVersion } from './indexRows.ts';

export interface ListedVerdict {
  readonly version: string;
  readonly status: ShownStatus;
  readonly cause?: Cause;
  readonly since: EpochMs;
  /** The verdict as of the last check that is known of. */
  readonly verdict: Verdict;
  /** The last check of the key was at this time or later. */
  readonly checkedAt: EpochMs;
}

export interface ListedAccount {
  readonly account: IndexedAccount;
  readonly state: AccountState;
  /** Absent while the deletion is pending: the account is not served, whether its key works or not. */
  readonly served?: 'yes' | 'untilLeaseEnd' | 'no';
  readonly servedUntil?: EpochMs;
  /** Absent under the system key. */
  readonly key?: ListedVerdict & { readonly row: IndexedKey; readonly keyReleasedBy?: EpochMs };
}

/** `version`: where the account is known to be on one of several versions. */
export function listedVerdict(
  { watch }: Pick<IndexedKey, 'watch'>,
  checkedAt: EpochMs | undefined,
  now: EpochMs,
  policy: Policy,
  version?: string,
): ListedVerdict | undefined {
  const known = version === undefined ? undefined : watch.versions[version];
  const found = version === undefined || known === undefined ? worstVersion(watch) : ([version, known] as const);
  if (found === undefined) return undefined;
  const [name, stored] = found;
  const seenAt = Math.max(stored.evidenceAt, checkedAt ?? 0);
  const evidenceAt = isCurrentAsSwept(seenAt, now, policy) ? now : seenAt;
  const verdict = {
    ...stored,
    evidenceAt,
    lastAccessibleAt: stored.status === 'Accessible' ? seenAt : stored.lastAccessibleAt,
  };
  const { cause, since } = verdict;
  const status = currentStatus(verdict, now, policy);
  return { version: name, status, since, verdict, checkedAt: seenAt, ...defined({ cause }) };
}

export function listedAccount(
  account: IndexedAccount,
  row: IndexedKey | undefined,
  checkedAt: EpochMs | undefined,
  now: EpochMs,
  ofService: Policy,
  version?: string,
): ListedAccount {
  if (account.pendingDeletion !== undefined) return { account, state: 'PendingDeletion' };
  if (account.key === undefined) return { account, state: 'Enabled', served: 'yes' };
  const policy = leasePolicyOf(account, ofService);
  const key = row === undefined ? undefined : listedVerdict(row, checkedAt, now, ofService, version);
  if (row === undefined || key === undefined) return { account, state: 'Enabled', served: 'no' };
  const served = servedBy(key.verdict, now, policy);
  const releasedBy = keyReleasedBy(key.verdict, policy);
  return {
    account,
    state: key.verdict.status === 'Inaccessible' ? 'CustomerKeyInaccessible' : 'Enabled',
    served: served.served,
    ...('until' in served ? { servedUntil: served.until } : {}),
    key: { ...key, row, ...defined({ keyReleasedBy: releasedBy }) },
  };
}
