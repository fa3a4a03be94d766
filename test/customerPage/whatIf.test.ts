/** The forecast of what stops when a customer changes a key or its vault, compared with what then happens. */
import { expect, test } from 'vitest';
import { stateOf } from '../../src/core/accounts/account.ts';
import { parseKeyIdentifier } from '../../src/core/customerKey/keyIdentifier.ts';
import { holdingsOf, keyInQuestion } from '../../src/core/customerPage/holdings.ts';
import { identityFor, ownKeysIn, regionFor } from '../../src/core/customerPage/ownKeys.ts';
import { type Act, needsVersion, whatIf } from '../../src/core/customerPage/whatIf.ts';
import type { Lab } from '../../src/local/lab/lab.ts';
import { appPrincipalId } from '../../src/local/operator.ts';
import { oneIn } from '../exhaustive.ts';
import { failure, useLab } from '../lab.ts';
import { bytes, put, reveal } from '../secrets/support.ts';

const usual = useLab();
const strict = useLab({ settings: { KEYWARD_NETWORK_POLICY_DISABLES: 'true' } });
const minute = 60_000;

interface Scene {
  readonly key: string;
  readonly versions: readonly [older: string, newer: string];
  readonly accounts: readonly string[];
}

/**
 * A vault with two keys. The first has two versions: one account is pinned to the older, one to the newer, one to none.
 */
async function scene(lab: Lab, name: string): Promise<Scene> {
  const vault = `${name}-kv`;
  const key = await lab.vaultWithKey(vault);
  await lab.keyVault('POST', `/vaults/${vault}/keys/second`, { kty: 'RSA', size: 2048, fixture: 1 });
  for (const one of ['cmk', 'second'])
    await lab.keyVault('PUT', `/vaults/${vault}/grants/${appPrincipalId}`, {
      permissions: 'cryptoServiceEncryptionUser',
      key: one,
    });
  await lab.keyVault('DELETE', `/vaults/${vault}/grants/${appPrincipalId}`);
  const version = async () => {
    const { versions } = await lab.keyVault<{ versions: { key: { kid: string } }[] }>(
      'GET',
      `/vaults/${vault}/keys/cmk`,
    );
    return versions.map(({ key: { kid } }) => kid.split('/').at(-1) ?? '');
  };
  const [older = ''] = await version();
  await lab.account(`${name}-older`, name, `${key}/${older}`);
  await lab.keyVault('POST', `/vaults/${vault}/keys/cmk/rotate`);
  const newer = (await version()).find((one) => one !== older) ?? '';
  await lab.account(`${name}-newer`, name, `${key}/${newer}`);
  await lab.account(`${name}-follows`, name, key);
  await lab.account(`${name}-second`, name, key.replace('cmk', 'second'));
  await lab.account(`${name}-elsewhere`, name, await lab.vaultWithKey(`${name}-other`));
  await lab.account(`${name}-none`, name);
  const accounts = ['older', 'newer', 'follows', 'second', 'elsewhere', 'none'].map((one) => `${name}-${one}`);
  for (const account of accounts) await put(lab.service, account, 'tokenKeys', 'k', bytes('k'));
  await lab.advance(2 * minute);
  return { key, versions: [older, newer], accounts };
}

async function forecast(lab: Lab, owner: string, act: Act, keyIdentifier: string) {
  const { service } = lab;
  const key = parseKeyIdentifier(keyIdentifier, service.cloud);
  const keys = await ownKeysIn(key.vaultHost, owner, service);
  const { holdings, isComplete } = await holdingsOf(keys, service);
  expect(isComplete).toBe(true);
  return whatIf(act, keyInQuestion(key, needsVersion(act), keys, service), holdings, service.policy);
}

/** What a caller gets. */
async function effectOn(lab: Lab, account: string): Promise<string> {
  if (stateOf(await lab.view(account)) === 'CustomerKeyInaccessible') return 'blocked';
  return reveal(lab.service, account, 'tokenKeys', 'k').then(
    () => 'none',
    () => 'unavailable',
  );
}

const done: Record<Act, (lab: Lab, vault: string, version: string) => Promise<unknown>> = {
  disableVersion: (lab, vault, version) =>
    lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk/${version}`, { enabled: false }),
  deleteKey: (lab, vault) => lab.keyVault('DELETE', `/vaults/${vault}/keys/cmk`),
  removeRole: (lab, vault) => lab.keyVault('DELETE', `/vaults/${vault}/grants/${appPrincipalId}?key=cmk`),
  closeFirewall: (lab, vault) => lab.keyVault('PATCH', `/vaults/${vault}`, { firewall: 'ForbiddenByFirewall' }),
  letExpire: (lab, vault, version) =>
    lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk/${version}`, {
      exp: new Date(lab.clock.now() - 1000).toISOString(),
    }),
  deleteVault: (lab, vault) => lab.keyVault('DELETE', `/vaults/${vault}`),
};

const ofKey = ['older', 'newer', 'follows'];
// Times: docs/states-and-bounds.md. A vault that stops answering: H + lease + grace.
/** A vault's name has at most 24 characters. */
const shortNames: Record<Act, string> = {
  disableVersion: 'off-',
  deleteKey: 'del-',
  removeRole: 'role-',
  closeFirewall: 'fw-',
  letExpire: 'exp-',
  deleteVault: 'gone-',
};
const acts = [
  ['disableVersion', 'older', usual, 'blocked', ['older'], 96, 370],
  ['disableVersion', 'newer', usual, 'blocked', ['newer', 'follows'], 96, 370],
  ['deleteKey', 'none', usual, 'blocked', ofKey, 126, 370],
  ['removeRole', 'none', usual, 'blocked', ofKey, 156, 370],
  ['closeFirewall', 'none', usual, 'unavailable', [...ofKey, 'second'], 970, 970],
  ['closeFirewall', 'none', strict, 'blocked', [...ofKey, 'second'], 996, 370],
  ['letExpire', 'newer', usual, 'none', [], undefined, undefined],
  ['deleteVault', 'none', usual, 'blocked', [...ofKey, 'second'], 996, 370],
] as const;
test.each(oneIn(2, acts))(
  'the forecast of %s (version: %s) names the accounts that stop and the time, and exactly these stop within it',
  async (act, which, world, effect, names, within, released) => {
    const name = `${shortNames[act]}${which}${world === strict ? '-strict' : ''}`;
    const { lab } = world;
    const { key, versions, accounts } = await scene(lab, name);
    const version = versions[which === 'older' ? 0 : 1];
    const expected = names.map((one) => `${name}-${one}`).toSorted();
    const {
      accounts: stopping,
      first,
      undo,
      ...predicted
    } = await forecast(lab, name, act, which === 'none' ? key : `${key}/${version}`);
    expect(predicted).toMatchObject({ act, effect });
    expect([predicted.withinSeconds, predicted.keyReleasedWithinSeconds]).toEqual([within, released]);
    expect(stopping.map(({ account }) => account)).toEqual(expected);
    expect(first.length).toBeGreaterThanOrEqual(act === 'closeFirewall' && world === strict ? 0 : 1);
    expect(undo === undefined).toBe(effect === 'none');

    await done[act](lab, `${name}-kv`, version);
    await lab.advance((within ?? 1000) * 1000);
    const seen = await Promise.all(accounts.map(async (account) => [account, await effectOn(lab, account)] as const));
    expect(seen.filter(([, one]) => one !== 'none').toSorted()).toEqual(expected.map((account) => [account, effect]));
    if (effect !== 'blocked') return;
    const causes = await Promise.all(expected.map(async (one) => (await lab.view(one)).watch?.versions));
    for (const verdicts of causes)
      expect(Object.values(verdicts ?? {}).flatMap(({ cause }) => cause ?? [])).toContain(predicted.cause);
  },
);

test('a version that no account uses is safe to disable after a while, and before that the forecast says to wait', async () => {
  const { lab } = usual;
  const key = await lab.vaultWithKey('unused-kv');
  await lab.account('unused', 'unused', key);
  const { record } = await lab.view('unused');
  const old = record.encryption.type === 'CustomerKey' ? record.encryption.version : '';
  const before = await forecast(lab, 'unused', 'disableVersion', `${key}/${old}`);
  expect(before.first.join(' ')).toMatch(/az keyvault key rotate --vault-name unused-kv --name cmk.*1 account/);
  await lab.keyVault('POST', '/vaults/unused-kv/keys/cmk/rotate');
  await lab.advance(10 * minute);
  expect(await forecast(lab, 'unused', 'disableVersion', `${key}/${old}`)).toMatchObject({
    effect: 'none',
    accounts: [],
    first: [expect.stringMatching(/^Wait/)],
  });
  await lab.advance(15 * minute);
  expect(await forecast(lab, 'unused', 'disableVersion', `${key}/${old}`)).toMatchObject({ accounts: [], first: [] });
});

test('a key of another owner, and a version that is missing, are refused', async () => {
  const { lab } = usual;
  const key = await lab.vaultWithKey('private-kv');
  await lab.account('private', 'private', key);
  expect((await failure(forecast(lab, 'stranger', 'deleteKey', key))).code).toBe('NotFound');
  expect((await failure(forecast(lab, 'private', 'disableVersion', key))).message).toContain('Add /<version>');
});

test('the identity for a key is that of the key behind any number of others, or of the link, or of the other keys, or Keyward’s own', async () => {
  const { lab } = usual;
  const { service } = lab;
  const link = { owner: 'identities' };
  const own = { useSystemAssignedIdentity: true };
  const of = (text: string, given: Parameters<typeof identityFor>[1]) =>
    identityFor(parseKeyIdentifier(text, 'public'), given, service);
  const named = { useSystemAssignedIdentity: false, userAssignedIdentity: '/subscriptions/s/one' } as const;
  const next = 'https://identities-next.vault.azure.net/keys/cmk';
  expect(await of(next, link)).toEqual({ identity: own });
  expect(await of(next, { ...link, identity: named })).toEqual({ identity: named });
  const key = await lab.vaultWithKey('identities-kv');
  await lab.account('identities-one', 'identities', key);
  await lab.advance(2 * minute);
  expect(await of(key, { ...link, identity: named })).toMatchObject({
    identity: own,
    calledAs: { principalId: appPrincipalId },
  });
  expect(await of(next, link)).toMatchObject({ identity: own });
  expect(await of(key, { owner: 'other', identity: named })).toEqual({ identity: named });
});

test('the region of a plan is that of the owner’s accounts, or has to be named', async () => {
  const { lab } = usual;
  expect((await failure(regionFor(undefined, 'regions', lab.service))).message).toContain('has no account yet');
  await lab.account('regions-one', 'regions');
  await lab.service.overview.settled();
  expect(await regionFor(undefined, 'regions', lab.service)).toBe('westeurope');
  expect(await regionFor('northeurope', 'regions', lab.service)).toBe('northeurope');
  expect((await failure(regionFor('nowhere', 'regions', lab.service))).code).toBe('InvalidRequestContent');
});
