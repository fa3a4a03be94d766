import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { BackupKey } from '../../../infra/backup/backupKey.ts';
import { restore } from '../../../infra/backup/restore.ts';
import { all, type Clients, linesOf, tableNames } from '../../../infra/backup/rows.ts';
import { save } from '../../../infra/backup/save.ts';
import { rowOf } from '../../../src/azure/rowForm.ts';
import { openTables } from '../../../src/azure/tables.ts';
import { rowAuthentication } from '../../azure/rows.ts';
import { memoryAccounts } from '../../azure/shards/accounts.ts';

const folder = await mkdtemp(join(tmpdir(), 'keyward-shards-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** An RSA key in this process, in the place of the one in the operator's vault. */
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const key: BackupKey = {
  sign: async (content) => ({ version: 'one', signature: sign('sha256', content, privateKey).toString('base64url') }),
  async verify(content, { signature }) {
    if (!verify('sha256', content, publicKey, Buffer.from(signature, 'base64url'))) throw new Error('edited');
  },
};
const silent = () => undefined;

async function contentOf(clients: Clients): Promise<string[][]> {
  const found: string[][] = [];
  for (const table of tableNames) found.push(await all(linesOf(clients(table))));
  return found;
}

test('A backup of two storage accounts is restored into three, and into one, with every row', async () => {
  const two = memoryAccounts(2).process([0, 1]);
  const open = openTables(two, rowAuthentication());
  await open('rings').put(rowOf({ partitionKey: 'system', rowKey: 'state' }, {}));
  for (let number = 0; number < 40; number++) {
    const partitionKey = `account-${number}`;
    const record = rowOf({ partitionKey, rowKey: 'record' }, { number }, { text: 'ä', follows: true });
    await open('accounts').batch(record, undefined, [rowOf({ partitionKey, rowKey: 'audit:1' }, {})]);
    await open('bindings').put(rowOf({ partitionKey, rowKey: 'watch' }, { number }));
  }
  const saved = await contentOf(two);
  expect(saved.flat().length).toBe(121);
  await save(two, join(folder, 'two'), key, silent);

  const three = memoryAccounts(3);
  await restore(three.process([0, 1, 2]), join(folder, 'two'), key, silent);
  expect(await contentOf(three.process([0, 1, 2]))).toEqual(saved);
  for (const account of [0, 1, 2])
    expect((await all(linesOf(three.clientIn(account, 'keywardaccounts')))).length).toBeGreaterThan(0);

  const one = memoryAccounts(1);
  await restore((table) => one.clientIn(0, table), join(folder, 'two'), key, silent);
  expect(await contentOf((table) => one.clientIn(0, table))).toEqual(saved);
});
