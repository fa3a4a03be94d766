/** The outbox on real tables, with rows that another writer of the tables wrote. */
import { TableClient } from '@azure/data-tables';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { createTableEmulator } from '../../packages/table-emulator/src/tableEmulator.ts';
import { createOutbox } from '../../src/azure/outboxTable.ts';
import { openTables } from '../../src/azure/tables.ts';
import type { Outbox, OutboxPage, OutboxRow } from '../../src/core/announcements/ports.ts';

const tables = createTableEmulator();
let outbox: Outbox;
let table: TableClient;
const tableNamed = (name: string) => TableClient.fromConnectionString(tables.connectionString, name, tables);
beforeAll(async () => {
  outbox = createOutbox(openTables(tableNamed));
  table = tableNamed('keywardoutbox');
  await table.createTable();
  await tableNamed('keywardaccounts').createTable();
});
beforeEach(async () => {
  for await (const { partitionKey = '', rowKey = '' } of table.listEntities())
    await table.deleteEntity(partitionKey, rowKey);
});

const chain = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const own: OutboxRow = {
  id: '0e37df36-f698-11e6-8dd4-cb9ced3df976',
  chain,
  at: 0,
  subject: { kind: 'account', name: 'Contoso', owner: 'contoso' },
  first: 1,
  hashes: ['a'.repeat(43), 'b'.repeat(43)],
};

/** Writes a row as another writer of the table does. */
const putAt = (partitionKey: string, rowKey: string, value: unknown) =>
  table.upsertEntity(
    { partitionKey, rowKey, v: 1, data: JSON.stringify(value), at: new Date(0).toISOString() },
    'Replace',
  );
const page = (more: { limit?: number; after?: string | undefined } = {}): Promise<OutboxPage> =>
  outbox.page({ before: Date.now(), limit: 10, ...more });

const account = own.subject as { kind: 'account'; name: string; owner: string };
test.each([
  ['a name that no key can hold', { subject: { ...account, name: 'a/b' } }],
  ['a name longer than a key', { subject: { ...account, name: 'x'.repeat(20_000) } }],
  ['an owner that is none', { subject: { ...account, owner: 'a b' } }],
  ['a chain that no key can hold', { chain: 'a?b' }],
  ['an id that no key can hold', { id: 'a#b' }],
  ['a sequence number beyond all', { first: 99_999_999_999 }],
  ['a hash that is none', { hashes: ['x'] }],
])('a row of the outbox with %s is not read, because it would look like a failure of the store', async (_, wrong) => {
  await outbox.put(own);
  await putAt(chain, '0000000009:x', { ...own, ...wrong });
  expect(await page()).toEqual({ rows: [own], unreadable: 1 });
});

test('a row of the outbox under the key of another row is not read, because its content names another key to delete', async () => {
  await putAt('zz', 'zz', own);
  await putAt(chain, '0000000002:copy', own);
  expect(await page()).toEqual({ rows: [], unreadable: 2 });
  await outbox.put(own);
  expect(await page()).toMatchObject({ rows: [own], unreadable: 2 });
  await outbox.remove(own);
  expect(await page()).toMatchObject({ rows: [], unreadable: 2 });
});

test('pages of the outbox continue over rows with any key, to the end', async () => {
  for (const [partitionKey, rowKey] of [
    ['a b', 'r 1'],
    ['a b', 'r 2'],
    ['a b', 'r'.repeat(500)],
    ["it's", '0'],
  ] as const)
    await putAt(partitionKey, rowKey, own);
  await putAt(chain, 'x', own);
  let seen = 0;
  let after: string | undefined;
  for (let pages = 0; pages < 6; pages += 1) {
    const { unreadable, next } = await page({ limit: 1, after });
    seen += unreadable;
    after = next;
    if (next === undefined) break;
  }
  expect({ seen, after }).toEqual({ seen: 5, after: undefined });
});
