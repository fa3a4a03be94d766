/**
 * Audit entries form a chain per account instance and per binding. Each entry has the hash of its predecessor and an
 * HMAC-SHA-256 over its canonical form (RFC 8785), under a key that only the process holds. A writer of the table who
 * cannot use that key cannot edit, remove, insert or reorder entries without detection (INV-6).
 */
import { createHmac, createSecretKey } from 'node:crypto';
import canonicalize from 'canonicalize';
import { equalText } from '../base/bytes.ts';
import type { Random } from '../base/effects.ts';
import { type EpochMs, iso } from '../base/time.ts';
import type { Kek } from '../crypto/accountKeyEnvelope.ts';
import type { AuditFacts } from './auditFacts.ts';
import { hasPersonalFacts, pseudonymized } from './personalFacts.ts';

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
