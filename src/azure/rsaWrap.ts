/** RSA-OAEP-256 with a public key, in the process, as Key Vault recommends ("Azure Key Vault throttling guidance"). */
import { constants, createPublicKey, publicEncrypt } from 'node:crypto';
import { type Bytes, bytesOf } from '../core/base/bytes.ts';
import type { RsaPublicKey } from '../core/customerKey/ports.ts';

export function wrapRsaOaep256(key: RsaPublicKey, plain: Bytes): Bytes {
  const base64url = (bytes: Bytes) => Buffer.from(bytes).toString('base64url');
  const publicKey = createPublicKey({
    key: { kty: 'RSA', n: base64url(key.n), e: base64url(key.e) },
    format: 'jwk',
  });
  return bytesOf(
    publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, plain),
  );
}
