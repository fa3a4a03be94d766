import { describe, expect, test } from 'vitest';
import { until } from '../../src/local/client.ts';
import { location } from '../../src/local/operator.ts';
import { got, refused, vaultWithKey } from '../app/support.ts';
import { accountPath, group, subscriptionId, thrown, useAms } from './support.ts';

/** Ten minutes in ten seconds: retries are a second apart, the shortest delay of a queue. */
const world = useAms({ KEYWARD_OPERATION_RETRY_SECONDS: '1', KEYWARD_OPERATION_TIMEOUT_SECONDS: '10' });

const encryption = (keyIdentifier: string) => ({
  type: 'CustomerKey',
  keyVaultProperties: { keyIdentifier },
  identity: { useSystemAssignedIdentity: true },
});
const silence = (vault: string) =>
  world.stack.keyVault<{ id: string }>('POST', '/faults', { vault, action: 'status', status: 503, body: 'empty' });
const raw = (method: string, path: string, version: string, body?: unknown) =>
  world.api(method, `${path}?api-version=${version}`, body);
const local = (url: string | null) => (url ?? '').replace('https://keyward.example', '');

/** An operation that waits for the vault, and its links. */
async function waiting(method: string, name: string, body: object) {
  const answer = await got(method === 'PUT' ? 201 : 202, raw(method, accountPath(name), '2021-11-01', body));
  expect(answer.body.properties.provisioningState).toBe('InProgress');
  const status = local(answer.headers.get('azure-asyncoperation'));
  const first = await got(200, world.api('GET', status));
  expect(first.body).toMatchObject({ status: 'InProgress', startTime: expect.any(String) });
  expect(first.headers.get('retry-after')).toBe('1');
  const result = local(answer.headers.get('location'));
  const early = await got(202, world.api('GET', result));
  expect(local(early.headers.get('location'))).toBe(result);
  const ended = () =>
    until(
      'the end of the operation',
      async () => (await world.api('GET', status)).body,
      (seen) => seen.status !== 'InProgress',
      15_000,
    );
  return { ended, result, answer };
}

describe.concurrent('a change that meets a silent vault', () => {
  test('a change that meets a silent vault is retried in the background, and succeeds when the vault answers', async () => {
    const key = await vaultWithKey(world, 'back-kv');
    await got(201, raw('PUT', accountPath('back'), '2021-11-01', { location }));
    const { id } = await silence('back-kv');
    const { ended, result } = await waiting('PATCH', 'back', { properties: { encryption: encryption(key) } });
    await world.stack.keyVault('DELETE', `/faults/${id}`);
    expect(await ended()).toMatchObject({ status: 'Succeeded', endTime: expect.any(String) });
    const { body } = await got(200, world.api('GET', result));
    expect(body.properties.encryption.keyVaultProperties.keyIdentifier).toBe(key);
  });

  test('a change fails when the vault stays silent; the client’s error has cause and remedy, and no account exists', async () => {
    const key = await vaultWithKey(world, 'silent-kv');
    await silence('silent-kv');
    const seen: string[] = [];
    const ams = world.clientOf(subscriptionId, { onAnswer: ({ url }) => void seen.push(url) });
    const error = await thrown(
      ams.mediaservices.beginCreateOrUpdateAndWait(
        group,
        'silent',
        { location, encryption: encryption(key) },
        { updateIntervalInMs: 500 },
      ),
    );
    expect(error.message).toBe(
      'The long-running operation has failed. VaultUnavailable. The vault answered with a server error. No action is needed: the account works again when the vault does. See the Azure status page for the region of silent-kv.',
    );
    expect(await thrown(ams.mediaservices.get(group, 'silent'))).toMatchObject({ statusCode: 404 });
    const status = seen.find((url) => url.includes('OperationStatuses')) ?? '';
    const { pathname, search } = new URL(status.replace('OperationStatuses', 'OperationResults'));
    const result = await refused(503, 'VaultUnavailable', world.api('GET', `${pathname}${search}`));
    expect(result.headers.get('retry-after')).toBe('1');
  });

  test('a deferred change creates the account when the vault answers', async () => {
    const key = await vaultWithKey(world, 'late-kv');
    const { id } = await silence('late-kv');
    const { ams } = world;
    const making = ams.mediaservices.beginCreateOrUpdateAndWait(
      group,
      'late',
      { location, encryption: encryption(key) },
      { updateIntervalInMs: 300 },
    );
    await new Promise((resolve) => setTimeout(resolve, 800));
    await world.stack.keyVault('DELETE', `/faults/${id}`);
    expect((await making).encryption).toMatchObject({ type: 'CustomerKey', status: 'Accessible' });
    expect((await got(200, world.api('GET', '/api/accounts/late'))).body.properties.owner).toBe(subscriptionId);
  });

  test('a deferred change creates no account that was deleted in between', async () => {
    const key = await vaultWithKey(world, 'gone-kv');
    const { id } = await silence('gone-kv');
    const body = { location, properties: { encryption: encryption(key) } };
    const { ended, result } = await waiting('PUT', 'gone', body);
    // It is visible at its path alone, and its name is taken.
    const { properties } = (await got(200, raw('GET', accountPath('gone'), '2021-11-01'))).body;
    expect(properties).toMatchObject({ provisioningState: 'InProgress', encryption: { type: 'CustomerKey' } });
    const listed = async (path: string) =>
      (await got(200, raw('GET', path, '2021-11-01'))).body.value.filter(
        ({ name }: { name: string }) => name === 'gone',
      );
    expect(await listed(accountPath(''))).toMatchObject([{ properties: { provisioningState: 'InProgress' } }]);
    expect(await listed(accountPath('', subscriptionId, 'elsewhere'))).toEqual([]);
    const elsewhere = accountPath('gone', subscriptionId, 'elsewhere');
    await refused(404, 'AccountNotFound', raw('GET', elsewhere, '2021-11-01'));
    await refused(409, 'Conflict', raw('PUT', elsewhere, '2021-11-01', { location }));
    const check = `/api/subscriptions/${subscriptionId}/providers/Microsoft.Media/locations/x/checkNameAvailability`;
    const asked = raw('POST', check, '2021-11-01', { name: 'gone', type: 'Microsoft.Media/mediaservices' });
    expect((await got(200, asked)).body).toMatchObject({ nameAvailable: false, reason: 'AlreadyExists' });
    await got(204, raw('DELETE', accountPath('gone'), '2021-11-01'));
    await refused(404, 'AccountNotFound', raw('GET', accountPath('gone'), '2021-11-01'));
    expect(await listed(accountPath(''))).toEqual([]);
    await world.stack.keyVault('DELETE', `/faults/${id}`);
    expect(await ended()).toMatchObject({ status: 'Failed', error: { code: 'Conflict' } });
    await refused(409, 'Conflict', world.api('GET', result));
    await refused(404, 'AccountNotFound', raw('GET', accountPath('gone'), '2021-11-01'));
  });

  test('a deferred change does not overwrite another change that came in between', async () => {
    const [wanted, other] = [await vaultWithKey(world, 'wanted-kv'), await vaultWithKey(world, 'other-kv')];
    await got(201, raw('PUT', accountPath('overtaken'), '2021-11-01', { location }));
    const { id } = await silence('wanted-kv');
    const { ended, result } = await waiting('PATCH', 'overtaken', { properties: { encryption: encryption(wanted) } });
    await got(
      200,
      raw('PATCH', accountPath('overtaken'), '2021-06-01', { properties: { encryption: encryption(other) } }),
    );
    await world.stack.keyVault('DELETE', `/faults/${id}`);
    expect(await ended()).toMatchObject({ status: 'Failed', error: { code: 'Conflict' } });
    await refused(409, 'Conflict', world.api('GET', result));
    const { body } = await got(200, raw('GET', accountPath('overtaken'), '2021-11-01'));
    expect(body.properties.encryption.keyVaultProperties.keyIdentifier).toBe(other);
  });

  test('a deferred change whose key turns out to be unusable fails with the reason', async () => {
    const key = await vaultWithKey(world, 'curved-kv', {}, { kty: 'EC', curve: 'P-256', size: undefined });
    const { id } = await silence('curved-kv');
    const { ended } = await waiting('PUT', 'curved', { location, properties: { encryption: encryption(key) } });
    await world.stack.keyVault('DELETE', `/faults/${id}`);
    expect(await ended()).toMatchObject({
      status: 'Failed',
      error: {
        code: 'KeyTypeUnsupported',
        message: expect.stringMatching(/RSA/),
        details: [{ code: 'KeyTypeUnsupported' }],
      },
    });
  });

  /** An account under one of two keys of a vault, and the change to the other. */
  async function withTwoKeys(name: string) {
    const vault = `${name}-kv`;
    const own = await vaultWithKey(world, vault);
    await world.stack.keyVault('POST', `/vaults/${vault}/keys/next`, { kty: 'RSA', size: 2048, fixture: 1 });
    await got(201, raw('PUT', accountPath(name), '2021-11-01', { location }));
    const changeTo = (key: string) => ({ properties: { encryption: encryption(key) } });
    await got(200, raw('PATCH', accountPath(name), '2021-06-01', changeTo(own)));
    const disable = () => world.stack.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: false });
    return { vault, disable, change: changeTo(`https://${vault}.vault.azure.net/keys/next`) };
  }

  test('INV-2: a change of an account whose key is denied fails with the cause, and does not wait', async () => {
    const { disable, change } = await withTwoKeys('denied');
    await disable();
    const answer = await refused(
      ...([503, 'CustomerKeyUnreachable'] as const),
      raw('PATCH', accountPath('denied'), '2021-11-01', change),
    );
    expect(JSON.stringify(answer.body)).toContain('KeyDisabled');
  });

  test('INV-2: a change that waits fails when the account’s own key turns out to be denied', async () => {
    const { vault, disable, change } = await withTwoKeys('waits');
    const { id } = await silence(vault);
    const { ended } = await waiting('PATCH', 'waits', change);
    await disable();
    await world.stack.keyVault('DELETE', `/faults/${id}`);
    expect(await ended()).toMatchObject({ status: 'Failed', error: { code: 'CustomerKeyUnreachable' } });
  });

  test('a change that meets a silent vault returns 503 with Retry-After in an API version without operations', async () => {
    const key = await vaultWithKey(world, 'sync-kv');
    await silence('sync-kv');
    const answer = await refused(
      ...([503, 'VaultUnavailable'] as const),
      raw('PUT', accountPath('sync'), '2020-05-01', {
        location,
        properties: { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier: key } } },
      }),
    );
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
