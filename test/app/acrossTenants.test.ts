import { beforeAll, describe, expect, test } from 'vitest';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import type { FederatedIdentity } from '../../src/core/customerKey/binding.ts';
import {
  applicationOf,
  type Controls,
  installApplication,
  registerApplication,
  removeApplication,
  tenantOf,
} from '../../src/local/acrossTenants.ts';
import {
  accountOf,
  got,
  keyIdentifierTarget,
  refused,
  requestsTo,
  rotate,
  sweptUntil,
  useStack,
  vaultWithKey,
  versionOf,
  withCustomerKey,
} from './support.ts';

/** The same rules as in production, a minute in less than a second. Looks happen when the tests sweep. */
const world = useStack({
  settings: {
    KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '1',
    KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.2',
    KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '0.2',
    KEYWARD_LOOK_SPACING_SECONDS: '0.2',
    KEYWARD_VERSION_CHECK_INTERVAL_SECONDS: '1',
    KEYWARD_CONFIRM_PERMISSION_SECONDS: '0.5',
  },
});

let controls: Controls;
beforeAll(async () => {
  const { identity, keyVault } = world.stack;
  controls = { identity: keyVaultControl(identity.url), keyVault };
  // Valid for a second or two, so that the loss of the application shows soon.
  await controls.identity('PUT', '/lifetime', { token: 2 });
});

/** Creates a vault with a key in the customer's own tenant, and the identity with access to it. */
async function customerIn(tenant: string, vault: string): Promise<{ key: string; identity: FederatedIdentity }> {
  const identity = await registerApplication(tenant, controls);
  const key = await vaultWithKey(world, vault, { tenantId: tenantOf(tenant) });
  await installApplication(tenant, vault, controls);
  return { key, identity };
}

function account(owner: string, key: string, identity: object) {
  const { location, properties } = withCustomerKey(owner, key);
  return { location, properties: { ...properties, encryption: { ...properties.encryption, identity } } };
}

test('an account with a key of another tenant is created, used, rotated, revoked with the application, and restored', async () => {
  const { api } = world;
  const { key, identity } = await customerIn('contoso', 'contoso-kv');
  await got(201, api('PUT', '/api/accounts/across', account('contoso', key, identity)));
  const created = await accountOf(api, 'across');
  expect(created.properties.encryption).toMatchObject({ identity, status: 'Accessible' });
  // A caller can send back what it has read, with any case of the ids.
  const shouted = { ...identity, federatedIdentityClientId: identity.federatedIdentityClientId.toUpperCase() };
  await got(200, api('PUT', '/api/accounts/across', created));
  await got(200, api('PATCH', '/api/accounts/across', { properties: account('contoso', key, shouted).properties }));
  expect((await accountOf(api, 'across')).etag).toBe(created.etag);

  const contentKeys = '/api/accounts/across/contentKeys';
  const id = 'c0ffee00-0000-4000-8000-000000000001';
  await got(201, api('PUT', `${contentKeys}/${id}`, { properties: { length: 16 } }));
  const { body: revealed } = await got(200, api('POST', `${contentKeys}/${id}/reveal`));

  const newest = await rotate(world, 'contoso-kv');
  await sweptUntil(world, 'across', ({ properties }) =>
    properties.encryption.keyVaultProperties.currentKeyIdentifier.endsWith(newest),
  );

  await removeApplication('contoso', controls);
  const locked = await sweptUntil(world, 'across', ({ properties }) => properties.state !== 'Enabled');
  expect(locked.properties).toMatchObject({
    state: 'CustomerKeyInaccessible',
    encryption: {
      status: 'Inaccessible',
      cause: 'IdentityNotAuthorized',
      remedy: expect.stringContaining(`az ad sp create --id ${identity.federatedIdentityClientId}`),
    },
  });
  await refused(403, 'CustomerKeyInaccessible', api('POST', `${contentKeys}/${id}/reveal`));

  await installApplication('contoso', 'contoso-kv', controls);
  await sweptUntil(world, 'across', ({ properties }) => properties.encryption.status === 'Accessible');
  const { body: again } = await got(200, api('POST', `${contentKeys}/${id}/reveal`));
  expect(again.properties.value).toBe(revealed.properties.value);
  expect(await versionOf(api, 'across')).toBe(newest);
});

describe('INV-10: an account uses only tenants of its own owner:', () => {
  test('INV-10: another owner gets one opaque refusal for a claimed tenant, before any call to the vault', async () => {
    const { api } = world;
    const { key, identity } = await customerIn('northwind', 'northwind-kv');
    await got(201, api('PUT', '/api/accounts/north', account('northwind', key, identity)));
    // An unclaimed vault of the same tenant.
    const second = await vaultWithKey(world, 'northwind-2-kv', { tenantId: tenantOf('northwind') });
    await installApplication('northwind', 'northwind-2-kv', controls);
    const { body } = await refused(
      403,
      'OwnerMismatch',
      api('PUT', '/api/accounts/thief', account('mallory', second, identity)),
    );
    expect(JSON.stringify(body)).not.toMatch(/northwind/);
    expect(await requestsTo(world, 'northwind-2-kv')).toEqual([]);
    await got(201, api('PUT', '/api/accounts/north-2', account('northwind', second, identity)));
  });

  test('INV-10: two owners can share the application and the identity that speaks for it, each in a tenant of its own', async () => {
    const { api } = world;
    const first = await customerIn('east', 'east-kv');
    await got(201, api('PUT', '/api/accounts/east', account('east', first.key, first.identity)));
    await customerIn('west', 'west-kv');
    const { objectId } = await controls.identity<{ objectId: string }>(
      'PUT',
      `/tenants/${tenantOf('west')}/apps/${applicationOf('east')}`,
      {},
    );
    await controls.keyVault('PUT', `/vaults/west-kv/grants/${objectId}`, {
      permissions: 'cryptoServiceEncryptionUser',
    });
    const shared = { ...first.identity, tenantId: tenantOf('west') };
    const key = 'https://west-kv.vault.azure.net/keys/cmk';
    await got(201, api('PUT', '/api/accounts/west', account('west', key, shared)));
  });
});

describe('a key in another tenant is refused, and nothing is stored, when', () => {
  let key: string;
  let identity: FederatedIdentity;
  beforeAll(async () => {
    ({ key, identity } = await customerIn('tailspin', 'tailspin-kv'));
  });

  test.each<[string, number, string, () => object]>([
    ['the account names no tenant', 400, 'TenantMismatch', () => ({ useSystemAssignedIdentity: true })],
    [
      'the account names the wrong tenant',
      400,
      'TenantMismatch',
      () => ({ ...identity, tenantId: '99999999-9999-4999-8999-999999999999' }),
    ],
    [
      'its tenant does not know the application',
      400,
      'IdentityNotAuthorized',
      () => ({ ...identity, federatedIdentityClientId: 'cccccccc-0000-4000-8000-00000000dead' }),
    ],
    [
      'the managed identity is none of ours',
      503,
      'IdentityUnavailable',
      () => ({ ...identity, userAssignedIdentity: identity.userAssignedIdentity.replace(/[^/]+$/, 'nobody') }),
    ],
  ])(
    'a key in another tenant is refused, and nothing is stored, when %s: %i %s',
    async (_when, status, code, named) => {
      const { body } = await refused(
        status,
        code,
        world.api('PUT', '/api/accounts/never', account('tailspin', key, named())),
      );
      expect(body.error.target).toBe(keyIdentifierTarget);
      expect(await requestsTo(world, 'tailspin-kv', 'unwrapkey')).toEqual([]);
      await refused(404, 'AccountNotFound', world.api('GET', '/api/accounts/never'));
    },
  );
});
