/** What audit entries say: their types, actors, triggers and facts. */
import type { Cause } from '../base/causes.ts';
import type { ErrorCode } from '../base/errorCatalogue.ts';
import type { DataKeyOperation } from '../base/vocabulary.ts';

export const auditTypes = [
  'AccountCreated',
  'AccountUpdated',
  'AccountKeyChanged',
  'AccountKeyRewrapped',
  'AccountKeyRotated',
  'IdentityRepaired',
  'AccountKeyResealed',
  'OlderAccountKeysRetiring',
  'OlderAccountKeysDestroyed',
  'AccountDeletionScheduled',
  'AccountRecovered',
  'AccountDeleted',
  'SecretWritten',
  'SecretDeleted',
  'SecretsRevealed',
  'JobInputResolved',
  'KeyUsed',
  'DataKeysUsed',
  'DataKeyGenerationCreated',
  'DataKeyGenerationDestroyed',
  'SecretIntegrityFailed',
  'CallRefused',
  'ChangeDeferred',
  'CustomerKeyInaccessible',
  'CustomerKeyRestored',
  'WatchCreated',
  'WatchRestored',
  'VerdictChanged',
  'KeyNearExpiry',
  'KeyExpired',
  'IdentityUnavailable',
  'IdentityAvailable',
  'KeyNotReadable',
  'KeyReadable',
  'NewVersionFound',
  'NewVersionUnusable',
  'RotationStarted',
  'RotationCompleted',
  'ClaimReleased',
  'RingRewrapped',
  'RingRestored',
  'RingGenerationCreated',
  'RingGenerationActivated',
  'RingGenerationRetiring',
  'RingGenerationDestroyed',
  'StateDamaged',
  'IdentityReplaced',
  'DenialsConfirmed',
  'LinkCreated',
  'LinkRevoked',
  'LinkUsed',
  'AuditErased',
] as const;
export type AuditType = (typeof auditTypes)[number];

/** The reasons for an unwrap of an account key. */
export const keyPurposes = ['look', 'lease', 'rewrap', 'create', 'change', 'rotate', 'repair'] as const;
export type KeyPurpose = (typeof keyPurposes)[number];

/** Calls whose refusal is audited, because the caller tried to bypass a customer's control (docs/audit.md). */
export const sensitiveCalls = [
  'ReleaseToSystemKey',
  'UseForeignKey',
  'ChangeKeyWhileInaccessible',
  'RepairIdentity',
  'ReleaseClaim',
] as const;
export type SensitiveCall = (typeof sensitiveCalls)[number];

/** The actor of an entry: a person or program that called, or a part of Keyward. */
export interface Actor {
  readonly kind: 'principal' | 'functionKey' | 'customerLink' | 'keyward';
  /** Object id, `functionKey`, the id of a customer's link, or the part of Keyward that acted. */
  readonly id: string;
}

/** What started work that no caller requested. */
export const triggers = ['event', 'sweep', 'admin', 'wake', 'operation', 'denial'] as const;

export interface Trigger {
  readonly trigger: (typeof triggers)[number];
  /** The id that the sender wrote into the event. Keyward does not verify it. */
  readonly eventId?: string;
}

/** Adds the trigger to the entries that have Keyward as their actor. */
export const withTrigger = (facts: readonly AuditFacts[], trigger: Trigger | undefined): readonly AuditFacts[] =>
  trigger === undefined ? facts : facts.map((one) => (one.actor.kind === 'keyward' ? { ...one, ...trigger } : one));

export interface AuditFacts extends Partial<Trigger> {
  readonly type: AuditType;
  readonly actor: Actor;
  readonly cause?: Cause;
  /** The current key identifier, or the version that a verdict is about. */
  readonly key?: string;
  /** Key Vault's request id of the call that the entry is based on. */
  readonly keyVaultRequestId?: string;
  readonly epoch?: number;
  /** `<kind>/<name>` of each secret that the entry is about. */
  readonly secrets?: readonly string[];
  readonly before?: string;
  readonly after?: string;
  /** `<kind>/<value>`. */
  readonly claim?: string;
  /** `<ring>/<generation>`: what an entry of the service's own chain is about. */
  readonly ring?: string;
  /** `<table>/<partition key>/<row key>` of a damaged row, in the service's own chain. */
  readonly row?: string;
  /** An identity of Keyward: `systemAssigned`, or its resource id. */
  readonly identity?: string;
  /** The owners that the entry is about, at most 100. `count` says how many there are. */
  readonly owners?: readonly string[];
  /** ISO 8601: the latest time at which the lost key could still be in use. */
  readonly keyReleasedBy?: string;
  /** ISO 8601, of `CustomerKeyInaccessible`: the last good check, the first refusal, and the one that confirmed it. */
  readonly lastUsedAt?: string;
  readonly firstRefusedAt?: string;
  readonly confirmedAt?: string;
  /** Key Vault's request id of the first refusal. */
  readonly firstKeyVaultRequestId?: string;
  /** ISO 8601: the expiry of the key version that the entry is about. */
  readonly expiresOn?: string;
  /**
   * ISO 8601, of `AccountDeletionScheduled`: when Keyward destroys the account key, unless the account is recovered.
   */
  readonly scheduledPurgeAt?: string;
  /** How many accounts a rotation re-wrapped. */
  readonly accounts?: number;
  /**
   * The reason for a remote unwrap, and how long the vault took. `cause` says why the unwrap failed; absent: it
   * succeeded.
   */
  readonly purpose?: KeyPurpose;
  readonly durationMs?: number;
  /** For `DataKeysUsed`: the call, the number of its keys, and SHA-256 of each encryption context in base64url. */
  readonly operation?: DataKeyOperation;
  readonly count?: number;
  readonly contexts?: readonly string[];
  /** The sensitive call that was refused, and the code of the refusal. */
  readonly asked?: SensitiveCall;
  readonly code?: ErrorCode;
  /** The id of a customer's link, and the route that was called with it. */
  readonly link?: string;
  readonly call?: string;
  /** In the service's own chain: the name of an account that does not exist, or whose audit was erased. */
  readonly account?: string;
  /** Of `AuditErased`: the account instance. */
  readonly accountId?: string;
}
