/**
 * The encryption context: facts about the data that are not secret and must be the same for the decryption. Only its
 * hash is used. Canonical form: lp("keyward/context/1", key, value, key, value, ...) with the pairs in the order of
 * their keys' UTF-8 bytes; `lp` writes the length of each part, four bytes big-endian, before the part. Text is
 * compared byte by byte and is not normalized.
 */
import { hash } from 'node:crypto';

export type EncryptionContext = Readonly<Record<string, string>>;

export const maxContextPairs = 16;
/** Bytes of UTF-8. */
export const maxContextKeyLength = 128;
export const maxContextValueLength = 512;

/** SHA-256 of the canonical form. @throws TypeError | RangeError that names the invalid pair */
export function contextHash(context: EncryptionContext): Buffer {
  const keys = Object.keys(context);
  if (keys.length === 0) return emptyHash;
  if (keys.length > maxContextPairs)
    throw new RangeError(
      `An encryption context has at most ${maxContextPairs} pairs, and this one has ${keys.length}.`,
    );
  if (keys.length > 1) keys.sort(byUtf8);
  let length = label.length;
  for (const key of keys) {
    length += 8 + lengthOf(key, 'key', key, 1, maxContextKeyLength);
    length += lengthOf(context[key], 'value', key, 0, maxContextValueLength);
  }
  // One buffer, written once: this runs for each message.
  const form = Buffer.allocUnsafe(length);
  let at = label.copy(form);
  for (const key of keys) at = append(form, append(form, at, key), context[key] ?? '');
  return hash('sha256', form, 'buffer');
}

function append(form: Buffer, at: number, text: string): number {
  const written = form.write(text, at + 4);
  return form.writeUInt32BE(written, at) + written;
}

/** UTF-8 sorts by code points. The order of JavaScript's strings differs when there are surrogates. */
const byUtf8 = (a: string, b: string): number =>
  surrogate.test(a) || surrogate.test(b) ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : a < b ? -1 : 1;

const surrogate = /[\ud800-\udfff]/;

/** Bytes of UTF-8. */
function lengthOf(text: unknown, what: string, key: string, least: number, most: number): number {
  const where = () => `The ${what} of '${key.slice(0, 80)}' in the encryption context`;
  if (typeof text !== 'string') throw new TypeError(`${where()} is not text.`);
  if (!text.isWellFormed()) throw new TypeError(`${where()} holds half of a surrogate pair.`);
  const length = Buffer.byteLength(text);
  if (length < least || length > most)
    throw new RangeError(`${where()} has ${length} bytes of UTF-8: ${least} to ${most} are allowed.`);
  return length;
}

const name = 'keyward/context/1';
/** The name after its length. */
const label = Buffer.concat([Buffer.from([0, 0, 0, name.length]), Buffer.from(name)]);
const emptyHash = hash('sha256', label, 'buffer');
