/**
 * The stored form of a wrapped account key, byte by byte as docs/envelope.md says. Parsing is pure and has named
 * limits, and comes before any key is touched. Symmetric layers use a subkey per account (HKDF-SHA-256 with the
 * account's GUID as salt), so that no random nonce is shared between accounts, and bind their context as
 * length-prefixed AAD.
 *
 *   outer  at-rest layer, ChaCha20-Poly1305:  02 | 01 | ring generation (4) | nonce (12) | ciphertext | tag (16)
 *   inner  01 | RSA-OAEP-256 ciphertext (256, 384 or 512)                                  by the customer key
 *          02 | ring generation (4) | nonce (12) | AES-256-GCM ciphertext (53) | tag (16)   by the system ring
 *   what is wrapped: 01 | account GUID (16) | account key generation (4) | account key (32)
 */
import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync } from 'node:crypto';
import { type Bytes, bytesOf, concat, lengthPrefixed, readUint32, uint32, utf8, wipe } from '../base/bytes.ts';

/** The bytes are not what the record says: truncated, edited, swapped, or of another account or generation. */
export class KeyMaterialMismatch extends Error {
  override readonly name = 'KeyMaterialMismatch';
}

export const formatVersion = 1;
/** Of the layers that bind the account's name. */
export const namedFormatVersion = 2;
const wrappedAccountKeyKind = 1;
const byCustomerKey = 1;
const bySystemRing = 2;
const guidLength = 16;
export const keyLength = 32;
export const nonceLength = 12;
export const tagLength = 16;
const payloadLength = 1 + guidLength + 4 + keyLength;
const sealedPayloadLength = 1 + 4 + nonceLength + payloadLength + tagLength;
const rsaLengths = new Set([256, 384, 512]);
const outerHeaderLength = 2 + 4;
const maxStoredLength = outerHeaderLength + nonceLength + 1 + 512 + tagLength;

/**
 * Whose key, and which of its generations: bound into every layer. The payload has no room for the name; the layers
 * around it bind it.
 */
export interface KeyContext {
  /** The account's name, folded. */
  readonly account: string;
  readonly instanceId: string;
  readonly generation: number;
}

/** A key-encrypting key of a ring, or the subkey source of a layer. */
export interface Kek {
  readonly generation: number;
  readonly key: Bytes;
}

export const guidBytes = (guid: string): Bytes => bytesOf(Buffer.from(guid.replaceAll('-', ''), 'hex'));

/** What a key wraps: never the bare account key, so that a swapped or stale blob is recognised. */
export function accountKeyPayload(context: Omit<KeyContext, 'account'>, accountKey: Bytes): Bytes {
  return concat(Uint8Array.of(formatVersion), guidBytes(context.instanceId), uint32(context.generation), accountKey);
}

/** The account key out of an opened payload. The caller wipes both. @throws KeyMaterialMismatch */
export function openPayload(payload: Bytes, context: Omit<KeyContext, 'account'>): Bytes {
  const expected = accountKeyPayload(context, new Uint8Array(0));
  if (payload.byteLength !== payloadLength) throw new KeyMaterialMismatch('The payload has the wrong length.');
  if (Buffer.compare(payload.subarray(0, expected.byteLength), expected) !== 0)
    throw new KeyMaterialMismatch('The payload is of another account, generation or format.');
  return bytesOf(payload.subarray(expected.byteLength));
}

export type Inner =
  | { readonly by: 'CustomerKey'; readonly wrapped: Bytes }
  | { readonly by: 'SystemKey'; readonly ringGeneration: number; readonly sealed: Bytes };

export function formatInner(inner: Inner): Bytes {
  return inner.by === 'CustomerKey'
    ? concat(Uint8Array.of(byCustomerKey), inner.wrapped)
    : concat(Uint8Array.of(bySystemRing), uint32(inner.ringGeneration), inner.sealed);
}

export function parseInner(bytes: Bytes): Inner {
  const [kind] = bytes;
  if (kind === byCustomerKey && rsaLengths.has(bytes.byteLength - 1))
    return { by: 'CustomerKey', wrapped: bytesOf(bytes.subarray(1)) };
  if (kind === bySystemRing && bytes.byteLength === sealedPayloadLength)
    return { by: 'SystemKey', ringGeneration: readUint32(bytes, 1), sealed: bytesOf(bytes.subarray(5)) };
  throw new KeyMaterialMismatch('The inner layer has an unknown kind or length.');
}

/** The payload sealed by a KEK of the system ring. */
export function sealBySystemRing(payload: Bytes, context: KeyContext, kek: Kek, nonce: Bytes): Inner {
  const sealed = seal(
    'aes-256-gcm',
    subkey(kek, context, 'system'),
    nonce,
    payload,
    systemAad(context, kek.generation),
  );
  return { by: 'SystemKey', ringGeneration: kek.generation, sealed };
}

export function openBySystemRing(inner: Inner & { by: 'SystemKey' }, context: KeyContext, kek: Kek): Bytes {
  return open('aes-256-gcm', subkey(kek, context, 'system'), inner.sealed, systemAad(context, kek.generation));
}

/**
 * The outer layer. `wrappedBy` is the current key identifier, or `SystemKey`: bound, so that an edited record is found
 * out before a call leaves for any vault.
 */
export function sealAtRest(inner: Inner, context: KeyContext, wrappedBy: string, kek: Kek, nonce: Bytes): Bytes {
  const header = outerHeader(kek.generation);
  const aad = atRestAad(header, context, wrappedBy);
  return concat(header, seal('chacha20-poly1305', subkey(kek, context, 'at-rest'), nonce, formatInner(inner), aad));
}

/** Which at-rest KEK opens it. @throws KeyMaterialMismatch for a form that this version does not know. */
export function atRestGeneration(stored: Bytes): number {
  if (stored.byteLength > maxStoredLength) throw new KeyMaterialMismatch('The wrapped account key is too long.');
  if (stored.byteLength < outerHeaderLength + nonceLength + tagLength)
    throw new KeyMaterialMismatch('The wrapped account key is truncated.');
  if (stored[0] !== namedFormatVersion || stored[1] !== wrappedAccountKeyKind)
    throw new KeyMaterialMismatch('The wrapped account key has an unknown format version or kind.');
  return readUint32(stored, 2);
}

export function openAtRest(stored: Bytes, context: KeyContext, wrappedBy: string, kek: Kek): Inner {
  const header = outerHeader(atRestGeneration(stored));
  const aad = atRestAad(header, context, wrappedBy);
  const body = bytesOf(stored.subarray(outerHeaderLength));
  return parseInner(open('chacha20-poly1305', subkey(kek, context, 'at-rest'), body, aad));
}

const outerHeader = (generation: number): Bytes =>
  concat(Uint8Array.of(namedFormatVersion, wrappedAccountKeyKind), uint32(generation));

const systemAad = ({ instanceId, account, generation }: KeyContext, ringGeneration: number): Bytes =>
  lengthPrefixed('keyward/system/2', guidBytes(instanceId), account, uint32(generation), uint32(ringGeneration));

const atRestAad = (header: Bytes, { instanceId, account, generation }: KeyContext, wrappedBy: string): Bytes =>
  lengthPrefixed('keyward/at-rest/2', header, guidBytes(instanceId), account, uint32(generation), wrappedBy);

function subkey(kek: Kek, context: KeyContext, layer: 'system' | 'at-rest'): Bytes {
  const info = utf8(`keyward/${layer}/account-key/1`);
  return new Uint8Array(hkdfSync('sha256', createSecretKey(kek.key), guidBytes(context.instanceId), info, keyLength));
}

export type Cipher = 'aes-256-gcm' | 'chacha20-poly1305';

/** Under a subkey that serves this once: wiped here. */
function seal(algorithm: Cipher, key: Bytes, nonce: Bytes, plain: Bytes, aad: Bytes): Bytes {
  try {
    return sealBox(algorithm, key, nonce, plain, aad);
  } finally {
    key.fill(0);
  }
}

function open(algorithm: Cipher, key: Bytes, sealed: Bytes, aad: Bytes): Bytes {
  try {
    return openBox(algorithm, key, sealed, aad);
  } finally {
    key.fill(0);
  }
}

/**
 * nonce | ciphertext | tag. The key stays the caller's. Node copies it either way; for a key that is not a KeyObject,
 * Node 24 also throws and catches an error, which takes three times as long as the cipher.
 */
export function sealBox(algorithm: Cipher, key: Bytes, nonce: Bytes, plain: Uint8Array, aad: Uint8Array): Bytes {
  const cipher = createCipheriv(algorithm as 'aes-256-gcm', createSecretKey(key), nonce, { authTagLength: tagLength });
  cipher.setAAD(aad);
  const ciphertext = cipher.update(plain);
  cipher.final();
  return concat(nonce, ciphertext, cipher.getAuthTag());
}

/** @throws KeyMaterialMismatch */
export function openBox(algorithm: Cipher, key: Bytes, sealed: Uint8Array, aad: Uint8Array): Bytes {
  try {
    const nonce = sealed.subarray(0, nonceLength);
    const decipher = createDecipheriv(algorithm as 'aes-256-gcm', createSecretKey(key), nonce, {
      authTagLength: tagLength,
    });
    decipher.setAAD(aad);
    decipher.setAuthTag(sealed.subarray(sealed.byteLength - tagLength));
    const plain = decipher.update(sealed.subarray(nonceLength, sealed.byteLength - tagLength));
    try {
      decipher.final();
      return bytesOf(plain);
    } finally {
      wipe(plain);
    }
  } catch {
    throw new KeyMaterialMismatch('A layer does not open under the key and context that the record names.');
  }
}
