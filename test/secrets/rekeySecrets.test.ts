/** Passes over secrets that meet failures: they end, pause between rounds, and delay no caller for long. */
import { describe, expect, test } from 'vitest';
import type { RekeyWork } from '../../src/core/accounts/ports.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { base64, fromBase64, hex } from '../../src/core/base/bytes.ts';
import { processAccounts } from '../../src/core/dailyPass.ts';
import { refOf } from '../../src/core/secrets/readSecret.ts';
import { type Next, rekeySecrets } from '../../src/core/secrets/rekeySecrets.ts';
import type { Service } from '../../src/core/service.ts';
import { dailyMessage } from '../../src/functions/triggers/dailyPass.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';
import { auditOf, bytes, moveAll, put, reveal, row } from './support.ts';

const world = useLab();
const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

async function filled(account: string, keyIdentifier?: string): Promise<void> {
  await world.lab.account(account, 'contoso', keyIdentifier);
  for (const name of names) await put(world.lab.service, account, 'tokenKeys', name, bytes(name));
}

async function spoil(account: string, name: string): Promise<void> {
  const { value, etag } = await row(world.lab.service, account, 'tokenKeys', name);
  const stored = fromBase64(value.sealed);
  stored[40] = (stored[40] ?? 0) ^ 1;
  await world.lab.service.secrets.replace(
    refOf(account, 'tokenKeys', name),
    { ...value, sealed: base64(stored) },
    etag,
  );
}

/** Pages of one row, so that a pass over a few secrets takes several messages. */
const inSmallPages = (before: () => Promise<unknown> = async () => undefined): Promise<Service> => {
  const { secrets } = world.lab.service;
  return world.lab.another({
    secrets: {
      ...secrets,
      page: async (account, asked) => {
        await before();
        return secrets.page(account, { ...asked, limit: 1 });
      },
    },
  });
};

/** Every message of a chain, with its delay, until the chain ends. Time passes by the delays. */
async function chain(service: Service, work: RekeyWork): Promise<number[]> {
  const delays: number[] = [];
  for (let next: Next | undefined = { work, delayMs: 0 }; next !== undefined && delays.length < 60; ) {
    world.lab.clock.set(world.lab.clock.now() + next.delayMs);
    const message = dailyMessage.parse(JSON.parse(JSON.stringify(next.work)));
    if (message.visit !== 'secrets') expect.fail();
    next = await rekeySecrets(message, service);
    if (next !== undefined) delays.push(next.delayMs);
  }
  return delays;
}

const alarms = async (account: string) =>
  (await auditOf(world.lab, account)).filter(({ type }) => type === 'SecretIntegrityFailed').length;

describe('a row that does not open', () => {
  test('a row that does not open ends the round, after any number of messages, and raises one alarm; the next day’s pass begins the next round', async () => {
    const { lab } = world;
    await filled('stuck');
    await spoil('stuck', 'b');
    await rotateAccountKey('stuck', {}, tester, lab.service);
    const service = await inSmallPages();
    expect(await chain(service, { visit: 'secrets', account: 'stuck' })).toEqual([0]);
    expect(await alarms('stuck')).toBe(1);
    expect(await reveal(lab.service, 'stuck', 'tokenKeys', 'g')).toBe(hex(bytes('g')));

    const sent: RekeyWork[] = [];
    await processAccounts(undefined, {
      ...service,
      dailyQueue: { send: async (message) => void (message.visit === 'secrets' && sent.push(message)) },
    });
    expect(sent).toEqual([{ visit: 'secrets', account: 'stuck' }]);
    lab.clock.set(lab.clock.now() + 86_400_000);
    expect(await chain(service, { visit: 'secrets', account: 'stuck' })).toEqual([0]);
    expect(await alarms('stuck')).toBe(2);
    expect((await lab.view('stuck')).record.olderAccountKeys?.phase).toBe('moving');
  });

  test('a row that does not open: the refusal of a ninth account key names what to check', async () => {
    const { lab } = world;
    await filled('ninth');
    await spoil('ninth', 'b');
    for (let n = 0; n < 8; n++) await rotateAccountKey('ninth', {}, tester, lab.service);
    const refusal = await failure(rotateAccountKey('ninth', {}, tester, lab.service));
    expect(refusal.code).toBe('Conflict');
    expect(refusal.message).toContain('SecretIntegrityFailed');
  });
});

test('a pass over an account that is changed all the time ends, and keeps the changes', async () => {
  const { lab } = world;
  await filled('busy');
  await rotateAccountKey('busy', {}, tester, lab.service);
  let changes = 0;
  const service = await inSmallPages(() =>
    patchAccount({ name: 'busy', input: { tags: { n: String(++changes) } }, actor: tester }, lab.service),
  );
  const delays = await chain(service, { visit: 'secrets', account: 'busy' });
  expect(delays.length).toBeLessThan(12);
  const { record } = await lab.view('busy');
  expect(record.olderAccountKeys).toBeUndefined();
  expect(record.tags).toEqual({ n: String(changes) });
  for (const name of names) expect(await reveal(lab.service, 'busy', 'tokenKeys', name)).toBe(hex(bytes(name)));
});

test('an account that is rotated again while a phase ends keeps its keys', async () => {
  const { lab } = world;
  await filled('again');
  await rotateAccountKey('again', {}, tester, lab.service);
  await rekeySecrets({ visit: 'secrets', account: 'again' }, lab.service);
  lab.clock.set(lab.clock.now() + 900_000);
  const service = await inSmallPages(async () => {
    if ((await lab.view('again')).record.accountKeyGeneration < 3)
      await rotateAccountKey('again', {}, tester, lab.service);
  });
  const work = { visit: 'secrets', account: 'again' } as const;
  for (let next: Next | undefined = { work, delayMs: 0 }; next !== undefined && next.delayMs === 0; )
    next = await rekeySecrets(next.work, service);
  expect((await lab.view('again')).record.olderAccountKeys).toMatchObject({ phase: 'moving' });
  await moveAll(lab, 'again');
  expect(await reveal(await lab.another(), 'again', 'tokenKeys', 'a')).toBe(hex(bytes('a')));
});

describe('a key that cannot be had', () => {
  test('a pass whose key is unavailable is requested again after a minute, until the key is available', async () => {
    const { lab } = world;
    await filled('waits', await lab.vaultWithKey('waits-kv'));
    await rotateAccountKey('waits', {}, tester, lab.service);
    await lab.keyVault('PATCH', '/vaults/waits-kv/keys/cmk', { enabled: false });
    const fresh = await lab.another();
    const unreachable = await rekeySecrets({ visit: 'secrets', account: 'waits' }, fresh);
    expect(unreachable?.delayMs).toBe(60_000);
    await lab.advance(180_000);
    const inaccessible = unreachable && (await rekeySecrets(unreachable.work, fresh));
    expect(inaccessible).toMatchObject({ delayMs: 60_000, work: { pauses: 2 } });
    await lab.keyVault('PATCH', '/vaults/waits-kv/keys/cmk', { enabled: true });
    await lab.advance(120_000);
    if (inaccessible !== undefined) await chain(fresh, inaccessible.work);
    expect((await lab.view('waits')).record.olderAccountKeys).toBeUndefined();
  });

  test('a pass whose key is unavailable ends its chain after a day, because the daily pass has begun another by then', async () => {
    const { lab } = world;
    await filled('long', await lab.vaultWithKey('long-kv'));
    await rotateAccountKey('long', {}, tester, lab.service);
    await lab.keyVault('PATCH', '/vaults/long-kv/keys/cmk', { enabled: false });
    const work = { visit: 'secrets', account: 'long' } as const;
    const fresh = await lab.another();
    expect(await rekeySecrets({ ...work, pauses: 1439 }, fresh)).toBeDefined();
    expect(await rekeySecrets({ ...work, pauses: 1440 }, fresh)).toBeUndefined();
  });
});
