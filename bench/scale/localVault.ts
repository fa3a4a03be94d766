/** A Key Vault in this process: every key is the same real RSA key, and an unwrap is a real RSA decryption. */
import { constants, createPrivateKey, type JsonWebKey, privateDecrypt } from 'node:crypto';
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

export function createLocalVault(): LocalVault {
  const [{ jwk }] = (JSON.parse(readFileSync(keyPool, 'utf8')) as { keys: [{ jwk: JsonWebKey }] }).keys;
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
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
      const plain = privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, wrapped);
      return { ok: true, value: bytesOf(plain), observed };
    },
    wrap: wrapRsaOaep256,
  };
}
