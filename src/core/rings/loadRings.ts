/**
 * Reading the rings, and making them on the very first start. Two first starts at once make one ring, because a KEK's first wrapping
 * has one place and the loser of the insert reads the winner's row; a missing ring beside stored accounts, or beside the marker of
 * a wrapping that was there once, is a refusal to write and never a new ring (INV-11).
 */

import { wipe } from '../base/bytes.ts';
import type { Clock, Random } from '../base/effects.ts';
import { Unavailable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { type RingName, ringNames } from '../base/vocabulary.ts';
import type { Kek } from '../crypto/accountKeyEnvelope.ts';
import type { Answer, KeyVault } from '../customerKey/ports.ts';
import { keyOf, linkOf, type OperatorKeys, ringUnavailable, wrapProven } from './kek.ts';
import type { RingStore } from './ports.ts';
import { lastGeneration, type RingRow, type StoredRing, type StoredRings } from './ring.ts';

export interface RingPorts {
  readonly keyVault: KeyVault;
  readonly ringStore: RingStore;
  readonly accounts: { names(limit: number): Promise<string[]> };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly operatorKeys: OperatorKeys;
}

/** `has`: whether this process holds the ring already, so that rows that are gone are no reason to stop. */
export async function loadRings(ports: RingPorts, has: (ring: RingName) => boolean): Promise<StoredRings> {
  const stored = await ports.ringStore.read();
  const missing = ringNames.filter((ring) => stored.rings[ring].rows.length === 0 && !has(ring));
  if (missing.length === 0) return stored;
  await Promise.all(missing.map((ring) => makeRing(ring, stored.rings[ring], ports)));
  return ports.ringStore.read();
}

async function makeRing(ring: RingName, stored: StoredRing, ports: RingPorts): Promise<void> {
  const isUsed = lastGeneration(stored) > 0 || stored.state !== undefined;
  // The accounts' own table, and not the list: a name that the list has lost would be a key lost.
  if (isUsed || (await ports.accounts.names(1)).length > 0)
    throw new Unavailable(
      'ServiceUnavailable',
      `The ${ring} ring is missing although accounts are stored. Nothing is written until it is restored from a back-up.`,
      60,
    );
  const made = await makeKek(ring, 1, undefined, ports);
  // The loser of this insert uses the winner's KEK: both read the rows again.
  await ports.ringStore.insert(made);
}

/** A new KEK and its first wrapping, proven. `before`: the KEK whose place it takes. Nothing is stored. @throws Unavailable with the cause */
export async function makeKek(
  ring: RingName,
  generation: number,
  before: Kek | undefined,
  { keyVault, operatorKeys, clock, random }: Pick<RingPorts, 'keyVault' | 'operatorKeys' | 'clock' | 'random'>,
): Promise<RingRow> {
  const operatorKey = keyOf(ring, operatorKeys);
  const description = required(await keyVault.describe(operatorKey), ring);
  const key = random.bytes(32);
  try {
    const made = required(await wrapProven(ring, { generation, key }, operatorKey, description, keyVault), ring);
    const link = before === undefined ? {} : { link: linkOf(ring, { generation, key }, before) };
    return { ...made, ...link, role: 'operator', isFirst: true, createdAt: clock.now() };
  } finally {
    wipe(key);
  }
}

function required<T>(answer: Answer<T>, ring: RingName): T {
  if (answer.ok) return answer.value;
  throw ringUnavailable(ring, answer.cause);
}
