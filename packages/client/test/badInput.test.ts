/**
 * Bad input, generated: messages, wrapped keys and streams that were cut, edited, swapped or moved, answers of a
 * stranger or a faulty server, and clocks that leap. Each gives an error of the client's own classes and no plaintext.
 */
import { generateKeyPairSync } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { contextHash } from '../src/encryptionContext.ts';
import { DataKeyError, KeyStatusError, KeywardClient, KeywardError, MessageError } from '../src/index.ts';
import { keysIn, longestMs, verifyKeyStatus } from '../src/keyStatus.ts';
import { deriveKeys } from '../src/message.ts';
import { sealMessage } from '../src/wholeMessage.ts';
import {
  anyCredential,
  clientOfDouble,
  collected,
  inPieces,
  type keywardDouble,
  type settableClock,
} from './support.ts';

let clock: ReturnType<typeof settableClock>;
let keyward: ReturnType<typeof keywardDouble>;
let client: KeywardClient;

let newClient: () => KeywardClient;

beforeEach(() => {
  // The deadline is shorter than the first pause between two tries: a call that fails is not tried again.
  ({ clock, keyward, client, newClient } = clientOfDouble(0.45));
});

const context = { table: 'patients', record: '42' };
/** Three chunks of 4 KiB, so that chunks can be swapped. */
const chunkExponent = 12;
const plain = Buffer.from(Uint8Array.from({ length: 3 * 4096 - 100 }, (_, n) => n % 251));
const stride = 4096 + 16;

/** A message of three chunks under a data key that this Keyward has wrapped. */
async function threeChunks(bound = context): Promise<Buffer> {
  const { keys } = await client.dataKeys.generate('contoso', { context: { 'keyward:use': 'message/1' } });
  const [key] = keys;
  if (key === undefined) throw new Error('There is no key.');
  const [wrapped, prefix] = [Buffer.from(key.wrapped, 'base64'), Buffer.alloc(8, 3)];
  return sealMessage(deriveKeys(key.plaintext), wrapped, prefix, contextHash(bound), plain, chunkExponent);
}

/**
 * The plaintext of a message, read as a whole and as a stream in pieces. A stream may return authentic chunks before it
 * fails.
 */
async function outcome(message: Uint8Array, bound: typeof context, pieceLength: number) {
  const whole = await client.decrypt('contoso', message, bound).catch((error: unknown) => error);
  const seen: Uint8Array[] = [];
  const streamed = await client
    .decrypt('contoso', inPieces(message, pieceLength), bound)
    .then((stream) => collected(stream, seen))
    .catch((error: unknown) => error);
  return { whole, streamed, seen: Buffer.concat(seen) };
}

const isOfTheClient = (error: unknown) => error instanceof MessageError || error instanceof DataKeyError;

describe('a message', () => {
  test('a message of any length, context and pieces opens to what was encrypted, whole and as a stream', async () => {
    const bytes = fc.uint8Array({ maxLength: 70_000, size: 'max' });
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
    const run = fc.asyncProperty(
      bytes,
      fc.dictionary(text, text, { maxKeys: 16 }),
      fc.integer({ min: 1, max: 80_000 }),
      async (data, bound, pieceLength) => {
        const message = await client.encrypt('contoso', data, bound);
        expect(Buffer.compare(data, await client.decrypt('contoso', message, bound))).toBe(0);
        const sealed = await collected(await client.encrypt('contoso', inPieces(data, pieceLength), bound));
        const opened = await client.decrypt('contoso', inPieces(sealed, pieceLength), bound);
        expect(Buffer.compare(data, await collected(opened))).toBe(0);
      },
    );
    await fc.assert(run, { numRuns: 30 });
  });

  test('a message that was edited, cut, lengthened, or has chunks swapped, doubled or dropped gives an error and no bytes that are not its own', async () => {
    const message = await threeChunks();
    const start = message.length - plain.length - 3 * 16;
    const chunks = [0, 1, 2].map((n) => message.subarray(start + n * stride, start + (n + 1) * stride));
    const at = fc.nat(message.length - 1);
    const changed: fc.Arbitrary<Buffer> = fc.oneof(
      fc.tuple(at, fc.integer({ min: 1, max: 255 })).map(([index, by]) => {
        const edited = Buffer.from(message);
        edited[index] = (edited[index] ?? 0) ^ by;
        return edited;
      }),
      at.map((length) => message.subarray(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 5000 }).map((more) => Buffer.concat([message, more])),
      fc
        .array(fc.nat(2), { maxLength: 5 })
        .filter((order) => order.join() !== '0,1,2')
        .map((order) => Buffer.concat([message.subarray(0, start), ...order.map((n) => chunks[n] ?? Buffer.alloc(0))])),
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    );
    const run = fc.asyncProperty(changed, fc.integer({ min: 100, max: 20_000 }), async (tampered, pieceLength) => {
      const { whole, streamed, seen } = await outcome(tampered, context, pieceLength);
      expect(whole).toSatisfy(isOfTheClient);
      expect(streamed).toSatisfy(isOfTheClient);
      expect(seen.equals(plain.subarray(0, seen.length))).toBe(true);
      expect(seen.length % 4096).toBe(0);
    });
    // Cut within the last tag: what is left of that chunk is shorter than a tag.
    await fc.assert(run, { numRuns: 200, examples: [[message.subarray(0, start + 2 * stride + 7), 5_000]] });
  });

  test('a message does not open under another context, with the header of another message, with the wrapped key of another, or for another account', async () => {
    const [message, other] = [await threeChunks(), await threeChunks({ table: 'patients', record: '43' })];
    const start = message.length - plain.length - 3 * 16;
    const keyEnd = start - 40;
    for (const [mixed, bound] of [
      [message, { table: 'patients', record: '43' }],
      [Buffer.concat([other.subarray(0, start), message.subarray(start)]), context],
      [Buffer.concat([other.subarray(0, keyEnd), message.subarray(keyEnd)]), context],
    ] as const) {
      const { whole, streamed, seen } = await outcome(mixed, bound, 5_000);
      expect([whole, streamed, seen.length]).toEqual([expect.any(MessageError), expect.any(MessageError), 0]);
    }
    // Keyward signs for the account that has the key.
    await expect(newClient().decrypt('fabrikam', message, context)).rejects.toThrow(KeyStatusError);
  });
});

const pair = generateKeyPairSync('ed25519');
const keyOf = async () => pair.publicKey;

describe('a key status', () => {
  test('a key status of any text is refused as KeyStatusError', async () => {
    const part = fc.oneof(
      fc.base64String().map((text) => text.replace(/=/g, '')),
      fc.json().map((json) => Buffer.from(json).toString('base64url')),
      fc
        .record({ alg: fc.constantFrom('EdDSA', 'none'), kid: fc.string(), typ: fc.constant('keyward-key-status') })
        .map((head) => Buffer.from(JSON.stringify(head)).toString('base64url')),
    );
    const signature = fc
      .uint8Array({ minLength: 64, maxLength: 64 })
      .map((bytes) => Buffer.from(bytes).toString('base64url'));
    const anything = fc.oneof(
      fc.anything(),
      fc.string(),
      fc.tuple(part, part, signature).map((parts) => parts.join('.')),
    );
    const run = fc.asyncProperty(anything, async (jws) => {
      await expect(verifyKeyStatus(jws, { account: 'contoso', nonce: 'n'.repeat(22) }, keyOf)).rejects.toThrow(
        KeyStatusError,
      );
    });
    await fc.assert(run, { numRuns: 300 });
  });

  test('a key status with any claim replaced, correctly signed, is refused, or spans no more than the longest lease', async () => {
    const names = [
      'account',
      'accountId',
      'accountKeyGeneration',
      'epoch',
      'binding',
      'once',
      'cause',
      'nonce',
      'issuedAt',
      'notAfter',
    ];
    const time = fc
      .date({ noInvalidDate: true, min: new Date(0), max: new Date('2100-01-01') })
      .map((at) => at.toISOString());
    const run = fc.asyncProperty(fc.constantFrom(...names), fc.oneof(time, fc.jsonValue()), async (name, value) => {
      keyward.tampering.claims = (claims) => ({ ...claims, [name]: value });
      const fresh = newClient();
      const { status } = await fresh.dataKeys.generate('contoso', {}).catch((error: unknown) => {
        expect(error).toBeInstanceOf(KeyStatusError);
        return { status: undefined };
      });
      if (status === undefined) return;
      expect(status.notAfter - status.issuedAt).toSatisfy((span: number) => span >= 0 && span <= longestMs);
      expect(status.account).toBe('contoso');
    });
    await fc.assert(run, { numRuns: 200 });
  });

  test('a key status is judged by the keys of any JWK set without another error: other keys than Ed25519 are left out', () => {
    const jwk = fc.record(
      {
        kty: fc.constantFrom('OKP', 'RSA', 'oct'),
        crv: fc.constantFrom('Ed25519', 'X25519', 'P-256'),
        kid: fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor'), fc.integer()),
        x: fc.oneof(
          fc.string(),
          fc.uint8Array({ minLength: 32, maxLength: 32 }).map((x) => Buffer.from(x).toString('base64url')),
        ),
      },
      { requiredKeys: [] },
    );
    const sets = fc.oneof(
      fc.anything(),
      fc.record({ keys: fc.array(fc.oneof(jwk, fc.anything()), { maxLength: 25 }) }),
    );
    fc.assert(
      fc.property(sets, (set) => {
        try {
          for (const key of keysIn(set).values()) expect(key.asymmetricKeyType).toBe('ed25519');
        } catch (error) {
          expect(error).toBeInstanceOf(KeyStatusError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('an answer', () => {
  test('an answer of any status and body gives no plaintext, an error of the client, and leaves nothing in the cache', async () => {
    const bodies = fc.oneof(
      fc.jsonValue(),
      fc.record({
        value: fc.array(fc.record({ plaintext: fc.jsonValue(), wrapped: fc.jsonValue() })),
        keyStatus: fc.jsonValue(),
      }),
    );
    const status = fc.constantFrom(200, 201, 400, 401, 403, 404, 409, 429, 500, 503);
    const run = fc.asyncProperty(status, bodies, async (code, body) => {
      const fresh = newClient();
      keyward.next.length = 0;
      keyward.next.push(...Array.from({ length: 3 }, () => () => Response.json(body, { status: code })));
      await expect(fresh.encrypt('contoso', plain)).rejects.toThrow(KeywardError);
      keyward.next.length = 0;
      const before = keyward.calls.length;
      await fresh.encrypt('contoso', plain);
      expect(keyward.calls.length).toBeGreaterThan(before);
    });
    await fc.assert(run, { numRuns: 200 });
  });
});

describe('a cached key', () => {
  test('INV-4: a cached key is used only while less than the span of its status has passed by either clock, for any leaps of the clocks', async () => {
    const leap = fc.record({
      wall: fc.oneof(fc.integer({ min: -400_000, max: 400_000 }), fc.integer({ min: -1e12, max: 1e12 })),
      monotonic: fc.integer({ min: 0, max: 200_000 }),
    });
    const run = fc.asyncProperty(fc.array(leap, { minLength: 1, maxLength: 12 }), async (leaps) => {
      const message = await client.encrypt('contoso', plain, context);
      for (const { wall, monotonic } of leaps) {
        clock.times.wall += wall;
        clock.times.monotonic += monotonic;
        const { sentAt, calls } = { sentAt: lastSent, calls: keyward.calls.length };
        await client.decrypt('contoso', message, context);
        const age = Math.max(Math.abs(clock.now() - sentAt.wall), clock.monotonic() - sentAt.monotonic);
        if (age >= 300_000) expect(keyward.calls.length).toBeGreaterThan(calls);
        // A refresh in the background ends before the next leap, so that its time is known here.
        await setImmediate();
      }
      client.close();
    });
    let lastSent = { wall: 0, monotonic: 0 };
    const { fetch } = keyward;
    client = new KeywardClient('https://keyward.example', anyCredential, {
      clock,
      fetch: (input, init) => {
        if (!String(input).endsWith('/jwks')) lastSent = { ...clock.times };
        return fetch(input, init);
      },
    });
    await fc.assert(run, { numRuns: 300 });
  });
});
