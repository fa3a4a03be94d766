import type { AzureMediaServices } from '@azure/arm-mediaservices';
import pLimit from 'p-limit';
import { describe, expect, test } from 'vitest';
import { compose } from '../../src/azure/compose.ts';
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import { amsRoutes } from '../../src/functions/ams/routes.ts';
import { caller } from '../../src/local/client.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { appPrincipalId, homeTenantId, location, operatorToken } from '../../src/local/operator.ts';
import { got, keyIdentifierTarget, newAccount, refused, requestsTo, vaultWithKey } from '../app/support.ts';
import { isExhaustive } from '../exhaustive.ts';
import { accountPath, all, group, poll, subscriptionId, thrown, useAms } from './support.ts';

const world = useAms();
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const otherSubscription = 'aaaaaaaa-53a1-4a67-9d0f-0c6d3d1f0a02';
const versions = ['2020-05-01', '2021-05-01', '2021-06-01', '2021-11-01', '2023-01-01'] as const;

const by = (
  keyIdentifier: string,
  identity?: { useSystemAssignedIdentity: boolean; userAssignedIdentity?: string },
) => ({
  type: 'CustomerKey',
  keyVaultProperties: { keyIdentifier },
  ...(identity === undefined ? {} : { identity }),
});
const system = { useSystemAssignedIdentity: true };
const userAssigned = (name: string) =>
  `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`;
const create = (name: string, more: object = {}, ams: AzureMediaServices = world.ams) =>
  ams.mediaservices.beginCreateOrUpdateAndWait(group, name, { location, ...more }, poll);
const raw = (method: string, path: string, version: string, body?: unknown) =>
  world.api(method, `${path}${path.includes('?') ? '&' : '?'}api-version=${version}`, body);

/** A user-assigned identity of the app that the vault allows. */
async function identityFor(vault: string, name: string): Promise<string> {
  const id = userAssigned(name);
  const response = await fetch(`${world.stack.identity.url}/control/identities/${name}`, {
    method: 'PUT',
    body: JSON.stringify({ tenantId: homeTenantId, kind: 'userAssigned', resourceId: id }),
  });
  const { objectId } = (await response.json()) as { objectId: string };
  await world.stack.keyVault('PUT', `/vaults/${vault}/grants/${objectId}`, {
    permissions: 'cryptoServiceEncryptionUser',
  });
  return id;
}

describe('the unmodified client', () => {
  test('the unmodified client creates, reads, changes and deletes an account under the system key', async () => {
    const { ams, api } = world;
    const made = await create('walk', { tags: { a: 'b' } });
    expect(made).toMatchObject({
      id: `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Media/mediaservices/walk`,
      name: 'walk',
      type: 'Microsoft.Media/mediaservices',
      location,
      tags: { a: 'b' },
      encryption: { type: 'SystemKey' },
      provisioningState: 'Succeeded',
      mediaServiceId: expect.any(String),
      systemData: { createdAt: expect.any(Date), lastModifiedAt: expect.any(Date) },
    });
    // Both APIs show the same account. Its subscription is its owner.
    const native = (await got(200, api('GET', '/api/accounts/walk'))).body;
    expect(native.properties).toMatchObject({
      accountId: made.mediaServiceId,
      owner: subscriptionId,
      subscriptionId,
      resourceGroupName: group,
    });
    const changed = await ams.mediaservices.beginUpdateAndWait(group, 'walk', { tags: { c: 'd' } }, poll);
    expect(changed.tags).toEqual({ c: 'd' });
    expect((await got(200, api('GET', '/api/accounts/walk'))).body.tags).toEqual({ c: 'd' });
    expect(await ams.mediaservices.get(group, 'WALK')).toMatchObject({ name: 'walk', tags: { c: 'd' } });
    await ams.mediaservices.delete(group, 'walk');
    await ams.mediaservices.delete(group, 'walk');
    expect(await thrown(ams.mediaservices.get(group, 'walk'))).toMatchObject({
      statusCode: 404,
      code: 'AccountNotFound',
    });
    await refused(404, 'AccountNotFound', api('GET', '/api/accounts/walk'));
  });

  test('the client gives an account a customer key at creation and later, by the system-assigned and by a user-assigned identity', async () => {
    const { ams } = world;
    const key = await vaultWithKey(world, 'ams-kv');
    const assigned = await identityFor('ams-kv', 'media-identity');
    const identity = { type: 'SystemAssigned' };
    const made = await create('keyed', { identity, encryption: by(key, system) });
    expect(made).toMatchObject({
      identity: { type: 'SystemAssigned', tenantId: homeTenantId },
      encryption: {
        type: 'CustomerKey',
        keyVaultProperties: {
          keyIdentifier: key,
          currentKeyIdentifier: expect.stringMatching(`^${key}/[0-9a-f]{32}$`),
        },
        identity: system,
        status: 'Accessible',
      },
    });
    const both = { type: 'SystemAssigned,UserAssigned', userAssignedIdentities: { [assigned]: {} } };
    const named = { useSystemAssignedIdentity: false, userAssignedIdentity: assigned };
    const moved = await ams.mediaservices.beginUpdateAndWait(
      ...([group, 'keyed', { identity: both, encryption: by(key, named) }, poll] as const),
    );
    expect(moved.encryption).toMatchObject({ identity: named, status: 'Accessible' });
    // The client can send back what it has read: nothing changes, and the vault receives no call.
    const asked = (await requestsTo(world, 'ams-kv')).length;
    const { encryption, tags = {} } = await ams.mediaservices.get(group, 'keyed');
    const again = await create('keyed', { identity: both, encryption, tags });
    expect(again.encryption).toEqual(encryption);
    expect(await requestsTo(world, 'ams-kv')).toHaveLength(asked);
    const only = { type: 'UserAssigned', userAssignedIdentities: { [assigned]: {} } };
    const second = await create('keyed-too', { identity: only, encryption: by(key, named) });
    expect(second).toMatchObject({
      identity: { userAssignedIdentities: { [assigned]: {} } },
      encryption: { identity: named },
    });
    // Back to the system key: the caller has Keys.Release.
    const back = await ams.mediaservices.beginUpdateAndWait(
      group,
      'keyed',
      { encryption: { type: 'SystemKey' } },
      poll,
    );
    expect(back.encryption).toEqual({ type: 'SystemKey' });
  });

  test.each<[what: string, cause: string, key: Record<string, unknown>, vault: Record<string, unknown>]>([
    ['an elliptic-curve key', 'KeyTypeUnsupported', { kty: 'EC', curve: 'P-256', size: undefined }, {}],
    ['a disabled key', 'KeyDisabled', { enabled: false }, {}],
    ['a vault without purge protection', 'PurgeProtectionMissing', {}, { recoveryLevel: 'Recoverable+Purgeable' }],
  ])('the client is refused %s at once, with code and details', async (_what, cause, key, vault) => {
    const name = `bad-${cause.toLowerCase()}`.slice(0, 24).replace(/-$/, '');
    const identifier = await vaultWithKey(world, name, vault, key);
    const error = await thrown(create(name, { encryption: by(identifier, system) }));
    expect(error).toMatchObject({ name: 'RestError', statusCode: 400, code: cause });
    expect(error.details.error.details).toEqual([
      expect.objectContaining({ code: cause, target: keyIdentifierTarget, message: expect.stringMatching(/\S/) }),
    ]);
    expect(await thrown(world.ams.mediaservices.get(group, name))).toMatchObject({ statusCode: 404 });
  });

  test('INV-10: a subscription cannot use the vault of another, and no call reaches that vault', async () => {
    const key = await vaultWithKey(world, 'claimed-kv');
    await create('claimed', { encryption: by(key, system) });
    const asked = (await requestsTo(world, 'claimed-kv')).length;
    const error = await thrown(create('thief', { encryption: by(key, system) }, world.clientOf(otherSubscription)));
    expect(error).toMatchObject({ statusCode: 403, code: 'OwnerMismatch' });
    expect(await requestsTo(world, 'claimed-kv')).toHaveLength(asked);
  });

  test('the client lists the operations, and checks which names are free', async () => {
    const { ams } = world;
    await create('taken');
    const check = (name: string) => ams.locations.checkNameAvailability('westeurope', { name, type: 'MediaServices' });
    expect(await check('free')).toEqual({ nameAvailable: true });
    expect(await check('Taken')).toMatchObject({ nameAvailable: false, reason: 'AlreadyExists' });
    expect(await check('-')).toMatchObject({ nameAvailable: false, reason: 'Invalid' });
    const { value } = await ams.operations.list();
    expect(value?.map(({ name }) => name)).toContain('Microsoft.Media/mediaservices/write');
  });
});

describe('an account', () => {
  test('an account exists at its own path and at no other', async () => {
    const { api } = world;
    await create('placed');
    for (const path of [accountPath('placed', otherSubscription), accountPath('placed', subscriptionId, 'another')]) {
      await refused(404, 'AccountNotFound', raw('GET', path, '2021-11-01'));
      await refused(404, 'AccountNotFound', raw('PATCH', path, '2021-11-01', { tags: {} }));
      await refused(409, 'Conflict', raw('PUT', path, '2021-11-01', { location }));
      await refused(404, 'AccountNotFound', raw('GET', `${path}/streamingLocators`, '2022-08-01'));
      await got(204, raw('DELETE', path, '2021-11-01'));
    }
    await got(200, raw('GET', accountPath('placed').toUpperCase().replace('/API', '/api'), '2021-11-01'));
    // An account that was made without a path has none. One that was made with a path keeps it for ever.
    await got(201, api('PUT', '/api/accounts/native', newAccount()));
    await refused(404, 'AccountNotFound', raw('GET', accountPath('native'), '2021-11-01'));
    const place = { subscriptionId, resourceGroupName: group };
    const body = { location, properties: { owner: 'contoso', ...place } };
    await got(201, api('PUT', '/api/accounts/native-too', body));
    const seen = await got(200, raw('GET', accountPath('native-too'), '2021-11-01'));
    expect(seen.body.name).toBe('native-too');
    for (const properties of [place, { ...place, resourceGroupName: 'x' }])
      await refused(400, 'PropertyNotChangeable', api('PATCH', '/api/accounts/native', { properties }));
    await got(200, api('PATCH', '/api/accounts/native-too', { properties: place }));
    await refused(400, 'InvalidRequestContent', api('PUT', '/api/accounts/x-1', { properties: { subscriptionId } }));
    // The owner stays the same for every caller.
    const kept = await create('native-too', { tags: { by: 'ams' } });
    expect(kept.tags).toEqual({ by: 'ams' });
  });

  test('Keyward stores the properties without a meaning to it unchanged, and shows them in the API versions that have them', async () => {
    const storage = `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/media`;
    const kept = {
      storageAccounts: [{ id: storage, type: 'Primary', identity: { useSystemAssignedIdentity: true } }],
      storageAuthentication: 'ManagedIdentity',
      keyDelivery: { accessControl: { defaultAction: 'Deny', ipAllowList: ['192.0.2.0/24'] } },
      publicNetworkAccess: 'Disabled',
    };
    const path = accountPath('keeper');
    const properties = { ...kept, minimumTlsVersion: 'Tls12', mediaServiceId: 'ignored' };
    await got(201, raw('PUT', path, '2023-01-01', { location, properties }));
    const shown = Object.fromEntries(
      await Promise.all(versions.map(async (one) => [one, (await got(200, raw('GET', path, one))).body.properties])),
    );
    const { publicNetworkAccess, keyDelivery, ...old } = kept;
    expect(shown['2020-05-01']).toEqual({
      mediaServiceId: expect.any(String),
      ...old,
      encryption: { type: 'SystemKey' },
    });
    expect(shown['2021-05-01']).toEqual({ ...shown['2020-05-01'], keyDelivery });
    expect(shown['2021-06-01']).toMatchObject({ publicNetworkAccess });
    expect(shown['2021-11-01']).toMatchObject({ ...kept, provisioningState: 'Succeeded' });
    expect(shown['2021-11-01']).not.toHaveProperty('minimumTlsVersion');
    expect(shown['2023-01-01']).toMatchObject({ ...kept, minimumTlsVersion: 'Tls12' });
    // Properties that a change does not name keep their values.
    const change = { properties: { publicNetworkAccess: 'Enabled' } };
    const { body } = await got(200, raw('PATCH', path, '2021-06-01', change));
    expect(body.properties).toMatchObject({ ...kept, publicNetworkAccess: 'Enabled' });
    const long = storage.replace(group, 'x'.repeat(300));
    const much = { storageAccounts: Array.from({ length: 30 }, () => ({ id: long, type: 'Secondary' })) };
    const large = await refused(400, 'InvalidRequestContent', raw('PATCH', path, '2021-06-01', { properties: much }));
    expect(large.body.error.message).toContain('8192');
    const strange = await refused(
      400,
      'InvalidRequestContent',
      raw('PATCH', path, '2021-06-01', { properties: { sasKey: 'x' } }),
    );
    expect(strange.body.error.target).toBe('properties.sasKey');
  });

  test('an account whose identities contradict its encryption is refused', async () => {
    const key = await vaultWithKey(world, 'contra-kv');
    const path = accountPath('contra');
    const assigned = userAssigned('one');
    const wrong: [identity: object, encryption: object, target: string][] = [
      [{ type: 'None' }, by(key), 'properties.encryption.identity'],
      [{ type: 'UserAssigned', userAssignedIdentities: { [assigned]: {} } }, by(key), 'properties.encryption.identity'],
      [
        ...([
          { type: 'SystemAssigned' },
          by(key, { useSystemAssignedIdentity: false, userAssignedIdentity: assigned }),
        ] as const),
        'properties.encryption.identity.userAssignedIdentity',
      ],
      [
        ...([{ type: 'SystemAssigned' }, by(key, { ...system, userAssignedIdentity: assigned })] as const),
        'properties.encryption.identity',
      ],
      [{ type: 'SystemAssigned' }, { type: 'CustomerKey' }, keyIdentifierTarget],
      [{ type: 'SystemAssigned' }, { ...by(key), type: 'SystemKey' }, keyIdentifierTarget],
      [{ type: 'Sometimes' }, by(key), 'identity.type'],
    ];
    for (const [identity, encryption, target] of wrong) {
      const answer = await refused(
        ...([400, 'InvalidRequestContent'] as const),
        raw('PUT', path, '2021-11-01', { location, identity, properties: { encryption } }),
      );
      expect(answer.body.error.target).toBe(target);
    }
    await got(201, raw('PUT', path, '2021-11-01', { location, properties: { encryption: by(key) } }));
    const none = { identity: { type: 'None' } };
    const late = await refused(400, 'InvalidRequestContent', raw('PATCH', path, '2021-11-01', none));
    expect(late.body.error.target).toBe('properties.encryption.identity');
    expect(await requestsTo(world, 'contra-kv', 'unwrapkey')).toHaveLength(1);
  });
});

describe('versions', () => {
  test('a missing or unknown api-version is refused with a list of the supported ones', async () => {
    const refusal = await refused(400, 'InvalidParameter', world.api('GET', accountPath('absent')));
    for (const version of versions) expect(refusal.body.error.message).toContain(version);
    expect(refusal.body.error.target).toBe('api-version');
    await refused(400, 'InvalidParameter', raw('GET', accountPath('absent'), '2018-07-01'));
    await create('versioned');
    const child = `${accountPath('versioned')}/streamingLocators`;
    const other = await refused(400, 'InvalidParameter', raw('GET', child, '2023-01-01'));
    expect(other.body.error.message).toContain('2022-08-01');
  });

  test('locators, policies, transforms and jobs are read in every API version from 2020-05-01 on', async () => {
    await create('old-clients');
    const at = (path: string) => `${accountPath('old-clients')}/${path}`;
    const older = ['2020-05-01', '2021-05-01', '2021-06-01', '2021-11-01'];
    await got(201, raw('PUT', at('transforms/encode'), '2020-05-01', { properties: { outputs: [{ preset: {} }] } }));
    for (const path of ['transforms', 'transforms/encode/jobs'])
      for (const version of [...older, '2022-07-01']) await got(200, raw('GET', at(path), version));
    for (const path of ['streamingLocators', 'contentKeyPolicies'])
      for (const version of [...older, '2022-08-01']) await got(200, raw('GET', at(path), version));
    const oldest = (await got(200, raw('GET', at('transforms/encode'), '2020-05-01'))).body;
    const later = (await got(200, raw('GET', at('transforms/encode'), '2021-05-01'))).body;
    expect(later).toEqual({
      ...oldest,
      systemData: { createdAt: expect.any(String), lastModifiedAt: expect.any(String) },
    });
    expect(oldest).not.toHaveProperty('systemData');
  });

  test.each(['2020-05-01', '2021-05-01', '2021-06-01'])('api-version %s is synchronous', async (version) => {
    const path = accountPath(`sync-${version}`);
    const made = await got(201, raw('PUT', path, version, { location }));
    expect(made.headers.get('azure-asyncoperation')).toBeNull();
    await got(200, raw('PUT', path, version, { location, tags: { a: 'b' } }));
    const changed = await got(200, raw('PATCH', path, version, { tags: { c: 'd' } }));
    expect(changed.body.tags).toEqual({ c: 'd' });
  });

  test.each(['2021-11-01', '2023-01-01'])(
    'api-version %s returns an operation, with the addresses of its status and its result',
    async (version) => {
      const path = accountPath(`async-${version.slice(0, 4)}`);
      const calls: [method: string, status: number][] = [
        ['PUT', 201],
        ['PUT', 200],
        ['PATCH', 202],
      ];
      for (const [method, status] of calls) {
        const answer = await got(status, raw(method, path, version, { location }));
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
        const local = (header: string) => (answer.headers.get(header) ?? '').replace('https://keyward.example', '');
        const at = `/api/subscriptions/${subscriptionId}/providers/Microsoft.Media/locations/${location}/`;
        expect(local('azure-asyncoperation')).toMatch(`${at}mediaServicesOperationStatuses/`);
        expect(local('azure-asyncoperation')).toMatch(`api-version=${version}`);
        const { body } = await got(200, world.api('GET', local('azure-asyncoperation')));
        expect(body).toEqual({
          id: expect.stringContaining('mediaServicesOperationStatuses'),
          name: expect.stringMatching(/^\d{8}-/),
          status: 'Succeeded',
          startTime: expect.stringMatching(/Z$/),
          endTime: expect.stringMatching(/Z$/),
        });
        const result = await got(200, world.api('GET', local('location')));
        expect(result.body.id).toBe((await got(200, raw('GET', path, version))).body.id);
        // The operation belongs to the subscription in its path.
        const elsewhere = local('azure-asyncoperation').replace(subscriptionId, otherSubscription);
        await refused(404, 'NotFound', world.api('GET', elsewhere));
      }
      await refused(
        404,
        'NotFound',
        raw(
          'GET',
          `/api/subscriptions/${subscriptionId}/providers/Microsoft.Media/locations/x/mediaServicesOperationStatuses/nothing`,
          version,
        ),
      );
    },
  );

  test('the requests of the bring-your-own-key samples of 2020-05-01 succeed', async () => {
    const key = await vaultWithKey(world, 'byok-kv');
    const path = accountPath('byok');
    const storage = {
      id: `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/byok`,
    };
    const first = {
      location: 'West Europe',
      identity: { type: 'SystemAssigned' },
      properties: { storageAccounts: [storage], encryption: { type: 'SystemKey' } },
    };
    const made = (await got(201, raw('PUT', path, '2020-05-01', first))).body;
    expect(made.properties.storageAccounts).toEqual([{ ...storage, type: 'Primary' }]);
    // The sample grants the key to this principal.
    expect(made.identity).toEqual({ type: 'SystemAssigned', principalId: appPrincipalId, tenantId: homeTenantId });
    expect(made).not.toHaveProperty('systemData');
    const second = {
      location: 'West Europe',
      identity: { type: 'SystemAssigned' },
      properties: { storageAccounts: [storage], encryption: by(key) },
    };
    const { body } = await got(200, raw('PUT', path, '2020-05-01', second));
    // No identity of the encryption, and no status, because later versions introduced them.
    expect(body.properties.encryption).toEqual({
      type: 'CustomerKey',
      keyVaultProperties: { keyIdentifier: key, currentKeyIdentifier: expect.stringContaining(`${key}/`) },
    });
    const later = { location, properties: { encryption: by(key, system) } };
    const answer = await refused(400, 'InvalidRequestContent', raw('PUT', path, '2020-05-01', later));
    expect(answer.body.error).toMatchObject({
      target: 'properties.encryption.identity',
      message: expect.stringContaining('2021-06-01'),
    });
  });

  test('the requests of the specification’s examples are accepted', async () => {
    const key = await vaultWithKey(world, 'spec-kv');
    const identity = await identityFor('spec-kv', 'spec-identity');
    const storage = `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Storage/storageAccounts/spec`;
    const byIdentity = { userAssignedIdentity: identity, useSystemAssignedIdentity: false };
    const whole = (encryption: object) => ({
      location: 'West Europe',
      tags: { key1: 'value1', key2: 'value2' },
      identity: { type: 'UserAssigned', userAssignedIdentities: { [identity]: {} } },
      properties: {
        storageAccounts: [{ id: storage, type: 'Primary', identity: byIdentity }],
        storageAuthentication: 'ManagedIdentity',
        encryption,
        keyDelivery: { accessControl: { defaultAction: 'Allow' } },
        publicNetworkAccess: 'Enabled',
      },
    });
    const path = accountPath('spec');
    // The example names no key. This is a defect of the specification, and the request is refused.
    const keyless = await refused(
      400,
      'InvalidRequestContent',
      raw('PUT', path, '2021-11-01', whole({ type: 'CustomerKey', identity: byIdentity })),
    );
    expect(keyless.body.error.target).toBe(keyIdentifierTarget);
    await got(201, raw('PUT', path, '2021-11-01', whole(by(key, byIdentity))));
    await got(202, raw('PATCH', path, '2021-11-01', { tags: { key1: 'value3' } }));
    await got(200, raw('PUT', path, '2023-01-01', { ...whole(by(key, byIdentity)), tags: { key1: 'value3' } }));
  });
});

test.runIf(isExhaustive)('lists follow their links over 201 accounts, by group and by subscription', async () => {
  const subscription = 'cccccccc-53a1-4a67-9d0f-0c6d3d1f0a03';
  const names = Array.from({ length: 201 }, (_, n) => `many-${String(n).padStart(3, '0')}`);
  const groupOf = (n: number) => (n % 5 === 0 ? 'even' : 'Odd');
  // Without the HTTP calls, which other tests are about.
  const service = await compose(world.stack.settings, silent);
  const limit = pLimit(16);
  const created = names.map((name, n) =>
    limit(() => {
      const place = { subscriptionId: subscription, resourceGroup: groupOf(n) };
      return putAccount({ name, input: { owner: subscription, location, place }, actor: tester }, service);
    }),
  );
  await Promise.all(created);
  const pages: string[] = [];
  const ams = world.clientOf(subscription, {
    onAnswer: ({ method, url }) => void (method === 'GET' && pages.push(url)),
  });
  const found = (await all(ams.mediaservices.listBySubscription())).map(({ name }) => name);
  expect(found.toSorted()).toEqual(names);
  expect(pages).toHaveLength(3);
  for (const url of pages) expect(url).toMatch(/^https:\/\/keyward\.example\/.*api-version=2021-11-01/);
  expect(await all(ams.mediaservices.list('odd'))).toHaveLength(160);
  expect(await all(ams.mediaservices.list('EVEN'))).toHaveLength(41);
  expect(await all(ams.mediaservices.list('ev'))).toEqual([]);
  expect(await all(world.clientOf(otherSubscription).mediaservices.listBySubscription())).toEqual([]);
  await ams.mediaservices.delete('even', 'many-000');
  expect(await all(ams.mediaservices.list('even'))).toHaveLength(40);
});

test('in 2020-05-01 an account is found by its subscription alone, and by no other subscription', async () => {
  await create('subscribed');
  const at = (subscription: string) =>
    raw('GET', `/api/subscriptions/${subscription}/providers/Microsoft.Media/mediaservices/Subscribed`, '2020-05-01');
  expect((await got(200, at(subscriptionId.toUpperCase()))).body.id).toBe(
    `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Media/mediaservices/subscribed`,
  );
  await refused(404, 'AccountNotFound', at(otherSubscription));
  const list = `/api/subscriptions/${subscriptionId}/providers/Microsoft.Media/mediaservices?api-version=2020-05-01`;
  for (const token of ['%00', 'x', "%07'", `${'x'.repeat(300)}:a`])
    await refused(400, 'InvalidParameter', world.api('GET', `${list}&$skipToken=${token}`));
});

test('an account’s answers have its ETag, and a GET that names it is 304 until the account changes', async () => {
  const { body, headers } = await got(201, raw('PUT', accountPath('tagged'), '2021-11-01', { location }));
  const tag = headers.get('etag') ?? '';
  expect(tag).toMatch(/^"[^"]+"$/);
  const get = (etag: string) =>
    world.api('GET', `${accountPath('tagged')}?api-version=2021-11-01`, undefined, { 'if-none-match': etag });
  expect((await got(200, raw('GET', accountPath('tagged'), '2021-11-01'))).headers.get('etag')).toBe(tag);
  expect((await get(tag)).status).toBe(304);
  const changed = await got(202, raw('PATCH', accountPath('tagged'), '2021-11-01', { tags: { a: 'b' } }));
  expect(changed.headers.get('etag')).not.toBe(tag);
  expect(await got(200, get(tag))).toMatchObject({
    body: { ...body, tags: { a: 'b' }, systemData: expect.anything() },
  });
});

test('an answer repeats the client’s request id when the client asks for it', async () => {
  const id = '0b8a5f4e-29a5-4ae8-8b0e-5b9a4d1f0a01';
  const list = `${accountPath('')}?api-version=2021-11-01`;
  const echoOf = async (more: Record<string, string>) =>
    (await world.api('GET', list, undefined, { 'x-ms-client-request-id': id, ...more })).headers.get(
      'x-ms-client-request-id',
    );
  expect(await echoOf({ 'x-ms-return-client-request-id': 'true' })).toBe(id);
  expect(await echoOf({})).toBeNull();
});

test('an unsupported resource type returns an error in Azure Resource Manager’s shape', async () => {
  await create('childless');
  for (const [method, path] of [
    ['GET', 'assets'],
    ['GET', 'assets/a/tracks'],
    ['POST', 'listEdgePolicies'],
    ['PUT', 'liveEvents/a'],
    ['DELETE', 'streamingEndpoints/default'],
  ] as const)
    await refused(
      404,
      'InvalidResourceType',
      raw(method, `${accountPath('childless')}/${path}`, '2022-08-01', method === 'GET' ? undefined : {}),
    );
});

test.each([
  ['PATCH', 'streamingLocators/a', 'GET, HEAD, PUT, DELETE'],
  ['DELETE', 'streamingPolicies/a', 'GET, HEAD'],
  ['GET', 'streamingLocators/a/listContentKeys', 'POST'],
  ['GET', 'syncStorageKeys', 'POST'],
  ['OPTIONS', 'streamingPolicies/a', 'GET, HEAD'],
] as const)('%s of the path %s, which has other methods, is 405 with Allow', async (method, path, allow) => {
  await create('methods');
  const call = raw(method, `${accountPath('methods')}/${path}`, '2022-08-01', method === 'GET' ? undefined : {});
  expect((await refused(405, 'MethodNotAllowed', call)).headers.get('allow')).toBe(allow);
});

test.each([
  ['accounts', '', '$filter=x'],
  ['accounts', '', 'state=CustomerKeyInaccessible'],
  ['locators', '/options/streamingLocators', '$skiptoken=x'],
  ['streaming policies', '/options/streamingPolicies', '$orderby=name'],
  ['private endpoints', '/options/privateEndpointConnections', '$top=1'],
])('a list of %s refuses a parameter that it does not apply, because it would return everything', async (...row) => {
  const [of, path, query] = row;
  await create('options');
  const version = /accounts|private/.test(of) ? '2021-11-01' : '2022-08-01';
  const accounts = accountPath('').slice(0, -1);
  const { body } = await refused(400, 'InvalidParameter', raw('GET', `${accounts}${path}?${query}`, version));
  expect(body.error.target).toBe(query.split('=')[0]);
});

test('a client that lists the paths of a locator, jobs of no transform, and one streaming policy gets none, 404, and one', async () => {
  await create('paths');
  const { streamingLocators } = world.ams;
  await streamingLocators.create(group, 'paths', 'l', { assetName: 'a', streamingPolicyName: 'Predefined_ClearKey' });
  const paths = await streamingLocators.listPaths(group, 'paths', 'l');
  expect(paths).toMatchObject({ streamingPaths: [], downloadPaths: [] });
  expect((await thrown(streamingLocators.listPaths(group, 'paths', 'none'))).statusCode).toBe(404);
  expect((await thrown(all(world.ams.jobs.list(group, 'paths', 'none')))).statusCode).toBe(404);
  expect(await all(world.ams.streamingPolicies.list(group, 'paths', { top: 1 }))).toHaveLength(1);
});

describe('authorization', () => {
  test('a function key is refused, and the refusal says what to use', async () => {
    const was = process.env.KEYWARD_AUTH;
    process.env.KEYWARD_AUTH = 'functionKeys';
    try {
      const api = caller(world.stack.host.url, { 'x-functions-key': world.stack.host.keys.function });
      const refusal = await refused(
        401,
        'AuthenticationFailed',
        api('GET', `${accountPath('walk')}?api-version=2021-11-01`),
      );
      expect(refusal.body.error.message).toMatch(/need bearer tokens.*KEYWARD_AUTH/);
    } finally {
      process.env.KEYWARD_AUTH = was;
    }
  });

  test('a client that may write accounts can neither release a customer key nor reveal', async () => {
    const { stack } = world;
    const key = await vaultWithKey(world, 'held-kv');
    await create('held', { encryption: by(key, system) });
    const roles = ['Accounts.Read', 'Accounts.Write', 'Secrets.Read', 'Secrets.Write'];
    const body = JSON.stringify({ tenantId: homeTenantId, kind: 'application', secret: 's', roles });
    await fetch(`${stack.identity.url}/control/identities/writer`, { method: 'PUT', body });
    const token = async (scope: string): Promise<string> => {
      const resource = scope.replace(/\/\.default$/, '');
      const asked = { method: 'POST', body: JSON.stringify({ identity: 'writer', resource }) };
      const answer = await fetch(`${stack.identity.url}/control/token`, asked);
      return ((await answer.json()) as { access_token: string }).access_token;
    };
    const writer = world.clientOf(subscriptionId, { token });
    const release = writer.mediaservices.beginUpdateAndWait(group, 'held', { encryption: { type: 'SystemKey' } }, poll);
    expect(await thrown(release)).toMatchObject({
      statusCode: 403,
      code: 'AuthorizationFailed',
      message: expect.stringContaining('Keys.Release'),
    });
    expect(await thrown(writer.streamingLocators.listContentKeys(group, 'held', 'a'))).toMatchObject({
      statusCode: 403,
      code: 'AuthorizationFailed',
      message: expect.stringContaining('Secrets.Reveal'),
    });
  });

  test('these routes accept a token for the native API, and the native API accepts a token for these routes', async () => {
    const { stack } = world;
    for (const scope of ['api://keyward/.default', 'https://keyward.example/api/.default']) {
      const api = caller(stack.host.url, { authorization: `Bearer ${await operatorToken(stack.identity, scope)}` });
      await got(200, api('GET', '/api/accounts?$top=1'));
      await got(200, api('GET', `/api/providers/Microsoft.Media/operations?api-version=2021-11-01`));
    }
  });
});

describe('hostile input', () => {
  const hostile: unknown[] = [
    'no json',
    'null',
    '[]',
    '"text"',
    '7',
    '{}',
    '{"properties":null}',
    '{"properties":[]}',
    '{"__proto__":{"a":1},"properties":{"__proto__":{"a":1}}}',
    { properties: { options: {}, outputs: {}, contentKeys: {}, encryption: 'CustomerKey', input: [] } },
    { properties: { assetName: 'constructor', streamingPolicyName: 'constructor' } },
    { properties: { assetName: 'a', streamingPolicyName: '__proto__', contentKeys: [null] } },
    { properties: { options: [{ configuration: { '@odata.type': '__proto__' }, restriction: {} }] } },
    {
      properties: {
        input: { '@odata.type': '#Microsoft.Media.JobInputs', inputs: [{ '@odata.type': [] }] },
        outputs: [{}],
      },
    },
    {
      location,
      identity: { type: 'SystemAssigned', userAssignedIdentities: { constructor: null } },
      tags: { constructor: 'a' },
    },
    { location, properties: { storageAccounts: [{}], keyDelivery: { accessControl: 7 } } },
    { name: {} },
    `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  ];
  const names = ['a', 'constructor', '__proto__', '%00', '%2e%2e', 'ä #ß', 'A'.repeat(300)];

  test('hostile input is answered by a 4xx status on every route', async () => {
    await create('target');
    const writing = amsRoutes.filter(({ method }) => method === 'PUT' || method === 'PATCH' || method === 'POST');
    expect(writing.length).toBeGreaterThan(8);
    for (const { method, path } of writing) {
      const version = versionOf(path);
      const at = (name: string, account: string) =>
        `/api/${path}`
          .replace('{subscriptionId}', subscriptionId)
          .replace('{resourceGroupName}', group)
          .replace('{accountName}', account)
          .replaceAll(/\{[^}]+\}/g, encodeURI(name));
      const calls = [
        ...hostile.map(
          (body, n) => [at('a', path.endsWith('{accountName}') ? `hostile-${n}` : 'target'), body] as const,
        ),
        ...names.map((name) => [at(name, 'target'), {}] as const),
      ];
      const answers = await Promise.all(calls.map(([url, body]) => raw(method, url, version, body)));
      for (const [n, { status }] of answers.entries())
        expect({ call: [method, ...(calls[n] ?? [])], isServers: status >= 500 }).toMatchObject({ isServers: false });
    }
  });
});

const versionOf = (path: string): string => {
  if (/transforms/.test(path)) return '2022-07-01';
  return /streamingLocators|contentKeyPolicies/.test(path) ? '2022-08-01' : '2021-11-01';
};
