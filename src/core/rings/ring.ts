/** Rings as a process uses them: as they were read, with the KEKs that could be decrypted. Pure. */

import { Unavailable } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName } from '../base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { oldKekGraceMs } from './durations.ts';
import { hasRow, lastGeneration, type RingRow, type StoredRing, sealingOf } from './storedRing.ts';

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
