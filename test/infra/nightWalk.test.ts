/**
 * Seven nights: a fault is made in the laboratory, the deployed rule fires on the log that the app wrote, and the
 * person on call finds the cause, who is concerned, who acts and the command, with what the alert, its section of the
 * documents and at most three calls say.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { verifyAllChains } from '../../src/core/attestation/verifyAllChains.ts';
import { appPrincipalId, homeTenantId } from '../../src/local/operator.ts';
import { useLab } from '../lab.ts';
import { latestVersion, rotateKey } from '../rotation/support.ts';
import { call, sectionOf } from './personOnCall.ts';
import { startReplay } from './replay.ts';

const world = useLab();
/** The address of every call, as the emulator's vaults see it. */
const clientAddress = '127.0.0.1';
/** The seconds for which a token of the app's identity is valid here. */
const tokenSeconds = 2;

beforeAll(() => keyVaultControl(world.lab.identityUrl)('PUT', '/lifetime', { msi: tokenSeconds }));

/** Accounts of one owner on one key. */
async function customer(name: string, accounts: number): Promise<string[]> {
  const key = await world.lab.vaultWithKey(name);
  const names = Array.from({ length: accounts }, (_, n) => `${name}-${n}`);
  for (const one of names) await world.lab.account(one, `owner-${name}`, key);
  return names;
}

const namesOf = (answer: { value: { name: string }[] }): string[] => answer.value.map(({ name }) => name).toSorted();

/** What a night on one customer's key ends with, in one call. */
async function nightOfOneKey(name: string, rule: string, minutes: number, fault: () => Promise<unknown>) {
  const { lab } = world;
  const names = await customer(name, 2);
  const version = await latestVersion(name, lab);
  const replay = startReplay(lab);
  await fault();
  await replay.minutes(minutes);
  const alert = replay.alertOf(rule);
  expect(alert.dimensions).toEqual({
    owner: `owner-${name}`,
    key: `https://${name}.vault.azure.net/keys/cmk/${version}`,
  });
  const answer = await call(sectionOf(alert), 0, { KEY: alert.dimensions.key ?? '' }, lab);
  expect(namesOf(answer)).toEqual(names);
  expect(answer.counts.accounts).toBe(2);
  return { found: answer.value[0], version };
}

describe('the person on call', () => {
  test('the person on call finds a disabled key, its accounts, its customer and the command in one call', async () => {
    const { lab } = world;
    const disable = () => lab.keyVault('PATCH', '/vaults/n-disabled/keys/cmk', { enabled: false });
    const { found, version } = await nightOfOneKey('n-disabled', 'key-taken-away', 3, disable);
    expect(found).toMatchObject({ cause: 'KeyDisabled', whoActs: 'customer', served: 'no' });
    const command = `az keyvault key set-attributes --vault-name n-disabled --name cmk --version ${version} --enabled true`;
    expect(found.remedy).toContain(command);
  });

  test('the person on call finds a removed grant, its accounts, its customer and the command with the principal in one call', async () => {
    const { lab } = world;
    const remove = () => lab.keyVault('DELETE', `/vaults/n-grant/grants/${appPrincipalId}`);
    const { found } = await nightOfOneKey('n-grant', 'key-taken-away', 5, remove);
    expect(found).toMatchObject({ cause: 'KeyPermissionDenied', whoActs: 'customer' });
    expect(found.remedy).toMatch(
      new RegExp(`az role assignment create .*--assignee-object-id ${appPrincipalId} .*--name n-grant .*/keys/cmk"`),
    );
  });

  test('the person on call finds a firewall, its accounts, its customer and the command with the address to admit in one call', async () => {
    const { lab } = world;
    const close = () => lab.keyVault('PATCH', '/vaults/n-firewall', { firewall: 'ForbiddenByFirewall' });
    const { found } = await nightOfOneKey('n-firewall', 'key-unreachable', 20, close);
    expect(found).toMatchObject({ cause: 'VaultFirewallDenied', whoActs: 'customer', state: 'Enabled', served: 'no' });
    expect(found.remedy).toContain(`az keyvault network-rule add --name n-firewall --ip-address ${clientAddress}`);
  });

  test('the person on call finds a vault that throttles for an hour, its accounts, that no one must act, and what to look at in one call', async () => {
    const { lab } = world;
    const throttle = () => lab.keyVault('POST', '/faults', { vault: 'n-throttled', action: 'throttled' });
    const { found } = await nightOfOneKey('n-throttled', 'key-unreachable', 60, throttle);
    expect(found).toMatchObject({ cause: 'Throttled', whoActs: 'none', state: 'Enabled', served: 'no' });
    expect(found.remedy).toContain('az monitor metrics list --resource "$(az keyvault show --name n-throttled');
  });

  test('the person on call finds a rotation that is stuck on 3 of 40 accounts, those three, and the command in one call', async () => {
    const { lab } = world;
    const names = await customer('n-rotation', 40);
    const stuck = names.slice(5, 8);
    const records = lab.table('accounts');
    for (const name of stuck) {
      const { data } = await records.getEntity<{ data: string }>(name, 'record');
      const edited = data.replace('owner-n-rotation', 'owner-of-another');
      await records.updateEntity({ partitionKey: name, rowKey: 'record', data: edited }, 'Merge');
    }
    const replay = startReplay(lab);
    await rotateKey('n-rotation', lab, { fixture: 1 });
    await replay.minutes(8);
    const alert = replay.alertOf('account-rewrap-fails');
    expect(replay.firing()).toContain('rotation-stuck');
    expect(alert.dimensions).toMatchObject({ owner: 'owner-n-rotation' });

    const usage = await call(sectionOf(alert), 0, { KEY: alert.dimensions.key ?? '' }, lab);
    const [rotation] = usage.rotations;
    expect(rotation).toMatchObject({ done: 37, left: 3, failed: 3 });
    expect(rotation.failures.map(({ account }: { account: string }) => account).toSorted()).toEqual(stuck);
    for (const { account, code, whoActs, remedy } of rotation.failures) {
      expect([code, whoActs]).toEqual(['StateDamaged', 'operator']);
      expect(remedy).toContain(`az storage entity query --table-name keywardaccounts`);
      expect(remedy).toContain(`PartitionKey eq '${account}'`);
    }
  });

  test('the person on call finds a broken audit chain, whose it is, who acts and the command in two calls', async () => {
    const { lab } = world;
    const [name = ''] = await customer('n-chain', 1);
    const { record } = await lab.view(name);
    const rowKey = `audit:${record.instanceId}:${'1'.padStart(10, '0')}`;
    const rows = lab.table('accounts');
    const { data } = await rows.getEntity<{ data: string }>(name, rowKey);
    const edited = data.replace('"id":"tester"', '"id":"intruder"');
    expect(edited).not.toBe(data);
    await rows.updateEntity({ partitionKey: name, rowKey, data: edited }, 'Merge');
    const replay = startReplay(lab);
    while (await verifyAllChains(lab.service));
    const alert = replay.alertOf('audit-chain-broken');

    const { chain: CHAIN = '', account: ACCOUNT = '' } = alert.dimensions;
    const verified = await call(sectionOf(alert), 0, { CHAIN, ACCOUNT }, lab);
    expect(verified).toMatchObject({ chain: record.instanceId, result: 'broken' });
    expect(verified.broken).toMatchObject({ account: name, sequence: 1, flaw: 'Edited', whoActs: 'operator' });
    expect(verified.broken.remedy).toContain(`PartitionKey eq '${name}'`);
    const { last } = await call(sectionOf(alert), 1, {}, lab);
    expect(last.broken.filter(({ flaw }: { flaw: string }) => flaw === 'Edited')).toMatchObject([{ account: name }]);
  });

  test('the person on call finds that the app’s identity was replaced, every owner and account, and the command for each customer in two calls', async () => {
    const { lab } = world;
    const issuer = keyVaultControl(lab.identityUrl);
    const concerned = [...(await customer('n-identity-a', 1)), ...(await customer('n-identity-b', 2))];
    const replay = startReplay(lab);
    const identities = await issuer<{ name: string; objectId: string }[]>('GET', '/identities');
    const { name = '' } = identities.find(({ objectId }) => objectId === appPrincipalId) ?? {};
    await issuer('DELETE', `/identities/${name}`);
    const again = { tenantId: homeTenantId, kind: 'systemAssigned' };
    const { objectId } = await issuer<{ objectId: string }>('PUT', `/identities/${name}`, again);
    // The platform's own cache ends with the token, by the real clock.
    await sleep(tokenSeconds * 1000 + 200);
    await replay.minutes(5);
    const alert = replay.alertOf('identity-replaced');

    const { value } = await call(sectionOf(alert), 0, {}, lab);
    const [own] = value;
    expect(own.identity.principalId).toBe(objectId);
    const owners = own.denials.map(({ owner }: { owner: string }) => owner).toSorted();
    expect(owners).toEqual(['owner-n-identity-a', 'owner-n-identity-b']);
    const accounts = await call(sectionOf(alert), 1, {}, lab);
    expect(namesOf(accounts)).toEqual(concerned);
    for (const account of accounts.value) {
      expect(account).toMatchObject({ cause: 'IdentityReplaced', whoActs: 'operator', state: 'Enabled' });
      expect(account.remedy).toContain(`--assignee-object-id ${objectId}`);
    }
  });
});
