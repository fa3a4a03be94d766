/** The version of Keyward's own API, and that a client made from the OpenAPI document can send back what it read. */
import createClient from 'openapi-fetch';
import { beforeAll, describe, expect, test } from 'vitest';
import type { components, paths } from '../../packages/client/src/generated/openapi.d.ts';
import { caller } from '../../src/local/client.ts';
import { got, newAccount, refused, useStack, vaultWithKey, withCustomerKey } from './support.ts';

const world = useStack();
const version = 'api-version=2026-11-28';
const contentKey = '9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001';

beforeAll(async () => {
  const { api } = world;
  const key = await vaultWithKey(world, 'films-kv');
  await got(201, api('PUT', '/api/accounts/films', { ...withCustomerKey('contoso', key), tags: { team: 'media' } }));
  await got(201, api('PUT', '/api/accounts/series', newAccount('contoso')));
  for (const name of ['one', 'two'])
    await got(201, api('PUT', `/api/accounts/films/tokenKeys/${name}`, { properties: { keyValue: 'AAECAw==' } }));
  const files = ['https://a.example/b?sig=c'];
  await got(201, api('PUT', '/api/accounts/films/jobInputs/trailer', { properties: { files, label: 'first' } }));
  const label = { labelReferenceInStreamingPolicy: 'cenc' };
  await got(201, api('PUT', `/api/accounts/films/contentKeys/${contentKey}`, { properties: { length: 32, ...label } }));
});

describe('api-version', () => {
  test.each([
    ['a call on an account', '/api/accounts/films'],
    ['a call of the operator', '/api/operator/accounts'],
  ])('%s that names the newest version, or none, gets it, and the answer names it', async (_, path) => {
    for (const query of ['', `?${version}`]) {
      const { headers } = await got(200, world.api('GET', path + query));
      expect(headers.get('x-ms-version')).toBe('2026-11-28');
    }
  });

  test('a call with a customer’s link takes a version too', async () => {
    const { body } = await got(201, world.api('POST', '/api/operator/owners/contoso/links', { hours: 1 }));
    const customer = caller(world.stack.host.url, { authorization: `Bearer ${new URL(body.address).hash.slice(1)}` });
    const { headers } = await got(200, customer('GET', `/api/customer/keys?${version}`));
    expect(headers.get('x-ms-version')).toBe('2026-11-28');
    await refused(400, 'UnsupportedApiVersionValue', customer('GET', '/api/customer/keys?api-version=2020-01-01'));
  });

  test.each(['2020-01-01', '2026-11-29', '', '2026-11-28-preview'])(
    'a call that names the version "%s", which does not exist, gets 400 with the supported ones',
    async (wanted) => {
      const call = world.api('GET', `/api/accounts/films?api-version=${wanted}`);
      const { body, headers } = await refused(400, 'UnsupportedApiVersionValue', call);
      expect(body.error).toMatchObject({
        target: 'api-version',
        message: `Unsupported api-version '${wanted}'. The supported api-versions are '2026-11-28'.`,
      });
      expect(headers.get('x-ms-version')).toBe('2026-11-28');
    },
  );

  test('a call that names a version twice, or has an unknown parameter beside it, gets 400 and changes nothing', async () => {
    const call = (query: string) => world.api('PATCH', `/api/accounts/films?${query}`, { tags: {} });
    await refused(400, 'InvalidParameter', call(`${version}&${version}`));
    await refused(400, 'InvalidParameter', call(`${version}&owner=contoso`));
    await refused(400, 'UnsupportedApiVersionValue', call('api-version=2020-01-01'));
    expect((await world.api('GET', '/api/accounts/films')).body.tags).toEqual({ team: 'media' });
  });

  test.each([
    '/api/accounts?$top=1',
    '/api/accounts/films/tokenKeys?$top=1',
    '/api/operator/accounts?$top=1',
    '/api/operator/accounts/films/audit?$top=1',
    '/api/operator/timeline?$top=1',
  ])('the next link of %s names the version of the call, and none when the call named none', async (path) => {
    const nextOf = async (query: string) => {
      const { body } = await got(200, world.api('GET', path + query));
      return new URL(body.nextLink).searchParams.getAll('api-version');
    };
    expect(await nextOf(`&${version}`)).toEqual(['2026-11-28']);
    expect(await nextOf('')).toEqual([]);
  });

  test('the address in Location names the version of the call', async () => {
    const keyIdentifier = 'https://films-kv.vault.azure.net/keys/cmk';
    const { headers } = await got(202, world.api('POST', `/api/operator/rewraps?${version}`, { keyIdentifier }));
    expect(new URL(headers.get('location') ?? '').searchParams.get('api-version')).toBe('2026-11-28');
  });

  test.each(['/api/health/live', '/api/keyStatus/jwks', '/api/audit/jwks'])(
    'GET %s, whose form others define, has no version',
    async (path) => {
      const { headers } = await got(200, world.api('GET', `${path}?api-version=any`));
      expect(headers.get('x-ms-version')).toBeNull();
    },
  );
});

describe('a client made from the document', () => {
  const client = () =>
    createClient<paths>({
      baseUrl: world.stack.host.url,
      headers: { 'x-functions-key': world.stack.host.keys.function },
      querySerializer: { array: { style: 'form', explode: true } },
    });
  const query = { 'api-version': '2026-11-28' } as const;

  test('a client made from the document sends back each kind of resource as it read it, and changes nothing', async () => {
    const account = { query, path: { accountName: 'films' } };
    const read = (await client().GET('/api/accounts/{accountName}', { params: account })).data;
    const before = JSON.stringify(await revealed());
    const answers = [
      await client().PUT('/api/accounts/{accountName}', { params: account, body: read ?? {} }),
      await client().PATCH('/api/accounts/{accountName}', { params: account, body: read ?? {} }),
    ].map(({ data, response }) => [response.status, settled(data)]);
    expect(read?.properties.encryption.type).toBe('CustomerKey');
    expect(answers).toEqual(Array(2).fill([200, settled(read)]));

    const secrets = [
      ['tokenKeys', 'one'],
      ['jobInputs', 'trailer'],
    ] as const;
    for (const [kind, name] of secrets) {
      const params = { query, path: { ...account.path, name } };
      const path = `/api/accounts/{accountName}/${kind}/{name}` as const;
      const { data } = await client().GET(path, { params });
      const { data: after, response } = await client().PUT(path, { params, body: data ?? {} });
      expect([response.status, after]).toEqual([200, data]);
    }
    const params = { query, path: { ...account.path, id: contentKey } };
    const { data } = await client().GET('/api/accounts/{accountName}/contentKeys/{id}', { params });
    const sent = await client().PUT('/api/accounts/{accountName}/contentKeys/{id}', { params, body: data ?? {} });
    expect([sent.response.status, sent.data]).toEqual([200, data]);
    expect(JSON.stringify(await revealed())).toBe(before);
  });

  test('a client made from the document cannot change by a PUT what only the service sets: Keyward ignores it', async () => {
    const params = { query, path: { accountName: 'series' } };
    const { data } = await client().GET('/api/accounts/{accountName}', { params });
    const forged: components['schemas']['AccountInput'] = {
      ...data,
      id: '/accounts/films',
      name: 'films',
      etag: '"x"',
      systemData: {},
      properties: { ...data?.properties, accountId: contentKey, state: 'PendingDeletion', provisioningState: 'Failed' },
    };
    const { data: after } = await client().PUT('/api/accounts/{accountName}', { params, body: forged });
    expect([after?.id, after?.name, after?.properties]).toEqual([data?.id, data?.name, data?.properties]);
  });

  /** What a PUT could change. The times of the key's checks change at any moment. */
  const settled = (account: components['schemas']['Account'] | undefined) => {
    const { encryption, ...properties } = account?.properties ?? {};
    const { type, accountKeyGeneration } = encryption ?? {};
    const key = encryption?.type === 'CustomerKey' ? [encryption.keyVaultProperties, encryption.identity] : [];
    return { tags: account?.tags, location: account?.location, properties, type, accountKeyGeneration, key };
  };

  const revealed = async () => {
    const resolved = await world.api('POST', '/api/accounts/films/jobInputs/trailer/resolve');
    const all = await Promise.all(
      ['tokenKeys', 'contentKeys'].map((kind) => world.api('POST', `/api/accounts/films/${kind}/reveal`)),
    );
    return [resolved, ...all].map(({ status, body }) => [status, body]);
  };
});
