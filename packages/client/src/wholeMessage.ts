/** Messages that are in memory as a whole. */
import { MessageError } from './errors.ts';
import {
  checkCommitment,
  chunkLengthOf,
  commitmentOf,
  defaultExponent,
  type Header,
  headerLengthFor,
  type MessageKeys,
  openChunk,
  parseHeader,
  sealChunk,
  tagLength,
  writeHeader,
} from './message.ts';

/** `prefix`: eight random bytes that no other message under this data key has. */
export function sealMessage(
  keys: MessageKeys,
  wrapped: Uint8Array,
  prefix: Uint8Array,
  context: Uint8Array,
  plain: Uint8Array,
  exponent = defaultExponent,
): Buffer {
  const commitment = commitmentOf(keys, exponent, prefix, context);
  const chunkLength = chunkLengthOf({ exponent });
  const chunks = Math.max(1, Math.ceil(plain.byteLength / chunkLength));
  const headerLength = headerLengthFor(wrapped);
  const out = Buffer.allocUnsafeSlow(headerLength + plain.byteLength + chunks * tagLength);
  writeHeader(out, { exponent, wrapped: wrapped as Buffer, prefix: prefix as Buffer, commitment });
  for (let index = 0; index < chunks; index++) {
    const chunk = plain.subarray(index * chunkLength, (index + 1) * chunkLength);
    const at = headerLength + index * (chunkLength + tagLength);
    sealChunk(keys, { prefix, commitment }, index, index === chunks - 1, chunk, out.subarray(at));
  }
  return out;
}

/** @throws MessageError MessageMalformed | MessageTruncated */
export function headerOf(message: Buffer): Header {
  const header = parseHeader(message);
  if (header === undefined || message.length < header.length + tagLength) throw truncated();
  return header;
}

export const truncated = (): MessageError =>
  new MessageError('MessageTruncated', 'The message ends before it is complete.');

/** Every chunk, or none: the opened chunks are wiped when a later one does not open. @throws MessageError */
export function openMessage(message: Buffer, header: Header, keys: MessageKeys, context: Uint8Array): Buffer {
  checkCommitment(header, keys, context);
  const stride = chunkLengthOf(header) + tagLength;
  const chunks = Math.ceil((message.length - header.length) / stride);
  // Cut within the last tag: the plaintext of the chunks before would not fit into what remains.
  if (message.length - header.length - (chunks - 1) * stride < tagLength) throw truncated();
  const out = Buffer.allocUnsafeSlow(message.length - header.length - chunks * tagLength);
  try {
    for (let index = 0; index < chunks; index++) {
      const at = header.length + index * stride;
      const sealed = message.subarray(at, at + stride);
      const isLast = index === chunks - 1;
      // An empty chunk is the only chunk of its message, so each plaintext has one form.
      if (sealed.length === tagLength && index > 0) throw truncated();
      const plain = openChunk(keys, header, index, isLast, sealed);
      out.set(plain, index * (stride - tagLength));
      plain.fill(0);
    }
    return out;
  } catch (error) {
    out.fill(0);
    throw error;
  }
}

/** The same message with another wrapped form of its data key. */
export function withWrappedKey(message: Buffer, header: Header, wrapped: Uint8Array): Buffer {
  const length = headerLengthFor(wrapped);
  const out = Buffer.allocUnsafeSlow(length + message.length - header.length);
  writeHeader(out, { ...header, wrapped: Buffer.from(wrapped) });
  out.set(message.subarray(header.length), length);
  return out;
}
