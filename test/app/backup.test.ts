/**
 * `npm run backup` on the tables of the running app: saved, emptied, restored, and read by a process with empty memory.
 */
import { execFile } from 'node:child_process';
import { appendFile, cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TableClient, TableTransaction } from '@azure/data-tables';
import { QueueServiceClient } from '@azure/storage-queue';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BackupKey, createBackupKey } from '../../infra/backup/backupKey.ts';
import { writeManifest } from '../../infra/backup/manifest.ts';
import { restore } from '../../infra/backup/restore.ts';
import { all, type Clients, linesOf, type TableName, tableNames } from '../../infra/backup/rows.ts';
import { save } from '../../infra/backup/save.ts';
import { throughEmulator } from '../../src/azure/emulators.ts';
import { tableNames as tablesOfApp } from '../../src/azure/tableNames.ts';
import { caller, until } from '../../src/local/client.ts';
import { appPrincipalId, operatorPrincipalId, operatorToken, operatorVault } from '../../src/local/operator.ts';
import { failure } from '../lab.ts';
import { appDir, got, newAccount, spawnInstance, useStack, vaultWithKey, withCustomerKey } from './support.ts';

const world = useStack();
const folder = await mkdtemp(join(tmpdir(), 'keyward-backup-'));
const to = (name: string) => join(folder, name);
afterAll(() => rm(folder, { recursive: true, force: true }));

const clients = (table: TableName) =>
  TableClient.fromConnectionString(world.stack.azurite.connectionString, table, { allowInsecureConnection: true });
/** Every sweep writes the rows of its ranges, also during a test. */
const isNoRange = (line: string) => !line.includes('"ranges"');
const silent = () => undefined;
const secret = Buffer.from('a token key of contoso').toString('base64');
const manyRows = 1_050;

const vaultUrl = `https://${operatorVault}.vault.azure.net`;
const backupKey = `${vaultUrl}/keys/backup`;
let key: BackupKey;

/** The operator's application, whose grants are those of its principal on one key. */
const keyOf = (name: string): BackupKey => {
  const token = () => operatorToken(world.stack.identity, 'https://vault.azure.net/.default');
  const credential = { getToken: async () => ({ token: await token(), expiresOnTimestamp: Date.now() + 600_000 }) };
  return createBackupKey(`${vaultUrl}/keys/${name}`, credential, throughEmulator(vaultUrl, world.stack.keyVaultUrl));
};

/** As an operator types it, on a machine with a managed identity. */
async function backup(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const { settings, azurite } = world.stack;
  const env = { ...process.env, ...settings, AZURE_STORAGE_CONNECTION_STRING: azurite.connectionString };
  const script = join(appDir, 'infra/backup/main.ts');
  const run = promisify(execFile)(process.execPath, [script, ...args, '--key', backupKey], { env });
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

async function rewrite(folder: string, table: TableName, edit: (lines: string[]) => string[]): Promise<void> {
  const path = join(folder, `${table}.jsonl`);
  const lines = (await readFile(path, 'utf8')).trim().split('\n');
  await writeFile(path, `${edit(lines).join('\n')}\n`);
}

async function empty(): Promise<void> {
  for (const table of tableNames) await clients(table).deleteTable();
}

beforeAll(async () => {
  const { api, stack } = world;
  for (const name of ['backup', 'others']) {
    await stack.keyVault('POST', `/vaults/${operatorVault}/keys/${name}`, { kty: 'RSA', size: 2048, keyOps: ['sign'] });
    for (const principal of [appPrincipalId, operatorPrincipalId])
      await stack.keyVault('PUT', `/vaults/${operatorVault}/grants/${principal}`, {
        permissions: ['get', 'sign'],
        key: name,
      });
  }
  key = keyOf('backup');
  await clients('keywardoperations').createTable();
  await clients('keywardoperations').createEntity({ partitionKey: 'one', rowKey: 'one', v: 1, data: '{}' });
  const customerKey = await vaultWithKey(world, 'backup-kv');
  await got(201, api('PUT', '/api/accounts/backup-s', newAccount()));
  await got(201, api('PUT', '/api/accounts/backup-c', withCustomerKey('contoso', customerKey)));
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
  test('a backup has every table of the app except the overview, which the daily pass writes again', () => {
    const lasting = tablesOfApp.filter((name) => name !== 'overview').map((name) => `keyward${name}`);
    expect(tableNames.toSorted()).toEqual(lasting.toSorted());
  });

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
    expect((await failure(save(clients, to('whole'), key, silent))).message).toContain('holds a backup already');
  });

  test('a backup has each partition as it was at one moment, also when a writer changes rows between two pages', async () => {
    let readings = 0;
    const row = { partitionKey: 'backup-s', rowKey: 'audit:x:0' };
    const written: Clients = (table) => {
      const client = clients(table);
      if (table !== 'keywardaccounts') return client;
      return new Proxy(client, {
        get: (target, name) =>
          name === 'listEntities'
            ? async function* (...args: Parameters<TableClient['listEntities']>) {
                // The first query is of the whole table, and each later one of one partition.
                if (++readings === 3) await target.upsertEntity({ ...row, v: 1, data: '{"later":1}', follows: true });
                yield* target.listEntities(...args);
              }
            : Reflect.get(target, name),
      });
    };
    await save(written, to('torn'), key, silent);
    const lines = (await readFile(join(to('torn'), 'keywardaccounts.jsonl'), 'utf8')).trim().split('\n');
    expect(lines).toEqual((await everything()).keywardaccounts);
    expect(lines.some((line) => line.includes('later'))).toBe(true);
  });

  test('a second backup run continues: complete tables are not read again', async () => {
    const dying: Clients = (table) => {
      if (table === 'keywardclaims') throw new Error('The network is gone.');
      return clients(table);
    };
    expect((await failure(save(dying, to('begun'), key, silent))).message).toBe('The network is gone.');
    expect((await failure(restore(clients, to('begun'), key, silent))).message).toMatch(/holds no complete backup/);
    const lines: string[] = [];
    await save(clients, to('begun'), key, (line) => lines.push(line));
    expect(lines.filter((line) => line.endsWith('copied before'))).toHaveLength(5);
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
    expect((await failure(save(moving, to('changed'), key, silent))).message).toMatch(/The rings have changed/);
    await clients('keywardrings').deleteEntity('system', '0000000009:first');
    expect((await failure(restore(clients, to('changed'), key, silent))).message).toMatch(/holds no complete backup/);
  });
});

describe('restoring', () => {
  test('a restore writes nothing when a table has rows that differ from the backup, and names the table', async () => {
    const before = await everything();
    const { message } = await failure(restore(clients, to('whole'), key, silent));
    expect(message).toMatch(/^keywardaccounts holds 1 rows that differ from this backup/);
    expect(await everything()).toEqual(before);
  });

  test('a second restore run continues', async () => {
    await save(clients, to('again'), key, silent);
    const before = await everything();
    for (const name of ['audit:x:1', 'audit:x:2']) await clients('keywardaccounts').deleteEntity('backup-s', name);
    const lines: string[] = [];
    await restore(clients, to('again'), key, (line) => lines.push(line));
    expect(lines.find((line) => line.startsWith('keywardaccounts'))).toMatch(/, 2 of them restored now$/);
    expect(await everything()).toEqual(before);
  });

  const edits: readonly [string, RegExp, (folder: string) => Promise<void>][] = [
    [
      'an edited row',
      /^keywardaccounts\.jsonl was edited.*lines 101 to 200 /,
      (folder) => rewrite(folder, 'keywardaccounts', (lines) => lines.with(149, lines[149]?.replace('{', '{ ') ?? '')),
    ],
    [
      'a removed row',
      /^keywardaccounts\.jsonl was edited.*lines 1 to 100 /,
      (folder) => rewrite(folder, 'keywardaccounts', (lines) => lines.slice(1)),
    ],
    [
      'a file that ends early',
      /^keywardaccounts\.jsonl was edited.*it ends after line 1000, and the backup saved \d+ rows/,
      (folder) => rewrite(folder, 'keywardaccounts', (lines) => lines.slice(0, 1_000)),
    ],
    [
      'an empty file',
      /^keywardrings\.jsonl was edited.*it ends after line 0, /,
      (folder) => writeFile(join(folder, 'keywardrings.jsonl'), ''),
    ],
    [
      'a row more',
      /^keywardclaims\.jsonl was edited.*lines 1 to \d+ /,
      (folder) => appendFile(join(folder, 'keywardclaims.jsonl'), '{"partitionKey":"x","rowKey":"x"}\n'),
    ],
    [
      'the file of another table',
      /^keywardvaults\.jsonl was edited/,
      (folder) => cp(join(folder, 'keywardclaims.jsonl'), join(folder, 'keywardvaults.jsonl')),
    ],
    ['a missing file', /: keywardoutbox\.jsonl is missing/, (folder) => rm(join(folder, 'keywardoutbox.jsonl'))],
    ['no signature', /: backup\.sig is missing/, (folder) => rm(join(folder, 'backup.sig'))],
    [
      'an edited list of hashes',
      /^backup\.json was edited/,
      async (folder) => {
        const path = join(folder, 'backup.json');
        await writeFile(path, (await readFile(path, 'utf8')).replace('"savedAt": "2', '"savedAt": "3'));
      },
    ],
    [
      'the signature of another backup',
      /^backup\.json was edited/,
      (folder) => cp(join(to('whole'), 'backup.sig'), join(folder, 'backup.sig')),
    ],
    [
      'a signature by another key of the vault',
      /^backup\.sig was edited: .* has no version/,
      (folder) => writeManifest(folder, keyOf('others')),
    ],
    ['a signature that is none', /^backup\.sig .*was edited/, (folder) => writeFile(join(folder, 'backup.sig'), '{}')],
  ];

  test.for(edits)(
    'INV-13: a restore of a backup with %s is refused with the place, and writes nothing',
    async ([what, message, edit]) => {
      const folder = to(`edited-${what}`);
      await cp(to('again'), folder, { recursive: true });
      await edit(folder);
      // Into tables that do not exist: a row that was written would show.
      const target: Clients = (table) =>
        TableClient.fromConnectionString(world.stack.azurite.connectionString, `empty${table}`, {
          allowInsecureConnection: true,
        });
      expect((await failure(restore(target, folder, key, silent))).message).toMatch(message);
      for (const table of tableNames) expect(await all(linesOf(target(table)))).toEqual([]);
    },
  );

  test("a restore needs the operator's vault, and refuses a backup whose signing version was disabled", async () => {
    const { keyVault } = world.stack;
    await keyVault('PATCH', `/vaults/${operatorVault}/keys/backup`, { enabled: false });
    expect((await failure(restore(clients, to('again'), key, silent))).message).toMatch(/which signed .* is disabled/);
    await keyVault('PATCH', `/vaults/${operatorVault}/keys/backup`, { enabled: true });
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
  expect((await failure(save(none, to('none'), key, silent))).message).toMatch(/has no rings/);
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
