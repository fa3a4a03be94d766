/**
 * Restores a backup into empty tables. The app must not run. A second run continues: it leaves rows that equal the
 * saved ones. It never overwrites another row, and writes nothing while there is one.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { RestError, type TableClient, type TableEntity, TableTransaction } from '@azure/data-tables';
import {
  BackupError,
  type Clients,
  counterOf,
  hashOf,
  inGroups,
  linesOf,
  type Partition,
  partitionsIn,
  type Say,
  type Summary,
  savedLines,
  summaryIn,
  type TableName,
  tableNames,
} from './rows.ts';

const partitionsAtOnce = 20;
/** Table service: 100 entities and 4 MiB in a transaction. The service adds few bytes to a row. */
const rowsAtOnce = 100;
const bytesAtOnce = 3 * 1024 * 1024;

export async function restore(clients: Clients, folder: string, say: Say): Promise<void> {
  const summary = await summaryOf(folder);
  const there = new Map<TableName, ReadonlySet<string>>();
  for (const table of tableNames) there.set(table, await savedBefore(table, clients(table), folder, summary));
  for (const table of tableNames) {
    const client = clients(table);
    await createTable(client);
    const back = counterOf(table, say);
    const isMissing = (line: string) => !there.get(table)?.has(hashOf(line));
    for await (const group of inGroups(partitionsIn(savedLines(folder, table)), partitionsAtOnce)) {
      const missing = group.map((one) => ({ ...one, lines: one.lines.filter(isMissing) }));
      await Promise.all(missing.map((partition) => putBack(partition, client)));
      back.add(missing.reduce((sum, { lines }) => sum + lines.length, 0));
    }
    say(`${table}: ${summary.rows[table]} rows, ${back.count} of them restored now`);
  }
  say('Done.');
}

async function summaryOf(folder: string): Promise<Summary> {
  const text = await readFile(summaryIn(folder), 'utf8').catch(() => undefined);
  if (text === undefined) throw new BackupError(`${folder} holds no complete backup: backup.json is missing.`);
  return JSON.parse(text);
}

/** Hashes of the rows that exist already. @throws BackupError when one of them differs from the saved one */
async function savedBefore(table: TableName, client: TableClient, folder: string, { rows }: Summary) {
  const found = new Set<string>();
  for await (const line of linesOf(client)) found.add(hashOf(line));
  const others = new Set(found);
  let count = 0;
  for await (const line of savedLines(folder, table)) {
    others.delete(hashOf(line));
    count += 1;
  }
  if (count !== rows[table])
    throw new BackupError(
      `The file of ${table} has ${count} rows, but the backup saved ${rows[table]}. The file is damaged.`,
    );
  if (others.size > 0)
    throw new BackupError(
      `${table} holds ${others.size} rows that differ from this backup, or are not in it. Nothing was written. Delete the tables, then restore.`,
    );
  return found;
}

/** The service needs half a minute or more to delete a table. */
async function createTable(client: TableClient): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await client.createTable();
    } catch (error) {
      const isLeaving = error instanceof RestError && `${error.code} ${error.message}`.includes('TableBeingDeleted');
      if (!isLeaving || attempt === 60) throw error;
      await sleep(5_000);
    }
  }
}

async function putBack({ lines }: Partition, client: TableClient): Promise<void> {
  for (let rest = lines; rest.length > 0; ) {
    const some = rest.slice(0, howMany(rest));
    const rows = some.map((line): TableEntity => JSON.parse(line));
    const [only, ...others] = rows;
    if (only !== undefined && others.length === 0) await client.upsertEntity(only, 'Replace');
    else {
      const transaction = new TableTransaction();
      for (const row of rows) transaction.upsertEntity(row, 'Replace');
      await client.submitTransaction(transaction.actions);
    }
    rest = rest.slice(some.length);
  }
}

/** The next lines that fit one transaction, at least one. */
function howMany(lines: readonly string[]): number {
  let bytes = 0;
  const tooMany = lines.slice(0, rowsAtOnce).findIndex((line, n) => {
    bytes += Buffer.byteLength(line);
    return n > 0 && bytes > bytesAtOnce;
  });
  return tooMany === -1 ? rowsAtOnce : tooMany;
}
