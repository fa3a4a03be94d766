/** The RSA keys of test/fixtures, and what Key Vault does with them: RSA-OAEP-256. */
import {
  constants,
  createPrivateKey,
  type JsonWebKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Bytes, bytesOf } from '../src/core/base/bytes.ts';

const fixtures = JSON.parse(readFileSync(new URL('./fixtures/rsaKeys.json', import.meta.url), 'utf8')) as {
  keys: { jwk: JsonWebKey }[];
};

export const fixtureKey = (index: number): KeyObject =>
  createPrivateKey({ key: fixtures.keys[index]?.jwk ?? {}, format: 'jwk' });

const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };

export const encrypted = (key: KeyObject, plain: Uint8Array): Bytes => bytesOf(publicEncrypt({ key, ...oaep }, plain));

export const decrypted = (key: KeyObject, wrapped: Uint8Array): Bytes =>
  bytesOf(privateDecrypt({ key, ...oaep }, wrapped));
