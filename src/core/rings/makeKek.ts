/**
 * Makes KEKs: the first ones on the very first start, and newer ones. Two simultaneous first starts make one ring: a
 * KEK's first wrapping has one row key, and the loser of the insert reads the winner's row. When a ring is missing
 * beside stored accounts, or beside any row of the ring, Keyward refuses to write and never makes a new ring (INV-11).
 */

import type { ServiceAuditStore } from '../audit/ports.ts';
import { wipe } from '../base/bytes.ts';
import type { Clock, Random } from '../base/effects.ts';
import { Unavailable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { RingName } from '../base/vocabulary.ts';
import type { Kek } from '../crypto/accountKeyEnvelope.ts';
import type { Answer, KeyVault } from '../customerKey/ports.ts';
import { keyOf, linkOf, type OperatorKeys, ringUnavailable, wrapProven } from './kek.ts';
import type { RingLoader, RingStore } from './ports.ts';

export interface OpenRingsDeps {
  readonly keyVault: KeyVault;
  readonly ringStore: RingStore & RingLoader;
  readonly accounts: { names(limit: number): Promise<string[]> };
  readonly serviceAudit: Pick<ServiceAuditStore, 'audit'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly operatorKeys: OperatorKeys;
}

/**
 * Makes the first KEK of a ring that has no stored rows. `before`: the KEK of the ring that proves its origin, when
 * that ring exists. Two first starts can both reach this function. The loser of the insert uses the winner's KEK,
 * because both read the rows again. @throws Unavailable
 */
export async function makeRing(
  ring: RingName,
  isUsed: boolean,
  before: { readonly ring: RingName; readonly kek: Kek } | undefined,
  deps: Omit<OpenRingsDeps, 'serviceAudit'>,
): Promise<void> {
  // The accounts' own table and not the directory: a name that the directory has lost would be a lost key.
  if (isUsed || (await deps.accounts.names(1)).length > 0)
    throw new Unavailable(
      'ServiceUnavailable',
      `The ${ring} ring is missing although accounts are stored. Nothing is written until it is restored from a back-up.`,
      60,
    );
  await makeKek(ring, 1, before, deps);
}

/**
 * Makes a new KEK, proves its first wrapping and stores it. `before`: the KEK that proves its origin. False: the row
 * key of the first wrapping is taken, and nothing is stored. @throws Unavailable with the cause
 */
export async function makeKek(
  ring: RingName,
  generation: number,
  before: { readonly ring: RingName; readonly kek: Kek } | undefined,
  deps: Pick<OpenRingsDeps, 'keyVault' | 'ringStore' | 'operatorKeys' | 'clock' | 'random'>,
): Promise<boolean> {
  const { keyVault, ringStore, clock } = deps;
  const operatorKey = keyOf(ring, deps.operatorKeys);
  const description = requireAnswer(await keyVault.describe(operatorKey), ring);
  const kek = { generation, key: deps.random.bytes(32) };
  try {
    const made = requireAnswer(await wrapProven(ring, kek, operatorKey, description, keyVault), ring);
    const link = before === undefined ? {} : { link: linkOf(ring, kek, before.ring, before.kek) };
    return await ringStore.insert({ ...made, ...link, role: 'operator', isFirst: true, createdAt: clock.now() }, kek);
  } finally {
    wipe(kek.key);
  }
}

function requireAnswer<T>(answer: Answer<T>, ring: RingName): T {
  if (answer.ok) return answer.value;
  throw ringUnavailable(ring, answer.cause);
}
