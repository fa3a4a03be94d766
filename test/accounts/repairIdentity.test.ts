import { describe, expect, test } from 'vitest';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { type CustomerKeyEncryption, stateOf, verdictOn } from '../../src/core/accounts/account.ts';
import { openAccountKey } from '../../src/core/accounts/accountKey.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { repairIdentity } from '../../src/core/accounts/repairIdentity.ts';
import type { KeyVaultIdentity } from '../../src/core/customerKey/binding.ts';
import { installApplication, registerApplication, speakerOf } from '../../src/local/acrossTenants.ts';
import { accountEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { appPrincipalId, homeTenantId, location } from '../../src/local/operator.ts';
import { firstBrokenLink } from '../chain.ts';
import { dyingAt, failure, useLab } from '../lab.ts';

const world = useLab();
const operator = { kind: 'principal', id: 'operator' } as const;
const systemAssigned = { useSystemAssignedIdentity: true } as const;
const minutes = 60_000;

/**
 * A user-assigned identity of Keyward that may unwrap in the named vault and, for the control look, in the operator's.
 */
async function identityFor(
  name: string,
  ...vaults: string[]
): Promise<{ identity: KeyVaultIdentity; objectId: string }> {
  const { lab } = world;
  const body = JSON.stringify({ tenantId: homeTenantId, kind: 'userAssigned' });
  const made = await fetch(`${lab.identityUrl}/control/identities/${name}`, { method: 'PUT', body });
  const { objectId, resourceId } = (await made.json()) as { objectId: string; resourceId: string };
  const permissions = 'cryptoServiceEncryptionUser';
  for (const vault of ['keyward-operator', ...vaults])
    await lab.keyVault('PUT', `/vaults/${vault}/grants/${objectId}`, { permissions });
  return { identity: { useSystemAssignedIdentity: false, userAssignedIdentity: resourceId }, objectId };
}

const repair = (name: string, identity: KeyVaultIdentity) =>
  repairIdentity(name, identity, operator, world.lab.service);
const encryptionOf = async (name: string): Promise<CustomerKeyEncryption> => {
  const { encryption } = (await world.lab.view(name)).record;
  return encryption.type === 'CustomerKey' ? encryption : expect.fail();
};
const setEnabled = (vault: string, enabled: boolean) =>
  world.lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled });

/** An account whose grant names an object id that Keyward's identity no longer has, with a confirmed denial. */
async function lostGrant(vault: string): Promise<void> {
  const { lab } = world;
  await lab.account(vault, vault, await lab.vaultWithKey(vault));
  await lab.keyVault('DELETE', `/vaults/${vault}/grants/${appPrincipalId}`);
  await lab.advance(5 * minutes);
  expect(stateOf(await lab.view(vault))).toBe('CustomerKeyInaccessible');
}

describe('repair of the identity', () => {
  test('the repair reaches the same key by another identity, and changes no other property', async () => {
    const { lab } = world;
    await lostGrant('repair-kv');
    const before = await lab.view('repair-kv');
    const old = await encryptionOf('repair-kv');
    const { identity } = await identityFor('repair', 'repair-kv');

    const after = await repair('repair-kv', identity);
    expect(stateOf(after)).toBe('Enabled');
    expect(verdictOn(after)?.status).toBe('Accessible');
    const { binding, version, keyIdentifier, follows } = await encryptionOf('repair-kv');
    expect(binding).toMatchObject({ identity, vaultHost: 'repair-kv.vault.azure.net', keyName: 'cmk' });
    expect({ version, keyIdentifier, follows }).toEqual({
      version: old.version,
      keyIdentifier: old.keyIdentifier,
      follows: old.follows,
    });
    const same = ({ record }: typeof before) => [
      record.wrappedAccountKey,
      record.accountKeyGeneration,
      record.owner,
      record.location,
      record.tags,
    ];
    expect(same(after)).toEqual(same(before));
    expect((await openAccountKey(after.record, lab.service)).ok).toBe(true);

    // The row moved with the account, and the new watch has the account from now on.
    const row = { name: 'repair-kv', instanceId: after.record.instanceId, version, follows };
    expect(await lab.service.bindings.readAccount(old.binding.id, row)).toBeUndefined();
    expect(await lab.service.bindings.readAccount(binding.id, row)).toBeDefined();
    await lab.advance(5 * minutes);
    expect(stateOf(await lab.view('repair-kv'))).toBe('Enabled');
    await setEnabled('repair-kv', false);
    await lab.advance(5 * minutes);
    expect(stateOf(await lab.view('repair-kv'))).toBe('CustomerKeyInaccessible');
  });

  test('INV-6: the repair is in the account’s chain after the denial, with the actor and both identities', async () => {
    const { lab } = world;
    await lostGrant('audited-kv');
    const { identity } = await identityFor('audited', 'audited-kv');
    const { record } = await repair('audited-kv', identity);
    const entries = await accountEntries('audited-kv', record.instanceId, lab.service);
    expect(entries.map(({ type }) => type)).toEqual(['AccountCreated', 'CustomerKeyInaccessible', 'IdentityRepaired']);
    const entry = entries.at(-1);
    expect(entry).toMatchObject({ actor: operator, keyVaultRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(entry?.key).toMatch(/^https:\/\/audited-kv\.vault\.azure\.net\/keys\/cmk\/[0-9a-f]{32}$/);
    expect(JSON.parse(entry?.before ?? '')).toEqual({ tenantId: homeTenantId, ...systemAssigned });
    expect(JSON.parse(entry?.after ?? '')).toEqual({ tenantId: homeTenantId, ...identity });
    const { audit } = await lab.service.rings();
    expect(await firstBrokenLink(record.instanceId, entries, record.audit, (n) => audit.kek(n))).toBeUndefined();
  });

  test('the repair works at once in Suspect and Unreachable too', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('early-kv');
    const { identity } = await identityFor('early', 'early-kv');
    const lost = await identityFor('early-lost', 'early-kv');
    await lab.account('early', 'early', key);
    await lab.keyVault('DELETE', `/vaults/early-kv/grants/${appPrincipalId}`);
    await lab.advance(70_000);
    expect(verdictOn(await lab.view('early'))?.status).toBe('Suspect');
    await repair('early', identity);

    const encryption = { type: 'CustomerKey', keyIdentifier: key, identity: lost.identity } as const;
    await putAccount({ name: 'early-2', input: { owner: 'early', location, encryption }, actor: tester }, lab.service);
    // Without a control look, a denial is Keyward's own fault.
    for (const vault of ['early-kv', 'keyward-operator'])
      await lab.keyVault('DELETE', `/vaults/${vault}/grants/${lost.objectId}`);
    await lab.advance(70_000);
    expect(verdictOn(await lab.view('early-2'))?.status).toBe('Unreachable');
    expect(verdictOn(await repair('early-2', identity))?.status).toBe('Accessible');
  });
});

test('the repair accepts another application too, when the vault is in another tenant', async () => {
  const { lab } = world;
  const controls = { identity: keyVaultControl(lab.identityUrl), keyVault: lab.keyVault };
  const lost = await registerApplication('far', controls);
  const keyIdentifier = await lab.vaultWithKey('far-kv', { tenantId: lost.tenantId });
  await installApplication('far', 'far-kv', controls);
  const encryption = { type: 'CustomerKey', keyIdentifier, identity: lost } as const;
  await putAccount({ name: 'far', input: { owner: 'far', location, encryption }, actor: tester }, lab.service);
  const { roleAssignments } = await lab.keyVault<{ roleAssignments: { principal: string }[] }>('GET', '/vaults/far-kv');
  for (const { principal } of roleAssignments) await lab.keyVault('DELETE', `/vaults/far-kv/grants/${principal}`);
  await lab.advance(70_000);
  expect(['Suspect', 'Unreachable']).toContain(verdictOn(await lab.view('far'))?.status);

  const application = { tenantId: homeTenantId, kind: 'application' };
  const { clientId } = await controls.identity<{ clientId: string }>('PUT', '/identities/far-next', application);
  await controls.identity('PUT', '/identities/far-next/federated-credentials/keyward', { identity: speakerOf('far') });
  const installed = `/tenants/${lost.tenantId}/apps/far-next`;
  const { objectId } = await controls.identity<{ objectId: string }>('PUT', installed, {});
  const permissions = 'cryptoServiceEncryptionUser';
  await lab.keyVault('PUT', `/vaults/far-kv/grants/${objectId}`, { permissions });
  const identity = { ...lost, federatedIdentityClientId: clientId };
  expect(verdictOn(await repair('far', identity))?.status).toBe('Accessible');
  expect((await encryptionOf('far')).binding).toMatchObject({ tenantId: lost.tenantId, identity });
});

describe('repair is refused, and the account stays as it is,', () => {
  async function refusedRepair(name: string, identity: KeyVaultIdentity, expected: Record<string, unknown>) {
    const before = (await world.lab.view(name)).record;
    expect(await failure(repair(name, identity))).toMatchObject(expected);
    expect((await world.lab.view(name)).record).toEqual(before);
  }

  test('INV-12: a repair is refused with an identity that does not open the key, also after the customer has revoked the key itself', async () => {
    const { lab } = world;
    await lostGrant('denied-kv');
    const stranger = await identityFor('denied-stranger');
    await refusedRepair('denied-kv', stranger.identity, { name: 'Refusal', code: 'KeyPermissionDenied' });
    const { identity } = await identityFor('denied', 'denied-kv');
    await setEnabled('denied-kv', false);
    await refusedRepair('denied-kv', identity, {
      name: 'Refusal',
      code: 'KeyDisabled',
      extras: { target: 'identity' },
    });
    await lab.keyVault('POST', '/faults', { vault: 'denied-kv', action: 'status', status: 503 });
    await refusedRepair('denied-kv', identity, { name: 'Unavailable', code: 'VaultUnavailable' });
    await lab.keyVault('DELETE', '/faults');
    if (identity.useSystemAssignedIdentity) return expect.fail();
    expect(await lab.service.claims.find('userAssignedIdentity', identity.userAssignedIdentity)).toBeUndefined();
  });

  test('a repair is refused while the key is accessible, by the identity that reaches it, and under the system key', async () => {
    const { lab } = world;
    await lab.account('sound', 'sound', await lab.vaultWithKey('sound-kv'));
    const { identity } = await identityFor('sound', 'sound-kv');
    await refusedRepair('sound', identity, { code: 'Conflict', message: expect.stringMatching(/PATCH/) });
    await lab.account('plain', 'plain');
    await refusedRepair('plain', identity, { code: 'Conflict' });
    await lostGrant('same-kv');
    await refusedRepair('same-kv', systemAssigned, { code: 'Conflict' });
    expect(await failure(repair('absent', identity))).toMatchObject({ code: 'AccountNotFound' });
  });

  test('INV-10: a repair with another owner’s identity is refused before any call to the vault', async () => {
    const { lab } = world;
    const keyIdentifier = await lab.vaultWithKey('owned-kv');
    const { identity } = await identityFor('owned', 'owned-kv');
    const encryption = { type: 'CustomerKey', keyIdentifier, identity } as const;
    await putAccount({ name: 'owned', input: { owner: 'owned', location, encryption }, actor: tester }, lab.service);
    await lostGrant('thief-kv');
    const total = async () => (await lab.keyVault<{ total: number }>('GET', '/requests')).total;
    const before = await total();
    await refusedRepair('thief-kv', identity, { code: 'OwnerMismatch' });
    expect(await total()).toBe(before);
  });

  test('INV-14: a repair of an account on a vault that is the operator’s own now is refused before any call to the vault', async () => {
    const { lab } = world;
    await lostGrant('taken-kv');
    const { identity } = await identityFor('taken-kv', 'taken-kv');
    const owning = { ...lab.service, operatorVaults: new Set(['taken-kv.vault.azure.net']) };
    const total = async () => (await lab.keyVault<{ total: number }>('GET', '/requests')).total;
    const before = await total();
    expect(await failure(repairIdentity('taken-kv', identity, tester, owning))).toMatchObject({
      code: 'OwnerMismatch',
    });
    expect(await total()).toBe(before);
  });
});

test('a change of identity by PATCH leaves no row under the old binding', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('patch-kv');
  await lab.account('patched', 'patched', key);
  const old = await encryptionOf('patched');
  const { identity } = await identityFor('patched', 'patch-kv');
  const encryption = { type: 'CustomerKey', keyIdentifier: key, identity } as const;
  const { record } = await patchAccount({ name: 'patched', input: { encryption }, actor: tester }, lab.service);
  const row = { name: 'patched', instanceId: record.instanceId, version: old.version, follows: true };
  expect(await lab.service.bindings.readAccount(old.binding.id, row)).toBeUndefined();
});

test('INV-1: a crash between any two effects of a repair leaves an account that the repair restores', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('dying-kv');
  const names = Array.from({ length: 20 }, (_, n) => `dying-${n + 1}`);
  const keyOf = async (name: string): Promise<string> => {
    const opened = await openAccountKey((await lab.view(name)).record, lab.service);
    return opened.ok ? Buffer.from(opened.value).toString('hex') : opened.cause;
  };
  const before = new Map<string, string>();
  for (const name of names) {
    await lab.account(name, 'dying', key);
    before.set(name, await keyOf(name));
  }
  await lab.keyVault('DELETE', `/vaults/dying-kv/grants/${appPrincipalId}`);
  await lab.advance(5 * minutes);
  const { identity } = await identityFor('dying', 'dying-kv');
  let isWhole = false;
  for (const [n, name] of names.entries()) {
    const { service, hasDied } = dyingAt(lab, n + 1);
    await repairIdentity(name, identity, operator, await service).catch(() => undefined);
    isWhole = !hasDied();
    const { status } = verdictOn(await lab.view(name)) ?? {};
    // When the record was written, the account works already. In all other cases nothing has changed yet.
    expect(await keyOf(name)).toBe(status === 'Accessible' ? before.get(name) : 'KeyPermissionDenied');
    if (status !== 'Accessible') await repair(name, identity);
    expect(stateOf(await lab.view(name))).toBe('Enabled');
    expect(await keyOf(name)).toBe(before.get(name));
    if (isWhole) break;
  }
  expect(isWhole).toBe(true);
});
