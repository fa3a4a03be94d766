import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { caller, until } from '../../src/local/client.ts';
import { location } from '../../src/local/operator.ts';
import {
  accountOf,
  customerKey,
  got,
  newAccount,
  refused,
  requestsTo,
  rotate,
  spawnInstance,
  useStack,
  vaultWithKey,
  versionOf,
  withCustomerKey,
} from './support.ts';

const world = useStack();

const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

describe('an account', () => {
  test('an account is created by PUT with 201, changed by PUT with 200, read by GET, and deleted by DELETE with 200, then 204', async () => {
    const { api } = world;
    const created = await got(201, api('PUT', '/api/accounts/life', { ...newAccount(), tags: { team: 'media' } }));
    expect(created.body).toEqual({
      id: '/accounts/life',
      name: 'life',
      type: 'Keyward/accounts',
      location: 'westeurope',
      tags: { team: 'media' },
      properties: {
        accountId: expect.stringMatching(guid),
        owner: 'contoso',
        state: 'Enabled',
        provisioningState: 'Succeeded',
        encryption: { type: 'SystemKey', accountKeyGeneration: 1 },
      },
      systemData: { createdAt: expect.any(String), lastModifiedAt: expect.any(String) },
      etag: created.headers.get('etag'),
    });
    expect(await accountOf(api, 'life')).toEqual(created.body);

    const changed = await got(200, api('PUT', '/api/accounts/life', { ...newAccount(), tags: { team: 'other' } }));
    expect(changed.body.tags).toEqual({ team: 'other' });
    expect(changed.body.properties.accountId).toBe(created.body.properties.accountId);

    const deleted = await got(200, api('DELETE', '/api/accounts/life'));
    expect(deleted.body).toBeUndefined();
    await refused(404, 'AccountNotFound', api('GET', '/api/accounts/life'));
    await refused(404, 'AccountNotFound', api('PATCH', '/api/accounts/life', {}));
    await got(204, api('DELETE', '/api/accounts/life'));
  });

  test('an account that is created again under its name is another account', async () => {
    const { api } = world;
    const first = await got(201, api('PUT', '/api/accounts/phoenix', { ...newAccount(), tags: { old: 'yes' } }));
    await got(200, api('DELETE', '/api/accounts/phoenix'));
    const second = await got(201, api('PUT', '/api/accounts/phoenix', newAccount('fabrikam')));
    expect(second.body.properties.accountId).not.toBe(first.body.properties.accountId);
    expect(second.body.etag).not.toBe(first.body.etag);
    expect(second.body).toMatchObject({ tags: {}, properties: { owner: 'fabrikam' } });
    // The ETag of the first account is no condition that the second one meets.
    const headers = { 'if-match': first.body.etag };
    await refused(412, 'PreconditionFailed', api('DELETE', '/api/accounts/phoenix', undefined, headers));
  });

  test('an account keeps the letter case of its name, and every other case finds it', async () => {
    const { api } = world;
    const created = await got(201, api('PUT', '/api/accounts/CamelCase', newAccount()));
    expect(created.body).toMatchObject({ id: '/accounts/CamelCase', name: 'CamelCase' });
    expect(await accountOf(api, 'CAMELCASE')).toEqual(created.body);
    const changed = await got(200, api('PUT', '/api/accounts/camelcase', { tags: { a: 'b' } }));
    expect(changed.body.name).toBe('CamelCase');
    await got(200, api('PATCH', '/api/accounts/cAmElCaSe', { tags: {} }));
    const { body } = await got(200, api('GET', '/api/accounts'));
    expect(body.value.filter((one: { name: string }) => one.name.toLowerCase() === 'camelcase')).toHaveLength(1);
    await got(200, api('DELETE', '/api/accounts/CAMELcase'));
    await refused(404, 'AccountNotFound', api('GET', '/api/accounts/CamelCase'));
  });

  // U+212A, the Kelvin sign, is `k` in lower case: such a name looks like another one and is not.
  test('an account name cannot contain letters that become ASCII only in lower case', async () => {
    await refused(
      400,
      'InvalidParameter',
      world.api('PUT', `/api/accounts/${encodeURIComponent('\u212Aelvin')}`, newAccount()),
    );
    await refused(404, 'AccountNotFound', world.api('GET', '/api/accounts/kelvin'));
  });

  test('an account needs owner and location at creation, and never changes them', async () => {
    const { api } = world;
    const noOwner = await refused(400, 'InvalidRequestContent', api('PUT', '/api/accounts/fixed', { location }));
    expect(noOwner.body.error.target).toBe('properties.owner');
    const noPlace = await refused(
      400,
      'InvalidRequestContent',
      api('PUT', '/api/accounts/fixed', { properties: { owner: 'contoso' } }),
    );
    expect(noPlace.body.error.target).toBe('location');
    const { body: created } = await got(201, api('PUT', '/api/accounts/fixed', newAccount()));
    for (const method of ['PUT', 'PATCH']) {
      const owner = { properties: { owner: 'fabrikam' } };
      const other = await refused(400, 'PropertyNotChangeable', api(method, '/api/accounts/fixed', owner));
      expect(other.body.error.target).toBe('properties.owner');
      const moved = await refused(
        400,
        'PropertyNotChangeable',
        api(method, '/api/accounts/fixed', { location: 'northeurope', tags: { new: 'tag' } }),
      );
      expect(moved.body.error.target).toBe('location');
    }
    expect(await accountOf(api, 'fixed')).toEqual(created);
  });

  // Azure Resource Manager: "West Europe" and "westeurope" are one location.
  test('an account accepts its location in either spelling', async () => {
    const { api } = world;
    const { body: created } = await got(201, api('PUT', '/api/accounts/spelling', newAccount()));
    await got(200, api('PUT', '/api/accounts/spelling', { ...newAccount(), location: 'WESTEUROPE' }));
    await got(200, api('PUT', '/api/accounts/spelling', { ...newAccount(), location: 'West Europe' }));
    expect(await accountOf(api, 'spelling')).toEqual(created);
  });

  test('a call that names tags replaces all of them, and a call without tags keeps them', async () => {
    const { api } = world;
    await got(201, api('PUT', '/api/accounts/tagged', { ...newAccount(), tags: { a: '1', b: '2' } }));
    await got(200, api('PATCH', '/api/accounts/tagged', { properties: { owner: 'contoso' } }));
    expect((await accountOf(api, 'tagged')).tags).toEqual({ a: '1', b: '2' });
    await got(200, api('PUT', '/api/accounts/tagged', newAccount()));
    expect((await accountOf(api, 'tagged')).tags).toEqual({ a: '1', b: '2' });
    await got(200, api('PATCH', '/api/accounts/tagged', { tags: { c: '3' } }));
    expect((await accountOf(api, 'tagged')).tags).toEqual({ c: '3' });
    await got(200, api('PATCH', '/api/accounts/tagged', { tags: {} }));
    expect((await accountOf(api, 'tagged')).tags).toEqual({});
  });

  // A table property holds 32 Ki characters, and the whole account is in one: so all tags together have a limit.
  test('an account takes fifty tags of moderate length, and rejects tags that are too long together', async () => {
    const { api } = world;
    const tagsOf = (name: number, value: number) =>
      Object.fromEntries(
        Array.from({ length: 50 }, (_, index) => [String(index).padEnd(name, 'n'), '\u{1F511}'.repeat(value / 2)]),
      );
    await got(201, api('PUT', '/api/accounts/many-tags', { ...newAccount(), tags: tagsOf(60, 80) }));
    expect((await accountOf(api, 'many-tags')).tags).toEqual(tagsOf(60, 80));
    const tooLong = await refused(
      400,
      'InvalidRequestContent',
      api('PATCH', '/api/accounts/many-tags', { tags: tagsOf(512, 256) }),
    );
    expect(tooLong.body.error.target).toBe('tags');
    expect((await accountOf(api, 'many-tags')).tags).toEqual(tagsOf(60, 80));
  });

  test('an account that was read can be sent back unchanged, and nothing changes', async () => {
    const { api } = world;
    const key = await vaultWithKey(world, 'roundtrip-kv');
    await got(201, api('PUT', '/api/accounts/round-system', { ...newAccount(), tags: { a: 'b' } }));
    await got(201, api('PUT', '/api/accounts/round-customer', withCustomerKey('roundtrip', key)));
    for (const name of ['round-system', 'round-customer']) {
      const read = await accountOf(api, name);
      for (const method of ['PUT', 'PATCH']) {
        const sent = await got(200, api(method, `/api/accounts/${name}`, read, { 'if-match': read.etag }));
        expect(sent.body, method).toEqual(read);
      }
    }
  });

  test('an account that two callers create simultaneously is created once', async () => {
    const { api } = world;
    const answers = await Promise.all([1, 2, 3].map(() => api('PUT', '/api/accounts/twins', newAccount())));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
    expect(new Set(answers.map(({ body }) => body.properties.accountId)).size).toBe(1);
    const only = { 'if-none-match': '*' };
    const strict = await Promise.all([1, 2, 3].map(() => api('PUT', '/api/accounts/triplets', newAccount(), only)));
    expect(strict.map(({ status }) => status).sort()).toEqual([201, 412, 412]);
  });
});

describe('conditions', () => {
  test('INV-7: If-Match admits only the writer that has seen the latest state', async () => {
    const { api } = world;
    const path = '/api/accounts/matched';
    const { headers, body } = await got(201, api('PUT', path, newAccount()));
    const first = headers.get('etag') ?? '';
    expect(first).toMatch(/^"[^"]+"$/);
    expect(body.etag).toBe(first);

    const changed = await got(200, api('PATCH', path, { tags: { a: '1' } }, { 'if-match': first }));
    const second = changed.headers.get('etag') ?? '';
    expect(second).not.toBe(first);
    for (const [method, input] of [
      ['PUT', { tags: { lost: 'update' } }],
      ['PATCH', { tags: { lost: 'update' } }],
      ['DELETE', undefined],
    ] as const) {
      const late = await refused(412, 'PreconditionFailed', api(method, path, input, { 'if-match': first }));
      expect(late.body.error.target).toBe('If-Match');
    }
    expect(await accountOf(api, 'matched')).toEqual(changed.body);
    await got(200, api('PATCH', path, { tags: {} }, { 'if-match': '*' }));
    const { etag } = await accountOf(api, 'matched');
    await got(200, api('DELETE', path, undefined, { 'if-match': etag }));
    await refused(412, 'PreconditionFailed', api('PUT', path, newAccount(), { 'if-match': '*' }));
    await refused(404, 'AccountNotFound', api('GET', path));
  });

  test('INV-7: of writers that race with one ETag exactly one wins, and the others get 412', async () => {
    const { api } = world;
    const path = '/api/accounts/raced';
    const { body } = await got(201, api('PUT', path, newAccount()));
    const condition = { 'if-match': body.etag };
    const writers = ['a', 'b', 'c', 'd'];
    const answers = await Promise.all(writers.map((by) => api('PATCH', path, { tags: { by } }, condition)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412]);
    const winner = writers[answers.findIndex(({ status }) => status === 200)];
    expect((await accountOf(api, 'raced')).tags).toEqual({ by: winner });
  });

  test('simultaneous writers without a condition all succeed, one after the other', async () => {
    const { api } = world;
    await got(201, api('PUT', '/api/accounts/unconditional', newAccount()));
    const writers = Array.from({ length: 24 }, (_, n) => String(n));
    const answers = await Promise.all(
      writers.map((by) => api('PATCH', '/api/accounts/unconditional', { tags: { by } })),
    );
    expect(answers.map(({ status }) => status)).toEqual(writers.map(() => 200));
  });

  test('If-None-Match: * creates an account, and never replaces one', async () => {
    const { api } = world;
    const only = { 'if-none-match': '*' };
    await got(201, api('PUT', '/api/accounts/fresh', newAccount(), only));
    const again = await refused(412, 'PreconditionFailed', api('PUT', '/api/accounts/fresh', newAccount(), only));
    expect(again.body.error.target).toBe('If-None-Match');
  });

  test('the ETag of an account stays until the account changes', async () => {
    const { api } = world;
    await got(201, api('PUT', '/api/accounts/calm', newAccount()));
    const one = await api('GET', '/api/accounts/calm');
    await got(200, api('PUT', '/api/accounts/calm', newAccount()));
    await got(200, api('PATCH', '/api/accounts/calm', {}));
    const two = await api('GET', '/api/accounts/calm');
    expect(two.headers.get('etag')).toBe(one.headers.get('etag'));
    expect(two.body).toEqual(one.body);
  });
});

describe('LIST', () => {
  const namesOf = (body: { value: { name: string }[] }) => body.value.map(({ name }) => name);

  test('LIST returns all accounts by absolute next links, each account once, in a stable order', async () => {
    const { api, stack } = world;
    const names = ['Page-G', 'page-a', 'page-F', 'page-b', 'page-E', 'page-c', 'page-d'];
    for (const name of names) await got(201, api('PUT', `/api/accounts/${name}`, newAccount()));
    const whole = (await got(200, api('GET', '/api/accounts?$top=100'))).body;
    expect(whole.nextLink).toBeUndefined();
    expect(namesOf(whole).filter((name) => name.toLowerCase().startsWith('page-'))).toEqual([
      'page-a',
      'page-b',
      'page-c',
      'page-d',
      'page-E',
      'page-F',
      'Page-G',
    ]);

    const seen: string[] = [];
    let link: string | undefined = `${stack.host.url}/api/accounts?$top=3`;
    for (let page = 0; link !== undefined && page < 50; page++) {
      expect(link.startsWith(`${stack.host.url}/api/accounts?`)).toBe(true);
      const { body } = await got(200, api('GET', link));
      expect(body.value.length).toBeLessThanOrEqual(3);
      seen.push(...namesOf(body));
      link = body.nextLink;
    }
    expect(seen).toEqual(namesOf(whole));
    const [first] = whole.value;
    expect(first).toEqual(await accountOf(api, first.name));
  });

  test('LIST continues after an account that was deleted between two pages', async () => {
    const { api } = world;
    for (const name of ['gone-1', 'gone-2', 'gone-3'])
      await got(201, api('PUT', `/api/accounts/${name}`, newAccount()));
    const { body } = await got(200, api('GET', '/api/accounts?$top=1&$skipToken=gone-0'));
    expect(namesOf(body)).toEqual(['gone-1']);
    await got(200, api('DELETE', '/api/accounts/gone-1'));
    expect(namesOf((await got(200, api('GET', body.nextLink))).body)).toEqual(['gone-2']);
  });

  test('LIST makes its next link below KEYWARD_PUBLIC_BASE_URL with its path, when that is set', async () => {
    const { api } = world;
    process.env.KEYWARD_PUBLIC_BASE_URL = 'https://gateway.example/keyward/';
    try {
      const { body } = await got(200, api('GET', '/api/accounts?$top=1'));
      expect(body.nextLink).toMatch(/^https:\/\/gateway\.example\/keyward\/api\/accounts\?\$top=1&\$skipToken=/);
    } finally {
      delete process.env.KEYWARD_PUBLIC_BASE_URL;
    }
  });
});

describe('every answer', () => {
  test('every response carries a new x-ms-request-id', async () => {
    const { api } = world;
    const path = '/api/accounts/request-ids';
    const answers = [
      await got(201, api('PUT', path, newAccount())),
      await got(200, api('PUT', path, newAccount())),
      await got(200, api('GET', path)),
      await got(200, api('PATCH', path, {})),
      await got(200, api('GET', '/api/accounts')),
      await refused(412, 'PreconditionFailed', api('PUT', path, {}, { 'if-none-match': '*' })),
      await refused(400, 'InvalidRequestContent', api('PUT', path, 'no json')),
      await got(200, api('DELETE', path)),
      await got(204, api('DELETE', path)),
      await refused(404, 'AccountNotFound', api('GET', path)),
    ];
    const ids = answers.map(({ headers }) => headers.get('x-ms-request-id'));
    for (const id of ids) expect(id).toMatch(guid);
    expect(new Set(ids).size).toBe(answers.length);
  });
});

describe('the customer key of an account', () => {
  test('the customer key of an account stays through a PUT without encryption', async () => {
    const { api } = world;
    const key = await vaultWithKey(world, 'stays-kv');
    const { body: created } = await got(201, api('PUT', '/api/accounts/stays', withCustomerKey('stays', key)));
    const asked = (await requestsTo(world, 'stays-kv')).length;
    const { body: after } = await got(
      200,
      api('PUT', '/api/accounts/stays', { ...newAccount('stays'), tags: { a: 'b' } }),
    );
    expect(after.properties.encryption).toEqual(created.properties.encryption);
    expect(after.tags).toEqual({ a: 'b' });
    expect((await requestsTo(world, 'stays-kv')).length).toBe(asked);
  });

  test('INV-12: an account can leave its customer key for SystemKey and return, each time with a remote unwrap', async () => {
    const { api, stack } = world;
    const key = await vaultWithKey(world, 'back-kv');
    const { body: created } = await got(201, api('PUT', '/api/accounts/back', withCustomerKey('back', key)));
    expect(created.properties.encryption).toMatchObject({ type: 'CustomerKey', accountKeyGeneration: 1 });
    const system = { properties: { encryption: { type: 'SystemKey' } } };

    await stack.keyVault('POST', '/faults', { vault: 'back-kv', action: 'status', status: 503, body: 'empty' });
    const down = await refused(503, 'CustomerKeyUnreachable', api('PATCH', '/api/accounts/back', system));
    expect(Number(down.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await accountOf(api, 'back')).etag).toBe(created.etag);
    await stack.keyVault('DELETE', '/faults');

    const unwraps = (await requestsTo(world, 'back-kv', 'unwrapkey')).length;
    const { body: left } = await got(200, api('PATCH', '/api/accounts/back', system));
    expect(left.properties.encryption).toMatchObject({ type: 'SystemKey' });
    expect(left.properties.encryption).not.toHaveProperty('keyVaultProperties');
    expect((await requestsTo(world, 'back-kv', 'unwrapkey')).length).toBe(unwraps + 1);

    const { body: again } = await got(200, api('PATCH', '/api/accounts/back', customerKey(key)));
    expect(again.properties.encryption).toMatchObject({ type: 'CustomerKey', status: 'Accessible' });
    expect(again.properties.encryption.accountKeyGeneration).toBeGreaterThan(
      left.properties.encryption.accountKeyGeneration,
    );
    expect(again.properties.accountId).toBe(created.properties.accountId);
  });

  test('an account shows the key identifier as the customer wrote it, and the version in use', async () => {
    const { api } = world;
    await vaultWithKey(world, 'written-kv');
    const written = 'https://Written-KV.vault.azure.net/keys/CMK';
    const { body } = await got(201, api('PUT', '/api/accounts/written', withCustomerKey('written', written)));
    const { encryption } = body.properties;
    expect(encryption.keyVaultProperties.keyIdentifier).toBe(written);
    expect(encryption.keyVaultProperties.currentKeyIdentifier.toLowerCase()).toMatch(
      /^https:\/\/written-kv\.vault\.azure\.net\/keys\/cmk\/[0-9a-f]{32}$/,
    );
    expect(encryption).toMatchObject({
      identity: { useSystemAssignedIdentity: true },
      status: 'Accessible',
      warnings: [],
    });
    expect(encryption).not.toHaveProperty('cause');
  });

  test('a pinned account stays on its version and warns of a newer one; a versionless one uses the latest version', async () => {
    const { api, stack } = world;
    const key = await vaultWithKey(world, 'pinned-kv');
    await got(201, api('PUT', '/api/accounts/follows', withCustomerKey('pinned', key)));
    const old = await versionOf(api, 'follows');
    await got(201, api('PUT', '/api/accounts/pinned', withCustomerKey('pinned', `${key}/${old}`)));
    const latest = await rotate(world, 'pinned-kv');
    expect(latest).not.toBe(old);
    await until(
      'the follower is on the new version',
      () => versionOf(api, 'follows'),
      (version) => version === latest,
    );
    const { encryption } = (await accountOf(api, 'pinned')).properties;
    expect(encryption.keyVaultProperties.currentKeyIdentifier).toBe(`${key}/${old}`);
    expect(encryption.warnings).toEqual([{ code: 'NewerVersionAvailable', keyVersion: latest }]);

    // A new account uses the latest version. The pinned one can be unpinned, and pinned again.
    await got(201, api('PUT', '/api/accounts/newcomer', withCustomerKey('pinned', key)));
    expect(await versionOf(api, 'newcomer')).toBe(latest);
    const freed = await got(200, api('PATCH', '/api/accounts/pinned', customerKey(key)));
    expect(freed.body.properties.encryption).toMatchObject({ warnings: [] });
    expect(await versionOf(api, 'pinned')).toBe(latest);
    await got(200, api('PATCH', '/api/accounts/pinned', customerKey(`${key}/${old}`)));
    expect(await versionOf(api, 'pinned')).toBe(old);
    await stack.host.invokeTimer('sweep');
  });

  test('an account accepts a customer key of each size and kind of RSA', async () => {
    const { api } = world;
    for (const [index, key] of [{ size: 3072 }, { size: 4096 }, { kty: 'RSA-HSM', size: 2048 }].entries()) {
      const identifier = await vaultWithKey(world, `sizes-${index}-kv`, {}, key);
      await got(201, api('PUT', `/api/accounts/sizes-${index}`, withCustomerKey('sizes', identifier)));
    }
  });

  test('all accounts of an owner can use one customer key', async () => {
    const { api } = world;
    const key = await vaultWithKey(world, 'shared-kv');
    for (const name of ['shared-1', 'shared-2', 'shared-3'])
      await got(201, api('PUT', `/api/accounts/${name}`, withCustomerKey('shared', key)));
    await got(200, api('DELETE', '/api/accounts/shared-2'));
    await got(201, api('PUT', '/api/accounts/shared-2', withCustomerKey('shared', key)));
    for (const name of ['shared-1', 'shared-2', 'shared-3'])
      expect((await accountOf(api, name)).properties.encryption.status).toBe('Accessible');
  });
});

/** Table storage that never answers one kind of request: its sender waits, and can be killed there. */
async function stuckTables(target: string, isStuck: (method: string, path: string) => boolean) {
  const { hostname, port } = new URL(target);
  let reached: () => void = () => undefined;
  const stuck = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const server: Server = createServer((incoming, outgoing) => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    if (isStuck(method, path)) return reached();
    const onward = forward({ hostname, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${new URL(target).pathname}`;
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url, stuck, stop };
}

describe('a delete whose process died half-way', () => {
  test('a delete whose process died half-way is finished by the next creation of the account, and LIST has the new one', async () => {
    const { api, stack } = world;
    await got(201, api('PUT', '/api/accounts/half-gone', newAccount()));
    const { tableUrl } = stack.azurite;
    const proxy = await stuckTables(tableUrl, (method, path) => method === 'DELETE' && /directory/i.test(path));
    const settings = {
      ...stack.settings,
      AzureWebJobsStorage: stack.azurite.connectionString.replace(tableUrl, proxy.url),
    };
    const dying = await spawnInstance(world, settings);
    try {
      const remote = caller(dying.url, { 'x-functions-key': dying.keys.function });
      const lost = remote('DELETE', '/api/accounts/half-gone').catch(() => undefined);
      await proxy.stuck;
      await dying.kill();
      await lost;
    } finally {
      await dying.kill();
      proxy.stop();
    }
    await refused(404, 'AccountNotFound', api('GET', '/api/accounts/half-gone'));
    await got(201, api('PUT', '/api/accounts/half-gone', newAccount('fabrikam')));
    const { body } = await got(200, api('GET', '/api/accounts?$top=1&$skipToken=half-gond'));
    expect(body.value.map((one: { name: string }) => one.name)).toEqual(['half-gone']);
  });
});
