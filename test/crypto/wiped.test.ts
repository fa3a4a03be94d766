/**
 * Plain bytes are overwritten, even when the work fails. The tests see it by the content of a buffer when it is filled
 * with zeroes.
 */
import { HttpRequest } from '@azure/functions';
import { CryptographyClient } from '@azure/keyvault-keys';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { wrapBySystemKey } from '../../src/core/accounts/accountKey.ts';
import { keepOlderKeys } from '../../src/core/accounts/secretLayers.ts';
import { type Bytes, bytesOf, fromBase64, hex, utf8 } from '../../src/core/base/bytes.ts';
import { KeyMaterialMismatch, openBox, sealBox } from '../../src/core/crypto/accountKeyEnvelope.ts';
import { wipeOnError } from '../../src/core/secrets/openStoredSecrets.ts';
import { parseBase64, parseContentKey, parseJobInput, parseTokenKey } from '../../src/core/secrets/secretValues.ts';
import { jobInputRoutes } from '../../src/functions/http/secrets/jobInputs.ts';
import type { RouteHandler } from '../../src/functions/pipeline/call.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { useLab } from '../lab.ts';
import { bytes, put } from '../secrets/support.ts';

const world = useLab();
afterEach(() => vi.restoreAllMocks());

const marker = 'plain bytes that nobody may find';
const instanceId = '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff';

/** The content of the buffers that were overwritten with zeroes since, as hex. */
async function overwritten(work: () => unknown): Promise<string[]> {
  const held: string[] = [];
  for (const prototype of [Object.getPrototypeOf(Uint8Array.prototype), Buffer.prototype]) {
    const { fill } = prototype;
    vi.spyOn(prototype, 'fill').mockImplementation(function (this: Uint8Array, ...given: unknown[]) {
      if (given[0] === 0) held.push(hex(this));
      return fill.apply(this, given);
    });
  }
  await Promise.resolve()
    .then(work)
    .catch(() => undefined);
  vi.restoreAllMocks();
  return held;
}

const plain = (): Bytes => bytesOf(Buffer.from(marker));

test('text and base64 leave no copy in the buffer that all of Node shares', () => {
  const pool = Buffer.from(Buffer.from('a').buffer);
  const [text, encoded] = ['never seen in the pool of buffers', 'b25seSBzZWVuIGluIGEgYnVmZmVyIG9mIGl0cyBvd24='];
  expect([utf8(text).byteLength, fromBase64(encoded).byteLength]).toEqual([33, 32]);
  expect(Buffer.from('a').buffer).toBe(pool.buffer);
  expect([pool.includes(text), pool.includes('only seen in a buffer')]).toEqual([false, false]);
});

test('fromBase64 reads what Node reads, for any text', () => {
  for (const text of ['', 'a', 'QUI=', 'QUI', 'QU I=', 'not base64', 'ÄÖ', '_-__', 'AA==AA=='])
    expect(hex(fromBase64(text))).toBe(Buffer.from(text, 'base64').toString('hex'));
});

describe('a box', () => {
  const [key, nonce, aad] = [new Uint8Array(32).fill(1), new Uint8Array(12).fill(2), new Uint8Array(3)];

  test('a box that opens wipes the cipher’s own piece, and the copy belongs to the caller', async () => {
    const box = sealBox('aes-256-gcm', key, nonce, plain(), aad);
    let opened: Bytes | undefined;
    const held = await overwritten(() => {
      opened = openBox('aes-256-gcm', key, box, aad);
    });
    expect(held).toEqual([hex(plain())]);
    expect(opened).toEqual(plain());
  });

  test('a box that does not open wipes its unverified content too', async () => {
    const box = sealBox('aes-256-gcm', key, nonce, plain(), aad);
    const held = await overwritten(() => openBox('aes-256-gcm', key, box, new Uint8Array(4)));
    expect(held).toEqual([hex(plain())]);
    expect(() => openBox('aes-256-gcm', key, box, new Uint8Array(4))).toThrow(KeyMaterialMismatch);
  });
});

describe('a value that is refused', () => {
  const long = Array.from({ length: 100 }, (_, n) => `${n}${'x'.repeat(300)}`);

  test.each<[string, string, () => unknown]>([
    ['no base64', marker, () => parseBase64(`${Buffer.from(marker).toString('base64')}!`, 'x')],
    ['a content key', marker.slice(1), () => parseContentKey(Buffer.from(marker.slice(1)).toString('base64'), 'x')],
    ['a token key', '', () => parseTokenKey('', 'x')],
    [
      'a job input',
      JSON.stringify({ baseUri: 'https://a.example/', files: long }),
      () => parseJobInput({ baseUri: 'https://a.example/', files: long }),
    ],
  ])('the value that is refused for %s is wiped', async (_what, value, parse) => {
    expect(parse).toThrow();
    expect(await overwritten(parse)).toEqual([Buffer.from(value).toString('hex')]);
  });
});

test('an account key’s payload is wiped when the ring cannot seal', async () => {
  const system = {
    get newest(): never {
      throw new Error('not opened');
    },
  };
  const tools = {
    ...world.lab.service,
    rings: async () => ({ ...(await world.lab.service.rings()), system }) as never,
  };
  const held = await overwritten(() =>
    wrapBySystemKey({ instanceId, account: 'wiped', generation: 1 }, plain(), tools),
  );
  expect(held.some((one) => one.endsWith(hex(plain())))).toBe(true);
});

test('an older account key is wiped when it cannot be retained', async () => {
  const { atRest } = await world.lab.service.rings();
  const { random } = world.lab.service;
  const holder = { name: 'wiped', instanceId, accountKeyGeneration: 1 };
  const second = random.bytes(32);
  const keys = keepOlderKeys(plain(), holder, { accountKey: second, generation: 2 }, atRest, random);
  const olderAccountKeys = { phase: 'moving', since: 1, keys } as const;
  const moved = { name: 'wiped', instanceId, accountKeyGeneration: 2, olderAccountKeys };
  const failing = { ...random, bytes: () => new Uint8Array(0) };
  const fresh = { accountKey: random.bytes(32), generation: 3 };
  const held = await overwritten(() => keepOlderKeys(second, moved, fresh, atRest, failing));
  // Once in the cipher, and once in the returned copy.
  expect(held.filter((one) => one === hex(plain()))).toHaveLength(2);
});

test('the plain bytes of work that fails are wiped', async () => {
  const opened = [{ plain: plain() }, { plain: undefined }] as never;
  const failing = () => Promise.reject(new Error('failed'));
  await expect(wipeOnError(opened, failing)).rejects.toThrow('failed');
  expect(opened[0]).toEqual({ plain: new Uint8Array(marker.length) });
});

test('a page whose rendering fails half-way is wiped to its end', async () => {
  const { lab } = world;
  await lab.account('wiped-page', 'contoso');
  // It opens, and is no job input.
  for (const name of ['a', 'b']) await put(lab.service, 'wiped-page', 'jobInputs', name, bytes(`${marker} ${name}`));
  const route = jobInputRoutes.find(({ name }) => name === 'jobInputsRevealPage');
  const handler = route?.handler as RouteHandler;
  const request = new HttpRequest({
    method: 'POST',
    url: 'http://localhost/api/accounts/wiped-page/jobInputs/reveal',
    params: { accountName: 'wiped-page' },
  });
  const call = { request, service: lab.service, actor: tester, roles: new Set<never>() };
  const held = await overwritten(() => expect(handler(call)).rejects.toThrow(KeyMaterialMismatch));
  for (const name of ['a', 'b']) {
    // Once in the cipher, and once in the returned copy.
    const copies = held.filter((one) => one === Buffer.from(`${marker} ${name}`).toString('hex'));
    expect(copies).toHaveLength(2);
  }
});

test('the bytes that the vault’s SDK returns are wiped', async () => {
  const { lab } = world;
  const { unwrapKey } = CryptographyClient.prototype;
  const results: Uint8Array[] = [];
  vi.spyOn(CryptographyClient.prototype, 'unwrapKey').mockImplementation(async function (
    this: CryptographyClient,
    ...call: Parameters<typeof unwrapKey>
  ) {
    const answer = await unwrapKey.apply(this, call);
    results.push(answer.result);
    return answer;
  });
  await lab.account('wiped-sdk', 'contoso', await lab.vaultWithKey('wiped-sdk-kv'));
  expect(results.map(hex)).toEqual([expect.stringMatching(/^0{106}$/)]);
});
