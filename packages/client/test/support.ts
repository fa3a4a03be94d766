/** The parts that tests of the client share. */
import {
  createCipheriv,
  createDecipheriv,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import { KeywardClient } from '../src/index.ts';

export function inPieces(bytes: Uint8Array, pieceLength: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(out) {
      if (at < bytes.byteLength) out.enqueue(bytes.subarray(at, at + pieceLength));
      at += pieceLength;
      if (at >= bytes.byteLength) out.close();
    },
  });
}

/** All bytes that a stream returns. @throws the error that ends the stream */
export async function collected(stream: ReadableStream<Uint8Array>, seen: Uint8Array[] = []): Promise<Buffer> {
  for await (const piece of stream) seen.push(piece);
  return Buffer.concat(seen);
}

/** Both clocks, set by the test. */
export function settableClock() {
  const times = { wall: Date.parse('2026-11-28T12:00:00.000Z'), monotonic: 1_000 };
  return {
    times,
    now: () => times.wall,
    monotonic: () => times.monotonic,
    pass(ms: number) {
      times.wall += ms;
      times.monotonic += ms;
    },
  };
}

export type SettableClock = ReturnType<typeof settableClock>;

export interface Call {
  readonly operation: string;
  readonly nonce: string | null;
}

/**
 * Keyward as a client sees it: statuses with real signatures, data keys that are wrapped by AES-256-GCM, and the
 * answers that a test inserts. test/dataKeys/client.test.ts tests the client with the app itself.
 */
export function keywardDouble(clock: SettableClock) {
  const signing = generateKeyPairSync('ed25519');
  const wrapping = randomBytes(32);
  const calls: Call[] = [];
  const account = { spanMs: 300_000, once: false, generation: 1, accountId: randomUUID(), epoch: 1, binding: 'b1' };
  /** The answers of the next calls; undefined: the usual answer. */
  const next: ((call: Call) => Response | Promise<Response | undefined> | undefined)[] = [];
  /** Changes the signed claims. */
  const tampering: { claims?: (claims: Record<string, unknown>) => object; header?: object; key?: KeyObject } = {};

  const jwks = () => ({
    keys: [{ ...signing.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'EdDSA', use: 'sig' }],
  });

  function statusFor(nonce: string | null): string {
    const iso = (at: number) => new Date(at).toISOString();
    const claims = {
      account: 'contoso',
      accountId: account.accountId,
      accountKeyGeneration: account.generation,
      nonce,
      epoch: account.epoch,
      binding: account.binding,
      issuedAt: iso(clock.now()),
      notAfter: iso(clock.now() + account.spanMs),
      ...(account.once ? { once: true } : {}),
    };
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const header = { alg: 'EdDSA', kid: 'k1', typ: 'keyward-key-status', ...tampering.header };
    const text = `${part(header)}.${part(tampering.claims?.(claims) ?? claims)}`;
    return `${text}.${sign(null, Buffer.from(text), tampering.key ?? signing.privateKey).toString('base64url')}`;
  }

  function wrap(key: Buffer): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', wrapping, nonce);
    return Buffer.concat([nonce, cipher.update(key), cipher.final(), cipher.getAuthTag()]).toString('base64');
  }

  function unwrap({ wrapped }: { wrapped: string }): object {
    const box = Buffer.from(wrapped, 'base64');
    try {
      const decipher = createDecipheriv('aes-256-gcm', wrapping, box.subarray(0, 12));
      decipher.setAuthTag(box.subarray(-16));
      const key = Buffer.concat([decipher.update(box.subarray(12, -16)), decipher.final()]);
      return { plaintext: key.toString('base64') };
    } catch {
      return { error: { code: 'DataKeyNotAuthentic', message: 'The wrapped data key does not open.' } };
    }
  }

  const fetchDouble: typeof fetch = async (input, init) => {
    const { pathname } = new URL(String(input));
    const call = {
      operation: pathname.split('/').at(-1) ?? '',
      nonce: new Headers(init?.headers).get('x-keyward-nonce'),
    };
    init?.signal?.throwIfAborted();
    if (call.operation !== 'jwks') calls.push(call);
    const instead = call.operation === 'jwks' ? undefined : await next.shift()?.(call);
    if (instead !== undefined) return instead;
    const body = JSON.parse(typeof init?.body === 'string' ? init.body : '{}');
    const keyStatus = statusFor(call.nonce);
    switch (call.operation) {
      case 'jwks':
        return Response.json(jwks());
      case 'keyStatus':
        return Response.json({ keyStatus }, { headers: { etag: '"1"' } });
      case 'generate': {
        const keys = Array.from({ length: body.count }, () => randomBytes(body.length));
        return Response.json({
          value: keys.map((key) => ({ plaintext: key.toString('base64'), wrapped: wrap(key) })),
          keyStatus,
        });
      }
      case 'unwrap':
        return Response.json({ value: body.value.map(unwrap), keyStatus });
      default:
        return Response.json({ error: { code: 'NotFound', message: 'There is no such call.' } }, { status: 404 });
    }
  };
  return { fetch: fetchDouble, calls, next, account, tampering, counts: () => countsOf(calls) };
}

const countsOf = (calls: readonly Call[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { operation } of calls) counts[operation] = (counts[operation] ?? 0) + 1;
  return counts;
};

export const errorAnswer = (status: number, code: string, info?: object, headers?: Record<string, string>): Response =>
  Response.json(
    {
      error: { code, message: `Because of ${code}.`, ...(info ? { additionalInfo: [{ type: 'Keyward', info }] } : {}) },
    },
    { status, ...(headers === undefined ? {} : { headers }) },
  );

export const anyCredential = {
  getToken: async () => ({ token: 'a.b.c', expiresOnTimestamp: Number.MAX_SAFE_INTEGER }),
};

/** A clock, Keyward's double on it, and a client of that double. */
export function clientOfDouble(deadlineSeconds: number) {
  const clock = settableClock();
  const keyward = keywardDouble(clock);
  const newClient = () =>
    new KeywardClient('https://keyward.example', anyCredential, { fetch: keyward.fetch, clock, deadlineSeconds });
  return { clock, keyward, client: newClient(), newClient };
}
