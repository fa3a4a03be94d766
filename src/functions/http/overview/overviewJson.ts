/** Accounts and keys of the overview as JSON. */
import { remedyOf } from '../../../core/base/causes.ts';
import { defined } from '../../../core/base/defined.ts';
import type { RemedyTarget } from '../../../core/base/remedies.ts';
import { iso, optionalIso } from '../../../core/base/time.ts';
import { versionlessIdentifier } from '../../../core/customerKey/keyIdentifier.ts';
import type { ListedAccount, ListedVerdict } from '../../../core/overview/accountState.ts';
import { type Counts, countsBy } from '../../../core/overview/counts.ts';
import type { IndexedKey } from '../../../core/overview/indexRows.ts';
import type { ListedKey, ListedVersion } from '../../../core/overview/listKeys.ts';
import { renderPending } from '../accounts/accountJson.ts';
import { renderCause } from '../accounts/causeJson.ts';
import { renderFailures } from '../keys/rewrapFailureJson.ts';

const targetOf = ({ watch }: IndexedKey, version: string, location?: string): RemedyTarget => {
  const { principalId } = watch.calledAs ?? {};
  const { clientAddress } = watch.versions[version] ?? {};
  return { ...watch.binding, version, ...defined({ location, principalId, clientAddress }) };
};

function renderFailure(row: IndexedKey, { cause, version, verdict }: ListedVerdict, location?: string) {
  if (cause === undefined) return {};
  const isControlLookFailed = verdict.deniedAs !== undefined;
  return renderCause(cause, { ...targetOf(row, version, location), isControlLookFailed });
}

export function renderListedAccount({ account, state, served, servedUntil, key }: ListedAccount) {
  const { keyIdentifier } = account.key ?? account.pendingDeletion ?? {};
  return {
    name: account.name,
    accountId: account.instanceId,
    owner: account.owner,
    location: account.location,
    createdAt: iso(account.createdAt),
    state,
    ...renderPending(account.pendingDeletion),
    ...defined({ served, servedUntil: optionalIso(servedUntil) }),
    encryption: keyIdentifier === undefined ? 'SystemKey' : 'CustomerKey',
    ...defined({ keyIdentifier }),
    ...(key === undefined
      ? {}
      : {
          status: key.status,
          since: iso(key.since),
          lastCheckedAt: iso(key.checkedAt),
          ...renderFailure(key.row, key, account.location),
          ...defined({ keyReleasedBy: optionalIso(key.keyReleasedBy) }),
        }),
  };
}

export function renderListedKey({ row, worst, versions, checkedAt, nextCheckAt }: ListedKey) {
  const { rotation, newestUnread, unusableVersion } = row.watch;
  return {
    key: versionlessIdentifier(row.watch.binding),
    bindingId: row.watch.binding.id,
    identity: { ...row.watch.binding.identity, ...row.watch.calledAs },
    owner: row.owner,
    accounts: row.accounts,
    status: worst.status,
    since: iso(worst.since),
    ...renderFailure(row, worst),
    checkedAt: iso(checkedAt),
    nextCheckAt: iso(nextCheckAt),
    versions: versions.map(renderVersion),
    ...(rotation === undefined
      ? {}
      : {
          rotation: {
            to: rotation.to,
            since: iso(rotation.since),
            failed: rotation.failed,
            ...renderFailures(rotation, targetOf(row, rotation.to)),
          },
        }),
    ...(newestUnread === undefined
      ? {}
      : { newestUnknown: { since: iso(newestUnread.since), cause: newestUnread.cause } }),
    ...(unusableVersion === undefined
      ? {}
      : {
          unusableVersion: {
            version: unusableVersion.version,
            cause: unusableVersion.cause,
            since: iso(unusableVersion.since),
            remedy: remedyOf(unusableVersion.cause, targetOf(row, unusableVersion.version)),
          },
        }),
  };
}

function renderVersion({ version, verdict, isLatest, notLatestSince, expiresOn, safeToDisable }: ListedVersion) {
  return {
    version,
    inUse: verdict !== undefined,
    ...(verdict === undefined ? {} : { status: verdict.status, since: iso(verdict.since) }),
    ...(verdict?.cause === undefined ? {} : { cause: verdict.cause }),
    ...defined({ isLatest, notLatestSince: optionalIso(notLatestSince), expiresOn: optionalIso(expiresOn) }),
    safeToDisable,
  };
}

export const renderCounts = (counts: Counts) => ({
  accounts: counts.accounts ?? 0,
  keys: counts.keys ?? 0,
  encryption: countsBy('encryption', counts),
  state: countsBy('state', counts),
  status: countsBy('status', counts),
  cause: countsBy('cause', counts),
  served: countsBy('served', counts),
});
