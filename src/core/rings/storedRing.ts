/**
 * Rings as they are stored: AES-256 KEKs of the service, each wrapped by RSA keys of the operator. Pure.
 *
 *   rows     insert-only wrappings of each generation; a deleted first wrapping leaves a marker under its row key
 *   state    the generation that seals, and the progress of a rotation to a newer one
 */

import type { Actor } from '../audit/auditFacts.ts';
import type { Bytes } from '../base/bytes.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName, RingPhase, WrappingRole } from '../base/vocabulary.ts';

/** Shows that the creator of a KEK had another one: an HMAC under the key of that one (kek.ts). */
export interface RingLink {
  readonly ring: RingName;
  readonly generation: number;
  /** base64url */
  readonly mac: string;
}

/** Links of a ring's oldest KEK, for the time after the KEK in its own link is destroyed. One valid link is enough. */
export interface RingRoot {
  readonly generation: number;
  readonly links: readonly RingLink[];
}

/** One wrapping of one KEK. */
export interface RingRow {
  readonly ring: RingName;
  readonly generation: number;
  /** The operator's key that wraps it: the ring's own, or the recovery key. */
  readonly role: WrappingRole;
  /** The key identifier, with version. */
  readonly key: string;
  /** The wrapping that the KEK was created with. */
  readonly isFirst: boolean;
  readonly wrapped: Bytes;
  /** Absent in the first generation of the first ring. */
  readonly link?: RingLink;
  readonly createdAt: EpochMs;
}

/**
 *   arriving   the newer KEK is stored and proven, and every process has time to load it; no process seals with it
 *   moving     processes seal with it; passes over all accounts re-seal what is under older ones
 *   retiring   begins later than any handler runs: the older ones are deleted after a pass that finds nothing under them, and
 *              a writer that reads this phase after its save knows that the pass can have missed it
 */
export interface RingRotation {
  readonly phase: RingPhase;
  readonly to: number;
  readonly since: EpochMs;
  readonly by: Actor;
  /** Absent while the KEK is arriving. */
  readonly pass?: RingPass;
}

/** Accounts between two names, for one worker at a time. */
export interface PassPart {
  /** The last name of the part. Absent: it has the last accounts. */
  readonly until?: string;
  /** The last processed account, or the end of the part before. Absent at the start of the first part. */
  readonly after?: string;
  readonly isOver?: true;
}

/** A full pass over all accounts, and its progress. */
export interface RingPass {
  readonly round: number;
  /** The earliest time of the next part. */
  readonly startAt: EpochMs;
  /** All accounts. Absent until the round begins. */
  readonly parts?: readonly PassPart[];
  /** For the at-rest ring, when all accounts are processed: the table whose rows are renewed, and the position. */
  readonly rows?: { readonly table: string; readonly after?: string };
  /** This round has found nothing under an older generation. */
  readonly isClean: boolean;
  readonly visited: number;
  /** The number under an older generation when this round found them. */
  readonly found: number;
  /** The number of these that do not decrypt. */
  readonly stuck: number;
  /** The number in all rounds. */
  readonly moved: number;
}

export interface RingState {
  /** The generation that seals, and since when. */
  readonly sealing: number;
  readonly since: EpochMs;
  readonly rotation?: RingRotation;
}

export interface StoredRing {
  readonly rows: readonly RingRow[];
  /** Generations whose first wrapping was deleted. */
  readonly markers: readonly { readonly generation: number; readonly createdAt: EpochMs }[];
  /** Absent before the first rotation. */
  readonly state?: Stored<RingState>;
  /** For its oldest KEK, after the older ones are destroyed. */
  readonly root?: RingRoot;
}

/** The last reading of the newest versions of the operator's keys. */
export interface KeyCheck {
  readonly checkedAt: EpochMs;
  /** A vault did not answer. */
  readonly failed: boolean;
}

export interface StoredRings {
  readonly rings: Readonly<Record<RingName, StoredRing>>;
  readonly check?: KeyCheck;
}

/** The generations with a wrapping, in order. */
export const generationsOf = ({ rows }: Pick<StoredRing, 'rows'>): number[] =>
  [...new Set(rows.map((row) => row.generation))].toSorted((a, b) => a - b);

export const lastGeneration = ({ rows, markers }: StoredRing): number =>
  Math.max(0, ...[...rows, ...markers].map(({ generation }) => generation));

/**
 * Keyward uses no number twice, also after a generation was destroyed. A row that does not decrypt may be foreign: its
 * number is left out, and does not move the numbers after it.
 */
export function nextGeneration(stored: StoredRing, isOpen: (generation: number) => boolean): number {
  const { rows, markers } = stored;
  const known = [...generationsOf(stored).filter(isOpen), ...markers.map(({ generation }) => generation)];
  let next = Math.max(sealingOf(stored), ...known) + 1;
  while (hasRow(rows, next)) next += 1;
  return next;
}

/**
 * Destroyed on purpose, and not only missing: only the marker is left, and the generation is older than the one that
 * seals. The audit ring keeps every generation.
 */
export function isDestroyed(ring: RingName, stored: StoredRing, generation: number): boolean {
  const { rows, markers, state } = stored;
  const isGone = markers.some((one) => one.generation === generation) && !hasRow(rows, generation);
  const phase = state?.value.rotation?.phase ?? 'retiring';
  return isGone && ring !== 'audit' && phase === 'retiring' && generation < sealingOf(stored);
}

export const hasRow = (rows: readonly RingRow[], generation: number): boolean =>
  rows.some((row) => row.generation === generation);

/** Without a state the lowest generation seals: a newer one is not active yet. */
export const sealingOf = (stored: StoredRing): number => stored.state?.value.sealing ?? generationsOf(stored)[0] ?? 1;

export const createdAtOf = ({ rows, markers }: StoredRing, generation: number): EpochMs | undefined =>
  [...rows.filter(({ isFirst }) => isFirst), ...markers].find((one) => one.generation === generation)?.createdAt;
