/**
 * A Key Vault in this process: every key is the same real RSA key, and an unwrap is a real RSA decryption, on a thread
 * of Node's pool.
 */
import { type JsonWebKey, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { wrapRsaOaep256 } from '../../src/azure/rsaWrap.ts';
import { bytesOf } from '../../src/core/base/bytes.ts';
import type { KeyDescription, KeyVault, RsaPublicKey } from '../../src/core/customerKey/ports.ts';
import { keyPool } from '../seed.ts';

export const onlyVersion = '0123456789abcdef0123456789abcdef';

export interface LocalVault extends KeyVault {
  readonly publicKey: RsaPublicKey;
  readonly unwraps: number;
}

const algorithm = { name: 'RSA-OAEP', hash: 'SHA-256' };

export async function createLocalVault(): Promise<LocalVault> {
  const [{ jwk }] = (JSON.parse(readFileSync(keyPool, 'utf8')) as { keys: [{ jwk: JsonWebKey }] }).keys;
  const usable = { kty: 'RSA', n: jwk.n, e: jwk.e, d: jwk.d, p: jwk.p, q: jwk.q, dp: jwk.dp, dq: jwk.dq, qi: jwk.qi };
  const key = await webcrypto.subtle.importKey('jwk', usable as JsonWebKey, algorithm, false, ['decrypt']);
  const part = (name: 'n' | 'e') => bytesOf(Buffer.from(String(jwk[name]), 'base64url'));
  const publicKey = { n: part('n'), e: part('e') };
  const described: KeyDescription = {
    version: onlyVersion,
    keyType: 'RSA',
    bits: 2048,
    enabled: true,
    operations: ['wrapKey', 'unwrapKey'],
    recoveryLevel: 'Recoverable',
    publicKey,
  };
  const observed = { status: 200, durationMs: 1 };
  let unwraps = 0;
  return {
    publicKey,
    get unwraps() {
      return unwraps;
    },
    describe: async () => ({ ok: true, value: described, observed }),
    async unwrap(_keyRef, _version, wrapped) {
      unwraps += 1;
      const plain = await webcrypto.subtle.decrypt(algorithm, key, wrapped);
      return { ok: true, value: bytesOf(Buffer.from(plain)), observed };
    },
    wrap: wrapRsaOaep256,
  };
}
