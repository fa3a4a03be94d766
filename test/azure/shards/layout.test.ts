import { expect, test } from 'vitest';
import { createRingStore } from '../../../src/azure/ringTable.ts';
import { rowOf } from '../../../src/azure/rowForm.ts';
import { SettingsError } from '../../../src/azure/settings.ts';
import { entityOf, evenOwners, layoutIn, memberKey, rangeOf, undivided } from '../../../src/azure/shards/layout.ts';
import { layoutKey } from '../../../src/azure/shards/layoutKeys.ts';
import { openTables } from '../../../src/azure/tables.ts';
import { Unavailable } from '../../../src/core/base/errors.ts';
import { rowAuthentication } from '../rows.ts';
import { type MemoryAccounts, memoryAccounts } from './accounts.ts';

const authentication = rowAuthentication();
const accountsTable = (accounts: MemoryAccounts, order: readonly number[]) =>
  openTables(accounts.process(order), authentication)('accounts');

async function divided(count: number, order: readonly number[]): Promise<MemoryAccounts> {
  const accounts = memoryAccounts(count);
  await accountsTable(accounts, order).put(rowOf({ partitionKey: 'contoso', rowKey: 'record' }, {}));
  return accounts;
}

/** Names that the ring store writes first. */
async function startedInOneAccount(account: number): Promise<MemoryAccounts> {
  const accounts = memoryAccounts(3);
  const rings = accounts.clientIn(account, 'keywardrings');
  await rings.createTable();
  await rings.createEntity({ partitionKey: 'system', rowKey: 'state' });
  return accounts;
}

async function rowsIn(accounts: MemoryAccounts, account: number): Promise<string[]> {
  const found: string[] = [];
  for (const table of ['keywardrings', 'keywardaccounts']) {
    const client = accounts.clientIn(account, table);
    await client.createTable();
    for await (const { partitionKey, rowKey } of client.listEntities())
      found.push(`${table}/${partitionKey}/${rowKey}`);
  }
  return found;
}

test.each([
  ['in another order', [1, 0, 2], /number 2 of the state/],
  ['with two exchanged', [0, 2, 1], /Storage account 2 of the settings is number 3/],
  ['without the first', [1, 2], /number 2 of the state/],
  ['without the last', [0, 1], /in 3 storage accounts, and the settings name 2/],
  ['with another one in the middle', [0, 3, 2], /Storage account 2 of the settings has no row of this state/],
])(
  'INV-7: settings that name the storage accounts %s are refused with the names of the settings',
  async (_how, order, why) => {
    const accounts = await divided(4, [0, 1, 2]);
    const table = accountsTable(accounts, order);
    const key = { partitionKey: 'fabrikam', rowKey: 'record' };
    await expect(table.put(rowOf(key, {}))).rejects.toThrow(why);
    const reading = table.read(key);
    await expect(reading).rejects.toThrow(SettingsError);
    await expect(reading).rejects.toMatchObject({
      settings: ['KEYWARD_TABLES_ENDPOINT', 'KEYWARD_ADDITIONAL_TABLES_ENDPOINTS'],
    });
  },
);

test('INV-7: an account of another divided state is refused', async () => {
  const accounts = memoryAccounts(4);
  for (const order of [
    [0, 1],
    [2, 3],
  ])
    await accountsTable(accounts, order).put(rowOf({ partitionKey: 'contoso', rowKey: 'record' }, {}));
  const reading = accountsTable(accounts, [0, 3]).read({ partitionKey: 'contoso', rowKey: 'record' });
  await expect(reading).rejects.toThrow('Storage account 2 of the settings belongs to another state');
});

test('INV-7: an empty account before the account with the state begins no second state', async () => {
  const accounts = await startedInOneAccount(1);
  const table = accountsTable(accounts, [0, 1]);
  await expect(table.read({ partitionKey: 'contoso', rowKey: 'record' })).rejects.toThrow(
    'Storage account 2 of the settings has the rows of a Keyward already',
  );
  expect(await rowsIn(accounts, 0)).toEqual([]);
});

test('An undivided state uses its first account only, also where the settings name more', async () => {
  const accounts = await startedInOneAccount(0);
  const table = accountsTable(accounts, [0, 1, 2]);
  for (const partitionKey of ['a', 'b', 'c', 'd', 'e', 'f'])
    await table.put(rowOf({ partitionKey, rowKey: 'record' }, {}));
  expect((await rowsIn(accounts, 0)).length).toBe(7);
  // One look for the row of a divided state.
  expect([accounts.requestsOf(1), accounts.requestsOf(2)]).toEqual([1, 1]);
});

test('INV-1: a divided state whose layout was deleted is refused, and nothing is written', async () => {
  const accounts = await startedInOneAccount(0);
  const rings = accounts.clientIn(0, 'keywardrings');
  await rings.createEntity(entityOf(layoutKey, { id: 'one', accounts: 2, owners: evenOwners(2), revision: 1 }));
  const second = accounts.clientIn(1, 'keywardrings');
  await second.createTable();
  await second.createEntity(entityOf(memberKey, { id: 'one', number: 1 }));
  let now = 0;
  const running = openTables(accounts.process([0, 1], { now: () => now, monotonic: () => now }), authentication);
  const row = rowOf({ partitionKey: 'contoso', rowKey: 'record' }, {});
  expect(await running('accounts').read(row)).toBeUndefined();
  await rings.deleteEntity(layoutKey.partitionKey, layoutKey.rowKey);
  const before = [await rowsIn(accounts, 0), await rowsIn(accounts, 1)];
  now = 5_000;
  for (const table of [running('accounts'), accountsTable(accounts, [0, 1])]) {
    await expect(table.put(row)).rejects.toThrow('The row of the layout is missing, and storage account 2');
    await expect(table.read(row)).rejects.toThrow(SettingsError);
  }
  expect([await rowsIn(accounts, 0), await rowsIn(accounts, 1)]).toEqual(before);
});

test('INV-7: a layout that was read before a slow look at the other accounts is read again', async () => {
  const accounts = await divided(2, [0, 1]);
  const rings = accounts.clientIn(0, 'keywardrings');
  let now = 0;
  const send = accounts.httpClient.sendRequest;
  accounts.httpClient.sendRequest = async (request) => {
    if (request.url.includes('account1') && request.url.includes('keywardrings') && now === 0) {
      now = 60_000;
      const { etag = '', ...row } = await rings.getEntity<{ data: string }>(layoutKey.partitionKey, layoutKey.rowKey);
      const layout = layoutIn(row) ?? expect.fail();
      const changed = { ...layout, owners: layout.owners.map(() => 1), revision: 2 };
      await rings.updateEntity(entityOf(layoutKey, changed), 'Replace', { etag });
    }
    return send(request);
  };
  const table = openTables(
    accounts.process([0, 1], { now: () => now, monotonic: () => now }),
    authentication,
  )('accounts');
  for (const partitionKey of ['a', 'b', 'c', 'd', 'e', 'f'])
    await table.put(rowOf({ partitionKey, rowKey: 'record' }, {}));
  expect((await rowsIn(accounts, 1)).filter((row) => /accounts\/[a-f]\//.test(row)).length).toBe(6);
});

test('INV-7: a layout whose read takes five seconds each time is not used', async () => {
  const accounts = await divided(2, [0, 1]);
  let now = 0;
  const send = accounts.httpClient.sendRequest;
  accounts.httpClient.sendRequest = (request) => {
    if (request.url.includes('account0') && request.url.includes('keywardrings')) now += 5_000;
    return send(request);
  };
  const table = openTables(
    accounts.process([0, 1], { now: () => now, monotonic: () => now }),
    authentication,
  )('accounts');
  await expect(table.put(rowOf({ partitionKey: 'fabrikam', rowKey: 'record' }, {}))).rejects.toThrow(Unavailable);
  expect([...(await rowsIn(accounts, 0)), ...(await rowsIn(accounts, 1))].join()).not.toContain('fabrikam');
});

test('Processes that start together on empty accounts agree on one layout', async () => {
  const accounts = memoryAccounts(3);
  const tables = Array.from({ length: 6 }, () => accountsTable(accounts, [0, 1, 2]));
  const key = { partitionKey: 'contoso', rowKey: 'record' };
  const inserted = await Promise.all(tables.map((table) => table.insert(rowOf(key, {}))));
  expect(inserted.filter((etag) => etag !== undefined).length).toBe(1);
  const layouts = [];
  for (const account of [0, 1, 2])
    layouts.push((await rowsIn(accounts, account)).filter((row) => row.startsWith('keywardrings')));
  expect(layouts).toEqual([
    ['keywardrings/!layout/layout'],
    ['keywardrings/!layout/member'],
    ['keywardrings/!layout/member'],
  ]);
});

test('A start that died between two accounts is completed by the next process', async () => {
  const accounts = memoryAccounts(3);
  const rings = accounts.clientIn(0, 'keywardrings');
  await rings.createTable();
  const begun = { id: 'one', accounts: 3, owners: evenOwners(3), revision: 1, joining: 3 };
  await rings.createEntity(entityOf(layoutKey, begun));
  await accountsTable(accounts, [0, 1, 2]).put(rowOf({ partitionKey: 'contoso', rowKey: 'record' }, {}));
  const { joining: _, ...whole } = begun;
  const row = await rings.getEntity<{ data: string }>(layoutKey.partitionKey, layoutKey.rowKey);
  expect(layoutIn(row)).toEqual(whole);
});

test('INV-7: a process whose settings name one account reads and writes nothing of a divided state', async () => {
  const accounts = await divided(2, [0, 1]);
  for (const only of [0, 1]) {
    const open = openTables((name) => accounts.clientIn(only, name), authentication);
    await expect(createRingStore(open, true).load()).rejects.toThrow('The state is in several storage accounts');
    const key = { partitionKey: 'fabrikam', rowKey: 'record' };
    await expect(open('accounts').put(rowOf(key, {}))).rejects.toThrow(SettingsError);
    await expect(open('accounts').read(key)).rejects.toThrow(SettingsError);
  }
});

test('A process whose settings name one account runs on a state that was moved back to its first account', async () => {
  const accounts = await startedInOneAccount(0);
  const back = { ...undivided, id: 'one', revision: 9 };
  await accounts.clientIn(0, 'keywardrings').createEntity(entityOf(layoutKey, back));
  const open = openTables((name) => accounts.clientIn(0, name), authentication);
  await createRingStore(open, true).load();
  await open('accounts').put(rowOf({ partitionKey: 'contoso', rowKey: 'record' }, {}));
  expect(await rowsIn(accounts, 0)).toContain('keywardaccounts/contoso/record');
});

test('A process that cannot read the layout again uses its copy for five seconds and then refuses reads and writes', async () => {
  const accounts = memoryAccounts(2);
  let [now, isDown] = [0, false];
  const clock = { now: () => now, monotonic: () => now };
  const send = accounts.httpClient.sendRequest;
  accounts.httpClient.sendRequest = (request) => {
    if (isDown && request.url.includes('keywardrings')) request = { ...request, url: 'http://127.0.0.1:1/' };
    return request.url.startsWith('http://127')
      ? Promise.reject(Object.assign(new Error('No answer.'), { name: 'AbortError' }))
      : send(request);
  };
  const table = openTables(accounts.process([0, 1], clock), authentication)('accounts');
  const row = rowOf({ partitionKey: 'contoso', rowKey: 'record' }, {});
  await table.put(row);
  isDown = true;
  now = 4_999;
  await table.put(row);
  now = 5_000;
  await expect(table.put(row)).rejects.toThrow(Unavailable);
  await expect(table.read(row)).rejects.toThrow(Unavailable);
  isDown = false;
  await table.put(row);
});

test('The range of a partition key is the first byte of its SHA-256, so that rows are found by every later version', () => {
  // printf contoso | sha256sum; printf '' | sha256sum
  expect(rangeOf('')).toBe(0xe3);
  expect(rangeOf('abc')).toBe(0xba);
});
