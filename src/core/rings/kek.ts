/**
 * One KEK and its wrappings: wrapping, proof and decryption with the operator's keys, byte by byte as docs/envelope.md
 * says.
 */
import { createHmac } from 'node:crypto';
import { type Bytes, bytesOf, concat, equalBytes, lengthPrefixed, uint32, wipe } from '../base/bytes.ts';
import type { Cause } from '../base/causes.ts';
import { Unavailable } from '../base/errors.ts';
import type { RingName } from '../base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch, keyLength } from '../crypto/accountKeyEnvelope.ts';
import { versionedIdentifier } from '../customerKey/keyIdentifier.ts';
import type { Answer, KeyDescription, KeyRef, KeyVault } from '../customerKey/ports.ts';
import type { OpenKek } from './ring.ts';
import type { RingLink, RingRow } from './storedRing.ts';

/** The operator's keys, as the settings name them. */
export interface OperatorKeys {
  readonly system: KeyRef;
  /** For the at-rest ring and the audit ring. */
  readonly atRest: KeyRef;
  /** In a second vault; wraps every KEK too. */
  readonly recovery?: KeyRef;
}

export const keyOf = (ring: RingName, keys: OperatorKeys): KeyRef => (ring === 'system' ? keys.system : keys.atRest);

const ringCode: Readonly<Record<RingName, number>> = { system: 1, 'at-rest': 2, audit: 3 };

/** 01 | ring | generation (4) | KEK (32). The caller wipes it. */
function kekPayload(ring: RingName, generation: number, key: Bytes): Bytes {
  return concat(Uint8Array.of(1, ringCode[ring]), uint32(generation), key);
}

/** Wraps locally, and returns only what a remote unwrap has opened to the same bytes (INV-11). */
export async function wrapProven(
  ring: RingName,
  kek: Kek,
  key: KeyRef,
  description: Pick<KeyDescription, 'version' | 'publicKey'>,
  keyVault: KeyVault,
): Promise<Answer<Pick<RingRow, 'ring' | 'generation' | 'key' | 'wrapped'>>> {
  const payload = kekPayload(ring, kek.generation, kek.key);
  let wrapped: Bytes;
  try {
    wrapped = keyVault.wrap(description.publicKey, payload);
  } finally {
    wipe(payload);
  }
  const wrapping = { ring, generation: kek.generation, key: versionedIdentifier(key, description.version), wrapped };
  const proof = await prove(wrapping, kek, key, keyVault);
  return proof.ok ? { ...proof, value: wrapping } : proof;
}

/** Whether a remote unwrap returns exactly this KEK. */
export async function prove(
  row: Pick<RingRow, 'ring' | 'key' | 'wrapped'>,
  kek: Kek,
  key: KeyRef,
  keyVault: KeyVault,
): Promise<Answer<true>> {
  const opened = await keyVault.unwrap(key, versionIn(row), row.wrapped);
  if (!opened.ok) return opened;
  const payload = kekPayload(row.ring, kek.generation, kek.key);
  const isSame = equalBytes(opened.value, payload);
  wipe(opened.value, payload);
  const { observed } = opened;
  return isSame ? { ok: true, value: true, observed } : { ok: false, cause: 'KeyMaterialMismatch', observed };
}

/**
 * A writer of the table can wrap bytes of their own with the public part of a key. So a KEK carries an HMAC under a KEK
 * that existed before it: an older one of its own ring or, for the oldest one of a ring, one of another ring. A writer
 * of the table alone cannot make the service encrypt with a KEK that they know, and cannot replace a ring (INV-13).
 */
export function linkOf(ring: RingName, kek: Kek, by: RingName, before: Kek): RingLink {
  const text = lengthPrefixed('keyward/ring-link/2', ring, uint32(kek.generation), kek.key);
  const mac = createHmac('sha256', before.key).update(text).digest('base64url');
  wipe(text);
  return { ring: by, generation: before.generation, mac };
}

/**
 * The rings whose KEKs prove the origin of the oldest KEK of a ring. A starting process opens the rings in the order of
 * `ringNames`. It accepts the system ring unverified; with a foreign system ring, no other ring fits. The audit ring
 * keeps every KEK. So it also serves a process that was idle while the KEKs that it holds of the other rings were
 * destroyed.
 */
export const vouchers: Readonly<Record<RingName, readonly RingName[]>> = {
  system: ['audit'],
  'at-rest': ['system', 'audit'],
  audit: ['at-rest'],
};

export const versionIn = ({ key }: Pick<RingRow, 'key'>): string => key.slice(key.lastIndexOf('/') + 1);

/** Keyward calls only keys that the settings name: a row cannot direct it to another vault. */
export const isWrappedBy = (row: Pick<RingRow, 'key'>, key: KeyRef): boolean =>
  row.key === versionedIdentifier(key, versionIn(row));

/**
 * Decrypts a KEK with the first of its wrappings that a vault unwraps: those of the ring's own key before those of the
 * recovery key, newest first. @throws KeyMaterialMismatch when the result is another key @throws Unavailable
 */
export async function openKek(
  ring: RingName,
  generation: number,
  rows: readonly RingRow[],
  keys: OperatorKeys,
  keyVault: KeyVault,
  isAuthentic: (row: RingRow, kek: Kek) => boolean,
): Promise<OpenKek> {
  const newestFirst = rows.filter((row) => row.generation === generation).toSorted((a, b) => b.createdAt - a.createdAt);
  const ways: [OpenKek['openedBy'], KeyRef][] = [['operator', keyOf(ring, keys)]];
  if (keys.recovery !== undefined) ways.push(['recovery', keys.recovery]);
  let cause: Cause | undefined;
  for (const [openedBy, key] of ways) {
    for (const row of newestFirst.filter((one) => isWrappedBy(one, key))) {
      const opened = await keyVault.unwrap(key, versionIn(row), row.wrapped);
      if (opened.ok) {
        const kek = { generation, key: kekIn(opened.value, ring, generation), openedBy };
        if (isAuthentic(row, kek)) return kek;
        wipe(kek.key);
        throw new KeyMaterialMismatch(`A wrapping of generation ${generation} of the ${ring} ring was edited.`);
      }
      // The error of the ring's own key is more useful to the operator than that of the recovery key.
      cause ??= opened.cause;
    }
  }
  throw cause === undefined ? unknownKey(ring, newestFirst) : ringUnavailable(ring, cause);
}

/** The KEK in a decrypted payload, which is wiped. @throws KeyMaterialMismatch */
function kekIn(payload: Bytes, ring: RingName, generation: number): Bytes {
  const header = kekPayload(ring, generation, new Uint8Array(0));
  const isOurs =
    payload.byteLength === header.byteLength + keyLength && equalBytes(payload.subarray(0, header.byteLength), header);
  const key = bytesOf(payload.subarray(header.byteLength));
  wipe(payload);
  if (!isOurs) throw new KeyMaterialMismatch(`Generation ${generation} of the ${ring} ring holds another key.`);
  return key;
}

export function ringUnavailable(ring: RingName, cause: Cause): Unavailable {
  const message = `The ${ring} ring could not be opened in the operator's vault: ${cause}.`;
  return new Unavailable('ServiceUnavailable', message, 10, { info: { cause } });
}

function unknownKey(ring: RingName, rows: readonly RingRow[]): Unavailable {
  const named = [...new Set(rows.map(({ key }) => key))].join(' and ');
  const message = `The ${ring} ring is wrapped by ${named}, which no setting names.`;
  return new Unavailable('ServiceUnavailable', message, 60, { info: { cause: 'KeyNotFound' } });
}
