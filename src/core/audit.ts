/**
 * Audit entries form a chain per account instance, and per binding: each entry carries the hash of the one before it and an
 * HMAC-SHA-256 over its canonical form (RFC 8785), under a key that only the process holds. Whoever can write the table but
 * not use that key cannot edit, remove, insert or reorder entries without being found out (INV-6).
 */
import { createHmac } from 'node:crypto';
import canonicalize from 'canonicalize';
import type { Cause } from './causes.ts';
import type { Kek } from './envelope.ts';
import { type EpochMs, iso } from './time.ts';

export type AuditType =
  | 'AccountCreated'
  | 'AccountUpdated'
  | 'AccountKeyChanged'
  | 'AccountKeyRewrapped'
  | 'AccountKeyRotated'
  | 'IdentityRepaired'
  | 'AccountKeyResealed'
  | 'OlderAccountKeysRetiring'
  | 'OlderAccountKeysDestroyed'
  | 'AccountDeleted'
  | 'SecretsRevealed'
  | 'JobInputResolved'
  | 'SecretIntegrityFailed'
  | 'CustomerKeyInaccessible'
  | 'CustomerKeyRestored'
  | 'KeyMaterialMismatch'
  | 'WatchCreated'
  | 'VerdictChanged'
  | 'KeyNearExpiry'
  | 'KeyExpired'
  | 'IdentityUnavailable'
  | 'IdentityAvailable'
  | 'NewVersionFound'
  | 'NewVersionUnusable'
  | 'RotationStarted'
  | 'RotationCompleted'
  | 'ClaimReleased'
  | 'RingRewrapped'
  | 'RingRestored'
  | 'RingGenerationCreated'
  | 'RingGenerationActivated'
  | 'RingGenerationRetiring'
  | 'RingGenerationDestroyed';

/** Who did it: a person or program that called, or one of the triggers. */
export interface Actor {
  readonly kind: 'principal' | 'functionKey' | 'keyward';
  /** Object id, key name, or the trigger. */
  readonly id: string;
}

export interface AuditFacts {
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
  /** ISO 8601: the latest moment at which the key that was lost could still be in use. */
  readonly keyReleasedBy?: string;
  /** ISO 8601: of the key version that the entry is about. */
  readonly expiresOn?: string;
  /** How many accounts a rotation re-wrapped. */
  readonly accounts?: number;
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

/** The sequence number of the first broken link, or undefined when the chain is whole up to the head given. */
export function firstBrokenLink(
  chain: string,
  entries: readonly AuditEntry[],
  head: ChainHead,
  kekOf: (generation: number) => Kek,
): number | undefined {
  let previous = emptyChain;
  for (const { hash, ...body } of entries) {
    const links =
      body.chain === chain && body.sequence === previous.sequence + 1 && body.previousHash === previous.hash;
    if (!links || !hashIs(hash, body, kekOf)) return previous.sequence + 1;
    previous = { sequence: body.sequence, hash };
  }
  return previous.sequence === head.sequence && previous.hash === head.hash ? undefined : previous.sequence + 1;
}

/** Whether a holder of the audit key wrote the entry as it is. Its place in the chain is another question. */
export const isGenuine = ({ hash, ...body }: AuditEntry, kekOf: (generation: number) => Kek): boolean =>
  hashIs(hash, body, kekOf);

/** What cannot be hashed at all, an unknown key generation or text that is none, is no entry of ours either. */
function hashIs(hash: string, body: Omit<AuditEntry, 'hash'>, kekOf: (generation: number) => Kek): boolean {
  try {
    return hashOf(body, kekOf(body.keyGeneration)) === hash;
  } catch {
    return false;
  }
}

function hashOf(body: Omit<AuditEntry, 'hash'>, key: Kek): string {
  const text = canonicalize(body);
  if (text === undefined) throw new TypeError('An audit entry has no canonical form.');
  return createHmac('sha256', key.key).update(text, 'utf8').digest('base64url');
}
