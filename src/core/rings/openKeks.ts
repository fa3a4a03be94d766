/**
 * The KEKs that a process has opened. A remote unwrap opens a KEK once, and the process holds it while it exists.
 * Keyward accepts a KEK only when a KEK that existed before it proves its origin (INV-13).
 */
import { equalText, wipe } from '../base/bytes.ts';
import { Unavailable } from '../base/errors.ts';
import { type RingName, ringNames } from '../base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import type { Keks } from '../crypto/keks.ts';
import { linkOf, openKek } from './kek.ts';
import type { OpenRingsDeps } from './makeKek.ts';
import type { LoadedRings } from './ports.ts';
import type { OpenKek } from './ring.ts';
import { generationsOf, hasRow, type RingLink } from './storedRing.ts';

export type OpenKeks = Readonly<Record<RingName, Map<number, OpenKek>>>;

export const noOpenKeks = (): OpenKeks => ({ system: new Map(), 'at-rest': new Map(), audit: new Map() });

export interface OpenFailure {
  readonly ring: RingName;
  readonly generation: number;
  readonly error: unknown;
}

/** Opens the KEKs that are not open yet into `opened`. Returns those that it could not open or accept. */
export async function openNew(opened: OpenKeks, loaded: LoadedRings, deps: OpenRingsDeps): Promise<OpenFailure[]> {
  const due = ringNames.flatMap((ring) =>
    generationsOf({ rows: loaded.wrappings[ring] })
      .filter((generation) => generation > 0 && !opened[ring].has(generation))
      .map((generation) => ({ ring, generation })),
  );
  const { operatorKeys, keyVault, log } = deps;
  const opening = due.map(({ ring, generation }) =>
    openKek(ring, generation, loaded.wrappings[ring], operatorKeys, keyVault, loaded.isAuthentic),
  );
  const results = await Promise.allSettled(opening);
  const failures: OpenFailure[] = [];
  // In an order in which each KEK can prove the origin of the next.
  for (const [n, { ring, generation }] of due.entries()) {
    const result = results[n];
    try {
      if (result?.status !== 'fulfilled') throw result?.reason;
      refuseUnlinked(ring, result.value, opened, loaded);
      opened[ring].set(generation, result.value);
      if (result.value.openedBy === 'recovery')
        log.error('A ring was opened with the recovery key because its own key did not open it', { ring, generation });
    } catch (error) {
      if (result?.status === 'fulfilled') wipe(result.value.key);
      failures.push({ ring, generation, error });
    }
  }
  return failures;
}

/** @throws KeyMaterialMismatch when no KEK proves its origin; Unavailable when the KEK that can is not open */
function refuseUnlinked(ring: RingName, kek: OpenKek, opened: OpenKeks, loaded: LoadedRings): void {
  const isOlder = (generation: number) => generation < kek.generation;
  const isOldest = !loaded.wrappings[ring].some(({ generation }) => isOlder(generation));
  // A starting process accepts the oldest KEK of the first ring unverified, because it has no earlier one.
  if (isOldest && ring === ringNames[0] && ![...opened[ring].keys()].some(isOlder)) return;
  const mayVouch = (link: RingLink) => (link.ring === ring ? isOlder(link.generation) : isOldest);
  const links = linksOf(ring, kek, loaded).filter(mayVouch);
  if (links.some((link) => isGood(link, ring, kek, opened))) return;
  const awaited = links.find((link) => isAwaited(link, opened, loaded));
  if (awaited !== undefined)
    throw new Unavailable(
      'ServiceUnavailable',
      `Generation ${kek.generation} of the ${ring} ring waits for generation ${awaited.generation} of the ${awaited.ring} ring.`,
      10,
    );
  throw new KeyMaterialMismatch(`Generation ${kek.generation} of the ${ring} ring was not made by this service.`);
}

function linksOf(ring: RingName, { generation }: Kek, { wrappings, roots }: LoadedRings): RingLink[] {
  const root = roots[ring];
  const own = wrappings[ring].filter((row) => row.generation === generation).map(({ link }) => link);
  const links = [...own, ...(root?.generation === generation ? root.links : [])];
  return links.filter((link) => link !== undefined && ringNames.includes(link.ring)) as RingLink[];
}

function isGood(link: RingLink, ring: RingName, kek: OpenKek, opened: OpenKeks): boolean {
  const by = opened[link.ring].get(link.generation);
  return by !== undefined && equalText(linkOf(ring, kek, link.ring, by).mac, link.mac);
}

/** The KEK that the link names exists and is not open yet. */
const isAwaited = ({ ring, generation }: RingLink, opened: OpenKeks, { wrappings }: LoadedRings): boolean =>
  !opened[ring].has(generation) && hasRow(wrappings[ring], generation);

/** The open at-rest ring, for the rows that a process reads before it has all rings. */
export const openAtRest = (opened: OpenKeks, loaded: LoadedRings): Pick<Keks, 'kek'> => ({
  kek(generation) {
    const kek = opened['at-rest'].get(generation);
    if (kek !== undefined) return kek;
    if (hasRow(loaded.wrappings['at-rest'], generation))
      throw new Unavailable('ServiceUnavailable', `Generation ${generation} of the at-rest ring is not open.`, 10);
    throw new KeyMaterialMismatch(`The at-rest ring has no generation ${generation}.`);
  },
});
