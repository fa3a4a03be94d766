/**
 * The rings of this process: read on first use, and read again when the copy is older than a minute. A KEK is decrypted
 * once and kept while it exists. When tables or the operator's vault do not answer, a process with rings continues with
 * its copy, and logs an error.
 */
import { provenHead } from '../audit/serviceAudit.ts';
import { type Age, startAge, unknownAge } from '../base/age.ts';
import { wipe } from '../base/bytes.ts';
import { describeError, Unavailable } from '../base/errors.ts';
import { singleFlight } from '../base/singleFlight.ts';
import { type RingName, ringNames } from '../base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import type { Keks } from '../crypto/keks.ts';
import { forgetKek } from '../crypto/subkeys.ts';
import { arrivingMs, freshMs, olderKeyWaitMs, ringAgeMs } from './durations.ts';
import { vouchers } from './kek.ts';
import { makeRing, type OpenRingsDeps } from './makeKek.ts';
import { noOpenKeks, type OpenFailure, type OpenKeks, openAtRest, openNew } from './openKeks.ts';
import type { LoadedRings } from './ports.ts';
import type { Rings } from './ring.ts';
import { ringOf } from './ring.ts';
import { hasRow, isDestroyed, type StoredRing, type StoredRings, sealingOf } from './storedRing.ts';
import { rejectOlderSealing, validateRefresh } from './validateRefresh.ts';

const retryMs = 10_000;

/** `fresh`: as the tables are at a time after the call, or an error. */
export function createRings(deps: OpenRingsDeps): (read?: 'fresh') => Promise<Rings> {
  const { clock, log } = deps;
  const opened = noOpenKeks();
  /** No longer handed out. A handler may still be sealing with one, for as long as handlers run. */
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
      const { loaded, failures } = await open();
      const stored = validate(loaded.verified(openAtRest(opened, loaded)));
      const accepted = last === undefined ? await rejectOlderThanChain(stored, openAtRest(opened, loaded)) : stored;
      judge(failures, accepted);
      for (const ring of ringNames) releaseDestroyed(ring, accepted);
      current = ringsAsOf(accepted, ageMs);
      last = accepted;
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

  /**
   * Reads and opens everything that is stored. On the very first start it makes what is missing. @throws Unavailable
   */
  async function open(): Promise<{ loaded: LoadedRings; failures: readonly OpenFailure[] }> {
    for (;;) {
      const loaded = await deps.ringStore.load();
      const failures = await openNew(opened, loaded, deps);
      const missing = ringNames.find((ring) => loaded.wrappings[ring].length === 0 && opened[ring].size === 0);
      if (missing === undefined) return { loaded, failures };
      const [failure] = failures;
      if (failure !== undefined) throw failure.error;
      await makeRing(missing, loaded.isUsed(missing), voucherOf(missing, opened), deps);
    }
  }

  /** A process without rings cannot determine which of two unrelated KEKs is Keyward's own. */
  function judge(failures: readonly OpenFailure[], { rings }: StoredRings): void {
    for (const { ring, generation, error } of failures) {
      const isForged = error instanceof KeyMaterialMismatch;
      if (current === undefined && (isForged || generation === sealingOf(rings[ring]))) throw error;
      log.error('A ring generation could not be opened', { ring, generation, error: describeError(error) });
    }
    if (current !== undefined) return;
    for (const ring of ringNames)
      if (!hasRow(rings[ring].rows, sealingOf(rings[ring]))) throw newestIsMissing(ring, sealingOf(rings[ring]));
  }

  /**
   * A KEK that was rotated out never encrypts again, even when a process starts on an older state of a ring or on none:
   * the service's chain has an entry for each activation.
   */
  async function rejectOlderThanChain(stored: StoredRings, atRest: Pick<Keks, 'kek'>): Promise<StoredRings> {
    let { sealing, isLast } = await deps.ringStore.readSealing(atRest);
    if (!isLast) {
      log.error('The head of the audit chain of the service is not its last entry');
      ({ sealing = {} } = await provenHead(deps.serviceAudit, auditKeks(opened)));
    }
    const of = (ring: RingName): StoredRing => rejectOlderSealing(sealing[ring] ?? 0, ring, stored.rings[ring], log);
    return { ...stored, rings: { system: of('system'), 'at-rest': of('at-rest'), audit: of('audit') } };
  }

  function validate(stored: StoredRings): StoredRings {
    const of = (ring: RingName) =>
      validateRefresh(ring, stored.rings[ring], last?.rings[ring], (generation) => opened[ring].has(generation), log);
    return { ...stored, rings: { system: of('system'), 'at-rest': of('at-rest'), audit: of('audit') } };
  }

  /** Destroyed KEKs leave the memory. A KEK whose rows are only missing stays: this copy is the last one. */
  function releaseDestroyed(ring: RingName, { rings }: StoredRings): void {
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

  function ringsAsOf({ rings }: StoredRings, ageMs: Age): Rings {
    const isOld = () => ageMs() >= arrivingMs;
    const of = (ring: RingName) => ringOf(ring, rings[ring], new Map(opened[ring]), clock.now(), isOld);
    const [system, atRest, audit] = [of('system'), of('at-rest'), of('audit')];
    const isOutdated = system.isOutdated || atRest.isOutdated;
    return { system, atRest, audit, isFresh: () => !isOutdated && ageMs() < freshMs };
  }

  const read = singleFlight(readOnce, ringAgeMs, clock);

  return async (requested) => {
    if (requested === 'fresh') {
      // A read in progress may have begun before the state that the caller needs.
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

const newestIsMissing = (ring: RingName, generation: number): Unavailable =>
  new Unavailable(
    'ServiceUnavailable',
    `Generation ${generation} of the ${ring} ring, which encrypts, is missing. Restore its rows from a back-up.`,
    60,
  );

function voucherOf(ring: RingName, opened: OpenKeks): { readonly ring: RingName; readonly kek: Kek } | undefined {
  const [first] = vouchers[ring];
  const kek = first && opened[first].get(Math.max(...opened[first].keys()));
  return first === undefined || kek === undefined ? undefined : { ring: first, kek };
}

/** For the chain that names the activated KEKs. Its entries are only read. */
const auditKeks = ({ audit }: OpenKeks): Keks => ({
  get newest(): Kek {
    throw new TypeError('This ring is only read.');
  },
  kek(generation) {
    const kek = audit.get(generation);
    if (kek === undefined) throw new KeyMaterialMismatch(`The audit ring has no generation ${generation}.`);
    return kek;
  },
});
