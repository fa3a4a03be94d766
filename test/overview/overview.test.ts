/** The overview as an operator reads it, in the laboratory: real keys that fail, and what the index says of them. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { ActiveAccount, DeletingAccount } from '../../src/core/accounts/account.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { getAccount } from '../../src/core/accounts/readAccount.ts';
import { parseKeyIdentifier } from '../../src/core/customerKey/keyIdentifier.ts';
import { type AccountFilter, listIndexedAccounts } from '../../src/core/overview/listAccounts.ts';
import { listKeys } from '../../src/core/overview/listKeys.ts';
import { readTimeline } from '../../src/core/overview/timeline.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { useLab } from '../lab.ts';

const world = useLab();
const minutes = 60_000;

const accounts = (filter: AccountFilter = {}, limit = 100) =>
  listIndexedAccounts(filter, limit, undefined, world.lab.service);
const namesOf = async (filter: AccountFilter) => (await accounts(filter)).accounts.map(({ account }) => account.name);
const disable = async (vault: string) => {
  const version = await currentVersion(vault);
  await world.lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk/${version}`, { enabled: false });
};
const currentVersion = async (vault: string) => {
  const watches = (await listKeys({}, 100, undefined, world.lab.service)).keys;
  const key = watches.find(({ row }) => row.watch.binding.vaultName === vault);
  return Object.keys(key?.row.watch.versions ?? {})[0] ?? '';
};

test('a disabled key is listed with its accounts, owner, cause and remedy, and the counts follow', async () => {
  const { lab } = world;
  const [bad, good] = [await lab.vaultWithKey('overview-a'), await lab.vaultWithKey('overview-b')];
  await lab.account('ov-a1', 'ova', bad);
  await lab.account('ov-a2', 'ova', bad);
  await lab.account('ov-b1', 'ovb', good);
  await lab.account('ov-s1', 'ova');
  await lab.advance(2 * minutes);
  expect(await namesOf({ owner: 'ova' })).toEqual(['ov-s1', 'ov-a1', 'ov-a2']);
  await disable('overview-a');
  await lab.advance(3 * minutes);

  const down = await accounts({ state: 'CustomerKeyInaccessible' });
  expect(down.accounts.map(({ account, served, key }) => [account.name, served, key?.cause])).toEqual([
    ['ov-a1', 'no', 'KeyDisabled'],
    ['ov-a2', 'no', 'KeyDisabled'],
  ]);
  expect(down.counts).toMatchObject({
    accounts: 4,
    keys: 2,
    'state.Enabled': 2,
    'state.CustomerKeyInaccessible': 2,
    'cause.KeyDisabled': 2,
    'encryption.SystemKey': 1,
  });
  expect(await namesOf({ state: 'Enabled' })).toEqual(['ov-s1', 'ov-b1']);
  expect(await namesOf({ key: parseKeyIdentifier(bad, 'public') })).toEqual(['ov-a1', 'ov-a2']);
  expect(await namesOf({ name: 'ov-a' })).toEqual(['ov-a1', 'ov-a2']);
  const keys = await listKeys({ status: 'Inaccessible' }, 10, undefined, lab.service);
  expect(keys.keys.map(({ row, worst }) => [row.owner, row.accounts, worst.cause])).toEqual([
    ['ova', 2, 'KeyDisabled'],
  ]);
});

test('a deleted account leaves the overview and its counts', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('overview-c');
  await lab.account('ov-c1', 'ovc', key);
  await deleteAccount('ov-c1', {}, tester, lab.service);
  const page = await accounts({ owner: 'ovc' });
  expect([page.accounts, page.counts]).toEqual([[], {}]);
  expect((await listKeys({ owner: 'ovc' }, 10, undefined, lab.service)).keys).toEqual([]);
});

/** What the writer of the overview receives of a deletion. */
const deletionOf = (record: ActiveAccount) => ({ ...record, lifecycle: 'deleting' }) as unknown as DeletingAccount;

test('an account that is created again at once keeps its row when another host writes the deletion late', async () => {
  const { lab } = world;
  await lab.account('ov-again', 'ov-owner');
  const { record } = await getAccount('ov-again', lab.service);
  await deleteAccount('ov-again', {}, tester, lab.service);
  // At the same moment of the clock.
  await lab.account('ov-again', 'ov-owner');
  await lab.service.overview.settled();
  const { overview } = await lab.another();
  overview.account(deletionOf(record), []);
  await overview.settled();
  expect(await namesOf({ owner: 'ov-owner' })).toEqual(['ov-again']);
});

test('an account that is created again for another owner at once leaves the overview of the first owner', async () => {
  const { lab } = world;
  const { overview } = lab.service;
  await lab.account('ov-passed', 'ov-first');
  const { record } = await getAccount('ov-passed', lab.service);
  await overview.settled();
  overview.account(deletionOf(record), []);
  overview.createdAccount({ ...record, owner: 'ov-second', instanceId: randomUUID() }, []);
  await overview.settled();
  expect([await namesOf({ owner: 'ov-first' }), await namesOf({ owner: 'ov-second' })]).toEqual([[], ['ov-passed']]);
});

test('an account that moves to another key is listed under that key only', async () => {
  const { lab } = world;
  const [first, second] = [await lab.vaultWithKey('overview-d'), await lab.vaultWithKey('overview-e')];
  await lab.account('ov-d1', 'ovd', first);
  await lab.move('ov-d1', second);
  expect(await namesOf({ key: parseKeyIdentifier(first, 'public') })).toEqual([]);
  expect(await namesOf({ key: parseKeyIdentifier(second, 'public') })).toEqual(['ov-d1']);
  expect((await accounts({ owner: 'ovd' })).counts).toMatchObject({ accounts: 1, keys: 1 });
});

test('the time line has the entries of accounts and keys in both orders, by owner and by type', async () => {
  const { lab } = world;
  await lab.advance(1);
  const from = lab.clock.now();
  const key = await lab.vaultWithKey('overview-t');
  await lab.account('ov-t1', 'ovt', key);
  await lab.keyVault('POST', '/vaults/overview-t/keys/cmk', { kty: 'RSA', size: 2048, fixture: 1 });
  await lab.advance(6 * minutes);
  const span = { from, to: lab.clock.now() + 1, limit: 100 };
  const oldest = await readTimeline({ owner: 'ovt' }, { ...span, order: 'oldest' }, lab.service);
  expect(oldest.entries[0]?.entry.type).toBe('AccountCreated');
  expect(new Set(oldest.entries.map(({ owner }) => owner))).toEqual(new Set(['ovt']));
  const ofKey = { key: parseKeyIdentifier(key, 'public') };
  const [rising, falling] = [
    await readTimeline(ofKey, { ...span, order: 'oldest' }, lab.service),
    await readTimeline(ofKey, { ...span, order: 'newest' }, lab.service),
  ];
  // Entries of one moment have no order between chains.
  const timesOf = ({ entries }: typeof rising) => entries.map(({ entry }) => entry.at);
  expect(timesOf(falling)).toEqual(timesOf(rising).toReversed());
  expect(timesOf(rising)).toEqual(timesOf(rising).toSorted());
  const changes = ['AccountCreated', 'AccountKeyRewrapped', 'NewVersionFound'];
  const rotated = [...changes, 'RotationCompleted', 'RotationStarted', 'WatchCreated'];
  const typesOf = ({ entries }: typeof rising) => entries.map(({ entry }) => entry.type).toSorted();
  expect([typesOf(rising), typesOf(falling)]).toEqual([rotated, rotated]);
  const created = await readTimeline({ type: 'AccountCreated' }, { ...span, order: 'oldest' }, lab.service);
  expect(created.entries.map(({ subject }) => subject)).toEqual([{ kind: 'account', name: 'ov-t1', owner: 'ovt' }]);
});
