/**
 * `npm run backup` on the tables of the running app: saved, emptied, restored, and read by a process with empty memory.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TableClient, TableTransaction } from '@azure/data-tables';
import { QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { restore } from '../../infra/backup/restore.ts';
import { all, type Clients, linesOf, type TableName, tableNames } from '../../infra/backup/rows.ts';
import { save } from '../../infra/backup/save.ts';
import { caller, until } from '../../src/local/client.ts';
import { failure } from '../lab.ts';
import { appDir, got, newAccount, spawnInstance, useStack, vaultWithKey, withCustomerKey } from './support.ts';

const world = useStack();
const folder = await mkdtemp(join(tmpdir(), 'keyward-backup-'));
const to = (name: string) => join(folder, name);
afterAll(() => rm(folder, { recursive: true, force: true }));

const clients: Clients = (table) =>
  TableClient.fromConnectionString(world.stack.azurite.connectionString, table, { allowInsecureConnection: true });
/** Every sweep writes the rows of its ranges, also during a test. */
const isNoRange = (line: string) => !line.includes('"ranges"');
const silent = () => undefined;
const secret = Buffer.from('a token key of contoso').toString('base64');
const manyRows = 1_050;

/** As an operator types it. */
async function backup(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const env = { ...process.env, AZURE_STORAGE_CONNECTION_STRING: world.stack.azurite.connectionString };
  const run = promisify(execFile)(process.execPath, [join(appDir, 'infra/backup/main.ts'), ...args], { env });
  const { code, text } = await run
    .then(({ stdout }) => ({ code: 0, text: stdout }))
    .catch(({ code, stdout, stderr }) => ({ code, text: `${stdout}${stderr}` }));
  return { code, lines: text.trim().split('\n') };
}

async function everything(): Promise<Record<string, string[]>> {
  const found = await Promise.all(
    tableNames.map(async (table) => [table, (await all(linesOf(clients(table)))).filter(isNoRange)] as const),
  );
  return Object.fromEntries(found);
}

async function empty(): Promise<void> {
  for (const table of tableNames) await clients(table).deleteTable();
}

beforeAll(async () => {
  const { api } = world;
  const key = await vaultWithKey(world, 'backup-kv');
  await got(201, api('PUT', '/api/accounts/backup-s', newAccount()));
  await got(201, api('PUT', '/api/accounts/backup-c', withCustomerKey('contoso', key)));
  for (const name of ['backup-s', 'backup-c'])
    await got(201, api('PUT', `/api/accounts/${name}/tokenKeys/k`, { properties: { keyValue: secret } }));
  await world.stack.host.invokeTimer('sweep');
  // Its workers write rows until their messages are deleted: this count has those in work also.
  const queue = QueueServiceClient.fromConnectionString(world.stack.azurite.connectionString).getQueueClient(
    'vault-work',
  );
  const messages = async () => (await queue.getProperties()).approximateMessagesCount;
  await until('the end of the sweep', messages, (count) => count === 0);
  // Characters that end a line for some readers, and that JSON does not escape.
  const odd = { partitionKey: 'odd', rowKey: 'odd', v: 1, data: '"one\u2028two\u2029three\\r\\n"' };
  await clients('keywardclaims').createEntity(odd);
  // More than a page, and more than a transaction, in one partition.
  for (let row = 0; row < manyRows; ) {
    const transaction = new TableTransaction();
    for (let n = 0; n < 75; n++, row++)
      transaction.createEntity({ partitionKey: 'backup-s', rowKey: `audit:x:${row}`, v: 1, data: '{}', follows: true });
    await clients('keywardaccounts').submitTransaction(transaction.actions);
  }
});

describe('a back-up', () => {
  test('a backup restores everything: secrets of accounts under either key are revealed again after the tables were emptied', async () => {
    const before = await everything();
    const saved = await backup('save', to('whole'));
    expect(saved.code).toBe(0);
    expect(saved.lines).toEqual([
      ...tableNames.map((table) => expect.stringMatching(new RegExp(`^${table}: \\d+ rows$`))),
      `Done: ${to('whole')}`,
    ]);
    await empty();
    const restored = await backup('restore', to('whole'));
    expect({ ...restored, lines: restored.lines.at(-1) }).toEqual({ code: 0, lines: 'Done.' });
    expect(await everything()).toEqual(before);
    expect(before.keywardaccounts?.length).toBeGreaterThan(manyRows);

    const fresh = await spawnInstance(world);
    try {
      const api = caller(fresh.url, { 'x-functions-key': fresh.keys.function });
      for (const name of ['backup-s', 'backup-c']) {
        const { body } = await got(200, api('POST', `/api/accounts/${name}/tokenKeys/k/reveal`));
        expect(body.properties.keyValue).toBe(secret);
      }
      const { body } = await got(200, api('GET', '/api/accounts'));
      expect(body.value.map(({ name }: { name: string }) => name).toSorted()).toEqual(['backup-c', 'backup-s']);
    } finally {
      await fresh.stop();
    }
  });

  test('a backup is readable by its owner only, and is not overwritten', async () => {
    expect((await stat(to('whole'))).mode & 0o077).toBe(0);
    for (const name of await readdir(to('whole'))) expect((await stat(join(to('whole'), name))).mode & 0o077).toBe(0);
    expect((await failure(save(clients, to('whole'), silent))).message).toContain('holds a backup already');
  });

  test('a backup has each partition as it was at one moment, also when a writer changes rows between two pages', async () => {
    let readings = 0;
    const key = { partitionKey: 'backup-s', rowKey: 'audit:x:0' };
    const written: Clients = (table) => {
      const client = clients(table);
      if (table !== 'keywardaccounts') return client;
      return new Proxy(client, {
        get: (target, name) =>
          name === 'listEntities'
            ? async function* (...args: Parameters<TableClient['listEntities']>) {
                // The first query is of the whole table, and each later one of one partition.
                if (++readings === 3) await target.upsertEntity({ ...key, v: 1, data: '{"later":1}', follows: true });
                yield* target.listEntities(...args);
              }
            : Reflect.get(target, name),
      });
    };
    await save(written, to('torn'), silent);
    const lines = (await readFile(join(to('torn'), 'keywardaccounts.jsonl'), 'utf8')).trim().split('\n');
    expect(lines).toEqual((await everything()).keywardaccounts);
    expect(lines.some((line) => line.includes('later'))).toBe(true);
  });

  test('a second backup run continues: complete tables are not read again', async () => {
    const dying: Clients = (table) => {
      if (table === 'keywardclaims') throw new Error('The network is gone.');
      return clients(table);
    };
    expect((await failure(save(dying, to('begun'), silent))).message).toBe('The network is gone.');
    expect((await failure(restore(clients, to('begun'), silent))).message).toMatch(/holds no complete backup/);
    const told: string[] = [];
    await save(clients, to('begun'), (line) => told.push(line));
    expect(told.filter((line) => line.endsWith('copied before'))).toHaveLength(5);
  });

  test('a backup is rejected when the rings change during it', async () => {
    const moving: Clients = (table) => {
      if (table !== 'keywardservice') return clients(table);
      const client = clients(table);
      const late = { partitionKey: 'system', rowKey: '0000000009:first', v: 1, data: '{"generation":9,"createdAt":1}' };
      return new Proxy(client, {
        get: (target, name) =>
          name === 'listEntities'
            ? async function* (...args: Parameters<TableClient['listEntities']>) {
                await clients('keywardrings').upsertEntity(late);
                yield* target.listEntities(...args);
              }
            : Reflect.get(target, name),
      });
    };
    expect((await failure(save(moving, to('changed'), silent))).message).toMatch(/The rings have changed/);
    await clients('keywardrings').deleteEntity('system', '0000000009:first');
    expect((await failure(restore(clients, to('changed'), silent))).message).toMatch(/holds no complete backup/);
  });
});

describe('restoring', () => {
  test('a restore writes nothing when a table has rows that differ from the backup, and names the table', async () => {
    const before = await everything();
    const { message } = await failure(restore(clients, to('whole'), silent));
    expect(message).toMatch(/^keywardaccounts holds 1 rows that differ from this backup/);
    expect(await everything()).toEqual(before);
  });

  test('a second restore run continues', async () => {
    await save(clients, to('again'), silent);
    const before = await everything();
    for (const name of ['audit:x:1', 'audit:x:2']) await clients('keywardaccounts').deleteEntity('backup-s', name);
    const told: string[] = [];
    await restore(clients, to('again'), (line) => told.push(line));
    expect(told.find((line) => line.startsWith('keywardaccounts'))).toMatch(/, 2 of them restored now$/);
    expect(await everything()).toEqual(before);
  });

  test('a restore rejects a damaged file', async () => {
    const file = join(to('again'), 'keywardaccounts.jsonl');
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    await writeFile(file, `${lines.slice(1).join('\n')}\n`);
    expect((await failure(restore(clients, to('again'), silent))).message).toMatch(/The file is damaged/);
  });
});

test('the backup command without arguments prints its usage', async () => {
  const { code, lines } = await backup('save', 'x', '--nothing');
  expect({ code, line: lines[0] }).toEqual({
    code: 1,
    line: expect.stringMatching(/^Usage: npm run backup -- save/),
  });
});

test('the backup command rejects a wrong table endpoint, and prints the command that shows the right one', async () => {
  const { code, lines } = await backup('save', to('nowhere'), '--tables', 'keywardstorage');
  expect({ code, line: lines.join('') }).toEqual({
    code: 1,
    line: expect.stringMatching(/^--tables is 'keywardstorage', which is not an address.*primaryEndpoints\.table/),
  });
});

test('a backup of the wrong storage account is rejected', async () => {
  const none: Clients = (table: TableName) =>
    TableClient.fromConnectionString(world.stack.azurite.connectionString, `no${table}`, {
      allowInsecureConnection: true,
    });
  expect((await failure(save(none, to('none'), silent))).message).toMatch(/has no rings/);
});

// Last, because the rotation does not end.
test('a backup is rejected while a ring rotates', async () => {
  await got(202, world.api('POST', '/api/operator/rings/system/rotate'));
  const { code, lines } = await backup('save', to('rotating'));
  expect({ code, line: lines.join('') }).toEqual({
    code: 1,
    line: expect.stringMatching(/^A rotation of the system ring is in progress.*a backup would be useless/),
  });
  expect(await readdir(to('rotating'))).toEqual([]);
});
