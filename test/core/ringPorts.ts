/** In-memory ports of a ring, with real RSA behind the vault. */
import { createPublicKey, type KeyObject, randomBytes, randomUUID } from 'node:crypto';
import { bytesOf } from '../../src/core/bytes.ts';
import type { Cause } from '../../src/core/causes.ts';
import type { Answer, KeyVault, Reach, RingStore } from '../../src/core/ports.ts';
import type { RingPorts, RingRow } from '../../src/core/ring.ts';
import { aBinding, start } from './builders.ts';
import { decrypted, encrypted } from './rsaFixtures.ts';

const observed = { durationMs: 1 };
export const failing = (cause: Cause): Answer<never> => ({ ok: false, cause, observed });

/** A vault with one key; the last version added is the latest. */
export function vaultWith(versions: Map<string, KeyObject>): KeyVault {
  return {
    async describe() {
      const latest = [...versions].at(-1);
      if (latest === undefined) return failing('KeyNotFound');
      const [version, key] = latest;
      const { n = '', e = '' } = createPublicKey(key).export({ format: 'jwk' });
      const publicKey = { n: bytesOf(Buffer.from(n, 'base64url')), e: bytesOf(Buffer.from(e, 'base64url')) };
      const rules = { keyType: 'RSA', bits: 2048, enabled: true, operations: [], recoveryLevel: 'Recoverable' };
      return { ok: true, value: { version, publicKey, ...rules }, observed };
    },
    async unwrap(_reach, version, wrapped) {
      const key = versions.get(version);
      if (key === undefined) return failing('KeyNotFound');
      try {
        return { ok: true, value: decrypted(key, wrapped), observed };
      } catch {
        // 400 "Unable to decrypt specified value with this key".
        return failing('KeyMaterialMismatch');
      }
    },
    wrap({ n, e }, plain) {
      const [modulus, exponent] = [n, e].map((bytes) => Buffer.from(bytes).toString('base64url'));
      const jwk = { kty: 'RSA', n: modulus ?? '', e: exponent ?? '' };
      return encrypted(createPublicKey({ key: jwk, format: 'jwk' }), plain);
    },
  };
}

export const operatorKey: Reach = { ...aBinding, vaultHost: 'operator.vault.azure.net', vaultName: 'operator' };

export interface RingStage extends RingPorts {
  readonly stored: RingRow[];
  readonly inserts: RingRow[];
}

/** Insert-only rows as the port promises them: one for each ring, generation and key version, and one first of each generation. */
export function ringStage(options: { keyVault: KeyVault; hasAccounts?: boolean; stored?: RingRow[] }): RingStage {
  const stored = options.stored ?? [];
  const inserts: RingRow[] = [];
  const place = ({ ring, generation, keyVersion, isFirst }: RingRow) =>
    JSON.stringify([ring, generation, isFirst ? 'first' : keyVersion]);
  const same = (a: RingRow) => (b: RingRow) => place(a) === place(b);
  const rings: RingStore = {
    rows: async (ring) => stored.filter((row) => row.ring === ring),
    async insert(row) {
      inserts.push(row);
      if (stored.some(same(row))) return false;
      stored.push(row);
      return true;
    },
    async remove(row) {
      stored.splice(stored.findIndex(same(row)), 1);
    },
  };
  return {
    stored,
    inserts,
    rings,
    keyVault: options.keyVault,
    directory: {
      put: async () => {},
      find: async () => undefined,
      remove: async () => {},
      page: async () => ({ names: [] }),
      isEmpty: async () => options.hasAccounts !== true,
    },
    clock: { now: () => start, monotonic: () => 0 },
    random: { bytes: (length) => bytesOf(randomBytes(length)), uuid: randomUUID },
  };
}
