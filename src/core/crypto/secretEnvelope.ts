/**
 * The stored form of a protected secret, byte by byte as docs/envelope.md says. Parsing is pure and has named limits,
 * and comes before any key is touched. Both layers bind the context of the secret: account GUID, kind, folded name,
 * account key generation.
 *
 *   outer  at-rest layer, ChaCha20-Poly1305:
 *          02 | 02 | ring generation (4) | account key generation (4) | nonce (12) | ciphertext | tag (16)
 *   inner  03 | nonce (12) | AES-256-GCM ciphertext | tag (16)      under a subkey of the account key, one per kind
 */

import { createSecretKey, hkdfSync } from 'node:crypto';
import { type Bytes, concat, lengthPrefixed, readUint32, uint32, utf8 } from '../base/bytes.ts';
import type { SecretKind } from '../base/vocabulary.ts';
import {
  guidBytes,
  type Kek,
  KeyMaterialMismatch,
  keyLength,
  namedFormatVersion,
  nonceLength,
  openBox,
  sealBox,
  tagLength,
} from './accountKeyEnvelope.ts';

/** The kinds that are sealed under an account key: secrets, older account keys, and the keys that wrap data keys. */
export type SealedKind = SecretKind | 'accountKeys' | 'dataKeys';

/** The context of a secret, bound into both layers. */
export interface SecretContext {
  readonly instanceId: string;
  /** The account's name, folded. */
  readonly account: string;
  readonly kind: SealedKind;
  /** Folded. */
  readonly name: string;
  /** Of the account key that the inner layer is sealed under. */
  readonly generation: number;
}

const protectedSecretKind = 2;
const byAccountKey = 3;
const headerLength = 2 + 4 + 4;
/** What the two layers add to the plain bytes. */
const secretOverhead = headerLength + nonceLength + (1 + nonceLength + tagLength) + tagLength;
/** In base64, together with the secret's metadata, this fits into one property of a row (64 KiB of UTF-16). */
export const maxSecretLength = 20_480;

export interface SecretHeader {
  readonly ringGeneration: number;
  readonly generation: number;
}

/**
 * What the stored bytes say of themselves, unproven. @throws KeyMaterialMismatch for a form that this version does not
 * know.
 */
export function parseSecret(stored: Uint8Array): SecretHeader {
  if (stored.byteLength > secretOverhead + maxSecretLength) throw new KeyMaterialMismatch('The secret is too long.');
  if (stored.byteLength < secretOverhead) throw new KeyMaterialMismatch('The secret is truncated.');
  if (stored[0] !== namedFormatVersion || stored[1] !== protectedSecretKind)
    throw new KeyMaterialMismatch('The secret has an unknown format version or kind.');
  return { ringGeneration: readUint32(stored, 2), generation: readUint32(stored, 6) };
}

/** How many plain bytes the stored ones hold. */
export const plainLengthOf = (stored: Uint8Array): number => stored.byteLength - secretOverhead;

/** The two subkeys that a secret's layers are under. They stay the caller's. */
export interface SecretKeys {
  readonly inner: Bytes;
  readonly outer: Bytes;
}

/** `nonces`: 24 random bytes, for the inner and the outer layer. */
export function sealSecret(
  plain: Uint8Array,
  context: SecretContext,
  keys: SecretKeys,
  ring: Kek,
  nonces: Bytes,
): Bytes {
  // `openSecret` refuses what is longer.
  if (plain.byteLength > maxSecretLength) throw new RangeError(`A secret has at most ${maxSecretLength} bytes.`);
  const bound = boundTo(context, ring.generation);
  const box = sealBox('aes-256-gcm', keys.inner, nonces.subarray(0, nonceLength), plain, bound.inner);
  const inner = concat(Uint8Array.of(byAccountKey), box);
  const outer = sealBox('chacha20-poly1305', keys.outer, nonces.subarray(nonceLength), inner, bound.outer);
  return concat(bound.header, outer);
}

/** The caller wipes the value. @throws KeyMaterialMismatch */
export function openSecret(stored: Uint8Array, context: SecretContext, keys: SecretKeys): Bytes {
  const bound = boundTo(context, parseSecret(stored).ringGeneration);
  const inner = openOuter(stored, context, keys.outer, bound);
  if (inner[0] !== byAccountKey) throw new KeyMaterialMismatch('The inner layer has an unknown kind.');
  return openBox('aes-256-gcm', keys.inner, inner.subarray(1), bound.inner);
}

/** The same inner layer under another at-rest KEK: the account key is not needed. @throws KeyMaterialMismatch */
export function rewrapOuterLayer(
  stored: Uint8Array,
  context: SecretContext,
  from: Bytes,
  to: { readonly subkey: Bytes; readonly ring: Kek; readonly nonce: Bytes },
): Bytes {
  const inner = openOuter(stored, context, from, boundTo(context, parseSecret(stored).ringGeneration));
  const bound = boundTo(context, to.ring.generation);
  return concat(bound.header, sealBox('chacha20-poly1305', to.subkey, to.nonce, inner, bound.outer));
}

function openOuter(stored: Uint8Array, context: SecretContext, key: Bytes, bound: AadParts): Bytes {
  if (parseSecret(stored).generation !== context.generation)
    throw new KeyMaterialMismatch('The secret is of another generation of the account key.');
  return openBox('chacha20-poly1305', key, stored.subarray(headerLength), bound.outer);
}

interface AadParts {
  readonly header: Bytes;
  /** AAD of the inner layer; the outer layer's has the header before it. */
  readonly inner: Bytes;
  readonly outer: Bytes;
}

function boundTo({ instanceId, account, kind, name, generation }: SecretContext, ringGeneration: number): AadParts {
  const header = Uint8Array.of(namedFormatVersion, protectedSecretKind, 0, 0, 0, 0, 0, 0, 0, 0);
  const fields = new DataView(header.buffer);
  fields.setUint32(2, ringGeneration);
  fields.setUint32(6, generation);
  const context = lengthPrefixed('keyward/secret/2', guidBytes(instanceId), account, kind, name, uint32(generation));
  const outer = concat(header, context);
  return { header, inner: outer.subarray(headerLength), outer };
}

/** The subkey of one kind under an account key. */
export const innerSubkey = (accountKey: Bytes, instanceId: string, kind: SealedKind): Bytes =>
  derive(accountKey, instanceId, `keyward/secret/${kind}/1`);

/** The subkey of one account under an at-rest KEK, for secrets of every kind. */
export const outerSubkey = (kek: Kek, instanceId: string): Bytes =>
  derive(kek.key, instanceId, 'keyward/at-rest/secret/1');

const derive = (key: Bytes, instanceId: string, info: string): Bytes =>
  new Uint8Array(hkdfSync('sha256', createSecretKey(key), guidBytes(instanceId), utf8(info), keyLength));
