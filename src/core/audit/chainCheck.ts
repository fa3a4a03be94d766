/**
 * Checking a chain, row by row, as it stands in the table, where whoever can write may have put anything. An entry is ours when
 * its hash fits it under the audit ring; it is the next link when it also names the chain, the sequence and the hash before it.
 * Pure (INV-6).
 */

import type { Flaw } from '../base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { type AuditEntry, type ChainHead, hashOf } from './auditEntry.ts';

/** What can be wrong with a link. */
export const flaws = {
  Missing: 'There is no entry of this sequence, and there was one.',
  Edited: 'What stands here is not what was written: its hash does not fit.',
  KeyUnknown: 'The entry names a generation of the audit ring that does not exist.',
  Foreign: 'The entry belongs to another chain.',
  OutOfOrder: 'Another entry of this chain stands in this position.',
  NotLinked: 'The entry follows another one than the one before it.',
  HeadDiffers: 'The head that is kept beside the chain is not this entry.',
  BeyondHead: 'The head that is kept beside the chain does not reach this entry.',
  AnnouncedDiffers: 'Another entry was announced with this sequence.',
  StateDamaged: 'The row that has the head of the chain is not as Keyward wrote it. The entries before it are whole.',
} as const satisfies Record<Flaw, string>;

export const flawNames = Object.keys(flaws) as readonly Flaw[];

/** One row of a chain. */
export interface ChainRow {
  /** The sequence number that its key says; 0: it says none. */
  readonly position: number;
  /** An AuditEntry, if nobody has meddled with it; undefined: the row holds nothing of ours. */
  readonly entry: unknown;
}

/** The link that the row is, or why it is not the next one. @throws what `kekOf` does, but for a generation that does not exist */
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

/** Whether a holder of the audit key wrote the entry as it is. Its position in the chain is another question. @throws what `kekOf` does, but for a generation that does not exist */
export const isGenuine = (entry: AuditEntry, kekOf: (generation: number) => Kek): boolean =>
  flawOf(entry, kekOf) === undefined;

/** Undefined: the process that had the audit key wrote exactly this. */
function flawOf(entry: unknown, kekOf: (generation: number) => Kek): 'Edited' | 'KeyUnknown' | undefined {
  if (typeof entry !== 'object' || entry === null) return 'Edited';
  const { hash, ...body } = entry as Partial<AuditEntry>;
  const kek = kekIfAny(body.keyGeneration, kekOf);
  if (kek === undefined) return 'KeyUnknown';
  try {
    return hash === hashOf(body, kek) ? undefined : 'Edited';
  } catch {
    // It cannot be hashed at all.
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
