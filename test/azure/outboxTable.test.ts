/** The outbox on real tables, with rows that another writer of the tables wrote. */
import { TableClient } from '@azure/data-tables';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { createTableEmulator } from '../../packages/table-emulator/src/tableEmulator.ts';
import { createOutbox } from '../../src/azure/outboxTable.ts';
import { openTables } from '../../src/azure/tables.ts';
import type { Outbox, OutboxPage, OutboxRow } from '../../src/core/announcements/ports.ts';
import { rowAuthentication } from './rows.ts';

const tables = createTableEmulator();
let outbox: Outbox;
let table: TableClient;
const tableNamed = (name: string) => TableClient.fromConnectionString(tables.connectionString, name, tables);
beforeAll(async () => {
  outbox = createOutbox(openTables(tableNamed, rowAuthentication()));
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

test('INV-13: a row that Keyward did not write is not read, and the rows beside it are', async () => {
  await outbox.put(own);
  await putAt(chain, '0000000009:x', own);
  expect(await page()).toEqual({ rows: [own], unreadable: 1 });
});

test('INV-13: a copy of a row under another key is not read, and does not remove the row', async () => {
  await outbox.put(own);
  const [row] = [await table.getEntity(chain, `0000000001:${own.id}`)];
  await table.createEntity({ ...row, partitionKey: 'zz', rowKey: 'zz' });
  await table.createEntity({ ...row, partitionKey: chain, rowKey: '0000000002:copy' });
  expect(await page()).toEqual({ rows: [own], unreadable: 2 });
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
