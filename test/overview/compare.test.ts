/** The daily pass compares the overview with the state: what a crash has lost comes back, and what is gone leaves. */
import { expect, test } from 'vitest';
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import { clearRows, processAccounts } from '../../src/core/dailyPass.ts';
import { compareOwners } from '../../src/core/overview/compareIndex.ts';
import { listIndexedAccounts } from '../../src/core/overview/listAccounts.ts';
import { readTimeline } from '../../src/core/overview/timeline.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { useLab } from '../lab.ts';

const world = useLab();

async function everyRow(): Promise<{ partitionKey: string; rowKey: string }[]> {
  const rows: { partitionKey: string; rowKey: string }[] = [];
  for await (const { partitionKey, rowKey } of world.lab.table('overview').listEntities())
    rows.push({ partitionKey: String(partitionKey), rowKey: String(rowKey) });
  return rows;
}

const accounts = async () => {
  const page = await listIndexedAccounts({}, 100, undefined, world.lab.service);
  return { names: page.accounts.map(({ account, state }) => `${account.name} ${state}`), counts: page.counts };
};

async function dailyPass() {
  const { service } = world.lab;
  await processAccounts(undefined, service);
  for await (const vault of service.vaults.list()) await clearRows(vault, service);
  await compareOwners(undefined, service);
}

test('the daily pass writes an overview again whose rows are all lost, with counts and the time line', async () => {
  const { lab } = world;
  const from = lab.clock.now();
  const [good, bad] = [await lab.vaultWithKey('lost-a'), await lab.vaultWithKey('lost-b')];
  await lab.account('lost-1', 'lost', good);
  await lab.account('lost-2', 'lost', good);
  await lab.account('lost-3', 'loss', bad);
  await lab.account('lost-4', 'lost');
  const [version] = Object.keys((await lab.view('lost-3')).watch?.versions ?? {});
  await lab.keyVault('PATCH', `/vaults/lost-b/keys/cmk/${version}`, { enabled: false });
  await lab.advance(300_000);
  const before = await accounts();
  expect(before.names).toContain('lost-3 CustomerKeyInaccessible');
  const span = { from, to: lab.clock.now() + 1, limit: 100, order: 'oldest' } as const;
  const timeline = (await readTimeline({}, span, lab.service)).entries.map(({ entry }) => entry.hash);

  for (const row of await everyRow()) await lab.table('overview').deleteEntity(row.partitionKey, row.rowKey);
  expect((await accounts()).names).toEqual([]);
  await dailyPass();
  expect(await accounts()).toEqual(before);
  expect((await readTimeline({}, span, lab.service)).entries.map(({ entry }) => entry.hash)).toEqual(timeline);
  const marked = await listIndexedAccounts({ served: 'no' }, 100, undefined, lab.service);
  expect(marked.accounts.map(({ account }) => account.name)).toEqual(['lost-3']);
});

test('the daily pass removes an account from the overview that is gone, and counts its owner again', async () => {
  const { lab } = world;
  await lab.account('gone-1', 'gone', await lab.vaultWithKey('gone-kv'));
  await lab.account('gone-2', 'gone');
  await lab.service.overview.settled();
  for (const name of ['gone-1', 'gone-2']) await lab.table('accounts').deleteEntity(name, 'record');
  await dailyPass();
  const { accounts: left, counts } = await listIndexedAccounts({ owner: 'gone' }, 100, undefined, lab.service);
  expect([left, counts]).toEqual([[], {}]);
});

test('the daily pass corrects counts of the service that a crash left behind the counts of the owners', async () => {
  const { lab } = world;
  const { overviewIndex } = lab.service;
  const refused = { writeCounts: () => Promise.reject(new Error('The process is dead.')) };
  const dead = await lab.another({ overviewIndex: { ...overviewIndex, ...refused } });
  await putAccount({ name: 'crash-1', input: { owner: 'crash', location }, actor: tester }, dead);
  await dead.overview.settled();
  await lab.account('crash-2', 'crash');
  const before = (await accounts()).counts?.accounts ?? 0;
  await dailyPass();
  const after = await accounts();
  expect(after.counts).toMatchObject({ accounts: after.names.length });
  expect(after.counts?.accounts).toBe(before + 1);
});
