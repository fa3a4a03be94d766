/**
 * Audit entries form a chain per account instance, and per binding: each entry carries the hash of the one before it and an
 * HMAC-SHA-256 over its canonical form (RFC 8785), under a key that only the process holds. Whoever can write the table but
 * not use that key cannot edit, remove, insert or reorder entries without being found out (INV-6).
 */
import { createHmac } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Cause } from '../base/causes.ts';
import type { ErrorCode } from '../base/errorCatalogue.ts';
import { type EpochMs, iso } from '../base/time.ts';
import type { DataKeyOperation } from '../base/vocabulary.ts';
import type { Kek } from '../crypto/accountKeyEnvelope.ts';

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
  'AccountDeleted',
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
] as const;
export type AuditType = (typeof auditTypes)[number];

/** What an account's key is unwrapped for. */
export const keyPurposes = ['look', 'lease', 'rewrap', 'create', 'change', 'rotate', 'repair'] as const;
export type KeyPurpose = (typeof keyPurposes)[number];

/** Calls whose refusal is told: somebody has tried to get round a customer's hold (docs/operations.md). */
export const sensitiveCalls = [
  'ReleaseToSystemKey',
  'UseForeignKey',
  'ChangeKeyWhileInaccessible',
  'RepairIdentity',
  'ReleaseClaim',
] as const;
export type SensitiveCall = (typeof sensitiveCalls)[number];

/** Who did it: a person or program that called, or Keyward by itself. */
export interface Actor {
  readonly kind: 'principal' | 'functionKey' | 'keyward';
  /** Object id, `functionKey`, or the part of Keyward that acted. */
  readonly id: string;
}

/** What began work that nobody called for. */
export const triggers = ['event', 'sweep', 'admin', 'wake', 'operation'] as const;

export interface Trigger {
  readonly trigger: (typeof triggers)[number];
  /** Of the event: what its sender wrote there, and no more than that. */
  readonly eventId?: string;
}

/** Entries of our own doing name what began it. */
export const withTrigger = (facts: readonly AuditFacts[], trigger: Trigger | undefined): readonly AuditFacts[] =>
  trigger === undefined ? facts : facts.map((one) => (one.actor.kind === 'keyward' ? { ...one, ...trigger } : one));

export interface AuditFacts extends Partial<Trigger> {
  readonly type: AuditType;
  readonly actor: Actor;
  readonly cause?: Cause;
  /** Current key identifier, or the version a verdict is about. */
  readonly key?: string;
  /** Key Vault's request id of the call that this rests on. */
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
  /** `<table>/<partition key>/<row key>`: the damaged row that an entry of the service's own chain is about. */
  readonly row?: string;
  /** ISO 8601: the latest moment at which the key that was lost could still be in use. */
  readonly keyReleasedBy?: string;
  /** ISO 8601, of `CustomerKeyInaccessible`: the last good check, the first refusal, and the one that confirmed it. */
  readonly lastUsedAt?: string;
  readonly firstRefusedAt?: string;
  readonly confirmedAt?: string;
  /** Key Vault's request id of the first refusal. */
  readonly firstKeyVaultRequestId?: string;
  /** ISO 8601: of the key version that the entry is about. */
  readonly expiresOn?: string;
  /** How many accounts a rotation re-wrapped. */
  readonly accounts?: number;
  /** What a remote unwrap was for, and how long the vault took. `cause` says why it did not open; absent: it did. */
  readonly purpose?: KeyPurpose;
  readonly durationMs?: number;
  /** Of `DataKeysUsed`: the call, how many keys it was about, and SHA-256 of each encryption context, base64url. */
  readonly operation?: DataKeyOperation;
  readonly count?: number;
  readonly contexts?: readonly string[];
  /** The sensitive call that was refused, and with which code. */
  readonly asked?: SensitiveCall;
  readonly code?: ErrorCode;
  /** In the service's own chain: the account that was named, which there is not. */
  readonly account?: string;
}

export interface AuditEntry extends AuditFacts {
  /** What the chain is about: an account instance or a binding. */
  readonly chain: string;
  readonly sequence: number;
  readonly at: string;
  readonly previousHash: string;
  readonly keyGeneration: number;
  readonly hash: string;
}

/** In keys and tokens, so that they sort by number. */
export const positionText = (sequence: number): string => String(sequence).padStart(10, '0');

export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

/** Before the first entry. */
export const emptyChain: ChainHead = { sequence: 0, hash: '' };

export function appendEntry(chain: string, head: ChainHead, facts: AuditFacts, at: EpochMs, key: Kek): AuditEntry {
  const body = {
    ...facts,
    chain,
    sequence: head.sequence + 1,
    at: iso(at),
    previousHash: head.hash,
    keyGeneration: key.generation,
  };
  return { ...body, hash: hashOf(body, key) };
}

/** Several at once: the entries, and the chain's head after them. */
export function appendEntries(chain: string, head: ChainHead, facts: readonly AuditFacts[], at: EpochMs, key: Kek) {
  let last = head;
  const entries = facts.map((fact) => {
    const entry = appendEntry(chain, last, fact, at, key);
    last = headOf(entry);
    return entry;
  });
  return { entries, head: last };
}

export const headOf = (entry: AuditEntry): ChainHead => ({ sequence: entry.sequence, hash: entry.hash });

/** What an entry of this content is hashed to under this key. */
export function hashOf(body: object, key: Kek): string {
  const text = canonicalize(body);
  if (text === undefined) throw new TypeError('An audit entry has no canonical form.');
  return createHmac('sha256', key.key).update(text, 'utf8').digest('base64url');
}
