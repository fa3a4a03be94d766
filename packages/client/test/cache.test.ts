/** What the client caches, for how long, and what ends it. The test sets the clock; signatures and ciphers are real. */
import { beforeEach, describe, expect, it } from 'vitest';
import { KeywardClient } from '../src/index.ts';
import {
  anyCredential,
  clientOfDouble,
  collected,
  errorAnswer,
  inPieces,
  type keywardDouble,
  type settableClock,
} from './support.ts';

let clock: ReturnType<typeof settableClock>;
let keyward: ReturnType<typeof keywardDouble>;
let client: KeywardClient;
const plain = Buffer.from('a record of a service');

beforeEach(() => {
  ({ clock, keyward, client } = clientOfDouble(2));
});

/** Lets the work in the background end. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 20));
const unreachable = () =>
  errorAnswer(503, 'CustomerKeyUnreachable', { cause: 'VaultTimeout' }, { 'retry-after': '10' });
const inaccessible = () =>
  errorAnswer(403, 'CustomerKeyInaccessible', {
    cause: 'KeyDisabled',
    since: '2026-11-28T11:59:00.000Z',
    remedy: 'Enable the key.',
    whoActs: 'customer',
  });

describe('the cache of one account', () => {
  it('the client uses one data key for a thousand messages with a thousand contexts, also of simultaneous callers', async () => {
    const messages = await Promise.all(
      Array.from({ length: 1000 }, (_, n) => client.encrypt('contoso', plain, { record: String(n) })),
    );
    expect(keyward.counts()).toEqual({ generate: 1 });
    for (const n of [0, 999])
      expect(await client.decrypt('contoso', messages[n] ?? plain, { record: String(n) })).toEqual(plain);
    expect(keyward.counts()).toEqual({ generate: 1 });
  });

  it('the client unwraps the key of a message once for all callers that decrypt under it, under any spelling of the account', async () => {
    const message = await client.encrypt('Contoso', plain);
    const other = new KeywardClient('https://keyward.example', anyCredential, { fetch: keyward.fetch, clock });
    const opened = await Promise.all([1, 2, 3].map(() => other.decrypt('CONTOSO', message)));
    expect(opened).toEqual([plain, plain, plain]);
    expect(keyward.counts()).toEqual({ generate: 1, unwrap: 1 });
  });

  it('the client refreshes the status at 80 % of its span with the next use, and that use does not wait', async () => {
    const message = await client.encrypt('contoso', plain);
    await client.decrypt('contoso', message);
    clock.pass(239_000);
    await client.decrypt('contoso', message);
    await settled();
    expect(keyward.counts()).toEqual({ generate: 1 });
    clock.pass(2_000);
    await client.decrypt('contoso', message);
    await settled();
    // The account has encrypted since the last refresh: the refresh brings a new data key.
    expect(keyward.counts()).toEqual({ generate: 2 });
    clock.pass(241_000);
    await client.decrypt('contoso', message);
    await settled();
    expect(keyward.counts()).toEqual({ generate: 2, keyStatus: 1 });
    clock.pass(200_000);
    await client.decrypt('contoso', message);
    expect(keyward.counts()).toEqual({ generate: 2, keyStatus: 1 });
  });

  it('INV-4: the client uses no key after the end of its status, while Keyward does not answer', async () => {
    const message = await client.encrypt('contoso', plain);
    keyward.next.push(...Array.from({ length: 20 }, () => unreachable));
    clock.pass(299_999);
    expect(await client.decrypt('contoso', message)).toEqual(plain);
    await settled();
    clock.pass(1);
    await expect(client.decrypt('contoso', message)).rejects.toMatchObject({
      name: 'KeywardUnavailable',
      code: 'CustomerKeyUnreachable',
      retryAfterSeconds: 10,
    });
    await expect(client.encrypt('contoso', plain)).rejects.toMatchObject({ name: 'KeywardUnavailable' });
  });

  it('a status ends by either clock: by the wall clock after the machine has slept or the clock was set, by the other when it stopped', async () => {
    for (const change of [{ wall: 300_000 }, { wall: -300_000 }, { monotonic: 300_000 }]) {
      const message = await client.encrypt('contoso', plain);
      const before = keyward.calls.length;
      clock.times.wall += change.wall ?? 0;
      clock.times.monotonic += change.monotonic ?? 0;
      await client.decrypt('contoso', message);
      expect(keyward.calls.slice(before).map(({ operation }) => operation)).toEqual(['unwrap']);
      client.close();
    }
  });

  it('the span counts from before the request was sent, for any time that Keyward’s clock shows', async () => {
    keyward.next.push(() => {
      clock.pass(100_000);
      return undefined;
    });
    const message = await client.encrypt('contoso', plain);
    clock.pass(200_000);
    await client.decrypt('contoso', message);
    expect(keyward.counts()).toEqual({ generate: 1, unwrap: 1 });
  });

  it('a refusal empties the cache at once, for all callers, with cause, since, remedy and who acts', async () => {
    const message = await client.encrypt('contoso', plain);
    clock.pass(240_000);
    keyward.next.push(inaccessible, inaccessible);
    await client.decrypt('contoso', message);
    await settled();
    await expect(client.decrypt('contoso', message)).rejects.toMatchObject({
      name: 'KeywardRefusal',
      code: 'CustomerKeyInaccessible',
      status: 403,
      cause: 'KeyDisabled',
      since: '2026-11-28T11:59:00.000Z',
      remedy: 'Enable the key.',
      actor: 'customer',
    });
    expect(await client.decrypt('contoso', message)).toEqual(plain);
  });

  it('the client drops an answer that was sent before a refusal and arrives after it', async () => {
    const message = await client.encrypt('contoso', plain);
    client.close();
    const late = Promise.withResolvers<undefined>();
    keyward.next.push(() => late.promise, inaccessible, inaccessible);
    const waiting = client.decrypt('contoso', message);
    await settled();
    await expect(client.encrypt('contoso', plain)).rejects.toMatchObject({ code: 'CustomerKeyInaccessible' });
    late.resolve(undefined);
    await expect(waiting).rejects.toMatchObject({ code: 'CustomerKeyInaccessible' });
  });

  it('the client caches nothing for an account that permits no cache: every use calls Keyward', async () => {
    keyward.account.once = true;
    keyward.account.spanMs = 10_000;
    const messages = await Promise.all([1, 2, 3].map(() => client.encrypt('contoso', plain)));
    expect(keyward.counts()).toEqual({ generate: 3 });
    for (const message of messages) await client.decrypt('contoso', message);
    expect(keyward.counts()).toEqual({ generate: 3, unwrap: 3 });
  });

  it('a cached key ends when the account is another of the same name', async () => {
    const message = await client.encrypt('contoso', plain);
    keyward.account.accountId = '00000000-0000-4000-8000-000000000000';
    clock.pass(240_000);
    await client.decrypt('contoso', message);
    await settled();
    await client.decrypt('contoso', message);
    expect(keyward.counts()).toEqual({ generate: 2, unwrap: 1 });
  });

  it('events about the account or its key empty the cache, and no other events do', async () => {
    const about = (type: string, data: object) => ({ specversion: '1.0', type: `Keyward.${type}`, data });
    await client.encrypt('contoso', plain);
    expect(
      client.refuse([
        about('CustomerKeyRestored', { accountName: 'contoso' }),
        about('CustomerKeyInaccessible', { accountName: 'fabrikam' }),
      ]),
    ).toBe(0);
    expect(
      client.refuse([
        null,
        7,
        {},
        { type: 'Keyward.AccountDeleted' },
        about('VerdictChanged', { chain: 'b2', after: 'Inaccessible' }),
      ]),
    ).toBe(0);
    await client.encrypt('contoso', plain);
    expect(keyward.counts()).toEqual({ generate: 1 });
    expect(client.refuse(about('CustomerKeyInaccessible', { accountName: 'Contoso' }))).toBe(1);
    await client.encrypt('contoso', plain);
    expect(keyward.counts()).toEqual({ generate: 2 });
    expect(client.refuse(about('VerdictChanged', { chain: 'b1', after: 'Inaccessible' }))).toBe(1);
    await client.encrypt('contoso', plain);
    expect(keyward.counts()).toEqual({ generate: 3 });
  });

  it('a stream stops when the key is refused in the middle of it', async () => {
    const message = await client.encrypt('contoso', Buffer.alloc(200_000, 1));
    const seen: Uint8Array[] = [];
    let pieces = 0;
    const slow = inPieces(message, 30_000).pipeThrough(
      new TransformStream({
        transform(piece, out) {
          if (++pieces === 4) {
            client.refuse({ type: 'Keyward.CustomerKeyInaccessible', data: { accountName: 'contoso' } });
            keyward.next.push(inaccessible);
          }
          out.enqueue(piece);
        },
      }),
    );
    const opened = await client.decrypt('contoso', slow);
    await expect(collected(opened, seen)).rejects.toMatchObject({ code: 'CustomerKeyInaccessible' });
    expect(Buffer.concat(seen)).toEqual(Buffer.alloc(65_536, 1));
  });
});

describe('calls to Keyward', () => {
  it('calls to Keyward are retried as Retry-After says, until the deadline', async () => {
    client = new KeywardClient('https://keyward.example', anyCredential, { fetch: keyward.fetch, deadlineSeconds: 5 });
    keyward.next.push(
      () => errorAnswer(503, 'ServiceUnavailable', undefined, { 'retry-after': '1' }),
      () => Promise.reject(new TypeError('fetch failed')),
    );
    expect(await client.encrypt('contoso', plain)).toBeInstanceOf(Uint8Array);
    expect(keyward.counts()).toEqual({ generate: 3 });
  });

  it('calls to Keyward end with the signal of their caller, and continue for others that wait for the same', async () => {
    const late = Promise.withResolvers<undefined>();
    keyward.next.push(() => late.promise);
    const abort = new AbortController();
    const first = client.encrypt('contoso', plain, {}, { signal: abort.signal });
    const second = client.encrypt('contoso', plain);
    abort.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    late.resolve(undefined);
    expect(await second).toBeInstanceOf(Uint8Array);
    expect(keyward.counts()).toEqual({ generate: 1 });
  });

  it('the client refuses an endpoint without TLS, and a name that no account can have', async () => {
    expect(() => new KeywardClient('http://keyward.example', anyCredential)).toThrow(TypeError);
    await expect(client.encrypt('../contoso', plain)).rejects.toThrow(TypeError);
    await expect(client.encrypt('contoso', plain, { k: '\ud800' })).rejects.toThrow(TypeError);
    await expect(client.encrypt('contoso', plain, { k: 'v'.repeat(513) })).rejects.toThrow(RangeError);
    expect(keyward.calls).toEqual([]);
  });

  it('calls to Keyward read a new token when the used one is no longer accepted', async () => {
    let tokens = 0;
    const getToken = async () => ({ token: `t${++tokens}`, expiresOnTimestamp: Number.MAX_SAFE_INTEGER });
    client = new KeywardClient('https://keyward.example', { getToken }, { fetch: keyward.fetch, clock });
    await client.encrypt('contoso', plain);
    client.close();
    keyward.next.push(() => errorAnswer(401, 'AuthenticationFailed'));
    await client.encrypt('contoso', plain);
    expect(tokens).toBe(2);
    client.close();
    keyward.next.push(
      () => errorAnswer(401, 'AuthenticationFailed'),
      () => errorAnswer(401, 'AuthenticationFailed'),
    );
    await expect(client.encrypt('contoso', plain)).rejects.toMatchObject({ code: 'AuthenticationFailed', status: 401 });
  });
});
