/**
 * Rows that another writer of the tables has changed: what Keyward does with them, and that other rows are not
 * affected.
 */
import { expect, test } from 'vitest';
import { stateOf } from '../../src/core/accounts/account.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { listAccounts } from '../../src/core/accounts/readAccount.ts';
import { accountChain, bindingChain, ownChain } from '../../src/core/audit/chains.ts';
import { recordForService } from '../../src/core/audit/serviceAudit.ts';
import { verifyChain } from '../../src/core/audit/verifyChain.ts';
import { bindingOf as binding, vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { parseKeyIdentifier } from '../../src/core/customerKey/keyIdentifier.ts';
import { watchesOf } from '../../src/core/rotation/usage.ts';
import { until } from '../../src/local/client.ts';
import { ownEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { homeTenantId, location } from '../../src/local/operator.ts';
import { failure, useLab } from '../lab.ts';
import { bytes, put } from '../secrets/support.ts';

const world = useLab();
const record = (account: string) => ({ partitionKey: account, rowKey: 'record' });

async function edit(account: string): Promise<void> {
  const table = world.lab.table('accounts');
  const { data } = await table.getEntity<{ data: string }>(account, 'record');
  await table.updateEntity({ ...record(account), data: data.replace('contoso', 'forged') }, 'Merge');
}

test('INV-13: an account whose record was edited is not served, is named, and hides no other account from a list', async () => {
  const { lab } = world;
  await lab.account('edited', 'contoso');
  await lab.account('beside', 'contoso');
  await edit('edited');
  expect(await failure(lab.view('edited'))).toMatchObject({
    code: 'StateDamaged',
    message: expect.stringContaining('accounts/edited/record'),
  });
  const again = putAccount({ name: 'edited', input: { owner: 'contoso', location }, actor: tester }, lab.service);
  expect(await failure(again)).toMatchObject({ code: 'StateDamaged' });
  const { accounts, damaged } = await listAccounts(100, undefined, lab.service);
  expect(accounts.map(({ record: { name } }) => name)).toContain('beside');
  expect(damaged).toEqual(['edited']);
  expect(lab.log).toContainEqual({
    level: 'error',
    message: 'A stored row is not as Keyward wrote it',
    fields: { row: 'accounts/edited/record' },
  });
  const entries = await until(
    'the row is in the audit',
    () => ownEntries(lab.service),
    (all) => all.some(({ type }) => type === 'StateDamaged'),
  );
  expect(entries.filter(({ row }) => row === 'accounts/edited/record')).toHaveLength(1);
});

test('INV-13: DELETE of an account with a damaged record deletes it, and its chain ends with the deletion', async () => {
  const { lab } = world;
  await lab.account('doomed', 'contoso');
  await put(lab.service, 'doomed', 'tokenKeys', 'k', bytes('k'));
  const { instanceId } = (await lab.view('doomed')).record;
  await edit('doomed');
  expect(await deleteAccount('doomed', {}, tester, lab.service)).toBe(true);
  expect(await lab.service.accounts.read('doomed')).toBeUndefined();
  expect((await lab.service.secrets.page('doomed', { limit: 10 })).rows).toEqual([]);
  const chain = await accountChain('doomed', instanceId, lab.service);
  expect(await verifyChain(chain, {}, lab.service)).toMatchObject({ result: 'whole' });
  await lab.account('doomed', 'fabrikam');
  expect((await lab.view('doomed')).record.owner).toBe('fabrikam');
});

test('INV-13: DELETE of a record that no entry explains removes the row', async () => {
  const { lab } = world;
  await lab.table('accounts').createEntity({ ...record('invented'), v: 1, data: '{}' });
  expect(await deleteAccount('invented', {}, tester, lab.service)).toBe(true);
  await expect(lab.table('accounts').getEntity('invented', 'record')).rejects.toMatchObject({ statusCode: 404 });
});

test('INV-13: the entries replace a damaged head of the service’s chain, and the chain continues', async () => {
  const { lab } = world;
  await recordForService([{ type: 'ClaimReleased', actor: tester, claim: 'vault/a' }], lab.service);
  await lab.table('service').updateEntity({ partitionKey: 'service', rowKey: 'head', data: '{}' }, 'Merge');
  await recordForService([{ type: 'ClaimReleased', actor: tester, claim: 'vault/b' }], lab.service);
  expect(await verifyChain(ownChain(lab.service), {}, lab.service)).toMatchObject({ result: 'whole' });
});

test('INV-13: the usage of a key does not list accounts of another vault when a row that names their binding was copied', async () => {
  const { lab } = world;
  const [mine, other] = [await lab.vaultWithKey('mine-kv'), await lab.vaultWithKey('other-kv')];
  await lab.account('mine', 'contoso', mine);
  await lab.account('other', 'fabrikam', other);
  const { encryption } = (await lab.view('other')).record;
  if (encryption.type !== 'CustomerKey') throw new Error('The account has a customer key.');
  const rowKey = `binding:${encryption.binding.id}`;
  const {
    etag: _,
    timestamp: __,
    ...row
  } = await lab.table('vaults').getEntity(vaultIdOf('other-kv.vault.azure.net'), rowKey);
  await lab.table('vaults').createEntity({ ...row, partitionKey: vaultIdOf('mine-kv.vault.azure.net'), rowKey });
  const watches = await watchesOf(parseKeyIdentifier(mine, lab.service.cloud), lab.service);
  expect(watches.map(({ binding }) => binding.vaultHost)).toEqual(['mine-kv.vault.azure.net']);
});

/** Any writer of the table can put a row there. */
const foreign = (partitionKey: string, chain: string, sequence: number) => ({
  partitionKey,
  rowKey: `audit:${chain}:${String(sequence).padStart(10, '0')}`,
  v: 1,
  data: '{}',
});

async function bindingOf(account: string) {
  const { encryption } = (await world.lab.view(account)).record;
  if (encryption.type !== 'CustomerKey') throw new Error('The account has a customer key.');
  return encryption.binding;
}

const reported = (row: string) => ({
  level: 'error',
  message: 'A stored row is not as Keyward wrote it',
  fields: { row },
});

const whole = { result: 'whole' };

test('INV-13: a foreign row in the place of the next entry of a watch, or of its first, delays no verdict and is named', async () => {
  const { lab } = world;
  const [before, after] = [await lab.vaultWithKey('before-kv'), await lab.vaultWithKey('after-kv')];
  await lab.account('after', 'contoso', after);
  const { id } = await bindingOf('after');
  const watch = (await lab.service.bindings.readWatch(id))?.value;
  await lab.table('bindings').createEntity(foreign(id, id, (watch?.audit.sequence ?? 0) + 1));
  const coming = binding(parseKeyIdentifier(before, lab.service.cloud), homeTenantId, {
    useSystemAssignedIdentity: true,
  }).id;
  await lab.table('bindings').createEntity(foreign(coming, coming, 1));
  await lab.account('before', 'contoso', before);
  for (const vault of ['before-kv', 'after-kv'])
    await lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: false });
  await lab.advance(180_000);
  for (const [account, chain] of [
    ['before', coming],
    ['after', id],
  ] as const) {
    expect(stateOf(await lab.view(account))).toBe('CustomerKeyInaccessible');
    expect(await verifyChain(bindingChain(chain, lab.service), {}, lab.service)).toMatchObject(whole);
  }
  expect(lab.log).toContainEqual(reported(`bindings/${coming}/${foreign(coming, coming, 1).rowKey}`));
});

test('INV-13: foreign rows in the places of the next entries of an account stop neither a change nor its deletion', async () => {
  const { lab } = world;
  await lab.account('squatted', 'contoso');
  const { instanceId, audit } = (await lab.view('squatted')).record;
  for (const step of [1, 2, 3])
    await lab.table('accounts').createEntity(foreign('squatted', instanceId, audit.sequence + step));
  await patchAccount({ name: 'squatted', input: { tags: { a: '1' } }, actor: tester }, lab.service);
  expect((await lab.view('squatted')).record.tags).toEqual({ a: '1' });
  await put(lab.service, 'squatted', 'tokenKeys', 'k', bytes('k'));
  expect(await deleteAccount('squatted', {}, tester, lab.service)).toBe(true);
  for (const entry of [1, 2])
    expect(lab.log).toContainEqual(
      reported(`accounts/squatted/${foreign('squatted', instanceId, audit.sequence + entry).rowKey}`),
    );
});

test('INV-13: an entry of another chain in the place of the next entry of the service’s chain counts as foreign', async () => {
  const { lab } = world;
  const record = async (claim: string) =>
    recordForService([{ type: 'ClaimReleased', actor: tester, claim }], lab.service);
  await record('vault/c');
  await lab.account('lender', 'contoso');
  const { instanceId } = (await lab.view('lender')).record;
  const { data } = await lab.table('accounts').getEntity<{ data: string }>('lender', `audit:${instanceId}:0000000001`);
  const sequence = ((await lab.service.serviceAudit.head())?.value?.sequence ?? 0) + 1;
  await lab.table('service').createEntity({ ...foreign('service', 'service', sequence), data });
  await record('vault/d');
  expect(await verifyChain(ownChain(lab.service), {}, lab.service)).toMatchObject(whole);
});

test('INV-13: a foreign row far behind the end of the service’s chain does not move its end when the head is lost', async () => {
  const { lab } = world;
  await recordForService([{ type: 'ClaimReleased', actor: tester, claim: 'vault/e' }], lab.service);
  const before = (await lab.service.serviceAudit.head())?.value?.sequence ?? 0;
  await lab.table('service').createEntity(foreign('service', 'service', 9_999_999_999));
  await lab.table('service').deleteEntity('service', 'head');
  await recordForService([{ type: 'ClaimReleased', actor: tester, claim: 'vault/f' }], lab.service);
  expect((await lab.service.serviceAudit.head())?.value?.sequence).toBe(before + 1);
  await lab.table('service').deleteEntity('service', foreign('service', 'service', 9_999_999_999).rowKey);
});

test('INV-13: the service’s chain continues after its entries when its head was put back to an older one', async () => {
  const { lab } = world;
  await recordForService([{ type: 'ClaimReleased', actor: tester, claim: 'vault/g' }], lab.service);
  const { etag: _, timestamp: __, ...older } = await lab.table('service').getEntity('service', 'head');
  await recordForService([{ type: 'ClaimReleased', actor: tester, claim: 'vault/h' }], lab.service);
  await lab.table('service').updateEntity(older as typeof older & { partitionKey: string; rowKey: string }, 'Replace');
  await recordForService([{ type: 'ClaimReleased', actor: tester, claim: 'vault/i' }], lab.service);
  expect(await verifyChain(ownChain(lab.service), {}, lab.service)).toMatchObject(whole);
});

test('INV-13: a watch that was put back as it was before a denial blocks its account again, and is named', async () => {
  const { lab } = world;
  await lab.account('rewound', 'contoso', await lab.vaultWithKey('rewound-kv'));
  const { id } = await bindingOf('rewound');
  const { etag: _, timestamp: __, ...older } = await lab.table('bindings').getEntity(id, 'watch');
  await lab.keyVault('PATCH', '/vaults/rewound-kv/keys/cmk', { enabled: false });
  await lab.advance(180_000);
  expect(stateOf(await lab.view('rewound'))).toBe('CustomerKeyInaccessible');
  await lab.table('bindings').updateEntity(older as typeof older & { partitionKey: string; rowKey: string }, 'Replace');
  await lab.advance(180_000);
  expect(stateOf(await lab.view('rewound'))).toBe('CustomerKeyInaccessible');
  expect(lab.log).toContainEqual(reported(`bindings/${id}/watch`));
  expect(await verifyChain(bindingChain(id, lab.service), {}, lab.service)).toMatchObject(whole);
});

test('INV-13: a record that was put back to an older one is not changed, is named, and can be deleted', async () => {
  const { lab } = world;
  await lab.account('older', 'contoso');
  const { etag: _, timestamp: __, ...row } = await lab.table('accounts').getEntity('older', 'record');
  const patch = (a: string) => patchAccount({ name: 'older', input: { tags: { a } }, actor: tester }, lab.service);
  await patch('1');
  await lab.table('accounts').updateEntity(row as typeof row & { partitionKey: string; rowKey: string }, 'Replace');
  expect(await failure(patch('2'))).toMatchObject({
    code: 'StateDamaged',
    message: expect.stringContaining('accounts/older/record'),
  });
  expect(await deleteAccount('older', {}, tester, lab.service)).toBe(true);
  expect(await lab.service.accounts.read('older')).toBeUndefined();
});

test('INV-13: a time in a plain row that no date has is left out, and readiness answers', async () => {
  const { lab } = world;
  const row = { v: 1, data: '{"at":9e15,"startedAt":9e15,"messages":1e308}', rowKey: 'last' };
  for (const partitionKey of ['sweep', 'dailyPass'])
    await lab.table('service').upsertEntity({ ...row, partitionKey }, 'Replace');
  expect(await lab.service.sweepMark.read()).toBeUndefined();
  expect(await lab.service.dailyPass.read()).toBeUndefined();
});
