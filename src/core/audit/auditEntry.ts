/**
 * Audit entries form a chain per account instance and per binding. Each entry has the hash of its predecessor and an
 * HMAC-SHA-256 over its canonical form (RFC 8785), under a key that only the process holds. A writer of the table who
 * cannot use that key cannot edit, remove, insert or reorder entries without detection (INV-6).
 */
import { createHmac, createSecretKey } from 'node:crypto';
import canonicalize from 'canonicalize';
import { equalText } from '../base/bytes.ts';
import type { Cause } from '../base/causes.ts';
import type { Random } from '../base/effects.ts';
import type { ErrorCode } from '../base/errorCatalogue.ts';
import { type EpochMs, iso } from '../base/time.ts';
import type { DataKeyOperation } from '../base/vocabulary.ts';
import type { Kek } from '../crypto/accountKeyEnvelope.ts';
import { hasPersonalFacts, pseudonymized } from './personalFacts.ts';

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

/** Calls whose refusal is audited, because the caller tried to bypass a customer's control (docs/operations.md). */
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

export interface AuditEntry extends AuditFacts {
  /** The subject of the chain: an account instance or a binding. */
  readonly chain: string;
  readonly sequence: number;
  readonly at: string;
  readonly previousHash: string;
  readonly keyGeneration: number;
  /** 2: the hash covers the personal facts as pseudonyms. Absent: the entry has none, or is older than this format. */
  readonly format?: 2;
  /** Of format 2: 16 random bytes, base64url. No call, event or index has it. */
  readonly salt?: string;
  /** Of format 2: the facts are pseudonyms and the salt is gone. Proves that a holder of the audit key erased them. */
  readonly erased?: string;
  readonly hash: string;
}

/** An entry as calls and events return it. */
export type ShownEntry = Omit<AuditEntry, 'format' | 'salt' | 'erased'> & { readonly erased?: true };

export function shownEntry({ format: _, salt: __, erased, ...entry }: AuditEntry): ShownEntry {
  return erased === undefined ? entry : { ...entry, erased: true };
}

/** The position as keys and tokens have it, so that they sort by number. */
export const positionText = (sequence: number): string => String(sequence).padStart(10, '0');

export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

/** The head before the first entry. */
export const emptyChain: ChainHead = { sequence: 0, hash: '' };

const saltLength = 16;

export function appendEntry(
  chain: string,
  head: ChainHead,
  facts: AuditFacts,
  at: EpochMs,
  key: Kek,
  random: Random,
): AuditEntry {
  const body = {
    ...facts,
    chain,
    sequence: head.sequence + 1,
    at: iso(at),
    previousHash: head.hash,
    keyGeneration: key.generation,
  };
  if (!hasPersonalFacts(body)) return { ...body, hash: hashOf(body, key) };
  const form = { ...body, format: 2 as const };
  const salt = Buffer.from(random.bytes(saltLength)).toString('base64url');
  return { ...form, salt, hash: hashOf(pseudonymized(form, salt), key) };
}

/** Appends several entries: returns them and the chain's head after them. */
export function appendEntries(
  chain: string,
  head: ChainHead,
  facts: readonly AuditFacts[],
  at: EpochMs,
  key: Kek,
  random: Random,
) {
  let last = head;
  const entries = facts.map((fact) => {
    const entry = appendEntry(chain, last, fact, at, key, random);
    last = headOf(entry);
    return entry;
  });
  return { entries, head: last };
}

/**
 * What the hash of a stored entry covers. Undefined: the row is not as Keyward wrote it. Without the proof, a writer of
 * the tables could put the pseudonym in the place of an actor. @throws TypeError when a fact has another type
 */
export function formOf({ hash = '', ...body }: Partial<AuditEntry>, key: Kek): object | undefined {
  if (body.format !== 2) return body;
  const { salt, erased, ...form } = body;
  if (erased !== undefined) return salt === undefined && equalText(erased, erasureProof(hash, key)) ? form : undefined;
  return isSalt(salt) ? pseudonymized(form as AuditEntry, salt) : undefined;
}

/** HMAC pads its key with zeros, so a longer text can be the same key. */
const isSalt = (salt: unknown): salt is string => typeof salt === 'string' && /^[\w-]{22}$/.test(salt);

/**
 * The entry with pseudonyms and without its salt, under the same hash. Undefined: it has no personal facts to erase.
 */
export function erasedEntry({ salt, ...entry }: AuditEntry, key: Kek): AuditEntry | undefined {
  return salt === undefined ? undefined : { ...pseudonymized(entry, salt), erased: erasureProof(entry.hash, key) };
}

/** No canonical form begins like this text, so no hash of an entry is a proof. */
const erasureProof = (hash: string, key: Kek): string => hmac(`keyward/audit-erased/1\n${hash}`, key);

export const headOf = (entry: AuditEntry): ChainHead => ({ sequence: entry.sequence, hash: entry.hash });

/** The hash of an entry with this form under this key. */
export function hashOf(form: object, key: Kek): string {
  const text = canonicalize(form);
  if (text === undefined) throw new TypeError('An audit entry has no canonical form.');
  return hmac(text, key);
}

/** A KeyObject costs less, as in crypto/accountKeyEnvelope.ts. */
const hmac = (text: string, key: Kek): string =>
  createHmac('sha256', createSecretKey(key.key)).update(text, 'utf8').digest('base64url');
