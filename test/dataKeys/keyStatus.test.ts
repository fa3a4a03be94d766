/** Key statuses: each ends with the lease under which it was given. And the keys that sign them. */
import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createStatusKeyStore } from '../../src/azure/dataKeyTables.ts';
import { openTables } from '../../src/azure/tables.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import { fromBase64 } from '../../src/core/base/bytes.ts';
import { defaultPolicy } from '../../src/core/base/policy.ts';
import { generateDataKeys, unwrapDataKeys } from '../../src/core/dataKeys/dataKeys.ts';
import { contextHashOf } from '../../src/core/dataKeys/encryptionContext.ts';
import { keyStatusNow, signKeyStatus, signRefusedStatus } from '../../src/core/dataKeys/keyStatus.ts';
import { statusKeyMs } from '../../src/core/dataKeys/statusKeys.ts';
import type { Service } from '../../src/core/service.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';
import { ringWorld, rotateWhole } from '../rings/support.ts';

const world = useLab();
const nonce = 'n'.repeat(22);
const longestSpan = (defaultPolicy.leaseSeconds + defaultPolicy.leaseGraceSeconds) * 1000;

// biome-ignore lint/suspicious/noExplicitAny: claims of many kinds; each test looks at its own.
type Claims = any;

/** The claims of a JWS, after other code than the signing code has verified its signature with a published key. */
async function verified(jws: string, service: Service): Promise<Claims> {
  const [head = '', body = '', signature = ''] = jws.split('.');
  const { kid } = JSON.parse(Buffer.from(head, 'base64url').toString());
  const jwk = (await service.statusKeys.published()).find((one) => one.kid === kid);
  if (jwk === undefined) throw new Error('The key is not published.');
  const key = createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, format: 'jwk' });
  expect(verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))).toBe(true);
  return JSON.parse(Buffer.from(body, 'base64url').toString());
}

async function statusOf(account: string, service: Service = world.lab.service) {
  const { view, term, etag } = await keyStatusNow(account, undefined, service);
  const claims = await verified(await signKeyStatus(view, term, nonce, service), service);
  return { claims, etag, spanMs: Date.parse(claims.notAfter) - Date.parse(claims.issuedAt) };
}

/** A process whose vault the test makes silent or denying. */
async function process(answer: { cause?: 'VaultUnavailable' | 'KeyDisabled' }) {
  const { keyVault } = world.lab.service;
  let unwraps = 0;
  const service = await world.lab.another({
    keyVault: {
      ...keyVault,
      async unwrap(...asked) {
        const { cause } = answer;
        if (!asked[0].vaultName.endsWith('-kv')) return keyVault.unwrap(...asked);
        unwraps += 1;
        return cause === undefined ? keyVault.unwrap(...asked) : { ok: false, cause, observed: { durationMs: 1 } };
      },
    },
  });
  return { service, unwraps: () => unwraps };
}

async function underCustomerKey(account: string) {
  const { lab } = world;
  await lab.account(account, 'contoso', await lab.vaultWithKey(`${account}-kv`));
  return account;
}

describe('INV-4: a key status', () => {
  test('INV-4: a key status ends with the lease, and has account, generation, epoch, binding and the nonce of the call', async () => {
    const account = await underCustomerKey('stated');
    const { record, watch } = await world.lab.view(account);
    const { service } = await process({});
    const { claims, spanMs } = await statusOf(account, service);
    expect(claims).toMatchObject({
      account,
      accountId: record.instanceId,
      accountKeyGeneration: 1,
      epoch: watch?.epoch,
      nonce,
      binding: watch?.binding.id,
    });
    expect(spanMs).toBeLessThanOrEqual(300_000);
    expect(spanMs).toBeGreaterThanOrEqual(270_000 - 1);
    world.lab.clock.set(world.lab.clock.now() + 100_000);
    const later = await statusOf(account, service);
    expect(later.claims.notAfter).toBe(claims.notAfter);
    expect(later.etag).toBe((await statusOf(account, service)).etag);
  });

  test('INV-4: a key status costs no call to the vault while the lease lasts, and is renewed with it in its last fifth', async () => {
    const account = await underCustomerKey('renewed');
    const { service, unwraps } = await process({});
    const first = await statusOf(account, service);
    world.lab.clock.set(world.lab.clock.now() + 200_000);
    await statusOf(account, service);
    expect(unwraps()).toBe(1);
    world.lab.clock.set(world.lab.clock.now() + 60_000);
    const renewed = await statusOf(account, service);
    expect(unwraps()).toBe(2);
    expect(renewed.etag).not.toBe(first.etag);
    expect(Date.parse(renewed.claims.notAfter)).toBeGreaterThan(Date.parse(first.claims.notAfter));
  });

  test('INV-4: a key status in grace ends within a minute, and at the latest with the grace; a denial ends it at once', async () => {
    const account = await underCustomerKey('silent');
    const answer: Parameters<typeof process>[0] = {};
    const { service } = await process(answer);
    const openedAt = world.lab.clock.now();
    await statusOf(account, service);
    answer.cause = 'VaultUnavailable';
    const ends: number[] = [];
    for (let age = 250_000; age < longestSpan; age += 9_000) {
      world.lab.clock.set(openedAt + age);
      const { claims, spanMs } = await statusOf(account, service);
      if (age > 300_000) expect(spanMs).toBeLessThanOrEqual(60_000);
      ends.push(Date.parse(claims.notAfter));
    }
    expect(Math.max(...ends)).toBeLessThanOrEqual(openedAt + longestSpan);
    world.lab.clock.set(openedAt + longestSpan);
    expect(await failure(statusOf(account, service))).toMatchObject({ code: 'CustomerKeyUnreachable' });
  });

  test('INV-2: no key status is given after a denial once the lease has ended: 503 until the verdict is confirmed', async () => {
    const account = await underCustomerKey('denied');
    const answer: Parameters<typeof process>[0] = {};
    const { service } = await process(answer);
    const { claims } = await statusOf(account, service);
    answer.cause = 'KeyDisabled';
    world.lab.clock.set(Date.parse(claims.notAfter) - 1_000);
    expect((await statusOf(account, service)).claims.notAfter).toBe(claims.notAfter);
    world.lab.clock.set(Date.parse(claims.notAfter) + 1);
    expect(await failure(statusOf(account, service))).toMatchObject({
      code: 'CustomerKeyUnreachable',
      extras: { info: { cause: 'KeyDisabled' } },
    });
  });

  test('INV-4: the key status of an account that shortens its lease ends with the shorter one, also in a process with an older lease', async () => {
    const account = await underCustomerKey('shortened');
    const { service } = await process({});
    await statusOf(account, service);
    await patchAccount({ name: account, input: { leaseSeconds: 60 }, actor: tester }, service);
    expect((await statusOf(account, service)).spanMs).toBeLessThanOrEqual(60_000);
  });

  test('INV-4: the key status of an account without a lease is for one use, and each use calls the vault; without its answer there is none', async () => {
    const account = await underCustomerKey('unleased');
    const answer: Parameters<typeof process>[0] = {};
    const { service, unwraps } = await process(answer);
    await patchAccount({ name: account, input: { leaseSeconds: 0 }, actor: tester }, service);
    const input = { count: 1, length: 32, contextHash: contextHashOf({}), isPlain: true };
    const { term } = await generateDataKeys(input, { account, actor: tester }, service);
    expect(term.once).toBe(true);
    const before = unwraps();
    const { claims, spanMs } = await statusOf(account, service);
    await unwrapDataKeys([], { account, actor: tester }, service);
    expect(unwraps()).toBe(before + 2);
    expect([claims.once, spanMs, service.leases.size()]).toEqual([true, 10_000, 0]);
    answer.cause = 'VaultUnavailable';
    expect(await failure(statusOf(account, service))).toMatchObject({ code: 'CustomerKeyUnreachable' });
  });

  test('INV-4: the key status of a refused account has no span, and names the cause', async () => {
    const account = await underCustomerKey('refused');
    const view = await world.lab.view(account);
    const claims = await verified(await signRefusedStatus(view, nonce, world.lab.service), world.lab.service);
    expect(claims).toMatchObject({ account, nonce, cause: 'UnknownResponse', notAfter: claims.issuedAt });
  });
});

describe('the keys of key statuses', () => {
  test('the keys of key statuses are the same for all processes, also when several start at once', async () => {
    await world.lab.account('signed', 'contoso');
    const services = await Promise.all([1, 2, 3].map(() => world.lab.another()));
    const published = await Promise.all(services.map((service) => service.statusKeys.published()));
    expect(new Set(published.map((keys) => JSON.stringify(keys))).size).toBe(1);
    for (const service of services) await statusOf('signed', service);
  });

  test('new keys of key statuses follow after 90 days: they are published before they sign, and alone a day later', async () => {
    const { clock } = world.lab;
    await world.lab.account('later', 'contoso');
    const service = await world.lab.another();
    const kidOf = async () => {
      const { view, term } = await keyStatusNow('later', undefined, service);
      const jws = await signKeyStatus(view, term, nonce, service);
      await verified(jws, service);
      return JSON.parse(Buffer.from(jws.split('.')[0] ?? '', 'base64url').toString()).kid;
    };
    const published = async () => (await service.statusKeys.published()).map(({ kid }) => kid);
    const first = await kidOf();
    clock.set(clock.now() + statusKeyMs);
    expect(await published()).toHaveLength(2);
    expect(await kidOf()).toBe(first);
    clock.set(clock.now() + 6 * 60_000);
    const second = await kidOf();
    expect(second).not.toBe(first);
    clock.set(clock.now() + 25 * 3_600_000);
    expect(await published()).toEqual([second]);
    expect(await kidOf()).toBe(second);
  });

  test('new keys of key statuses follow when the at-rest ring is rotated, and one under a destroyed KEK stops nothing', async () => {
    const rings = await ringWorld(world.lab);
    await world.lab.account('rotated', 'contoso');
    await statusOf('rotated');
    await rotateWhole('at-rest', rings);
    const fresh = await world.lab.another();
    await statusOf('rotated', fresh);
  });

  test('keys of key statuses that were edited or written by a stranger are not published, and sign nothing', async () => {
    const service = await world.lab.another();
    const before = (await service.statusKeys.published()).map(({ kid }) => kid);
    const authentication = {
      keks: async () => (await service.rings()).atRest,
      auditKeks: async () => (await service.rings()).audit,
      report: () => undefined,
      rejected: () => undefined,
    };
    const store = createStatusKeyStore(openTables(() => world.lab.table('service'), authentication));
    const [row] = await store.list();
    if (row === undefined) throw new Error('There is no key.');
    const sealed = Buffer.from(fromBase64(row.sealed));
    sealed[30] = (sealed[30] ?? 0) ^ 1;
    const createdAt = world.lab.clock.now() + 1_000_000;
    await store.insert({ slot: 'edited', createdAt, sealed: sealed.toString('base64') });
    await store.insert({ ...row, slot: 'moved', createdAt });
    await store.insert({ slot: 'garbage', createdAt, sealed: 'AAAA' });
    const fresh = await world.lab.another();
    expect((await fresh.statusKeys.published()).map(({ kid }) => kid)).toEqual(before);
  });
});
