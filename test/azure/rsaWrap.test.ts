import { createPublicKey, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { wrapRsaOaep256 } from '../../src/azure/rsaWrap.ts';
import { bytesOf } from '../../src/core/base/bytes.ts';
import { decrypted, fixtureKey } from '../rsaFixtures.ts';

describe('wrapping with a public key', () => {
  it.each([
    [2048, 0],
    [3072, 8],
    [4096, 11],
  ])(
    'wrapping with RSA %i returns a ciphertext of that size, which the private key decrypts by RSA-OAEP-256',
    (bits, index) => {
      const key = fixtureKey(index);
      const { n = '', e = '' } = createPublicKey(key).export({ format: 'jwk' });
      const parts = { n: bytesOf(Buffer.from(n, 'base64url')), e: bytesOf(Buffer.from(e, 'base64url')) };
      const plain = bytesOf(randomBytes(53));
      const wrapped = wrapRsaOaep256(parts, plain);
      expect(wrapped.byteLength).toBe(bits / 8);
      expect(decrypted(key, wrapped)).toEqual(plain);
      expect(wrapRsaOaep256(parts, plain)).not.toEqual(wrapped);
    },
  );
});
