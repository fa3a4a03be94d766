/**
 * Checks a chain row by row, as it is stored. Any writer of the table can have put any data there. An entry is genuine
 * when its hash is valid under the audit ring. It is the next link when it also names the chain, the sequence and the
 * previous hash. Pure (INV-6).
 */

import { equalText } from '../base/bytes.ts';
import type { Flaw } from '../base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { type AuditEntry, type ChainHead, formOf, hashOf } from './auditEntry.ts';

/** The possible flaws of a link. */
export const flaws = {
  Missing: 'The entry with this sequence number is missing.',
  Edited: 'The entry was changed: its hash does not match.',
  KeyUnknown: 'The entry names a generation of the audit ring that does not exist.',
  Foreign: 'The entry belongs to another chain.',
  OutOfOrder: 'This position holds another entry of this chain.',
  NotLinked: 'The entry does not name the hash of its predecessor.',
  HeadDiffers: 'The head that is stored beside the chain names another entry.',
  BeyondHead: 'The head that is stored beside the chain is older than this entry.',
  AnnouncedDiffers: 'Another entry was published with this sequence number.',
  StateDamaged: 'The row with the head of the chain is not as Keyward wrote it. The entries before it are intact.',
  SecretDiffers: 'A secret is not as its last entry says: it was put back, or removed. The entries are intact.',
} as const satisfies Record<Flaw, string>;

export const flawNames = Object.keys(flaws) as readonly Flaw[];

export interface ChainRow {
  /** The sequence number in its row key; 0 when there is none. */
  readonly position: number;
  /** An AuditEntry, unless a writer has changed it; undefined when the row holds no entry of Keyward. */
  readonly entry: unknown;
}

/**
 * The link of the row, or the reason why it is not the next one. @throws the errors of `kekOf`, except for a generation
 * that does not exist
 */
export function linkOf(
  chain: string,
  previous: ChainHead,
  { position, entry }: ChainRow,
  kekOf: (generation: number) => Kek,
): ChainHead | Flaw {
  const sequence = previous.sequence + 1;
  if (position > sequence) return 'Missing';
  const flaw = flawOf(entry, kekOf);
  if (flaw !== undefined) return flaw;
  const ours = entry as AuditEntry;
  if (ours.chain !== chain) return 'Foreign';
  if (position !== sequence || ours.sequence !== sequence) return 'OutOfOrder';
  return ours.previousHash === previous.hash ? { sequence, hash: ours.hash } : 'NotLinked';
}

/**
 * Whether a holder of the audit key wrote exactly this entry, at any position. @throws the errors of `kekOf`, except
 * for a generation that does not exist
 */
export const isGenuine = (entry: AuditEntry, kekOf: (generation: number) => Kek): boolean =>
  flawOf(entry, kekOf) === undefined;

/** Undefined when a process with the audit key wrote exactly this entry. */
function flawOf(entry: unknown, kekOf: (generation: number) => Kek): 'Edited' | 'KeyUnknown' | undefined {
  if (typeof entry !== 'object' || entry === null) return 'Edited';
  const { hash, keyGeneration } = entry as Partial<AuditEntry>;
  const kek = kekIfAny(keyGeneration, kekOf);
  if (kek === undefined) return 'KeyUnknown';
  try {
    const form = formOf(entry, kek);
    return form !== undefined && typeof hash === 'string' && equalText(hash, hashOf(form, kek)) ? undefined : 'Edited';
  } catch {
    // It has no form, so it has no hash.
    return 'Edited';
  }
}

function kekIfAny(generation: unknown, kekOf: (generation: number) => Kek): Kek | undefined {
  try {
    return typeof generation === 'number' ? kekOf(generation) : undefined;
  } catch (error) {
    if (error instanceof KeyMaterialMismatch) return undefined;
    throw error;
  }
}
