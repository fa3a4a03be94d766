/** Small helpers for bytes. Key bytes stay in buffers from creation to `wipe`: they never become strings. */
import { createHash, timingSafeEqual } from 'node:crypto';

export type Bytes = Uint8Array<ArrayBuffer>;

/** In a buffer of its own, because the text can be a secret. */
export const utf8 = (text: string): Bytes => new TextEncoder().encode(text);

export const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/** Decodes into the returned buffer. `Buffer.from` would leave a second copy in the pool that small buffers share. */
export function fromBase64(text: string): Bytes {
  const bytes = new Uint8Array(Buffer.byteLength(text, 'base64'));
  const length = Buffer.from(bytes.buffer).write(text, 'base64');
  return bytes.subarray(0, length);
}

export const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');

export const sha256 = (bytes: Uint8Array): Bytes => bytesOf(createHash('sha256').update(bytes).digest());

/** A copy in a buffer of its own, so that wiping it changes nothing else (small Node buffers share a pool). */
export function bytesOf(source: Uint8Array): Bytes {
  const copy = new Uint8Array(source.byteLength);
  copy.set(source);
  return copy;
}

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.byteLength;
  }
  return joined;
}

/** Unsigned 32-bit, big-endian. */
export function uint32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export function readUint32(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset);
}

/** Each part after its own length (uint32), so that no two lists of parts give the same bytes. */
export function lengthPrefixed(...parts: readonly (Uint8Array | string)[]): Bytes {
  const all = parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'utf8') : part));
  const joined = new Uint8Array(all.reduce((sum, part) => sum + 4 + part.byteLength, 0));
  const lengths = new DataView(joined.buffer);
  let offset = 0;
  for (const part of all) {
    lengths.setUint32(offset, part.byteLength);
    joined.set(part, offset + 4);
    offset += 4 + part.byteLength;
  }
  return joined;
}

/** Compares in constant time for equal lengths. The lengths themselves are not secret here. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}

/** For MACs as text: their length is no secret, and only the one text that Keyward writes is equal. */
export const equalText = (a: string, b: string): boolean => equalBytes(utf8(a), utf8(b));

export function wipe(...buffers: readonly (Uint8Array | undefined)[]): void {
  for (const buffer of buffers) buffer?.fill(0);
}
