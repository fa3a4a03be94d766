/**
 * The message format of ../FORMAT.md, byte by byte. Pure.
 *
 *   01 | 01 | chunk exponent | wrapped key length (2) | wrapped key | nonce prefix (8) | commitment (32) | chunk |
 *   chunk | ...
 *
 * Each chunk is AES-256-GCM ciphertext and tag. Its nonce has its position and marks the last chunk (the STREAM
 * construction), so that a cut, doubled or reordered chunk does not open.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { MessageError } from './errors.ts';

export const formatVersion = 1;
/** HKDF-SHA-256, HMAC-SHA-256 and AES-256-GCM. */
export const suite = 1;
export const tagLength = 16;
export const prefixLength = 8;
export const commitmentLength = 32;
export const dataKeyLength = 32;
/** 64 KiB of plaintext a chunk. */
export const defaultExponent = 16;
const exponents = { least: 12, most: 24 } as const;
const fixedLength = 5;
export const maxWrappedLength = 1024;
/** The counter has 31 bits beside the flag of the last chunk. */
const maxChunks = 2 ** 31;

/** The context of a message's wrapped data key at Keyward: such a key opens messages and nothing else. */
export const messageKeyContext = { 'keyward:use': 'message/1' } as const;

/** Derived from one data key. The bytes are in native memory, which Node.js clears when the objects are collected. */
export interface MessageKeys {
  readonly encrypt: KeyObject;
  readonly commit: KeyObject;
}

/** Wipes the data key. @throws MessageError when it does not have 32 bytes */
export function deriveKeys(dataKey: Uint8Array): MessageKeys {
  try {
    if (dataKey.byteLength !== dataKeyLength)
      throw new MessageError('MessageMalformed', `The data key of a message has ${dataKeyLength} bytes.`);
    const derived = Buffer.from(hkdfSync('sha256', dataKey, new Uint8Array(0), 'keyward/message/1', 64));
    const keys = { encrypt: createSecretKey(derived.subarray(0, 32)), commit: createSecretKey(derived.subarray(32)) };
    derived.fill(0);
    return keys;
  } finally {
    dataKey.fill(0);
  }
}

export interface Header {
  /** Every chunk but the last has 2 to this power bytes of plaintext. */
  readonly exponent: number;
  readonly wrapped: Buffer;
  readonly prefix: Buffer;
  readonly commitment: Buffer;
  /** Bytes up to the start of the first chunk. */
  readonly length: number;
}

export const chunkLengthOf = ({ exponent }: Pick<Header, 'exponent'>): number => 2 ** exponent;

/** Undefined: more bytes are needed. @throws MessageError MessageMalformed */
export function parseHeader(bytes: Buffer): Header | undefined {
  const [version, bySuite, exponent = 0] = bytes;
  if (version !== undefined && version !== formatVersion) throw malformed(`It has the format version ${version}.`);
  if (bySuite !== undefined && bySuite !== suite) throw malformed(`It has the suite ${bySuite}.`);
  if (bytes.length < fixedLength) return undefined;
  if (exponent < exponents.least || exponent > exponents.most) throw malformed(`Its chunks have 2^${exponent} bytes.`);
  const wrappedLength = bytes.readUInt16BE(3);
  if (wrappedLength === 0 || wrappedLength > maxWrappedLength)
    throw malformed(`Its wrapped data key has ${wrappedLength} bytes.`);
  const prefixAt = fixedLength + wrappedLength;
  const commitmentAt = prefixAt + prefixLength;
  const length = commitmentAt + commitmentLength;
  if (bytes.length < length) return undefined;
  return {
    exponent,
    wrapped: bytes.subarray(fixedLength, prefixAt),
    prefix: bytes.subarray(prefixAt, commitmentAt),
    commitment: bytes.subarray(commitmentAt, length),
    length,
  };
}

const malformed = (what: string): MessageError =>
  new MessageError('MessageMalformed', `This is no message of Keyward. ${what}`);

export function headerLengthFor(wrapped: Uint8Array): number {
  return fixedLength + wrapped.byteLength + prefixLength + commitmentLength;
}

export function writeHeader(out: Buffer, { exponent, wrapped, prefix, commitment }: Omit<Header, 'length'>): void {
  out[0] = formatVersion;
  out[1] = suite;
  out[2] = exponent;
  out.writeUInt16BE(wrapped.byteLength, 3);
  out.set(wrapped, fixedLength);
  out.set(prefix, fixedLength + wrapped.byteLength);
  out.set(commitment, fixedLength + wrapped.byteLength + prefixLength);
}

const commitmentLabel = Buffer.from('keyward/message/1');

/**
 * Binds the data key, the context and every field of the header except the wrapped form of the key. So the key can be
 * wrapped again without encrypting the message again.
 */
export function commitmentOf(keys: MessageKeys, exponent: number, prefix: Uint8Array, context: Uint8Array): Buffer {
  const fields = Buffer.allocUnsafe(commitmentLabel.length + 3 + prefixLength + context.byteLength);
  fields.set(commitmentLabel);
  const at = commitmentLabel.length;
  fields[at] = formatVersion;
  fields[at + 1] = suite;
  fields[at + 2] = exponent;
  fields.set(prefix, at + 3);
  fields.set(context, at + 3 + prefixLength);
  return createHmac('sha256', keys.commit).update(fields).digest();
}

/** @throws MessageError MessageNotAuthentic */
export function checkCommitment(header: Header, keys: MessageKeys, context: Uint8Array): void {
  if (!timingSafeEqual(commitmentOf(keys, header.exponent, header.prefix, context), header.commitment))
    throw new MessageError(
      'MessageNotAuthentic',
      'The header does not fit the data key and the encryption context: the message was edited, or the context is another.',
    );
}

/** The facts that all chunks of a message share. */
export interface ChunkFacts {
  readonly prefix: Uint8Array;
  readonly commitment: Uint8Array;
}

function nonceOf(prefix: Uint8Array, index: number, isLast: boolean): Buffer {
  if (index >= maxChunks) throw new RangeError('A message has at most 2^31 chunks.');
  const nonce = Buffer.allocUnsafe(12);
  nonce.set(prefix);
  nonce.writeUInt32BE(index * 2 + (isLast ? 1 : 0), prefixLength);
  return nonce;
}

/** Writes ciphertext and tag into `out`, which has room for both. */
export function sealChunk(
  keys: MessageKeys,
  facts: ChunkFacts,
  index: number,
  isLast: boolean,
  plain: Uint8Array,
  out: Buffer,
): void {
  const cipher = createCipheriv('aes-256-gcm', keys.encrypt, nonceOf(facts.prefix, index, isLast), {
    authTagLength: tagLength,
  });
  cipher.setAAD(facts.commitment);
  out.set(cipher.update(plain));
  cipher.final();
  out.set(cipher.getAuthTag(), plain.byteLength);
}

/** The plaintext. @throws MessageError MessageNotAuthentic: the chunk was edited, or comes from another position */
export function openChunk(
  keys: MessageKeys,
  facts: ChunkFacts,
  index: number,
  isLast: boolean,
  sealed: Uint8Array,
): Buffer {
  const end = sealed.byteLength - tagLength;
  const decipher = createDecipheriv('aes-256-gcm', keys.encrypt, nonceOf(facts.prefix, index, isLast), {
    authTagLength: tagLength,
  });
  decipher.setAAD(facts.commitment);
  decipher.setAuthTag(sealed.subarray(end));
  const plain = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
    return plain;
  } catch {
    plain.fill(0);
    throw new MessageError(
      'MessageNotAuthentic',
      `Chunk ${index} does not open: it was edited, moved, or is not the last.`,
    );
  }
}
