/**
 * Copies the tables while the app runs. A partition is one account, and is useful only as it was at one moment. So it
 * is read until two readings are equal. Accounts need the rings of their time: the rings are copied first, must not be
 * in rotation, and must be equal at the end. A second run in the same folder does not copy complete tables again.
 */
import { access, mkdir, open, rename } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TableRequests } from '../../src/azure/tableConnection.ts';
import { ringNames } from '../../src/core/base/vocabulary.ts';
import type { RingState } from '../../src/core/rings/storedRing.ts';
import type { BackupKey } from './backupKey.ts';
import { signatureIn, writeManifest } from './manifest.ts';
import {
  all,
  type Clients,
  counterOf,
  fileOf,
  inGroups,
  keysIn,
  linesOf,
  type Partition,
  partitionOf,
  partitionsIn,
  type Say,
  savedLines,
  type TableName,
  tableNames,
} from './rows.ts';
import { CommandError } from './runCommand.ts';

const partitionsAtOnce = 20;
const readings = 10;

export async function save(clients: Clients, folder: string, key: BackupKey, say: Say): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (await isThere(signatureIn(folder)))
    throw new CommandError(`${folder} holds a backup already. Name another folder.`);
  await ringsAtRest(linesOf(clients('keywardrings')));
  for (const table of tableNames) await saveTable(table, clients(table), folder, say);
  const [first, last] = await Promise.all([
    ringsAtRest(savedLines(folder, 'keywardrings')),
    ringsAtRest(linesOf(clients('keywardrings'))),
  ]);
  if (first !== last)
    throw new CommandError(
      `The rings have changed since they were copied, by a new version of your keys or by a rotation. Start again in another folder, and delete ${folder}.`,
    );
  await writeManifest(folder, key);
  say(`Done: ${folder}`);
}

/**
 * The rings' own rows in one text, without the time of the last reading of the operator's keys, which changes all the
 * time.
 */
async function ringsAtRest(lines: AsyncIterable<string>): Promise<string> {
  const ofRings = (await all(lines)).filter((line) => ringNames.some((ring) => ring === keysIn(line).partitionKey));
  if (ofRings.length === 0)
    throw new CommandError(
      'The storage account has no rings. Check that it belongs to a service that has been called before.',
    );
  const rotating = ofRings.filter((line) => keysIn(line).rowKey === 'state' && stateIn(line).rotation !== undefined);
  if (rotating.length > 0)
    throw new CommandError(
      `A rotation of the ${rotating.map((line) => keysIn(line).partitionKey).join(' and ')} ring is in progress, and accounts are between two rings, so a backup would be useless. Try again when GET /api/operator/rings shows no rotation.`,
    );
  return ofRings.join('\n');
}

/** A row's value is JSON in `data`: docs/envelope.md. */
function stateIn(line: string): RingState {
  const { data } = JSON.parse(line) as { data: string | { value: string } };
  return JSON.parse(typeof data === 'string' ? data : data.value);
}

async function saveTable(table: TableName, client: TableRequests, folder: string, say: Say): Promise<void> {
  const path = fileOf(folder, table);
  if (await isThere(path)) {
    let count = 0;
    for await (const _ of savedLines(folder, table)) count += 1;
    say(`${table}: ${count} rows, copied before`);
    return;
  }
  const file = await open(`${path}.part`, 'w', 0o600);
  const written = counterOf(table, say);
  try {
    for await (const group of inGroups(partitionsIn(linesOf(client)), partitionsAtOnce)) {
      const settled = await Promise.all(group.map((partition) => settledOf(partition, table, client)));
      const lines = settled.flatMap((partition) => partition.lines);
      for (const line of lines) await file.write(`${line}\n`);
      written.add(lines.length);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.part`, path);
  say(`${table}: ${written.count} rows`);
}

/** The partition as it was at one moment: a page can end anywhere, and a writer can change a row between two pages. */
async function settledOf(partition: Partition, table: TableName, client: TableRequests): Promise<Partition> {
  let before = partition;
  for (let reading = 0; reading < readings; reading++) {
    const now = await partitionOf(client, partition.key);
    if (now.lines.join('\n') === before.lines.join('\n')) return now;
    before = now;
    await sleep(100 * reading);
  }
  throw new CommandError(
    `One partition of ${table} changes all the time. Run the same command again at a quieter time, or stop the app for the backup.`,
  );
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
