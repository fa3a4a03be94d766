/** The message format, tested with the frozen vectors of another implementation. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { contextHash, type EncryptionContext } from '../src/encryptionContext.ts';
import { MessageError } from '../src/errors.ts';
import { deriveKeys } from '../src/message.ts';
import { decryptingStream, encryptingStream } from '../src/streams.ts';
import { headerOf, openMessage, sealMessage } from '../src/wholeMessage.ts';
import { collected, inPieces } from './support.ts';

interface Vector {
  readonly name: string;
  readonly context: EncryptionContext;
  readonly message: string;
  readonly plaintext?: string;
  readonly fails?: string;
}

const file = new URL('../vectors/messages.json', import.meta.url);
const text = readFileSync(file, 'utf8');
const vectors: {
  readonly dataKey: string;
  readonly wrapped: string;
  readonly contextHashes: readonly { name: string; context: EncryptionContext; sha256: string }[];
  readonly good: readonly Vector[];
  readonly broken: readonly Vector[];
} = JSON.parse(text);

const bytes = (base64: string) => Buffer.from(base64, 'base64');
const keys = () => deriveKeys(bytes(vectors.dataKey));

function open({ message, context }: Vector): Buffer {
  const whole = bytes(message);
  return openMessage(whole, headerOf(whole), keys(), contextHash(context));
}

const openStream = ({ message, context }: Vector, pieceLength: number) =>
  collected(
    inPieces(bytes(message), pieceLength).pipeThrough(decryptingStream(async () => keys(), contextHash(context))),
  );

describe('the frozen vectors of messages, format version 1', () => {
  it.each(vectors.contextHashes.map((one) => [one.name, one] as const))(
    'an encryption context has one hash in every implementation: %s',
    (_, { context, sha256 }) => {
      expect(contextHash(context).toString('hex')).toBe(sha256);
    },
  );

  it.each(vectors.good.map((one) => [one.name, one] as const))(
    'a message opens, whole and as a stream: %s',
    async (_, one) => {
      expect(open(one).toString('base64')).toBe(one.plaintext);
      for (const pieceLength of [1_000_000, 4_111])
        expect((await openStream(one, pieceLength)).toString('base64')).toBe(one.plaintext);
    },
  );

  it.each(vectors.broken.map((one) => [one.name, one.fails, one] as const))(
    'a message does not open, whole or as a stream: %s gives %s',
    async (_, code, one) => {
      expect(() => open(one)).toThrow(expect.objectContaining({ name: 'MessageError', code }));
      await expect(openStream(one, 1_000_000)).rejects.toThrow(MessageError);
    },
  );
});

const python = ['/usr/bin/python3', 'python3'].find((path) => {
  try {
    execFileSync(path, ['-c', 'import cryptography'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

describe.skipIf(python === undefined)('the implementation in Python', () => {
  const recipe = fileURLToPath(new URL('../vectors/makeMessageVectors.py', import.meta.url));
  const example = fileURLToPath(new URL('../../../examples/python/keyward_message.py', import.meta.url));

  test('the implementation of messages in Python makes the same vectors again, byte by byte', () => {
    expect(execFileSync(python ?? '', [recipe], { encoding: 'utf8' })).toBe(text);
  });

  test('the implementation of messages in Python opens what the client seals, and a stream seals the same bytes as a whole message', async () => {
    const [wrapped, prefix] = [bytes(vectors.wrapped), Buffer.alloc(8, 7)];
    const context = { tenant: 'contoso' };
    const plain = Buffer.alloc(70_000, 5);
    const whole = sealMessage(keys(), wrapped, prefix, contextHash(context), plain);
    const streamed = await collected(
      inPieces(plain, 999).pipeThrough(encryptingStream(wrapped, async () => keys(), prefix, contextHash(context))),
    );
    expect(streamed).toEqual(whole);
    const input = JSON.stringify({
      dataKey: vectors.dataKey,
      contextHashes: [],
      broken: [],
      good: [{ name: 'ours', context, message: whole.toString('base64'), plaintext: plain.toString('base64') }],
    });
    expect(execFileSync(python ?? '', [example, '-'], { input, encoding: 'utf8' })).toContain('1 messages open');
  });
});
