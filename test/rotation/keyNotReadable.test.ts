import { expect, test } from 'vitest';
import { stateOf } from '../../src/core/accounts/account.ts';
import { keyUsage } from '../../src/core/rotation/usage.ts';
import { renderAccount } from '../../src/functions/http/accounts/accountJson.ts';
import { bindingEntries } from '../../src/local/entries.ts';
import { appPrincipalId } from '../../src/local/operator.ts';
import { useLab } from '../lab.ts';

const world = useLab();
const minute = 60_000;

async function warningsOf(name: string) {
  const { lab } = world;
  const { encryption } = renderAccount(await lab.view(name), lab.service.policy).properties;
  return 'warnings' in encryption ? encryption.warnings : [];
}
const grant = (vault: string, permissions: unknown) =>
  world.lab.keyVault('PUT', `/vaults/${vault}/grants/${appPrincipalId}`, { permissions });
const versionsOf = async (key: string) =>
  Object.fromEntries((await keyUsage(key, world.lab.service)).versions.map((one) => [one.version, one]));

test('a key that loses `get` while unwrap works has a warning with its start, an audit entry, and no newest version', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('unread');
  const { record } = await lab.account('unread', 'unread', key);
  const version = record.encryption.type === 'CustomerKey' ? record.encryption.version : '';
  await lab.advance(2 * minute);
  await grant('unread', ['wrapKey', 'unwrapKey']);
  const lostAt = lab.clock.now();
  await lab.keyVault('POST', '/vaults/unread/keys/cmk', { kty: 'RSA', size: 2048, fixture: 1 });
  await lab.advance(10 * minute);

  const [warning] = await warningsOf('unread');
  expect(warning).toMatchObject({ code: 'KeyNotReadable', cause: 'KeyPermissionDenied' });
  const { since = '', remedy } = warning as { since?: string; remedy?: string };
  expect(Date.parse(since)).toBeGreaterThanOrEqual(lostAt);
  expect(Date.parse(since)).toBeLessThanOrEqual(lostAt + 5 * minute);
  expect(remedy).toContain(appPrincipalId);
  expect((await keyUsage(key, lab.service)).newestUnknown).toMatchObject({ cause: 'KeyPermissionDenied' });
  expect((await versionsOf(key))[version]).not.toHaveProperty('isLatest');
  expect(stateOf(await lab.view('unread'))).toBe('Enabled');

  await grant('unread', 'cryptoServiceEncryptionUser');
  await lab.advance(10 * minute);
  expect(await warningsOf('unread')).toEqual([]);
  expect((await versionsOf(key))[version]).toMatchObject({ isLatest: false, accounts: 0 });
  const view = await lab.view('unread');
  const types = (await bindingEntries(view.watch?.binding.id ?? '', lab.service)).map(({ type }) => type);
  expect(types.filter((type) => type.includes('Readable'))).toEqual(['KeyNotReadable', 'KeyReadable']);
});

test('the newest version is known as soon as a key is set, and stays unknown for a pinned key', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('new-key');
  const { record } = await lab.account('new-key', 'new-key', key);
  const version = record.encryption.type === 'CustomerKey' ? record.encryption.version : '';
  expect(await versionsOf(key)).toMatchObject({ [version]: { isLatest: true, accounts: 1 } });

  const pinned = await lab.vaultWithKey('new-pinned');
  const { versions } = await lab.keyVault<{ versions: { key: { kid: string } }[] }>(
    'GET',
    '/vaults/new-pinned/keys/cmk',
  );
  const kid = versions[0]?.key.kid ?? '';
  await lab.account('new-pinned', 'new-pinned', kid);
  expect((await versionsOf(pinned))[kid.split('/').at(-1) ?? '']).not.toHaveProperty('isLatest');
});
