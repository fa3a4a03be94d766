/**
 * Makes the rows of some ranges in one account equal to those in another. It compares every row by its keys and
 * content, and writes and deletes only what differs. So a second run continues, and a run that changes nothing has
 * verified all.
 */
import { createHash } from 'node:crypto';
import { odata, RestError, type TableClient } from '@azure/data-tables';
import { batchLimit } from '../../src/azure/rowBatches.ts';
import { isWhole, type Layout, type Move, ownerOf, rangeOf } from '../../src/azure/shards/layout.ts';
import { tableNames } from '../../src/azure/tableNames.ts';
import { putRows } from '../backup/putRows.ts';
import { hashOf, inGroups, keysIn, linesOf, partitionsIn } from '../backup/rows.ts';

export type ClientIn = (account: number, table: string) => TableClient;

/** Called before each write: throws when this process may not write any more. */
export type Permission = () => void;

export const dividedTables = tableNames.map((name) => `keyward${name}`).filter((table) => !isWhole(table));

const partitionsAtOnce = 20;
const segmentsAtOnce = 8;

/** Parts of a table by the first character of its partition keys, which are names or hexadecimal. */
const bounds = ['', ...'0123456789abcdefghijklmnopqrstuvwxyz'];
const segments = bounds.map((from, index) => {
  const to = bounds[index + 1];
  const begin = odata`PartitionKey ge ${from}`;
  return to === undefined ? begin : `${begin} and ${odata`PartitionKey lt ${to}`}`;
});

const everyRow = odata`PartitionKey ge ${''}`;

async function isOnePage(client: TableClient): Promise<boolean> {
  try {
    const pages = client.listEntities({ queryOptions: { filter: everyRow } }).byPage();
    return (await pages.next()).value?.continuationToken === undefined;
  } catch (error) {
    if (error instanceof RestError && error.statusCode === 404) return true;
    throw error;
  }
}

/** Returns the number of rows that were written or deleted. */
export async function copyRanges(
  clientIn: ClientIn,
  { ranges, from, to }: Move,
  mayWrite: Permission,
): Promise<number> {
  const moving = new Set(ranges);
  const moves = (partitionKey: string) => moving.has(rangeOf(partitionKey));
  let changes = 0;
  for (const table of dividedTables) {
    const [source, target] = [clientIn(from, table), clientIn(to, table)];
    mayWrite();
    await target.createTable();
    const parts = (await isOnePage(source)) && (await isOnePage(target)) ? [everyRow] : segments;
    for await (const some of inGroups(each(parts), segmentsAtOnce)) {
      const counts = await Promise.all(some.map((filter) => equalize(source, target, filter, moves, mayWrite)));
      changes += counts.reduce((sum, count) => sum + count, 0);
    }
  }
  return changes;
}

async function equalize(
  source: TableClient,
  target: TableClient,
  filter: string,
  moves: (partitionKey: string) => boolean,
  mayWrite: Permission,
): Promise<number> {
  const there = new Map<string, { readonly hash: string; readonly partitionKey: string; readonly rowKey: string }>();
  for await (const line of linesOf(target, filter)) {
    const { partitionKey, rowKey } = keysIn(line);
    if (moves(partitionKey)) there.set(placeOf(line), { hash: hashOf(line), partitionKey, rowKey });
  }
  let changes = 0;
  for await (const partitions of inGroups(partitionsIn(linesOf(source, filter)), partitionsAtOnce)) {
    const differing = partitions
      .filter(({ key }) => moves(key))
      .map(({ lines }) =>
        lines.filter((line) => {
          const place = placeOf(line);
          const isEqual = there.get(place)?.hash === hashOf(line);
          there.delete(place);
          return !isEqual;
        }),
      );
    await Promise.all(differing.map((lines) => putRows(lines, target, mayWrite)));
    changes += differing.flat().length;
  }
  for (const { partitionKey, rowKey } of there.values()) {
    mayWrite();
    await target.deleteEntity(partitionKey, rowKey);
    changes += 1;
  }
  return changes;
}

/** Removes from an account the rows of ranges that another account has. Returns their number. */
export async function removeMoved(
  clientIn: ClientIn,
  account: number,
  layout: Layout,
  mayWrite: Permission,
): Promise<number> {
  let removed = 0;
  for (const table of dividedTables) {
    const client = clientIn(account, table);
    for await (const partitions of inGroups(partitionsIn(linesOf(client)), partitionsAtOnce))
      for (const { lines } of partitions.filter(({ key }) => ownerOf(layout, key) !== account))
        for await (const some of inGroups(each(lines), batchLimit)) {
          mayWrite();
          const keys = some.map(keysIn);
          await client.submitTransaction(keys.map((key) => ['delete', key]));
          removed += keys.length;
        }
  }
  return removed;
}

const placeOf = (line: string): string => {
  const { partitionKey, rowKey } = keysIn(line);
  return createHash('sha256').update(`${partitionKey}\n${rowKey}`).digest('base64');
};

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
