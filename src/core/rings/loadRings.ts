/**
 * Reads the rings, and creates them on the very first start. Two simultaneous first starts make one ring: a KEK's first
 * wrapping has one row key, and the loser of the insert reads the winner's row. A ring that is missing beside stored
 * accounts, or beside the marker of an earlier wrapping, makes Keyward refuse to write, and never makes a new ring
 * (INV-11).
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

/** `has`: whether this process already holds the ring, so that missing rows are no reason to stop. */
export async function loadRings(ports: RingPorts, has: (ring: RingName) => boolean): Promise<StoredRings> {
  const stored = await ports.ringStore.read();
  const missing = ringNames.filter((ring) => stored.rings[ring].rows.length === 0 && !has(ring));
  if (missing.length === 0) return stored;
  await Promise.all(missing.map((ring) => makeRing(ring, stored.rings[ring], ports)));
  return ports.ringStore.read();
}

async function makeRing(ring: RingName, stored: StoredRing, ports: RingPorts): Promise<void> {
  const isUsed = lastGeneration(stored) > 0 || stored.state !== undefined;
  // The accounts' own table and not the directory: a name that the directory has lost would be a lost key.
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

/**
 * A new KEK and its proven first wrapping. `before`: the previous KEK. Stores nothing. @throws Unavailable with the
 * cause
 */
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
