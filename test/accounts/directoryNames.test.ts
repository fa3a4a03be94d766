/** Names in the directory that a crash left, or that are missing. */
import { expect, test } from 'vitest';
import { boundOf } from '../../src/core/accounts/account.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { removeStaleNames } from '../../src/core/accounts/directoryNames.ts';
import type { DirectoryRow } from '../../src/core/accounts/ports.ts';
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import { listAccounts, listAccountsOf } from '../../src/core/accounts/readAccount.ts';
import type { ArmPath } from '../../src/core/base/armPath.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { clearRows, processAccounts } from '../../src/core/dailyPass.ts';
import type { Service } from '../../src/core/service.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { dyingAt, failure, useLab } from '../lab.ts';

const world = useLab();
const second = 1_000;
const hour = 3_600_000;

const place = { subscriptionId: '55555555-5555-4555-8555-555555555555', resourceGroup: 'Media' };

function create(name: string, keyIdentifier: string, more: { place?: ArmPath } = {}, service = world.lab.service) {
  const identity = { useSystemAssignedIdentity: true } as const;
  const encryption = { type: 'CustomerKey', keyIdentifier, identity } as const;
  return putAccount({ name, input: { owner: 'contoso', location, encryption, ...more }, actor: tester }, service);
}

async function dailyNames(service: Service = world.lab.service): Promise<void> {
  let after: string | undefined;
  do after = await removeStaleNames(after, service);
  while (after !== undefined);
}

async function dailyAccounts(service: Service = world.lab.service): Promise<void> {
  let after: string | undefined;
  do after = await processAccounts(after, service);
  while (after !== undefined);
}

async function rowsOf(name: string) {
  const rows: DirectoryRow[] = [];
  for (let after: string | undefined, isLast = false; !isLast; isLast = after === undefined) {
    const page = await world.lab.service.directory.rows(1_000, after);
    rows.push(...page.rows);
    after = page.next;
  }
  return rows.filter((row) => row.name === name).map((row) => row.place);
}

test('INV-7: a DELETE that dies at any write leaves no name and no bound row after the next DELETE and a daily pass', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('dies-kv');
  const left: string[] = [];
  for (let effect = 1; ; effect++) {
    const name = `dies-${effect}`;
    const { view } = await create(name, key, { place });
    const { encryption } = view.record;
    if (encryption.type !== 'CustomerKey') expect.fail();
    lab.clock.set(lab.clock.now() + second);
    const { service, hasDied } = dyingAt(lab, effect);
    await deleteAccount(name, {}, tester, await service).catch(() => undefined);
    await deleteAccount(name, {}, tester, lab.service);
    await dailyNames();
    expect(await rowsOf(name), `after effect ${effect}`).toEqual([]);
    const row = await lab.service.bindings.readAccount(encryption.binding.id, boundOf(view.record, encryption));
    if (row !== undefined) left.push(name);
    if (!hasDied()) break;
    expect(effect).toBeLessThan(80);
  }
  expect(left).toEqual([]);
}, 60_000);

test('INV-7: a DELETE that dies at any write is completed by the daily pass alone, an hour later', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('alone-kv');
  const vault = vaultIdOf('alone-kv.vault.azure.net');
  const names: string[] = [];
  for (let effect = 1, isOver = false; !isOver; effect++) {
    names.push(`alone-${effect}`);
    const { view } = await create(`alone-${effect}`, key, { place });
    const { service, hasDied } = dyingAt(lab, effect);
    await deleteAccount(view.record.name, {}, tester, await service).catch(() => undefined);
    isOver = !hasDied();
  }
  lab.clock.set(lab.clock.now() + 2 * hour);
  await dailyAccounts();
  await dailyNames();
  await clearRows(vault, lab.service);
  const records = await Promise.all(names.map((name) => lab.service.accounts.read(name)));
  const gone = names.filter((_, n) => records[n] === undefined);
  expect(records.filter((record) => record?.value.lifecycle === 'deleting')).toEqual([]);
  expect(gone.length).toBeGreaterThan(5);
  for (const name of gone) expect(await rowsOf(name)).toEqual([]);
  const [binding = ''] = await lab.service.vaults.bindings(vault);
  const bound = await lab.service.bindings.accounts(binding, { limit: 100 });
  expect(bound.rows.map(({ value }) => value.name).filter((name) => gone.includes(name))).toEqual([]);
}, 60_000);

test('INV-7: neither a DELETE nor the daily pass takes the name of an account that is being created', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('early-kv');
  // An earlier account of the name has its tombstone.
  await create('early', key);
  await deleteAccount('early', {}, tester, lab.service);
  lab.clock.set(lab.clock.now() + second);
  const accounts = {
    ...lab.service.accounts,
    create: async (...given: Parameters<typeof lab.service.accounts.create>) => {
      await deleteAccount('early', {}, tester, lab.service);
      await dailyNames();
      return lab.service.accounts.create(...given);
    },
  };
  await create('early', key, { place }, await lab.another({ accounts }));
  expect(await rowsOf('early')).toEqual([undefined, { ...place, resourceGroup: 'media' }]);
});

test('a name that a dead creation left is removed by the daily pass after an hour, and not before', async () => {
  const { lab } = world;
  const accounts = { ...lab.service.accounts, create: () => Promise.reject(new Error('died')) };
  await failure(create('unborn', await lab.vaultWithKey('unborn-kv'), { place }, await lab.another({ accounts })));
  await dailyNames();
  expect(await rowsOf('unborn')).toHaveLength(2);
  lab.clock.set(lab.clock.now() + 2 * hour);
  await dailyNames();
  expect(await rowsOf('unborn')).toEqual([]);
});

test('INV-13: the daily pass lists an account again whose rows in the directory were deleted, with an alarm', async () => {
  const { lab } = world;
  await create('hidden', await lab.vaultWithKey('hidden-kv'), { place });
  await lab.account('hidden-too', 'contoso');
  const table = lab.table('directory');
  for (const name of ['hidden', 'hidden-too']) await table.deleteEntity(`account:${name}`, 'name');
  await table.deleteEntity(`subscription:${place.subscriptionId}:media:hidden`, 'name');
  const listed = async () => [
    ...(await listAccounts(1_000, undefined, lab.service)).accounts,
    ...(await listAccountsOf(place, 1_000, undefined, lab.service)).accounts,
  ];
  const namesIn = async () => (await listed()).map(({ record }) => record.name).filter((n) => n.startsWith('hidden'));
  expect(await namesIn()).toEqual([]);
  lab.log.length = 0;
  await dailyAccounts();
  expect(await namesIn()).toEqual(['hidden', 'hidden-too', 'hidden']);
  const alarms = lab.log.filter(({ message }) => message === 'An account was not listed');
  const named = alarms.map(({ level, fields }) => `${level} ${fields.account}`);
  expect(named.toSorted()).toEqual(['error hidden', 'error hidden-too']);
});

test('INV-13: foreign rows in the directory and in the accounts stop neither pass, and hide no account', async () => {
  const { lab } = world;
  await lab.account('among', 'contoso');
  const foreign = [
    { partitionKey: `account:${'a'.repeat(300)}`, rowKey: 'name' },
    { partitionKey: 'account:Ä b', rowKey: 'name' },
    { partitionKey: 'account:among', rowKey: 'another' },
    { partitionKey: 'subscription:x', rowKey: 'name' },
    { partitionKey: 'zzz', rowKey: 'record' },
  ];
  for (const key of foreign) await lab.table('directory').createEntity({ ...key, data: '{' });
  await lab.table('accounts').createEntity({ partitionKey: 'b'.repeat(300), rowKey: 'record', data: '{' });
  await lab.table('directory').deleteEntity('account:among', 'name');
  await dailyNames();
  await dailyAccounts();
  expect(await rowsOf('among')).toEqual([undefined]);
});

test('the daily pass carries names over that version 0.1 has written, without an alarm, and removes the former rows', async () => {
  const { lab } = world;
  await create('former', await lab.vaultWithKey('former-kv'), { place });
  const table = lab.table('directory');
  const former = [
    ['accounts', 'former'],
    [`subscription:${place.subscriptionId}`, 'media:former'],
  ] as const;
  for (const [partitionKey, rowKey] of former) await table.createEntity({ partitionKey, rowKey, v: 1, data: '{}' });
  await table.deleteEntity('account:former', 'name');
  await table.deleteEntity(`subscription:${place.subscriptionId}:media:former`, 'name');
  lab.log.length = 0;
  await dailyAccounts();
  expect(await rowsOf('former')).toEqual([undefined, { ...place, resourceGroup: 'media' }]);
  expect(lab.log.filter(({ message }) => message === 'An account was not listed')).toEqual([]);
  for (const [partitionKey, rowKey] of former)
    await expect(table.getEntity(partitionKey, rowKey)).rejects.toMatchObject({ statusCode: 404 });
});
