import { TableClient } from '@azure/data-tables';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createTableEmulator } from '../../../packages/table-emulator/src/tableEmulator.ts';
import { rowOf } from '../../../src/azure/rowForm.ts';
import { odata } from '../../../src/azure/sdk/tables.ts';
import { ownerOf } from '../../../src/azure/shards/layout.ts';
import { readLayout } from '../../../src/azure/shards/layoutRows.ts';
import { partitionIn } from '../../../src/azure/shards/shardedTable.ts';
import { openTables, type Table } from '../../../src/azure/tables.ts';
import { LostRace } from '../../../src/core/base/errors.ts';
import { rowAuthentication } from '../rows.ts';
import { memoryAccounts } from './accounts.ts';

/** The same rows in one account and in three. */
function bothWays() {
  const one = createTableEmulator();
  const authentication = rowAuthentication();
  const clientOfOne = (name: string) => TableClient.fromConnectionString(one.connectionString, name, one);
  const accounts = memoryAccounts(3);
  return {
    accounts,
    tables: [
      openTables(clientOfOne, authentication)('bindings'),
      openTables(accounts.process([0, 1, 2]), authentication)('bindings'),
    ],
  };
}

const partitions = ['a', 'ab', 'b', "b'c", 'c or d', 'd', '0', 'zz', 'ä', '!'];
const key = fc.record({
  partitionKey: fc.constantFrom(...partitions),
  rowKey: fc.constantFrom('1', '2', '3', 'x:1', 'x:2'),
});
const partition = fc.constantFrom(...partitions);
const rowKey = fc.constantFrom('', '1', '2', 'x:', 'x:1');

const write = fc.oneof(
  fc.record({ act: fc.constant('put' as const), key, value: fc.nat(9) }),
  fc.record({ act: fc.constant('insert' as const), key, value: fc.nat(9) }),
  fc.record({ act: fc.constant('remove' as const), key, value: fc.nat(9) }),
);
/** A filter of each kind that src/azure has. */
const filter = fc.oneof(
  fc.tuple(partition, rowKey).map(([p, r]) => odata`PartitionKey eq ${p} and RowKey gt ${r} and RowKey lt 'y'`),
  partition.map((p) => odata`PartitionKey eq ${p}`),
  partition.map((p) => odata`PartitionKey gt ${p}`),
  partition.map((p) => odata`PartitionKey lt ${p}`),
  fc.tuple(partition, rowKey).map(([p, r]) => odata`PartitionKey ge ${p} and PartitionKey lt 'c' and RowKey gt ${r}`),
  fc
    .tuple(partition, rowKey)
    .map(([p, r]) => `(${odata`PartitionKey eq ${p} and RowKey gt ${r}`}) or ${odata`PartitionKey gt ${p}`}`),
  fc
    .tuple(partition, rowKey)
    .map(([p, r]) => `(${odata`PartitionKey gt ${p} or (PartitionKey eq ${p} and RowKey gt ${r})`}) and at lt '5'`),
  fc.tuple(partition, rowKey).map(([p, r]) => odata`PartitionKey eq ${p} and RowKey eq ${r} or PartitionKey eq 'a'`),
);

async function rowsOf(table: Table, text: string, limit: number) {
  const rows = await table.query<{ value: number }>(text, limit);
  return rows.map(({ partitionKey, rowKey: row, value }) => [partitionKey, row, value?.value]);
}

test('A table in three storage accounts answers each kind of query as the same rows in one account do', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(write, { maxLength: 25 }),
      fc.array(fc.tuple(filter, fc.constantFrom(1, 2, 5, Number.POSITIVE_INFINITY)), { minLength: 4, maxLength: 8 }),
      async (writes, queries) => {
        const { tables } = bothWays();
        for (const { act, key: place, value } of writes) {
          const row = rowOf(place, { value }, { at: String(value) });
          const results = [];
          for (const table of tables) {
            if (act === 'put') results.push(await table.put(row));
            else if (act === 'insert') results.push((await table.insert(row)) !== undefined);
            else results.push(await table.remove(place));
          }
          expect(results[1]).toBe(results[0]);
        }
        for (const [text, limit] of queries) {
          const [ofOne, ofThree] = await Promise.all(tables.map((table) => rowsOf(table, text, limit)));
          expect(ofThree, text).toEqual(ofOne);
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('INV-13: a pass over the rows of three storage accounts renews the MAC of each row once', async () => {
  const { tables } = bothWays();
  const [, table] = tables;
  if (table === undefined) expect.fail();
  const names = Array.from({ length: 130 }, (_, number) => `account-${number}`);
  for (const name of names) await table.put(rowOf({ partitionKey: name, rowKey: 'record' }, {}));
  let [found, renewed] = [0, 0];
  for (let after: string | undefined; ; ) {
    const page = await table.renewPage(2, after);
    found += page.found;
    renewed += page.renewed;
    if (page.next === undefined) break;
    after = page.next;
  }
  expect({ found, renewed }).toEqual({ found: 130, renewed: 130 });
});

test('Each partition is in exactly one of three accounts, and the transaction of a partition stays all or nothing', async () => {
  const { accounts, tables } = bothWays();
  const [, table] = tables;
  if (table === undefined) expect.fail();
  const names = Array.from({ length: 60 }, (_, number) => `account-${number}`);
  for (const partitionKey of names) {
    const record = rowOf({ partitionKey, rowKey: 'record' }, { number: 1 });
    const etag = await table.batch(record, undefined, [rowOf({ partitionKey, rowKey: 'audit:1' }, {})]);
    const tooLate = table.batch(rowOf(record, { number: 2 }), 'W/"datetime\'2026-01-01T00%3A00%3A00.0000000Z\'"', [
      rowOf({ partitionKey, rowKey: 'audit:2' }, {}),
    ]);
    await expect(tooLate).rejects.toThrow(LostRace);
    expect(etag).not.toBe('');
  }
  const layout = await readLayout([0, 1, 2].map((account) => accounts.clientIn(account, 'keywardrings')));
  const counts = [0, 0, 0];
  for (const account of [0, 1, 2])
    for await (const { partitionKey = '', rowKey: row } of accounts
      .clientIn(account, 'keywardbindings')
      .listEntities()) {
      expect(ownerOf(layout, partitionKey)).toBe(account);
      expect(['record', 'audit:1']).toContain(row);
      counts[account] = (counts[account] ?? 0) + 1;
    }
  expect(counts.reduce((sum, count) => sum + count)).toBe(120);
  expect(counts.every((count) => count > 0)).toBe(true);
});

test('A query that names its partition goes to one account, and a query over partitions to all accounts', async () => {
  const { accounts, tables } = bothWays();
  const [, table] = tables;
  await table?.put(rowOf({ partitionKey: 'a', rowKey: '1' }, {}));
  const before = [0, 1, 2].map(accounts.requestsOf);
  const sent = () => [0, 1, 2].map((account) => accounts.requestsOf(account) - (before[account] ?? 0));
  await table?.query(odata`PartitionKey eq 'a' and RowKey gt ''`, 10);
  expect(sent().toSorted()).toEqual([0, 0, 1]);
  await table?.query(odata`PartitionKey gt ''`, 10);
  expect(sent().toSorted()).toEqual([1, 1, 2]);
});

test('The partition of a query is read from its filter only where no other partition can match', () => {
  expect(partitionIn(odata`PartitionKey eq ${"o'neil"}`)).toBe("o'neil");
  expect(partitionIn(odata`PartitionKey eq ${'a or b'} and RowKey gt ${' or '}`)).toBe('a or b');
  expect(partitionIn(odata`PartitionKey eq 'a' and RowKey gt '1' or PartitionKey gt 'a'`)).toBeUndefined();
  expect(partitionIn(odata`(PartitionKey eq 'a' and RowKey gt '1') or PartitionKey gt 'a'`)).toBeUndefined();
  expect(partitionIn(odata`PartitionKey ge 'a'`)).toBeUndefined();
  expect(partitionIn(undefined)).toBeUndefined();
});
