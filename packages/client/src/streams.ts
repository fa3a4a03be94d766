/**
 * Messages as Web Streams. A chunk leaves a stream only when it is authentic. Before each chunk the stream requests its
 * keys again, so that it stops when the key status ends, for a stream of any length. An encrypting stream retains one
 * chunk, because it marks the last one. A decrypting stream ends with an error unless it has seen that mark.
 */
import type { MessageError } from './errors.ts';
import {
  type ChunkFacts,
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
import { truncated } from './wholeMessage.ts';

/** The keys of a wrapped data key while they may be used. @throws KeywardRefusal | KeywardUnavailable */
export type KeysFor = (wrapped: Uint8Array) => Promise<MessageKeys>;

export function encryptingStream(
  wrapped: Uint8Array,
  keysFor: KeysFor,
  prefix: Uint8Array,
  context: Uint8Array,
): TransformStream<Uint8Array, Uint8Array> {
  const exponent = defaultExponent;
  const pieces = new Pieces();
  let facts: ChunkFacts | undefined;
  let index = 0;

  async function emit(
    plain: Buffer,
    isLast: boolean,
    out: TransformStreamDefaultController<Uint8Array>,
  ): Promise<void> {
    const keys = await keysFor(wrapped);
    facts ??= begin(keys, out);
    const sealed = Buffer.allocUnsafeSlow(plain.length + tagLength);
    sealChunk(keys, facts, index++, isLast, plain, sealed);
    out.enqueue(sealed);
  }

  function begin(keys: MessageKeys, out: TransformStreamDefaultController<Uint8Array>): ChunkFacts {
    const commitment = commitmentOf(keys, exponent, prefix, context);
    const header = Buffer.allocUnsafeSlow(headerLengthFor(wrapped));
    writeHeader(header, { exponent, wrapped: Buffer.from(wrapped), prefix: Buffer.from(prefix), commitment });
    out.enqueue(header);
    return { prefix, commitment };
  }

  return new TransformStream({
    async transform(piece, out) {
      pieces.add(bytesOf(piece));
      while (pieces.length > chunkLengthOf({ exponent }))
        await emit(pieces.take(chunkLengthOf({ exponent })), false, out);
    },
    flush: (out) => emit(pieces.take(pieces.length), true, out),
  });
}

export function decryptingStream(keysFor: KeysFor, context: Uint8Array): TransformStream<Uint8Array, Uint8Array> {
  const pieces = new Pieces();
  let header: Header | undefined;
  let index = 0;

  async function open(isLast: boolean, out: TransformStreamDefaultController<Uint8Array>): Promise<void> {
    const known = header ?? takeHeader();
    if (known === undefined) return;
    const stride = chunkLengthOf(known) + tagLength;
    while (pieces.length > stride || (isLast && pieces.length > 0)) {
      const sealed = pieces.take(Math.min(stride, pieces.length));
      const isLastChunk = isLast && pieces.length === 0;
      if (sealed.length < tagLength || (sealed.length === tagLength && index > 0)) throw truncated();
      const keys = await keysFor(known.wrapped);
      if (index === 0) checkCommitment(known, keys, context);
      out.enqueue(openChunk(keys, known, index++, isLastChunk, sealed));
    }
  }

  function takeHeader(): Header | undefined {
    const parsed = parseHeader(pieces.peek());
    if (parsed === undefined) return undefined;
    header = { ...parsed, ...copied(parsed) };
    pieces.take(parsed.length);
    return header;
  }

  return new TransformStream({
    async transform(piece, out) {
      pieces.add(bytesOf(piece));
      await open(false, out);
    },
    async flush(out) {
      await open(true, out);
      if (index === 0) throw truncated() satisfies MessageError;
    },
  });
}

const copied = ({ wrapped, prefix, commitment }: Header) => ({
  wrapped: Buffer.from(wrapped),
  prefix: Buffer.from(prefix),
  commitment: Buffer.from(commitment),
});

function bytesOf(piece: unknown): Uint8Array {
  if (piece instanceof Uint8Array) return piece;
  throw new TypeError('A stream of bytes has Uint8Array pieces.');
}

/** Received bytes that are not used yet. They are joined once, when they are taken. */
class Pieces {
  #pieces: Uint8Array[] = [];
  length = 0;

  add(piece: Uint8Array): void {
    if (piece.byteLength === 0) return;
    this.#pieces.push(piece);
    this.length += piece.byteLength;
  }

  peek(): Buffer {
    const all = Buffer.concat(this.#pieces);
    this.#pieces = all.length === 0 ? [] : [all];
    return all;
  }

  take(length: number): Buffer {
    const out = Buffer.allocUnsafeSlow(length);
    let at = 0;
    while (at < length) {
      const [first] = this.#pieces;
      if (first === undefined) throw new RangeError('More bytes were taken than have come.');
      const part = first.subarray(0, length - at);
      out.set(part, at);
      at += part.byteLength;
      if (part.byteLength === first.byteLength) this.#pieces.shift();
      else this.#pieces[0] = first.subarray(part.byteLength);
    }
    this.length -= length;
    return out;
  }
}
