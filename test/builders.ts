/**
 * Values that the tests of the core share. Numbers and words are copied from the documents, not read from the code
 * under test.
 */

import type { Cause } from '../src/core/base/causes.ts';
import type { Random } from '../src/core/base/effects.ts';
import type { Policy } from '../src/core/base/policy.ts';
import type { Binding } from '../src/core/customerKey/binding.ts';
import type { LookTime } from '../src/core/watch/provenTime.ts';
import type { Evidence, Verdict, Watch } from '../src/core/watch/watch.ts';

/** Randomness of a test that needs the same bytes each time. */
export const fixedRandom: Random = {
  bytes: (length) => new Uint8Array(length).fill(0x5a),
  uuid: () => crypto.randomUUID(),
};

/** 2026-11-23T12:00:00.000Z as a number, so that no code of Keyward computes it. */
export const start = 1_795_435_200_000;

/** The published defaults: docs/settings.md. */
export const designPolicy: Policy = {
  lookIntervalHealthySeconds: 60,
  lookIntervalSuspectSeconds: 10,
  lookIntervalInaccessibleSeconds: 30,
  lookSpacingSeconds: 10,
  lookDeadlineSeconds: 5,
  storageDeadlineSeconds: 10,
  versionCheckIntervalSeconds: 240,
  confirmKeyDisabledLooks: 2,
  confirmKeyNotFoundLooks: 3,
  confirmKeyNotFoundSeconds: 30,
  confirmPermissionLooks: 3,
  confirmPermissionSeconds: 60,
  confirmVaultNotFoundLooks: 3,
  confirmVaultNotFoundSeconds: 900,
  networkPolicyDisables: false,
  confirmNetworkPolicyLooks: 3,
  confirmNetworkPolicySeconds: 900,
  leaseSeconds: 300,
  leaseGraceSeconds: 600,
  deleteAfterDays: 7,
  operationRetrySeconds: 10,
  operationTimeoutSeconds: 600,
  accountsPerMessage: 1000,
  workerLeaseSeconds: 60,
  vaultSharePercent: 25,
  keyNearExpiryDays: 30,
  ringRotationDays: 365,
  revealsPerMinute: 6_000,
  sweepRanges: 64,
  safeToDisableAfterSeconds: 900,
  logGoodKeyChecks: true,
};

/** The closed list of causes, by class: docs/runbook.md. */
export const designCauses = {
  denied: [
    'KeyDisabled',
    'KeyNotFound',
    'KeyPermissionDenied',
    'KeyOperationNotAllowed',
    'IdentityNotAuthorized',
    'VaultNotFound',
  ],
  networkPolicy: ['VaultFirewallDenied', 'VaultPrivateLinkDenied', 'NetworkPerimeterDenied'],
  unreachable: [
    'Throttled',
    'VaultUnavailable',
    'VaultTimeout',
    'DnsFailure',
    'ConnectionFailed',
    'TlsFailure',
    'IdentityUnavailable',
    'UnknownResponse',
  ],
  misconfigured: ['TenantMismatch', 'VaultHostNotAllowed', 'KeyIdentifierMalformed', 'OwnerMismatch'],
  unusableKey: [
    'KeyTypeUnsupported',
    'KeySizeUnsupported',
    'KeyExpired',
    'KeyNotYetValid',
    'SoftDeleteMissing',
    'PurgeProtectionMissing',
    'RegionMismatch',
  ],
  ours: ['KeyMaterialMismatch', 'IdentityReplaced', 'StorageUnavailable'],
} as const satisfies Record<string, readonly Cause[]>;

export const deniedCauses: readonly Cause[] = designCauses.denied;

/** Every result that is no answer of the customer's side: none of them may ever block. */
export const harmlessCauses: readonly Cause[] = [
  ...designCauses.networkPolicy,
  ...designCauses.unreachable,
  ...designCauses.misconfigured,
  ...designCauses.unusableKey,
  ...designCauses.ours,
];

export const version1 = '11111111111111111111111111111111';
export const version2 = '22222222222222222222222222222222';

export const aBinding: Binding = {
  id: 'b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0',
  vaultHost: 'contoso.vault.azure.net',
  vaultName: 'contoso',
  keyName: 'cmk',
  tenantId: 'aaaaaaaa-0000-4000-8000-000000000001',
  identity: { useSystemAssignedIdentity: true },
};

export function aVerdict(changes: Partial<Verdict> = {}): Verdict {
  return { status: 'Accessible', since: start, evidenceAt: start, lastAccessibleAt: start, denials: {}, ...changes };
}

/** Found accessible at `start`, due again a minute later. */
export function aWatch(changes: Partial<Watch> = {}): Watch {
  return {
    binding: aBinding,
    versions: { [version1]: aVerdict() },
    epoch: 0,
    reconciledEpoch: 0,
    transitions: [],
    lastLookAt: start,
    lookCount: 0,
    nextLookAt: start + 60_000,
    lastVersionCheckAt: start,
    nextVersionCheckAt: start + 240_000,
    audit: { sequence: 1, hash: 'head' },
    ...changes,
  };
}

/** When a look began, so many seconds after `start`, in the process that makes all looks. */
export const aLookTime = (afterSeconds: number, changes: Partial<LookTime> = {}): LookTime => ({
  beganAt: start + afterSeconds * 1000,
  plannedAt: start + afterSeconds * 1000,
  process: 'p1',
  monotonic: afterSeconds * 1000,
  ...changes,
});

export type Control = Evidence['controlLook'];

/** Evidence about `version1` of the binding, the given seconds after `start`. Without a cause the look was good. */
export function aLook(afterSeconds: number, cause?: Cause, controlLook?: Control): Evidence {
  return {
    bindingId: aBinding.id,
    version: version1,
    takenAt: start + Math.round(afterSeconds * 1000),
    ...(cause === undefined ? {} : { cause }),
    ...(controlLook === undefined ? {} : { controlLook }),
  };
}
