/**
 * Rings: AES-256 KEKs of the service, each wrapped by RSA keys of the operator. What is stored of a ring, and what a process sees of
 * it. Pure.
 *
 *   rows     insert-only wrappings of each generation; a first wrapping that is dropped leaves its place taken (a marker)
 *   state    which generation is sealed with, and how far a rotation to a newer one is
 */

import type { Actor } from '../audit/auditEntry.ts';
import type { Bytes } from '../base/bytes.ts';
import { Unavailable } from '../base/errors.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName, RingPhase, WrappingRole } from '../base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { oldKekGraceMs } from './durations.ts';

/** `system` wraps account keys, `at-rest` is the second layer over everything, `audit` keys the chains. */

/** Shows that the maker of a KEK had another one: an HMAC under that one's key (kek.ts). */
export interface RingLink {
  readonly ring: RingName;
  readonly generation: number;
  /** base64url */
  readonly mac: string;
}

/** Links of a ring's oldest KEK, where the KEK that its own link names is destroyed. One of them is enough. */
export interface RingRoot {
  readonly generation: number;
  readonly links: readonly RingLink[];
}

/** One wrapping of one KEK. */
export interface RingRow {
  readonly ring: RingName;
  readonly generation: number;
  /** Which of the operator's keys wraps it: its own, or the one that everything can be restored with. */
  readonly role: WrappingRole;
  /** The key identifier, with version. */
  readonly key: string;
  /** The wrapping that the KEK was born with. */
  readonly isFirst: boolean;
  readonly wrapped: Bytes;
  /** Absent in the first generation of the first ring. */
  readonly link?: RingLink;
  readonly createdAt: EpochMs;
}

/**
 *   arriving   the newer KEK is stored and proven, and every process has time to load it; nobody seals with it
 *   moving     it is sealed with; passes over all accounts move what is under older ones
 *   retiring   begun longer after that than any handler runs: the older ones go after a pass that finds nothing under them, and
 *              every writer that reads this after its save knows that the pass may have missed it
 */
export interface RingRotation {
  readonly phase: RingPhase;
  readonly to: number;
  readonly since: EpochMs;
  readonly by: Actor;
  /** Absent while the KEK is arriving. */
  readonly pass?: RingPass;
}

/** A full pass over all accounts, and how far it is. */
export interface RingPass {
  readonly round: number;
  /** Not before. */
  readonly startAt: EpochMs;
  /** The last account that was visited. Absent at the start. */
  readonly after?: string;
  /** Of the at-rest ring, when all accounts were visited: the table whose rows are renewed, and where to continue. */
  readonly rows?: { readonly table: string; readonly after?: string };
  /** This round found nothing under an older generation. */
  readonly isClean: boolean;
  readonly visited: number;
  /** Under an older generation when this round met them. */
  readonly found: number;
  /** Of these, not to be opened. */
  readonly stuck: number;
  /** In all rounds. */
  readonly moved: number;
}

export interface RingState {
  /** The generation that is sealed with, and since when. */
  readonly sealing: number;
  readonly since: EpochMs;
  readonly rotation?: RingRotation;
}

export interface StoredRing {
  readonly rows: readonly RingRow[];
  /** Generations whose first wrapping has been dropped. */
  readonly markers: readonly { readonly generation: number; readonly createdAt: EpochMs }[];
  /** Absent before the first rotation. */
  readonly state?: Stored<RingState>;
  /** Of its oldest KEK, once those before it are destroyed. */
  readonly root?: RingRoot;
}

/** The last time that the newest versions of the operator's keys were read. */
export interface KeyCheck {
  readonly checkedAt: EpochMs;
  /** A vault did not answer. */
  readonly failed: boolean;
}

export interface StoredRings {
  readonly rings: Readonly<Record<RingName, StoredRing>>;
  readonly check?: KeyCheck;
}

/** Those that have a wrapping, in order. */
export const generationsOf = ({ rows }: StoredRing): number[] =>
  [...new Set(rows.map((row) => row.generation))].toSorted((a, b) => a - b);

/** Numbers are never used twice, also where a generation has been destroyed. */
export const lastGeneration = ({ rows, markers }: StoredRing): number =>
  Math.max(0, ...[...rows, ...markers].map(({ generation }) => generation));

/**
 * Dropped on purpose, and not only missing: nothing of it is left but the marker, and it is older than what is sealed with. The audit
 * ring keeps every generation.
 */
export function isDestroyed(ring: RingName, stored: StoredRing, generation: number): boolean {
  const { rows, markers, state } = stored;
  const isGone = markers.some((one) => one.generation === generation) && !hasRow(rows, generation);
  const phase = state?.value.rotation?.phase ?? 'retiring';
  return isGone && ring !== 'audit' && phase === 'retiring' && generation < sealingOf(stored);
}

export const hasRow = (rows: readonly RingRow[], generation: number): boolean =>
  rows.some((row) => row.generation === generation);

/** Without a state the lowest generation: one that is newer has not been activated. */
export const sealingOf = (stored: StoredRing): number => stored.state?.value.sealing ?? generationsOf(stored)[0] ?? 1;

export const bornAt = ({ rows, markers }: StoredRing, generation: number): EpochMs | undefined =>
  [...rows.filter(({ isFirst }) => isFirst), ...markers].find((one) => one.generation === generation)?.createdAt;

/** A ring as a process sees it: as it was read, with what could be opened. */
export interface Ring {
  /**
   * What to seal with. @throws Unavailable while it cannot be opened and the older ones must not be used any more, or when the
   * ring was read too long ago to know.
   */
  readonly newest: Kek;
  /** The generation of `newest`; undefined where that throws for as long as the ring is not read again. */
  readonly sealsWith: number | undefined;
  /**
   * @throws KeyMaterialMismatch when no such generation exists. @throws Unavailable when it could not be opened yet, or may have
   * come since the ring was read.
   */
  kek(generation: number): Kek;
  /** Whether what is sealed under it stays readable: a pass still to come will meet it, or none is needed. */
  keeps(generation: number): boolean;
  /** The recovery key opened it: no key of the ring itself does. */
  isRestored(generation: number): boolean;
  /** Seals with an older generation, because the newest could not be opened. */
  readonly isOutdated: boolean;
}

export const ringIn = (
  rings: { readonly system: Ring; readonly atRest: Ring; readonly audit: Ring },
  name: RingName,
): Ring => (name === 'system' ? rings.system : name === 'at-rest' ? rings.atRest : rings.audit);

export interface OpenKek extends Kek {
  readonly openedBy: RingRow['role'];
}

/** `isOld`: the ring was read so long ago that a newer generation may have come and be sealed with. */
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
 * What a process seals with that could not open the newest KEK: an older one, while no pass can have begun that would miss it. The
 * audit ring keeps every generation, so there any will do.
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
  new Unavailable('ServiceUnavailable', `The ${name} ring could not be read again for minutes. Try again.`, 10);

const notOpened = (name: RingName, generation: number): Unavailable =>
  new Unavailable(
    'ServiceUnavailable',
    `Generation ${generation} of the ${name} ring has not been opened in the operator's vault yet. Try again.`,
    10,
  );

export interface Rings {
  readonly system: Ring;
  readonly atRest: Ring;
  readonly audit: Ring;
  /** What is sealed with these and saved by now needs no second look (rings/late.ts). */
  readonly isFresh: () => boolean;
}
