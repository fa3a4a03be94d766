/**
 * Rows that another writer of the tables has changed: what Keyward does with them, and that other rows are not
 * affected.
 */
import { expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import { listAccounts } from '../../src/core/accounts/readAccount.ts';
import { accountChain, ownChain } from '../../src/core/audit/chains.ts';
import { recordForService } from '../../src/core/audit/serviceAudit.ts';
import { verifyChain } from '../../src/core/audit/verifyChain.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { parseKeyIdentifier } from '../../src/core/customerKey/keyIdentifier.ts';
import { watchesOf } from '../../src/core/rotation/usage.ts';
import { until } from '../../src/local/client.ts';
import { ownEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
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
