/**
 * Rings: AES-256 KEKs of the service, wrapped by RSA keys in the operator's vault. A new RSA version re-wraps a handful of
 * KEKs instead of every account. Rows are insert-only: two first starts at once make one ring, because the loser of the
 * insert reads the winner's row; a missing ring beside stored accounts is a refusal to write, never a new ring (INV-11).
 */
import { type Bytes, bytesOf, concat, equalBytes, uint32, wipe } from './bytes.ts';
import { type Kek, KeyMaterialMismatch } from './envelope.ts';
import { Unavailable } from './errors.ts';
import type { Answer, Clock, Directory, KeyVault, Random, Reach, RingStore } from './ports.ts';
import type { EpochMs } from './time.ts';

/** `system` wraps account keys, `at-rest` is the second layer over everything, `audit` keys the chains. */
export type RingName = 'system' | 'at-rest' | 'audit';

const ringCode: Readonly<Record<RingName, number>> = { system: 1, 'at-rest': 2, audit: 3 };

/** One wrapping of one KEK. */
export interface RingRow {
  readonly ring: RingName;
  readonly generation: number;
  readonly keyVersion: string;
  /** The wrapping that the KEK was born with. */
  readonly isFirst: boolean;
  readonly wrapped: Bytes;
  readonly createdAt: EpochMs;
}

export interface Ring {
  readonly newest: Kek;
  /** @throws KeyMaterialMismatch when no such generation exists. */
  kek(generation: number): Kek;
}

export interface RingPorts {
  readonly keyVault: KeyVault;
  readonly rings: RingStore;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly random: Random;
}

/** Reads and opens a ring, or makes it on the very first start. */
export async function loadRing(ring: RingName, operatorKey: Reach, ports: RingPorts): Promise<Ring> {
  const rows = await ports.rings.rows(ring);
  if (rows.length > 0) return openRing(ring, rows, operatorKey, ports.keyVault);
  if (!(await ports.directory.isEmpty())) {
    throw new Unavailable(
      'ServiceUnavailable',
      `The ${ring} ring is missing although accounts are stored. Nothing is written until it is restored from a back-up.`,
      60,
    );
  }
  await makeFirstKek(ring, operatorKey, ports);
  return openRing(ring, await ports.rings.rows(ring), operatorKey, ports.keyVault);
}

async function makeFirstKek(ring: RingName, operatorKey: Reach, ports: RingPorts): Promise<void> {
  const { keyVault, rings, clock, random } = ports;
  const description = required(await keyVault.describe(operatorKey), ring);
  const key = random.bytes(32);
  const payload = kekPayload(ring, 1, key);
  const wrapped = keyVault.wrap(description.publicKey, payload);
  const proof = await keyVault.unwrap(operatorKey, description.version, wrapped);
  const isProven = proof.ok && equalBytes(proof.value, payload);
  wipe(key, payload, proof.ok ? proof.value : undefined);
  required(proof, ring);
  if (!isProven)
    throw new KeyMaterialMismatch(`The first KEK of the ${ring} ring did not come back as it was wrapped.`);
  // The loser of this insert uses the winner's KEK: both read the rows again.
  await rings.insert({
    ring,
    generation: 1,
    keyVersion: description.version,
    isFirst: true,
    wrapped,
    createdAt: clock.now(),
  });
}

async function openRing(ring: RingName, rows: RingRow[], operatorKey: Reach, keyVault: KeyVault): Promise<Ring> {
  const keks = new Map<number, Kek>();
  for (const generation of new Set(rows.map((row) => row.generation))) {
    const wrappings = rows.filter((row) => row.generation === generation).sort((a, b) => b.createdAt - a.createdAt);
    keks.set(generation, await openKek(ring, generation, wrappings, operatorKey, keyVault));
  }
  const newest = keks.get(Math.max(...keks.keys()));
  if (newest === undefined) throw new KeyMaterialMismatch(`The ${ring} ring has no generation.`);
  return {
    newest,
    kek(generation) {
      const kek = keks.get(generation);
      if (kek === undefined) throw new KeyMaterialMismatch(`The ${ring} ring has no generation ${generation}.`);
      return kek;
    },
  };
}

/** Opens a KEK under the first of its wrappings that the vault still opens, newest first. */
async function openKek(
  ring: RingName,
  generation: number,
  wrappings: RingRow[],
  operatorKey: Reach,
  keyVault: KeyVault,
): Promise<Kek> {
  let last: Answer<Bytes> | undefined;
  for (const row of wrappings) {
    last = await keyVault.unwrap(operatorKey, row.keyVersion, row.wrapped);
    if (!last.ok) continue;
    const header = kekPayload(ring, generation, new Uint8Array(0));
    const { value: payload } = last;
    const isOurs =
      payload.byteLength === header.byteLength + 32 && equalBytes(payload.subarray(0, header.byteLength), header);
    const key = bytesOf(payload.subarray(header.byteLength));
    wipe(payload);
    if (!isOurs) throw new KeyMaterialMismatch(`Generation ${generation} of the ${ring} ring holds another key.`);
    return { generation, key };
  }
  throw ringUnavailable(ring, last);
}

/** 01 | ring | generation (4) | KEK (32) */
function kekPayload(ring: RingName, generation: number, key: Bytes): Bytes {
  return concat(Uint8Array.of(1, ringCode[ring]), uint32(generation), key);
}

function required<T>(answer: Answer<T>, ring: RingName): T {
  if (answer.ok) return answer.value;
  throw ringUnavailable(ring, answer);
}

function ringUnavailable(ring: RingName, answer: Answer<unknown> | undefined): Unavailable {
  const cause = answer === undefined || answer.ok ? 'UnknownResponse' : answer.cause;
  return new Unavailable(
    'ServiceUnavailable',
    `The ${ring} ring could not be opened in the operator's vault: ${cause}.`,
    10,
    {
      info: { cause },
    },
  );
}
