/**
 * The position of a page of a list, sealed. The position is the name of the last account that was read, and a caller
 * who is limited to owners must not see names of other owners' accounts. Nothing stores it.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { uint32, utf8, wipe } from '../base/bytes.ts';
import type { Random } from '../base/effects.ts';
import { type Kek, KeyMaterialMismatch, keyLength } from './accountKeyEnvelope.ts';
import type { Keks } from './keks.ts';

const purpose = 'keyward/page-position/1';
const cipher = 'chacha20-poly1305';
const [nonceLength, tagLength] = [12, 16];
const headLength = 4 + nonceLength;

/** `base64url(generation (4 bytes, big-endian) | nonce (12) | ciphertext | tag (16))`. */
export function sealPosition(position: string, kek: Kek, random: Random): string {
  const nonce = random.bytes(nonceLength);
  const key = keyOf(kek);
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagLength });
  const sealed = [sealing.update(position, 'utf8'), sealing.final()];
  wipe(key);
  return Buffer.concat([uint32(kek.generation), nonce, ...sealed, sealing.getAuthTag()]).toString('base64url');
}

/** Undefined: this service did not seal it, or the KEK is destroyed. */
export function openPosition(token: string, keks: Pick<Keks, 'kek'>): string | undefined {
  const bytes = Buffer.from(token, 'base64url');
  if (bytes.length < headLength + tagLength) return undefined;
  try {
    const key = keyOf(keks.kek(bytes.readUInt32BE(0)));
    const opening = createDecipheriv(cipher, key, bytes.subarray(4, headLength), { authTagLength: tagLength });
    wipe(key);
    opening.setAuthTag(bytes.subarray(-tagLength));
    const plain = opening.update(bytes.subarray(headLength, -tagLength));
    opening.final();
    return plain.toString('utf8');
  } catch (error) {
    if (error instanceof KeyMaterialMismatch || isNotAuthentic(error)) return undefined;
    throw error;
  }
}

const keyOf = (kek: Kek) => new Uint8Array(hkdfSync('sha256', kek.key, new Uint8Array(0), utf8(purpose), keyLength));

const isNotAuthentic = (error: unknown): boolean =>
  error instanceof Error && error.message === 'Unsupported state or unable to authenticate data';
