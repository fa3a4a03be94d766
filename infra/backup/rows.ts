/**
 * The content of a backup: a file of rows for each table, one row in a line, in the order of the tables. A row is its
 * two keys and its properties with their types. The service sets the time and the ETag of a row again.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { odata, RestError } from '@azure/data-tables';
import { layoutPartition } from '../../src/azure/shards/layoutKeys.ts';
import type { TableRequests } from '../../src/azure/tableConnection.ts';
import { CommandError } from './runCommand.ts';

/**
 * In the order to copy and to restore. Without rings no account key decrypts. Rows that point to accounts are easier to
 * repair than accounts. All tables of the app except `keywardoverview`, which the daily pass writes again.
 */
export const tableNames = [
  'keywardrings',
  'keywardaccounts',
  'keywardbindings',
  'keywardvaults',
  'keywarddirectory',
  'keywardclaims',
  'keywardservice',
  'keywardoutbox',
  'keywardoperations',
] as const;
export type TableName = (typeof tableNames)[number];

export type Clients = (table: TableName) => TableRequests;
/** Progress: tables and counts, never the content of a row. */
export type Say = (line: string) => void;

export interface Partition {
  readonly key: string;
  readonly lines: readonly string[];
}

export const fileOf = (folder: string, table: TableName): string => join(folder, `${table}.jsonl`);
export const hashOf = (line: string): string => createHash('sha256').update(line).digest('base64');

export const keysIn = (line: string): { partitionKey: string; rowKey: string } => JSON.parse(line);

function lineOf(entity: Readonly<Record<string, unknown>>): string {
  const own = Object.entries(entity).filter(
    ([name]) => name !== 'etag' && name !== 'timestamp' && !name.includes('odata'),
  );
  const text = JSON.stringify(Object.fromEntries(own.toSorted(([a], [b]) => (a < b ? -1 : 1))));
  // JSON does not escape these two characters, and a reader of lines ends a line at them.
  return text.replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

/**
 * In key order, page by page. No rows for a table that does not exist. Without the layout: it says where the rows are,
 * and a restore puts them where its own accounts have them.
 */
export async function* linesOf(client: TableRequests, filter?: string): AsyncGenerator<string> {
  const queryOptions = filter === undefined ? {} : { filter };
  try {
    for await (const entity of client.listEntities({ queryOptions, disableTypeConversion: true }))
      if (entity.partitionKey !== layoutPartition) yield lineOf(entity);
  } catch (error) {
    if (!(error instanceof RestError && error.statusCode === 404)) throw error;
  }
}

export async function partitionOf(client: TableRequests, key: string): Promise<Partition> {
  return { key, lines: await all(linesOf(client, odata`PartitionKey eq ${key}`)) };
}

export async function* partitionsIn(lines: AsyncIterable<string>): AsyncGenerator<Partition> {
  let partition: { key: string; lines: string[] } | undefined;
  for await (const line of lines) {
    const key = keysIn(line).partitionKey;
    if (partition?.key !== key) {
      if (partition !== undefined) yield partition;
      partition = { key, lines: [] };
    }
    partition.lines.push(line);
  }
  if (partition !== undefined) yield partition;
}

const sayEvery = 10_000;

/** Prints the number of rows so far from time to time. */
export function counterOf(table: TableName, say: Say): { add(rows: number): void; readonly count: number } {
  let count = 0;
  return {
    add(rows) {
      if (Math.floor((count + rows) / sayEvery) > Math.floor(count / sayEvery))
        say(`${table}: ${count + rows} rows so far`);
      count += rows;
    },
    get count() {
      return count;
    },
  };
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

export async function* inGroups<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** @throws CommandError when the file is missing */
export async function* savedLines(folder: string, table: TableName): AsyncGenerator<string> {
  const file = await open(fileOf(folder, table)).catch(() => undefined);
  if (file === undefined) throw new CommandError(`${folder} holds no complete backup: ${table}.jsonl is missing.`);
  try {
    for await (const line of file.readLines()) yield line;
  } finally {
    await file.close().catch(() => undefined);
  }
}
