/**
 * Rings: AES-256 KEKs of the service, each wrapped by RSA keys of the operator. The stored form of a ring, and the form
 * in a process. Pure.
 *
 *   rows     insert-only wrappings of each generation; a deleted first wrapping leaves a marker under its row key
 *   state    the generation that seals, and the progress of a rotation to a newer one
 */

import type { Actor } from '../audit/auditEntry.ts';
import type { Bytes } from '../base/bytes.ts';
import { Unavailable } from '../base/errors.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName, RingPhase, WrappingRole } from '../base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { oldKekGraceMs } from './durations.ts';

/** `system` wraps account keys, `at-rest` is the second layer over all secrets, `audit` keys the chains. */

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

const lastGeneration = ({ rows, markers }: StoredRing): number =>
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

export const bornAt = ({ rows, markers }: StoredRing, generation: number): EpochMs | undefined =>
  [...rows.filter(({ isFirst }) => isFirst), ...markers].find((one) => one.generation === generation)?.createdAt;

/** A ring in a process: as it was read, with the KEKs that could be decrypted. */
export interface Ring {
  /**
   * The KEK to seal with. @throws Unavailable while it cannot be decrypted and the older ones must not be used any
   * more, or when the ring was read too long ago.
   */
  readonly newest: Kek;
  /** The generation of `newest`; undefined where `newest` throws until the ring is read again. */
  readonly sealsWith: number | undefined;
  /**
   * @throws KeyMaterialMismatch when no such generation exists. @throws Unavailable when it could not be decrypted yet,
   * or can have been created since the ring was read.
   */
  kek(generation: number): Kek;
  /** Whether data that is sealed under it stays readable: a later pass will find it, or none is needed. */
  keeps(generation: number): boolean;
  /** The recovery key decrypted it, and no key of the ring itself did. */
  isRestored(generation: number): boolean;
  /** Seals with an older generation, because the newest could not be decrypted. */
  readonly isOutdated: boolean;
}

export const ringIn = (
  rings: { readonly system: Ring; readonly atRest: Ring; readonly audit: Ring },
  name: RingName,
): Ring => (name === 'system' ? rings.system : name === 'at-rest' ? rings.atRest : rings.audit);

export interface OpenKek extends Kek {
  readonly openedBy: RingRow['role'];
}

/** `isOld`: the ring was read so long ago that a newer generation can exist and seal. */
export function ringOf(
  name: RingName,
  stored: StoredRing,
  opened: ReadonlyMap<number, OpenKek>,
  now: EpochMs,
  isOld: () => boolean,
): Ring {
  const sealing = sealingOf(stored);
  const isMoving = stored.state?.value.rotation?.phase === 'moving';
  const kekToSealWith = opened.get(sealing) ?? olderToSealWith(name, stored, opened, now);
  return {
    get newest() {
      if (kekToSealWith === undefined) throw notOpened(name, sealing);
      if (isOld()) throw readLongAgo(name);
      return kekToSealWith;
    },
    sealsWith: kekToSealWith?.generation,
    kek(generation) {
      const kek = opened.get(generation);
      if (kek !== undefined) return kek;
      if (hasRow(stored.rows, generation)) throw notOpened(name, generation);
      if (isOld() && generation > lastGeneration(stored)) throw readLongAgo(name);
      throw new KeyMaterialMismatch(`The ${name} ring has no generation ${generation}.`);
    },
    keeps: (generation) => generation >= sealing || name === 'audit' || (isMoving && hasRow(stored.rows, generation)),
    isRestored: (generation) => opened.get(generation)?.openedBy === 'recovery',
    isOutdated: kekToSealWith?.generation !== sealing,
  };
}

/**
 * The KEK of a process that could not decrypt the newest one: an older one, while no pass can have begun that would
 * miss it. The audit ring keeps every generation, so there any of them is right.
 */
function olderToSealWith(
  name: RingName,
  { state }: StoredRing,
  opened: ReadonlyMap<number, OpenKek>,
  now: EpochMs,
): OpenKek | undefined {
  const rotation = state?.value.rotation;
  const isInTime = rotation?.phase === 'moving' && now - rotation.since < oldKekGraceMs;
  const sealing = state?.value.sealing ?? 0;
  const older = [...opened.keys()].filter((generation) => generation < sealing);
  return name === 'audit' || isInTime ? opened.get(Math.max(...older)) : undefined;
}

const readLongAgo = (name: RingName): Unavailable =>
  new Unavailable('ServiceUnavailable', `Keyward could not read the ${name} ring for some minutes. Retry later.`, 10);

const notOpened = (name: RingName, generation: number): Unavailable =>
  new Unavailable(
    'ServiceUnavailable',
    `Generation ${generation} of the ${name} ring is not open yet. Retry later.`,
    10,
  );

export interface Rings {
  readonly system: Ring;
  readonly atRest: Ring;
  readonly audit: Ring;
  /** Data that is sealed with these and saved by now needs no second check (rings/staleWriter.ts). */
  readonly isFresh: () => boolean;
}
