import { describe, expect, test } from 'vitest';
import { boundOf, stateOf, verdictOn } from '../../src/core/accounts/account.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { clearRows, processAccounts } from '../../src/core/dailyPass.ts';
import { targetsOfDiagnostics } from '../../src/core/vaultWork/diagnostics.ts';
import { wake } from '../../src/core/vaultWork/events.ts';
import { lookNow } from '../../src/core/vaultWork/lookNow.ts';
import { type Lab, tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { failure, useLab } from '../lab.ts';

const seconds = 1000;
const hour = 3600 * seconds;
const world = useLab();

async function bound(lab: Lab, name: string) {
  const { record } = await lab.view(name);
  if (record.encryption.type !== 'CustomerKey') throw new Error(`${name} has no customer key`);
  return {
    id: record.encryption.binding.id,
    row: boundOf(record, record.encryption),
    version: record.encryption.version,
  };
}

describe('the daily pass', () => {
  test('the daily pass finds an account whose row is lost, logs an error, and writes the row again', async () => {
    const { lab } = world;
    await lab.account('forgotten', 'contoso', await lab.vaultWithKey('forgotten-kv'));
    const { id, row } = await bound(lab, 'forgotten');
    const stored = await lab.service.bindings.readAccount(id, row);
    if (stored === undefined) throw new Error('no row');
    await lab.service.bindings.removeAccount(id, stored);
    for (let after: string | undefined; ; ) {
      after = await processAccounts(after, lab.service);
      if (after === undefined) break;
    }
    expect(lab.log.some((line) => line.level === 'error' && line.message === 'An account was not watched')).toBe(true);
    expect(await lab.service.bindings.readAccount(id, row)).toBeDefined();
    await lab.keyVault('PATCH', '/vaults/forgotten-kv/keys/cmk', { enabled: false });
    await lab.advance(180 * seconds);
    expect(stateOf(await lab.view('forgotten'))).toBe('CustomerKeyInaccessible');
  });

  test('the daily pass deletes rows that accounts have left, but none that a slow writer can still use', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('rows-kv');
    await lab.account('stays', 'contoso', key);
    const { id, row } = await bound(lab, 'stays');
    const stray = { ...row, name: 'never-written' };
    await lab.service.bindings.putAccount(id, stray);
    const vault = vaultIdOf('rows-kv.vault.azure.net');
    expect(await clearRows(vault, lab.service)).toBe(0);
    lab.clock.set(lab.clock.now() + 2 * hour);
    expect(await clearRows(vault, lab.service)).toBe(1);
    expect(await lab.service.bindings.readAccount(id, stray)).toBeUndefined();
    expect(await lab.service.bindings.readAccount(id, row)).toBeDefined();
  });

  test('the daily pass finishes a delete that was interrupted after the wrapped key was deleted', async () => {
    const { lab } = world;
    await lab.account('half-gone', 'contoso');
    const accounts = { ...lab.service.accounts, replaceWithTombstone: () => Promise.reject(new Error('died')) };
    await failure(deleteAccount('half-gone', {}, tester, await lab.another({ accounts })));
    expect((await lab.service.accounts.read('half-gone'))?.value).not.toHaveProperty('wrappedAccountKey');
    await processAccounts(undefined, lab.service);
    expect(await lab.service.accounts.read('half-gone')).toBeUndefined();
    expect((await lab.service.directory.page(100)).names).not.toContain('half-gone');
  });
});

test('an account created again over an interrupted delete is listed', async () => {
  const { lab } = world;
  await lab.account('phoenix', 'contoso');
  const accounts = { ...lab.service.accounts, replaceWithTombstone: () => Promise.reject(new Error('died')) };
  await failure(deleteAccount('phoenix', {}, tester, await lab.another({ accounts })));
  const { created } = await putAccount(
    { name: 'phoenix', input: { owner: 'fabrikam', location }, actor: tester },
    lab.service,
  );
  expect(created).toBe(true);
  expect((await lab.service.directory.page(100)).names).toContain('phoenix');
});

describe('look now', () => {
  test('INV-5: a requested look returns its result at once, and more requests shorten no confirmation', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('now-kv');
    await lab.account('now', 'contoso', key);
    await lab.keyVault('PATCH', '/vaults/now-kv/keys/cmk', { enabled: false });
    for (let n = 0; n < 5; n++) {
      lab.clock.set(lab.clock.now() + 1 * seconds);
      const [watch] = await lookNow({ account: 'now' }, lab.service);
      expect(Object.values(watch?.versions ?? {}).map(({ status, cause }) => `${status} ${cause}`)).toEqual([
        'Suspect KeyDisabled',
      ]);
    }
    lab.clock.set(lab.clock.now() + 10 * seconds);
    await lookNow({ keyIdentifier: key }, lab.service);
    expect(stateOf(await lab.view('now'))).toBe('CustomerKeyInaccessible');
  });

  test('a requested look at a key without an account is rejected', async () => {
    const { lab } = world;
    await lab.account('plain', 'contoso');
    expect((await failure(lookNow({ account: 'plain' }, lab.service))).code).toBe('NotFound');
    const unknown = { keyIdentifier: 'https://nobodys-kv.vault.azure.net/keys/cmk' };
    expect((await failure(lookNow(unknown, lab.service))).code).toBe('NotFound');
  });
});

describe('diagnostic records', () => {
  const record = (operationName: string, httpStatusCode: number) => ({
    category: 'AuditEvent',
    operationName,
    resultType: 'Success',
    properties: { id: 'https://logged-kv.vault.azure.net/keys/CMK', httpStatusCode },
    resourceId: '/SUBSCRIPTIONS/S/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/LOGGED-KV',
  });

  test('diagnostic records, several in a message, are evaluated by their status code and name a key', () => {
    const message = { records: [record('KeyDelete', 200), record('KeyDelete', 404), record('KeyGet', 200), {}, null] };
    expect(targetsOfDiagnostics(message, 'public')).toEqual([
      { vaultHost: 'logged-kv.vault.azure.net', keyName: 'cmk' },
    ]);
    for (const junk of [undefined, null, 'text', [], { records: 'none' }, { records: [{ operationName: 1 }] }])
      expect(targetsOfDiagnostics(junk, 'public')).toEqual([]);
  });

  test('a diagnostic record requests a look: a deleted key is Suspect before the next sweep', async () => {
    const { lab } = world;
    await lab.account('logged', 'contoso', await lab.vaultWithKey('logged-kv'));
    await lab.advance(15 * seconds);
    await lab.keyVault('DELETE', '/vaults/logged-kv/keys/cmk');
    for (const target of targetsOfDiagnostics({ records: [record('KeyDelete', 200)] }, 'public'))
      expect(await wake(target, lab.service)).toBe(true);
    await lab.advance(0);
    expect(verdictOn(await lab.view('logged'))?.status).toBe('Suspect');
  });
});

test('one account with wrong bytes raises an alarm, and does not hide a revocation from other accounts of the key', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('mixed-kv');
  for (const name of ['mixed-a', 'mixed-b']) await lab.account(name, 'contoso', key);
  const stored = await lab.service.accounts.read('mixed-a');
  if (stored?.value.lifecycle !== 'active') throw new Error('unexpected');
  const { wrappedAccountKey } = (await lab.view('mixed-b')).record;
  await lab.service.accounts.save({ value: { ...stored.value, wrappedAccountKey }, etag: stored.etag }, []);
  await lab.advance(120 * seconds);
  expect(verdictOn(await lab.view('mixed-b'))?.status).toBe('Accessible');
  expect(lab.log.some((line) => line.level === 'error' && line.fields.account === 'mixed-a')).toBe(true);
  await lab.keyVault('DELETE', '/vaults/mixed-kv/keys/cmk');
  await lab.advance(180 * seconds);
  expect(stateOf(await lab.view('mixed-b'))).toBe('CustomerKeyInaccessible');
});

test('a vault that does not answer gets one call for all of its keys', async () => {
  const { lab } = world;
  await lab.vaultWithKey('silent-kv');
  for (let n = 0; n < 5; n++) {
    await lab.keyVault('POST', `/vaults/silent-kv/keys/key-${n}`, { kty: 'RSA', size: 2048, fixture: 1 });
    await lab.account(`silent-${n}`, 'contoso', `https://silent-kv.vault.azure.net/keys/key-${n}`);
  }
  await lab.advance(70 * seconds);
  await lab.keyVault('POST', '/faults', { vault: 'silent-kv', action: 'network', code: 'ECONNREFUSED' });
  await lab.keyVault('DELETE', '/requests');
  await lab.advance(60 * seconds);
  const { requests } = await lab.keyVault<{ requests: unknown[] }>('GET', '/requests?vault=silent-kv');
  expect(requests).toHaveLength(1);
  for (let n = 0; n < 5; n++) expect(verdictOn(await lab.view(`silent-${n}`))?.cause).toBe('ConnectionFailed');
  await lab.keyVault('DELETE', '/faults');
});
