/**
 * The encryption context of a data key: facts about the data that are not secret, and must be the same for the unwrap.
 * Only its hash is used, and nothing of it is stored. Canonical form: lp("keyward/context/1", key, value, key, value,
 * ...) with the pairs in the order of their keys' UTF-8 bytes (docs/envelope.md). Text is compared byte by byte, and is
 * not normalized.
 */
import { type Bytes, lengthPrefixed, sha256, utf8 } from '../base/bytes.ts';
import { Refusal } from '../base/errors.ts';

export type EncryptionContext = Readonly<Record<string, string>>;

export const maxContextPairs = 16;
/** Bytes of UTF-8. */
export const maxContextKeyLength = 128;
export const maxContextValueLength = 512;

/** SHA-256 of the canonical form. @throws Refusal InvalidRequestContent that names the invalid pair */
export function contextHashOf(context: EncryptionContext, target = 'context'): Bytes {
  const pairs = Object.entries(context);
  if (pairs.length > maxContextPairs)
    throw invalid(target, `An encryption context has at most ${maxContextPairs} pairs.`);
  const encoded = pairs.map(([key, value]) => {
    const where = `${target}.${key.slice(0, 80)}`;
    return [
      encodeBounded(key, 1, maxContextKeyLength, where, 'The key of a pair'),
      encodeBounded(value, 0, maxContextValueLength, where, 'The value of a pair'),
    ] as const;
  });
  const sorted = encoded.toSorted(([a], [b]) => Buffer.compare(a, b));
  return sha256(lengthPrefixed('keyward/context/1', ...sorted.flat()));
}

function encodeBounded(text: string, min: number, max: number, target: string, what: string): Bytes {
  const bytes = utf8(text);
  if (bytes.byteLength >= min && bytes.byteLength <= max) return bytes;
  throw invalid(target, `${what} has ${min} to ${max} bytes of UTF-8, and this one has ${bytes.byteLength}.`);
}

const invalid = (target: string, message: string): Refusal => new Refusal('InvalidRequestContent', message, { target });
