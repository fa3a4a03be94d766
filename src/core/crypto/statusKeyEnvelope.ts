/**
 * The stored form of a key pair that key statuses are signed with, byte by byte as docs/envelope.md says. The public
 * key is not stored: it comes from what opens, so that a writer of the table cannot put another beside it. Pure.
 *
 *   01 | 04 | at-rest ring generation (4) | nonce (12) | ChaCha20-Poly1305 ciphertext of the Ed25519 seed (32) | tag (16)
 */
import { createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import { type Bytes, concat, lengthPrefixed, readUint32, uint32, utf8, wipe } from '../base/bytes.ts';
import {
  formatVersion,
  type Kek,
  KeyMaterialMismatch,
  keyLength,
  nonceLength,
  openBox,
  sealBox,
  tagLength,
} from './accountKeyEnvelope.ts';

const statusKeyKind = 4;
const headerLength = 2 + 4;
const storedLength = headerLength + nonceLength + keyLength + tagLength;

/** Where and when it was made: bound into the seal. */
export interface StatusKeyContext {
  readonly slot: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export function sealStatusKey(seed: Bytes, context: StatusKeyContext, kek: Kek, nonce: Bytes): Bytes {
  const header = concat(Uint8Array.of(formatVersion, statusKeyKind), uint32(kek.generation));
  const key = subkey(kek);
  try {
    return concat(header, sealBox('chacha20-poly1305', key, nonce, seed, aad(header, context)));
  } finally {
    wipe(key);
  }
}

/** Which at-rest KEK opens it. @throws KeyMaterialMismatch */
export function statusKeyGeneration(stored: Uint8Array): number {
  if (stored.byteLength !== storedLength || stored[0] !== formatVersion || stored[1] !== statusKeyKind)
    throw new KeyMaterialMismatch('The key of key statuses has an unknown form.');
  return readUint32(stored, 2);
}

/** @throws KeyMaterialMismatch */
export function openStatusKey(stored: Uint8Array, context: StatusKeyContext, kek: Kek): StatusKeyPair {
  statusKeyGeneration(stored);
  const header = stored.subarray(0, headerLength);
  const key = subkey(kek);
  try {
    const seed = openBox('chacha20-poly1305', key, stored.subarray(headerLength), aad(header, context));
    return pairOf(seed);
  } finally {
    wipe(key);
  }
}

const subkey = (kek: Kek): Bytes =>
  new Uint8Array(hkdfSync('sha256', kek.key, new Uint8Array(0), utf8('keyward/at-rest/status-key/1'), keyLength));

const aad = (header: Uint8Array, { slot, createdAt }: StatusKeyContext): Bytes =>
  lengthPrefixed('keyward/status-key/1', header, slot, String(createdAt));

export interface StatusKeyPair {
  readonly privateKey: KeyObject;
  /** The public key, as a JWK has it (RFC 8037): base64url. */
  readonly x: string;
}

/** PKCS #8 of an Ed25519 key (RFC 8410, section 7), up to the seed. */
const pkcs8 = Uint8Array.from(Buffer.from('302e020100300506032b657004220420', 'hex'));

/** Wipes the seed. */
function pairOf(seed: Bytes): StatusKeyPair {
  const der = concat(pkcs8, seed);
  const privateKey = createPrivateKey({ key: Buffer.from(der.buffer), format: 'der', type: 'pkcs8' });
  wipe(seed, der);
  const { x = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  return { privateKey, x };
}
