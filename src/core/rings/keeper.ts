/**
 * The rings of this process: read when first needed, and read again when what it has is older than a minute. A KEK is opened once and
 * kept while it exists. When tables or the operator's vault do not answer, a process that has rings goes on with them, and says
 * so loudly.
 */
import { wipe } from '../bytes.ts';
import { type Kek, KeyMaterialMismatch } from '../envelope.ts';
import { describeError } from '../errors.ts';
import { forgetKek } from '../secrets/subkeys.ts';
import type { Rings } from '../service.ts';
import { linkOf, openKek } from './kek.ts';
import { loadRings, type RingPorts } from './load.ts';
import {
  generationsOf,
  isDestroyed,
  type OpenKek,
  type RingName,
  ringNames,
  ringOf,
  type StoredRing,
  type StoredRings,
  sealingOf,
} from './ring.ts';
import { olderKeyWaitMs, ringAgeMs, sureMs } from './times.ts';

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
  let dueAt = 0;
  let begun = 0;
  let done = 0;
  let flight: Promise<Rings> | undefined;

  async function readOnce(): Promise<Rings> {
    const number = ++begun;
    const readAt = clock.monotonic();
    try {
      const stored = withLost(await loadRings(ports, (ring) => opened[ring].size > 0));
      for (const ring of ringNames) letGo(ring, stored);
      await Promise.all(ringNames.map((ring) => openNew(ring, stored)));
      current = seen(stored, readAt);
      last = stored;
      dueAt = readAt + ringAgeMs;
      done = number;
      return current;
    } catch (error) {
      if (current !== undefined) {
        dueAt = clock.monotonic() + retryMs;
        log.error('The rings could not be read again: this process goes on with those it has', {
          error: describeError(error),
        });
      }
      throw error;
    }
  }

  /** A ring that has vanished from the table is as it was read before. */
  function withLost(stored: StoredRings): StoredRings {
    const kept = ringNames.filter((ring) => stored.rings[ring].rows.length === 0 && last !== undefined);
    for (const ring of kept)
      log.error('The rows of a ring are missing: restore them before this process ends', { ring });
    return {
      ...stored,
      rings: { ...stored.rings, ...Object.fromEntries(kept.map((ring) => [ring, last?.rings[ring]])) },
    };
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
          log.error('A ring was opened by the recovery key: no key of its own opens it', { ring, generation });
      } catch (error) {
        if (current === undefined && generation === sealingOf(stored)) throw error;
        log.error('A generation of a ring could not be opened', { ring, generation, error: describeError(error) });
      }
    }
  }

  /** @throws KeyMaterialMismatch when it was not made by somebody who had the KEK before it. */
  function refuseUnlinked(ring: RingName, kek: Kek, stored: StoredRing): void {
    const known = [...generationsOf(stored), ...opened[ring].keys()];
    const before = opened[ring].get(Math.max(0, ...known.filter((generation) => generation < kek.generation)));
    if (before === undefined) return;
    const link = linkOf(ring, kek, before);
    if (stored.rows.some((row) => row.generation === kek.generation && row.link === link)) return;
    wipe(kek.key);
    throw new KeyMaterialMismatch(`Generation ${kek.generation} of the ${ring} ring was not made by this service.`);
  }

  /** Destroyed KEKs leave the memory; those whose rows are only missing are the last copy of what was there. */
  function letGo(ring: RingName, { rings }: StoredRings): void {
    const now = clock.monotonic();
    for (const [generation, kek] of opened[ring]) {
      if (isDestroyed(rings[ring], generation)) {
        opened[ring].delete(generation);
        leaving.push({ kek, at: now });
      } else if (!rings[ring].rows.some((row) => row.generation === generation))
        log.error('The rows of a ring are missing: restore them before this process ends', { ring, generation });
    }
    for (const gone of leaving.filter(({ at }) => now - at >= olderKeyWaitMs)) {
      leaving.splice(leaving.indexOf(gone), 1);
      forgetKek(gone.kek);
      wipe(gone.kek.key);
    }
  }

  function seen({ rings }: StoredRings, readAt: number): Rings {
    const of = (ring: RingName) => ringOf(ring, rings[ring], new Map(opened[ring]));
    const [system, atRest, audit] = [of('system'), of('at-rest'), of('audit')];
    const isBehind = system.isBehind || atRest.isBehind;
    return { system, atRest, audit, sureUntil: isBehind ? Number.NEGATIVE_INFINITY : readAt + sureMs };
  }

  function read(): Promise<Rings> {
    flight ??= readOnce().finally(() => {
      flight = undefined;
    });
    return flight;
  }

  return async (asked) => {
    if (asked === 'fresh') {
      // A read that is under way may have begun before what the caller wants to see.
      const before = begun;
      for (;;) {
        const rings = await read();
        if (done > before) return rings;
      }
    }
    if (current !== undefined && clock.monotonic() < dueAt) return current;
    try {
      return await read();
    } catch (error) {
      if (current === undefined) throw error;
      return current;
    }
  };
}
