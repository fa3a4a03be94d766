import { expect, test } from 'vitest';
import { rowOf } from '../../src/azure/rowForm.ts';
import { Rejected } from '../../src/azure/tableErrors.ts';
import { openTables } from '../../src/azure/tables.ts';
import { useLab } from '../lab.ts';
import { rowAuthentication } from './rows.ts';

const world = useLab();
const key = { partitionKey: 'p', rowKey: 'long' };

function openTable() {
  const rejected: string[] = [];
  const authentication = {
    ...rowAuthentication(),
    rejected: (table: string, code: string) => void rejected.push(`${table} ${code}`),
  };
  const table = openTables(() => world.lab.table('service'), authentication)('service');
  return { table, rejected, reported: authentication.reported };
}

/** Each has two UTF-16 units, so that some part would end within one. */
const pairs = (length: number) => `a${'\u{1f511}'.repeat(length / 2)}`;

test.each([
  ['shorter than a property', 'x'.repeat(1_000)],
  ['longer than a property', 'x'.repeat(40_000)],
  ['of many parts', 'x'.repeat(400_000)],
  ['of surrogate pairs at every boundary', pairs(100_000)],
  // The quotes, the name and the braces of {"text":"…"} are 11 more. A part has 32,000, and a property holds 32,768.
  ...[32_000, 32_768, 64_000, 65_536].flatMap((edge) =>
    [-1, 0, 1].map((more): [string, string] => [`of ${edge + more} units`, 'x'.repeat(edge + more - 11)]),
  ),
])('a row %s is read as it was written, and replaced by a short one', async (_, text) => {
  const { table, reported } = openTable();
  await table.put(rowOf(key, { text }));
  expect(await table.read(key)).toMatchObject({ value: { text } });
  expect(await table.query("PartitionKey eq 'p'", 10)).toMatchObject([{ value: { text } }]);
  await table.put(rowOf(key, { text: 'short' }));
  expect(await table.read(key)).toMatchObject({ value: { text: 'short' } });
  expect(reported).toEqual([]);
});

test.each([
  ['without its second part', { data2: undefined }],
  ['with an edited second part', { data2: 'y' }],
  ['with a part more', { data4: 'y' }],
  ['with a part that is a number', { data2: 7 }],
])('INV-13: a long row %s is damaged', async (_, change) => {
  const { table, reported } = openTable();
  await table.put(rowOf(key, { text: 'x'.repeat(70_000) }));
  const client = world.lab.table('service');
  const { etag: _etag, timestamp: _at, ...entity } = await client.getEntity(key.partitionKey, key.rowKey);
  await client.updateEntity({ ...entity, ...key, ...change }, 'Replace');
  expect((await table.readIfAuthentic(key))?.value).toBeUndefined();
  expect(reported).toEqual(['service/p/long']);
});

test('INV-2: a row that the tables refuse is a fault of Keyward with a code of its own, and never an outage', async () => {
  const { table, rejected } = openTable();
  const failed = await table.put(rowOf(key, { text: 'x'.repeat(600_000) })).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(Rejected);
  expect(failed).toMatchObject({ code: 'StorageRejected', extras: { info: { tableCode: 'EntityTooLarge' } } });
  expect(rejected).toEqual(['service EntityTooLarge']);
});
