/**
 * The encryption context: facts about the data that are not secret and must be the same when it is decrypted. Only its hash is used.
 * Canonical form: lp("keyward/context/1", key, value, key, value, ...) with the pairs in the order of their keys' UTF-8 bytes;
 * `lp` puts each part behind its length as four bytes, big-endian. Text is compared byte by byte and is not normalized.
 */
import { hash } from 'node:crypto';

export type EncryptionContext = Readonly<Record<string, string>>;

export const maxContextPairs = 16;
/** Bytes of UTF-8. */
export const maxContextKeyLength = 128;
export const maxContextValueLength = 512;

const label = Buffer.from('keyward/context/1');

/** SHA-256 of the canonical form. @throws TypeError | RangeError that names the pair at fault */
export function contextHash(context: EncryptionContext): Buffer {
  const pairs = Object.entries(context);
  if (pairs.length === 0) return emptyHash;
  if (pairs.length > maxContextPairs)
    throw new RangeError(
      `An encryption context has at most ${maxContextPairs} pairs, and this one has ${pairs.length}.`,
    );
  const encoded = pairs.map(
    ([key, value]) => [utf8(key, 'key', key, 1, maxContextKeyLength), textOf(key, value)] as const,
  );
  if (encoded.length > 1) encoded.sort(([a], [b]) => Buffer.compare(a, b));
  return hashOf(encoded.flat());
}

const textOf = (key: string, value: unknown): Buffer => utf8(value, 'value', key, 0, maxContextValueLength);

function utf8(text: unknown, what: string, key: string, least: number, most: number): Buffer {
  const where = `The ${what} of '${key.slice(0, 80)}' in the encryption context`;
  if (typeof text !== 'string') throw new TypeError(`${where} is not text.`);
  if (!text.isWellFormed()) throw new TypeError(`${where} holds half of a surrogate pair.`);
  const bytes = Buffer.from(text);
  if (bytes.length < least || bytes.length > most)
    throw new RangeError(`${where} has ${bytes.length} bytes of UTF-8: ${least} to ${most} are allowed.`);
  return bytes;
}

function hashOf(parts: readonly Buffer[]): Buffer {
  const all = [label, ...parts].flatMap((part) => {
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return hash('sha256', Buffer.concat(all), 'buffer');
}

const emptyHash = hashOf([]);
