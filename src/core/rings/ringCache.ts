/**
 * The rings of this process: read when first needed, and read again when what it has is older than a minute. A KEK is opened once and
 * kept while it exists. When tables or the operator's vault do not answer, a process that has rings goes on with them, and says
 * so loudly.
 */
import { type Age, startAge, unknownAge } from '../base/age.ts';
import { wipe } from '../base/bytes.ts';
import { describeError } from '../base/errors.ts';
import { singleFlight } from '../base/singleFlight.ts';
import { type RingName, ringNames } from '../base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { forgetKek } from '../crypto/subkeys.ts';
import { arrivingMs, olderKeyWaitMs, ringAgeMs, sureMs } from './durations.ts';
import { linkOf, openKek } from './kek.ts';
import { loadRings, type RingPorts } from './loadRings.ts';
import type { Rings } from './ring.ts';
import {
  generationsOf,
  hasRow,
  isDestroyed,
  type OpenKek,
  ringOf,
  type StoredRing,
  type StoredRings,
  sealingOf,
} from './ring.ts';
import { validateRefresh } from './validateRefresh.ts';

const retryMs = 10_000;

/** `fresh`: as the tables are at a moment after the call, or an error. */
export function createRings(ports: RingPorts): (read?: 'fresh') => Promise<Rings> {
  const { clock, log } = ports;
  const opened: Readonly<Record<RingName, Map<number, OpenKek>>> = {
    system: new Map(),
    'at-rest': new Map(),
    audit: new Map(),
  };
  /** No longer handed out. Somebody may still be sealing with it, for as long as a handler runs. */
  const leaving: { readonly kek: Kek; readonly at: number }[] = [];
  let current: Rings | undefined;
  let last: StoredRings | undefined;
  let currentAgeMs: Age = unknownAge;
  let failureAgeMs: Age = unknownAge;
  let begun = 0;
  let done = 0;

  async function readOnce(): Promise<Rings> {
    const number = ++begun;
    const ageMs = startAge(clock);
    try {
      const stored = believable(await loadRings(ports, (ring) => opened[ring].size > 0));
      for (const ring of ringNames) letGo(ring, stored);
      await Promise.all(ringNames.map((ring) => openNew(ring, stored)));
      current = seen(stored, ageMs);
      last = stored;
      currentAgeMs = ageMs;
      done = number;
      return current;
    } catch (error) {
      if (current !== undefined) {
        failureAgeMs = startAge(clock);
        log.error('The rings could not be refreshed and the process uses its copy', {
          error: describeError(error),
        });
      }
      throw error;
    }
  }

  function believable(stored: StoredRings): StoredRings {
    const of = (ring: RingName) =>
      validateRefresh(ring, stored.rings[ring], last?.rings[ring], (generation) => opened[ring].has(generation), log);
    return { ...stored, rings: { system: of('system'), 'at-rest': of('at-rest'), audit: of('audit') } };
  }

  async function openNew(ring: RingName, { rings }: StoredRings): Promise<void> {
    const stored = rings[ring];
    for (const generation of generationsOf(stored)) {
      if (opened[ring].has(generation)) continue;
      try {
        const kek = await openKek(ring, generation, stored.rows, ports.operatorKeys, ports.keyVault);
        refuseUnlinked(ring, kek, stored);
        opened[ring].set(generation, kek);
        if (kek.openedBy === 'recovery')
          log.error('A ring was opened with the recovery key because its own key did not open it', {
            ring,
            generation,
          });
      } catch (error) {
        // Whoever has none of the ring yet cannot tell which of two KEKs that do not go together is ours.
        const isForged = error instanceof KeyMaterialMismatch;
        if (current === undefined && (isForged || generation === sealingOf(stored))) throw error;
        log.error('A ring generation could not be opened', { ring, generation, error: describeError(error) });
      }
    }
  }

  /** @throws KeyMaterialMismatch when it was not made by somebody who had a KEK before it. */
  function refuseUnlinked(ring: RingName, kek: Kek, stored: StoredRing): void {
    const isOlder = (generation: number) => generation < kek.generation;
    if (!generationsOf(stored).some(isOlder) && ![...opened[ring].keys()].some(isOlder)) return;
    const links = stored.rows.filter((row) => row.generation === kek.generation).map((row) => row.link);
    const before = [...opened[ring].values()].filter(({ generation }) => isOlder(generation));
    if (before.some((one) => links.includes(linkOf(ring, kek, one)))) return;
    wipe(kek.key);
    throw new KeyMaterialMismatch(`Generation ${kek.generation} of the ${ring} ring was not made by this service.`);
  }

  /** Destroyed KEKs leave the memory; those whose rows are only missing are the last copy of what was there. */
  function letGo(ring: RingName, { rings }: StoredRings): void {
    const now = clock.monotonic();
    for (const [generation, kek] of opened[ring]) {
      if (isDestroyed(ring, rings[ring], generation)) {
        opened[ring].delete(generation);
        leaving.push({ kek, at: now });
      } else if (!hasRow(rings[ring].rows, generation))
        log.error('Ring rows are missing and must be restored before this process ends', { ring, generation });
    }
    for (const gone of leaving.filter(({ at }) => now - at >= olderKeyWaitMs)) {
      leaving.splice(leaving.indexOf(gone), 1);
      forgetKek(gone.kek);
      wipe(gone.kek.key);
    }
  }

  function seen({ rings }: StoredRings, ageMs: Age): Rings {
    const isOld = () => ageMs() >= arrivingMs;
    const of = (ring: RingName) => ringOf(ring, rings[ring], new Map(opened[ring]), clock.now(), isOld);
    const [system, atRest, audit] = [of('system'), of('at-rest'), of('audit')];
    const isOutdated = system.isOutdated || atRest.isOutdated;
    return { system, atRest, audit, isFresh: () => !isOutdated && ageMs() < sureMs };
  }

  const read = singleFlight(readOnce, ringAgeMs, clock);

  return async (asked) => {
    if (asked === 'fresh') {
      // A read that is under way may have begun before what the caller wants to see.
      const before = begun;
      for (;;) {
        const rings = await read();
        if (done > before) return rings;
      }
    }
    if (current !== undefined && (currentAgeMs() < ringAgeMs || failureAgeMs() < retryMs)) return current;
    try {
      return await read();
    } catch (error) {
      if (current === undefined) throw error;
      return current;
    }
  };
}
