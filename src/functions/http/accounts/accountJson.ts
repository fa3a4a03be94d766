/** An account as JSON, as a caller reads it. Property names are AMS's. */

import {
  type AccountView,
  currentKeyIdentifier,
  etagOf,
  leasePolicyOf,
  type OlderAccountKeys,
  type PendingDeletion,
  stateOf,
  verdictOn,
} from '../../../core/accounts/account.ts';
import { remedyTargetOf } from '../../../core/accounts/gate.ts';
import { type Served, servedOf, statusOf } from '../../../core/accounts/served.ts';
import { defined } from '../../../core/base/defined.ts';
import type { Policy } from '../../../core/base/policy.ts';
import { iso, optionalIso } from '../../../core/base/time.ts';
import { keyReleasedBy } from '../../../core/watch/verdictTimes.ts';
import type { Verdict } from '../../../core/watch/watch.ts';
import { representationTag } from '../../pipeline/conditionalGet.ts';
import { warningsOf } from './accountWarnings.ts';
import { renderCause } from './causeJson.ts';

export function renderAccount(view: AccountView, policy: Policy) {
  const { record } = view;
  const encryption = renderEncryption(view, policy);
  return {
    id: `/accounts/${record.name}`,
    name: record.name,
    type: 'Keyward/accounts',
    location: record.location,
    tags: record.tags,
    properties: {
      accountId: record.instanceId,
      owner: record.owner,
      state: stateOf(view),
      ...renderPending(record.pendingDeletion),
      provisioningState: 'Succeeded',
      ...(record.place === undefined
        ? {}
        : { subscriptionId: record.place.subscriptionId, resourceGroupName: record.place.resourceGroup }),
      ...(record.auditKeyUse === true ? { auditKeyUse: true } : {}),
      ...defined({ leaseSeconds: record.leaseSeconds }),
      encryption,
    },
    systemData: { createdAt: iso(record.createdAt), lastModifiedAt: iso(record.updatedAt) },
    etag: representationTag(etagOf(record), encryption),
  };
}

export const renderPending = (pending: PendingDeletion | undefined) =>
  pending === undefined ? {} : { deletedAt: iso(pending.deletedAt), scheduledPurgeAt: iso(pending.purgeAt) };

function renderEncryption(view: AccountView, policy: Policy) {
  const { encryption: current, accountKeyGeneration, olderAccountKeys } = view.record;
  const older = olderAccountKeys === undefined ? {} : { olderAccountKeys: renderOlder(olderAccountKeys) };
  if (current.type === 'SystemKey') return { type: 'SystemKey', accountKeyGeneration, ...older };
  const verdict = verdictOn(view);
  const { cause } = verdict ?? {};
  return {
    type: 'CustomerKey',
    keyVaultProperties: {
      keyIdentifier: current.keyIdentifier,
      currentKeyIdentifier: currentKeyIdentifier(current),
    },
    identity: { ...current.binding.identity, ...view.watch?.calledAs },
    accountKeyGeneration,
    ...older,
    status: statusOf(view, policy),
    ...renderServed(servedOf(view, policy)),
    ...renderVerdict(verdict, leasePolicyOf(view.record, policy)),
    ...(cause === undefined ? {} : renderCause(cause, remedyTargetOf(view))),
    ...defined({ nextLookAt: optionalIso(view.watch?.nextLookAt) }),
    warnings: warningsOf(view),
  };
}

const renderServed = (one: Served) =>
  one.served === 'untilLeaseEnd' ? { served: one.served, servedUntil: iso(one.until) } : one;

/** How far the account is from using only its newest account key. */
const renderOlder = ({ phase, since, keys }: OlderAccountKeys) => ({
  phase,
  since: iso(since),
  generations: keys.map(({ generation }) => generation),
});

function renderVerdict(verdict: Verdict | undefined, policy: Policy) {
  if (verdict === undefined) return {};
  const releasedBy = keyReleasedBy(verdict, policy);
  return {
    since: iso(verdict.since),
    lastCheckedAt: iso(verdict.evidenceAt),
    lastAccessibleAt: iso(verdict.lastAccessibleAt),
    ...defined({ keyReleasedBy: optionalIso(releasedBy) }),
  };
}
