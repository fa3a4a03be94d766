/**
 * Restores a backup into empty tables, after it has verified the signature and every row. The app must not run. A
 * second run continues: it leaves rows that equal the saved ones. It never overwrites another row, and writes nothing
 * while there is one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RestError } from '@azure/data-tables';
import type { TableRequests } from '../../src/azure/tableConnection.ts';
import type { BackupKey } from './backupKey.ts';
import { type Manifest, readManifest, verifiedLines } from './manifest.ts';
import { putRows } from './putRows.ts';
import {
  type Clients,
  counterOf,
  hashOf,
  inGroups,
  linesOf,
  partitionsIn,
  type Say,
  type TableName,
  tableNames,
} from './rows.ts';
import { CommandError } from './runCommand.ts';

const partitionsAtOnce = 20;

export async function restore(clients: Clients, folder: string, key: BackupKey, say: Say): Promise<void> {
  const manifest = await readManifest(folder, key);
  say(`The backup of ${manifest.savedAt}, as the operator's key signed it.`);
  const there = new Map<TableName, ReadonlySet<string>>();
  for (const table of tableNames) there.set(table, await savedBefore(table, clients(table), folder, manifest));
  for (const table of tableNames) {
    const client = clients(table);
    await createTable(client);
    const back = counterOf(table, say);
    const isMissing = (line: string) => !there.get(table)?.has(hashOf(line));
    for await (const group of inGroups(partitionsIn(verifiedLines(folder, table, manifest)), partitionsAtOnce)) {
      const missing = group.map((one) => ({ ...one, lines: one.lines.filter(isMissing) }));
      await Promise.all(missing.map((partition) => putRows(partition.lines, client)));
      back.add(missing.reduce((sum, { lines }) => sum + lines.length, 0));
    }
    say(`${table}: ${manifest.tables[table].rows} rows, ${back.count} of them restored now`);
  }
  say('Done.');
}

/**
 * Hashes of the rows that exist already.
 *
 * @throws CommandError when one of them differs from the saved one, or the file is not the one that the backup saved
 */
async function savedBefore(table: TableName, client: TableRequests, folder: string, manifest: Manifest) {
  const found = new Set<string>();
  for await (const line of linesOf(client)) found.add(hashOf(line));
  const others = new Set(found);
  for await (const line of verifiedLines(folder, table, manifest)) others.delete(hashOf(line));
  if (others.size > 0)
    throw new CommandError(
      `${table} holds ${others.size} rows that differ from this backup, or are not in it. Nothing was written. Delete the tables, then restore.`,
    );
  return found;
}

/** The service needs half a minute or more to delete a table. */
async function createTable(client: TableRequests): Promise<void> {
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
