/**
 * Audit entries form a chain per account instance, and per binding. Each entry carries the hash of the previous one and
 * an HMAC-SHA-256 over its canonical form (RFC 8785), under a key that only the process holds. A writer of the table
 * without that key cannot edit, remove, insert or reorder entries without detection (INV-6).
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
  'CustomerKeyInaccessible',
  'CustomerKeyRestored',
  'WatchCreated',
  'VerdictChanged',
  'KeyNearExpiry',
  'KeyExpired',
  'IdentityUnavailable',
  'IdentityAvailable',
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
] as const;
export type AuditType = (typeof auditTypes)[number];

/** The purpose of an unwrap of an account's key. */
export const keyPurposes = ['look', 'lease', 'rewrap', 'create', 'change', 'rotate', 'repair'] as const;
export type KeyPurpose = (typeof keyPurposes)[number];

/** Calls whose refusal is audited, because a caller tried to bypass a customer's control (docs/audit.md). */
export const sensitiveCalls = [
  'ReleaseToSystemKey',
  'UseForeignKey',
  'ChangeKeyWhileInaccessible',
  'RepairIdentity',
  'ReleaseClaim',
] as const;
export type SensitiveCall = (typeof sensitiveCalls)[number];

/** The actor: a person or program that called, or a part of Keyward. */
export interface Actor {
  readonly kind: 'principal' | 'functionKey' | 'keyward';
  /** Object id, `functionKey`, or the part of Keyward that acted. */
  readonly id: string;
}

/** What started work that no caller requested. */
export const triggers = ['event', 'sweep', 'admin', 'wake'] as const;

export interface Trigger {
  readonly trigger: (typeof triggers)[number];
  /** The event's id, as its sender wrote it, and nothing else. */
  readonly eventId?: string;
}

/** Entries of Keyward's own actions name what started them. */
export const withTrigger = (facts: readonly AuditFacts[], trigger: Trigger | undefined): readonly AuditFacts[] =>
  trigger === undefined ? facts : facts.map((one) => (one.actor.kind === 'keyward' ? { ...one, ...trigger } : one));

export interface AuditFacts extends Partial<Trigger> {
  readonly type: AuditType;
  readonly actor: Actor;
  readonly cause?: Cause;
  /** Current key identifier, or the version of a verdict. */
  readonly key?: string;
  /** Key Vault's request id of the call behind this entry. */
  readonly keyVaultRequestId?: string;
  readonly epoch?: number;
  /** `<kind>/<name>` of each secret of the entry. */
  readonly secrets?: readonly string[];
  readonly before?: string;
  readonly after?: string;
  /** `<kind>/<value>`. */
  readonly claim?: string;
  /** `<ring>/<generation>`: the subject of an entry of the service's own chain. */
  readonly ring?: string;
  /** ISO 8601: the latest moment at which the lost key could still be in use. */
  readonly keyReleasedBy?: string;
  /** ISO 8601: expiry of the key version of the entry. */
  readonly expiresOn?: string;
  /** The number of accounts that a rotation re-wrapped. */
  readonly accounts?: number;
  /**
   * The purpose of a remote unwrap, and the vault's response time. `cause` says why the key did not unwrap. Absent: it
   * did.
   */
  readonly purpose?: KeyPurpose;
  readonly durationMs?: number;
  /** Of `DataKeysUsed`: the call, the number of keys, and SHA-256 of each encryption context, base64url. */
  readonly operation?: DataKeyOperation;
  readonly count?: number;
  readonly contexts?: readonly string[];
  /** The refused sensitive call, and the code of its refusal. */
  readonly asked?: SensitiveCall;
  readonly code?: ErrorCode;
  /** In the service's own chain: the named account, which does not exist. */
  readonly account?: string;
}

export interface AuditEntry extends AuditFacts {
  /** The subject of the chain: an account instance or a binding. */
  readonly chain: string;
  readonly sequence: number;
  readonly at: string;
  readonly previousHash: string;
  readonly keyGeneration: number;
  readonly hash: string;
}

/** Used in keys and tokens, so that they sort by number. */
export const positionText = (sequence: number): string => String(sequence).padStart(10, '0');

export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

/** The chain before its first entry. */
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

/** Appends several entries: returns them, and the chain's head after them. */
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

/** The hash of an entry with this content under this key. */
export function hashOf(body: object, key: Kek): string {
  const text = canonicalize(body);
  if (text === undefined) throw new TypeError('An audit entry has no canonical form.');
  return createHmac('sha256', key.key).update(text, 'utf8').digest('base64url');
}
