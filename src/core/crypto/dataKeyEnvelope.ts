/**
 * The wrapped form of a data key, byte by byte as docs/envelope.md says. The caller stores it, so it says itself what
 * it is: account instance and generation are in its header, unproven until it is decrypted. Pure.
 *
 *   outer  second layer, ChaCha20-Poly1305:
 *          01 | 03 | account GUID (16) | generation (4) | nonce (12) | ciphertext | tag (16)
 *   inner  04 | nonce (12) | AES-256-GCM ciphertext (16 or 32) | tag (16)     under a subkey of the account key
 *
 * The keys of both layers are the generation's **data key material**. It is stored in the account's record as a
 * protected secret, because the at-rest ring destroys its older KEKs and nothing that a caller holds can be moved to a
 * newer one.
 */
import { createSecretKey, hkdfSync } from 'node:crypto';
import { type Bytes, bytesOf, concat, hex, lengthPrefixed, readUint32, uint32, utf8, wipe } from '../base/bytes.ts';
import {
  formatVersion,
  guidBytes,
  KeyMaterialMismatch,
  keyLength,
  nonceLength,
  openBox,
  sealBox,
  tagLength,
} from './accountKeyEnvelope.ts';

const wrappedDataKeyKind = 3;
const byDataKeyMaterial = 4;
const headerLength = 2 + 16 + 4;
export const dataKeyLengths: readonly number[] = [16, 32];
/** What the two layers add to a data key. */
const wrappedOverhead = headerLength + nonceLength + (1 + nonceLength + tagLength) + tagLength;
const wrappedLengths = new Set(dataKeyLengths.map((length) => length + wrappedOverhead));
export const noncesLength = 2 * nonceLength;

/** Bound into both layers. */
export interface DataKeyContext {
  readonly instanceId: string;
  readonly generation: number;
  /** SHA-256 of the canonical encryption context. */
  readonly contextHash: Bytes;
}

/** The keys of the two layers. */
export interface DataKeyMaterial {
  readonly inner: Bytes;
  readonly outer: Bytes;
}

export interface WrappedHeader {
  readonly instanceId: string;
  readonly generation: number;
}

/**
 * What a wrapped data key says of itself, unproven. @throws KeyMaterialMismatch for a form that this version does not
 * know
 */
export function parseWrappedDataKey(wrapped: Uint8Array): WrappedHeader {
  if (!wrappedLengths.has(wrapped.byteLength))
    throw new KeyMaterialMismatch('The wrapped data key has a length that none has.');
  if (wrapped[0] !== formatVersion || wrapped[1] !== wrappedDataKeyKind)
    throw new KeyMaterialMismatch('The wrapped data key has an unknown format version or kind.');
  const digits = hex(wrapped.subarray(2, 18));
  const instanceId = digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return { instanceId, generation: readUint32(wrapped, 18) };
}

/** `nonces`: 24 random bytes, for the inner and the outer layer. */
export function wrapDataKey(plain: Uint8Array, context: DataKeyContext, keys: DataKeyMaterial, nonces: Bytes): Bytes {
  const bound = boundTo(context);
  const box = sealBox('aes-256-gcm', keys.inner, nonces.subarray(0, nonceLength), plain, bound.inner);
  const inner = concat(Uint8Array.of(byDataKeyMaterial), box);
  return concat(
    bound.header,
    sealBox('chacha20-poly1305', keys.outer, nonces.subarray(nonceLength), inner, bound.outer),
  );
}

/** The caller wipes the value. @throws KeyMaterialMismatch */
export function unwrapDataKey(wrapped: Uint8Array, context: DataKeyContext, keys: DataKeyMaterial): Bytes {
  const { instanceId, generation } = parseWrappedDataKey(wrapped);
  if (instanceId !== context.instanceId || generation !== context.generation)
    throw new KeyMaterialMismatch('The wrapped data key is of another account or generation.');
  const bound = boundTo(context);
  const inner = openBox('chacha20-poly1305', keys.outer, wrapped.subarray(headerLength), bound.outer);
  if (inner[0] !== byDataKeyMaterial) throw new KeyMaterialMismatch('The inner layer has an unknown kind.');
  return openBox('aes-256-gcm', keys.inner, inner.subarray(1), bound.inner);
}

function boundTo({ instanceId, generation, contextHash }: DataKeyContext) {
  const [guid, count] = [guidBytes(instanceId), uint32(generation)];
  const header = concat(Uint8Array.of(formatVersion, wrappedDataKeyKind), guid, count);
  const inner = lengthPrefixed('keyward/data-key/1', guid, count, contextHash);
  return { header, inner, outer: concat(header, inner) };
}

const materialLength = 2 * keyLength;

/**
 * New material of a generation: the inner key comes from the account key, the outer one is random. The caller wipes it.
 */
export function newDataKeyMaterial(accountKey: Bytes, instanceId: string, outer: Bytes): Bytes {
  const info = utf8('keyward/data-key/1');
  const inner = new Uint8Array(hkdfSync('sha256', createSecretKey(accountKey), guidBytes(instanceId), info, keyLength));
  const material = concat(inner, outer);
  wipe(inner);
  return material;
}

/** The keys in opened material, which is wiped. The caller wipes both. @throws KeyMaterialMismatch */
export function dataKeyMaterialIn(material: Bytes): DataKeyMaterial {
  if (material.byteLength !== materialLength)
    throw new KeyMaterialMismatch('The data key material has the wrong length.');
  const keys = { inner: bytesOf(material.subarray(0, keyLength)), outer: bytesOf(material.subarray(keyLength)) };
  wipe(material);
  return keys;
}
