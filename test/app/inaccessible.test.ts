import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChildHost } from '../../packages/functions-host/src/child.ts';
import type { Route } from '../../src/functions/pipeline/route.ts';
import { routes } from '../../src/functions/routes.ts';
import { type Caller, caller } from '../../src/local/client.ts';
import { operatorToken } from '../../src/local/operator.ts';
import { oneIn } from '../exhaustive.ts';
import {
  accountOf,
  got,
  newAccount,
  refused,
  requestsTo,
  spawnInstance,
  sweepOnce,
  sweptUntil,
  useStack,
  vaultWithKey,
  withCustomerKey,
} from './support.ts';

/**
 * The same rules as in production. Only the looks that confirm a denial have a message of their own. All others happen
 * when the tests sweep, so that a slow machine has no additional looks.
 */
const world = useStack({
  settings: {
    // Tokens, because the routes of Azure Media Services' clients accept nothing else.
    KEYWARD_AUTH: 'entra',
    KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.2',
    KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '60',
    KEYWARD_LOOK_SPACING_SECONDS: '0.2',
    KEYWARD_CONFIRM_KEY_NOT_FOUND_SECONDS: '0.5',
    KEYWARD_CONFIRM_PERMISSION_SECONDS: '0.5',
    KEYWARD_CONFIRM_VAULT_NOT_FOUND_SECONDS: '0.5',
  },
});

let second: ChildHost | undefined;
let other: Caller;

beforeAll(async () => {
  const key = await vaultWithKey(world, 'locked-kv');
  for (const name of ['locked', 'locked-2'])
    await got(201, world.api('PUT', `/api/accounts/${name}`, placed(withCustomerKey('locked', key))));
  await got(201, world.api('PUT', '/api/accounts/free', newAccount()));
  second = await spawnInstance(world);
  other = caller(second.url, { authorization: `Bearer ${await operatorToken(world.stack.identity)}` });
});
afterAll(() => second?.stop());

const setEnabled = (vault: string, enabled: boolean) =>
  world.stack.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled });

// biome-ignore lint/suspicious/noExplicitAny: the account's JSON, as a caller sees it.
const isInaccessible = (account: any) => account.properties.state === 'CustomerKeyInaccessible';
// biome-ignore lint/suspicious/noExplicitAny: the account's JSON, as a caller sees it.
const isEnabled = (account: any) => account.properties.state === 'Enabled';

async function lock(name: string, vault: string) {
  await setEnabled(vault, false);
  return sweptUntil(world, name, isInaccessible);
}

/** The properties that callers write. The ETag also changes when the account's audit gets the verdict. */
// biome-ignore lint/suspicious/noExplicitAny: the account's JSON, as a caller sees it.
const inputOf = ({ tags, location, properties: { owner, encryption } }: any) => {
  const { type, keyVaultProperties, identity } = encryption;
  return { tags, location, owner, type, keyVaultProperties, identity };
};

/** A path on the routes of Azure Media Services as well. */
const place = { subscriptionId: '5b1c7c1e-53a1-4a67-9d0f-0c6d3d1f0a01', resourceGroupName: 'locked-rg' };
const placed = <Properties extends object>(input: { readonly location: string; readonly properties: Properties }) => ({
  ...input,
  properties: { ...input.properties, ...place },
});

const armVersion = (path: string) => {
  if (/transforms/.test(path)) return '?api-version=2022-07-01';
  return /streamingLocators|contentKeyPolicies/.test(path) ? '?api-version=2022-08-01' : '?api-version=2021-11-01';
};

/** An operation of the account that a client of Azure Media Services follows. */
let operationId = '';

/** A call on this route and account that would succeed if the account were accessible. */
function callOn(api: Caller, { method, path }: Route, account: string) {
  const known = { ...place, accountName: account, operationId };
  const filled = Object.entries(known).reduce((text, [name, value]) => text.replace(`{${name}}`, value), path);
  const url = `/api/${filled.replace(/\{[^}]+\}/g, 'something')}${/Media/.test(path) ? armVersion(path) : ''}`;
  return api(method, url, method === 'GET' || method === 'DELETE' ? undefined : { tags: { by: method } });
}

const pathOfAccount = (name: string) =>
  `subscriptions/${place.subscriptionId}/resourceGroups/${place.resourceGroupName}/providers/Microsoft.Media/mediaservices/${name}`;

const accountRoutes = routes.filter(({ scope }) => scope === 'account');
const armSubscription = 'subscriptions/{subscriptionId}';
const armGroup = `${armSubscription}/resourceGroups/{resourceGroupName}/providers/Microsoft.Media/mediaservices`;
const armLocation = `${armSubscription}/providers/Microsoft.Media/locations/{locationName}`;
/** INV-3 in its own words, not in those of the route table. Following an operation is a GET of its account. */
const passing = [
  'GET accounts',
  'GET accounts/{accountName}',
  'DELETE accounts/{accountName}',
  `GET ${armGroup}`,
  `GET ${armSubscription}/providers/Microsoft.Media/mediaservices`,
  `GET ${armGroup}/{accountName}`,
  `DELETE ${armGroup}/{accountName}`,
  `GET ${armSubscription}/providers/Microsoft.Media/mediaservices/{accountName}`,
  `GET ${armLocation}/mediaServicesOperationStatuses/{operationId}`,
  `GET ${armLocation}/mediaServicesOperationResults/{operationId}`,
];

describe('INV-3: in the Customer Key Inaccessible state', () => {
  test('INV-3: the test of all routes covers reads, changes and deletes of accounts', () => {
    const seen = accountRoutes.map(({ method, path }) => `${method} ${path}`);
    expect(seen).toEqual(
      expect.arrayContaining([
        ...passing,
        'PUT accounts/{accountName}',
        'PATCH accounts/{accountName}',
        `PUT ${armGroup}/{accountName}`,
        `PATCH ${armGroup}/{accountName}`,
        `POST ${armGroup}/{accountName}/streamingLocators/{streamingLocatorName}/listContentKeys`,
        `GET ${armGroup}/{accountName}/{*unknown}`,
      ]),
    );
  });

  test('INV-3: of all routes on accounts exactly GET, LIST and DELETE work; all others are refused with cause, since and remedy', async () => {
    const { api } = world;
    const changed = await got(
      202,
      api('PATCH', `/api/${pathOfAccount('locked')}?api-version=2021-11-01`, { tags: {} }),
    );
    operationId = /Statuses\/([^?]+)/.exec(changed.headers.get('azure-asyncoperation') ?? '')?.[1] ?? '';
    const seen = await lock('locked', 'locked-kv');
    const { since } = seen.properties.encryption;
    const before = await accountOf(api, 'locked');
    const passed: string[] = [];
    // The delete comes last: after it there is no account.
    const isLast = ({ method, path }: Route) => Number(method === 'DELETE' && path.endsWith('/{accountName}'));
    const order = accountRoutes.toSorted((a, b) => isLast(a) - isLast(b));
    for (const route of order) {
      const answer = await callOn(api, route, 'locked');
      const what = `${route.method} ${route.path}`;
      if (answer.status < 400) {
        passed.push(what);
        continue;
      }
      expect({ what, status: answer.status, code: answer.body.error.code }).toEqual({
        what,
        status: 403,
        code: 'CustomerKeyInaccessible',
      });
      expect(answer.body.error.additionalInfo).toEqual([
        {
          type: 'Keyward',
          info: {
            cause: 'KeyDisabled',
            since,
            remedy: expect.stringContaining('--vault-name locked-kv --name cmk'),
            whoActs: 'customer',
            ...(route.role === 'DataKeys.Use' ? { keyStatus: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) } : {}),
          },
        },
      ]);
      expect(answer.body.error.message).toContain(since);
      expect(answer.headers.get('x-ms-request-id')).toMatch(/\S/);
      expect(inputOf(await accountOf(api, 'locked'))).toEqual(inputOf(before));
    }
    expect(passed.sort()).toEqual(passing.toSorted());
    await refused(404, 'AccountNotFound', api('GET', '/api/accounts/locked'));
  });

  test('INV-3: every body is refused equally: valid, invalid, back to the system key, or to another key', async () => {
    const { api } = world;
    await lock('locked-2', 'locked-kv');
    const spare = await vaultWithKey(world, 'spare-kv');
    const before = await accountOf(api, 'locked-2');
    for (const body of [
      {},
      'no json',
      { colour: 'red' },
      newAccount('somebody-else'),
      { properties: { encryption: { type: 'SystemKey' } } },
      // INV-12: no caller moves an account off a revoked key.
      withCustomerKey('locked', spare),
    ]) {
      for (const method of ['PUT', 'PATCH']) {
        for (const headers of [{}, { 'if-match': '"stale"' }, { 'if-none-match': '*' }])
          await refused(403, 'CustomerKeyInaccessible', api(method, '/api/accounts/LOCKED-2', body, headers));
      }
    }
    expect(inputOf(await accountOf(api, 'locked-2'))).toEqual(inputOf(before));
    expect(await requestsTo(world, 'spare-kv')).toEqual([]);
  });

  test('INV-3: GET and LIST of an inaccessible account show status, cause, meaning, remedy and since', async () => {
    const { api } = world;
    await lock('locked-2', 'locked-kv');
    const account = await accountOf(api, 'locked-2');
    expect(account.properties.encryption).toMatchObject({
      status: 'Inaccessible',
      cause: 'KeyDisabled',
      meaning: expect.stringMatching(/disabled/),
      remedy: expect.stringContaining('--enabled true'),
      since: expect.stringMatching(/^\d{4}-/),
      lastAccessibleAt: expect.stringMatching(/^\d{4}-/),
    });
    const { body } = await got(200, api('GET', '/api/accounts'));
    const listed = body.value.find((one: { name: string }) => one.name === 'locked-2');
    expect(listed.properties).toMatchObject({ state: 'CustomerKeyInaccessible', encryption: { cause: 'KeyDisabled' } });
  });

  test('INV-3: other accounts are not affected', async () => {
    const { api } = world;
    await lock('locked-2', 'locked-kv');
    await got(200, api('PATCH', '/api/accounts/free', { tags: { a: 'b' } }));
    await got(200, api('PUT', '/api/accounts/free', { tags: {} }));
  });

  test('INV-3: the operator’s own calls work on an inaccessible account', async () => {
    await lock('locked-2', 'locked-kv');
    const { body } = await got(200, world.api('POST', '/api/operator/looks', { account: 'locked-2' }));
    expect(JSON.stringify(body)).toContain('KeyDisabled');
  });

  test('INV-3: a second instance refuses from the moment the verdict is stored, and serves from the moment access returns', async () => {
    const { api } = world;
    const key = await vaultWithKey(world, 'two-kv');
    await got(201, api('PUT', '/api/accounts/two', withCustomerKey('two', key)));
    await got(200, other('PATCH', '/api/accounts/two', { tags: { by: 'second' } }));
    for (const _round of [1, 2]) {
      await lock('two', 'two-kv');
      const change = { tags: { by: 'nobody' } };
      await refused(403, 'CustomerKeyInaccessible', other('PATCH', '/api/accounts/two', change));
      await refused(403, 'CustomerKeyInaccessible', api('PATCH', '/api/accounts/two', change));
      expect(isInaccessible(await accountOf(other, 'two'))).toBe(true);
      await setEnabled('two-kv', true);
      await sweptUntil(world, 'two', isEnabled);
      await got(200, other('PATCH', '/api/accounts/two', { tags: { by: 'second' } }));
      await got(200, api('PATCH', '/api/accounts/two', { tags: { by: 'first' } }));
    }
  });

  test('INV-3: an account that is deleted and created again under the system key is not blocked', async () => {
    const { api } = world;
    const key = await vaultWithKey(world, 'anew-kv');
    await got(201, api('PUT', '/api/accounts/anew', withCustomerKey('anew', key)));
    await lock('anew', 'anew-kv');
    await got(200, other('DELETE', '/api/accounts/anew'));
    await got(201, api('PUT', '/api/accounts/anew', newAccount('anew')));
    await got(200, other('PATCH', '/api/accounts/anew', { tags: { a: 'b' } }));
  });
});

describe.concurrent('each revocation', () => {
  const ways: [cause: string, take: (vault: string) => Promise<unknown>, give: (vault: string) => Promise<unknown>][] =
    [
      [
        'KeyNotFound',
        (vault) => world.stack.keyVault('DELETE', `/vaults/${vault}/keys/cmk`),
        (vault) => world.stack.keyVault('POST', `/vaults/${vault}/keys/cmk/recover`),
      ],
      [
        'KeyPermissionDenied',
        (vault) => world.stack.keyVault('DELETE', `/vaults/${vault}/grants/${principal}`),
        (vault) => world.stack.keyVault('PUT', `/vaults/${vault}/grants/${principal}`, grant),
      ],
      [
        'KeyOperationNotAllowed',
        (vault) => world.stack.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { keyOps: ['encrypt'] }),
        (vault) => world.stack.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { keyOps: ['wrapKey', 'unwrapKey'] }),
      ],
      [
        'VaultNotFound',
        (vault) => world.stack.keyVault('DELETE', `/vaults/${vault}`),
        async (vault) => {
          await world.stack.keyVault('POST', `/vaults/${vault}/recover`);
          // Key Vault docs: recovering a vault does not restore its role assignments.
          await world.stack.keyVault('PUT', `/vaults/${vault}/grants/${principal}`, grant);
        },
      ],
    ];
  const principal = '22222222-2222-4222-8222-222222222222';
  const grant = { permissions: 'cryptoServiceEncryptionUser' };

  test.each(oneIn(2, ways))(
    'each revocation has its own cause, and access returns automatically: %s',
    async (cause, take, give) => {
      const { api } = world;
      const name = cause.toLowerCase().slice(0, 20);
      const key = await vaultWithKey(world, name);
      await got(201, api('PUT', `/api/accounts/${name}`, withCustomerKey(name, key)));
      await take(name);
      const lost = await sweptUntil(world, name, isInaccessible);
      expect(lost.properties.encryption.cause).toBe(cause);
      const refusal = await refused(
        403,
        'CustomerKeyInaccessible',
        api('PATCH', `/api/accounts/${name}`, { tags: { a: 'b' } }),
      );
      expect(refusal.body.error.additionalInfo[0].info.cause).toBe(cause);
      await give(name);
      await sweptUntil(world, name, isEnabled);
      await got(200, api('PATCH', `/api/accounts/${name}`, { tags: { a: 'b' } }));
    },
  );
});

describe.concurrent('INV-2: an outage', () => {
  const outages: [title: string, fault: Record<string, unknown>][] = [
    ['503', { action: 'status', status: 503, body: 'empty' }],
    ['429', { action: 'throttled' }],
    ['a name that cannot be looked up just now', { action: 'network', code: 'EAI_AGAIN' }],
    ['an answer that nobody knows', { action: 'forbidden', inner: 'ForbiddenByMoonPhase' }],
  ];

  test.each(
    oneIn(
      2,
      outages.map((row, index) => [...row, `outage-${index}`] as const),
    ),
  )('INV-2: no outage makes an account inaccessible: %s', async (_title, fault, name) => {
    const { api, stack } = world;
    const key = await vaultWithKey(world, name);
    await got(201, api('PUT', `/api/accounts/${name}`, withCustomerKey(name, key)));
    const { id } = await stack.keyVault<{ id: string }>('POST', '/faults', { vault: name, ...fault });
    await sweptUntil(world, name, (account) => account.properties.encryption.status === 'Unreachable');
    const unwraps = (await requestsTo(world, name, 'unwrapkey')).length;
    await sweptUntil(world, name, (account) => {
      expect(account.properties.state).toBe('Enabled');
      return true;
    });
    // Many more looks than the confirmation of any denial needs.
    const end = Date.now() + 1500;
    const hasLooked = async () => (await requestsTo(world, name, 'unwrapkey')).length > unwraps;
    // A busy machine may need longer for the next look.
    while (Date.now() < end || (!(await hasLooked()) && Date.now() < end + 30_000)) {
      await sweepOnce(world);
      expect((await accountOf(api, name)).properties.state).toBe('Enabled');
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    expect(await hasLooked()).toBe(true);
    // Calls that need the key wait, and the others work.
    await got(200, api('PATCH', `/api/accounts/${name}`, { tags: { a: 'b' } }));
    const system = { properties: { encryption: { type: 'SystemKey' } } };
    const wait = await refused(503, 'CustomerKeyUnreachable', api('PATCH', `/api/accounts/${name}`, system));
    expect(Number(wait.headers.get('retry-after'))).toBeGreaterThan(0);
    await stack.keyVault('DELETE', `/faults/${id}`);
    await sweptUntil(world, name, (account) => account.properties.encryption.status === 'Accessible');
  });
});

test('of all routes on an account whose deletion is pending exactly GET, LIST, DELETE and recover work; all others are refused with the end of the window', async () => {
  const { api } = world;
  await got(201, api('PUT', '/api/accounts/waiting', placed(newAccount())));
  await got(201, api('PUT', '/api/accounts/waiting/tokenKeys/one', { properties: { keyValue: 'a2V5' } }));
  const { body: deleted } = await got(202, api('DELETE', '/api/accounts/waiting'));
  expect(deleted.properties).toMatchObject({ state: 'PendingDeletion' });
  const { deletedAt, scheduledPurgeAt } = deleted.properties;
  // The published window: docs/states-and-bounds.md.
  expect(Date.parse(scheduledPurgeAt) - Date.parse(deletedAt)).toBe(7 * 24 * 3_600_000);
  const passed: string[] = [];
  const ending = (route: Route) => Number(/recover$/.test(route.path));
  const order = accountRoutes
    .filter(({ method, path }) => !(method === 'DELETE' && path.endsWith('/{accountName}')))
    .filter(({ path }) => !path.endsWith('{operationId}'));
  for (const route of order.toSorted((a, b) => ending(a) - ending(b))) {
    const answer = await callOn(api, route, 'waiting');
    const what = `${route.method} ${route.path}`;
    if (answer.status < 400) {
      passed.push(what);
      continue;
    }
    expect({ what, status: answer.status, code: answer.body.error.code }).toEqual({
      what,
      status: 409,
      code: 'AccountPendingDeletion',
    });
    expect(answer.body.error.additionalInfo[0].info).toMatchObject({ since: deletedAt, scheduledPurgeAt });
    expect(answer.body.error.message).toContain('POST /api/accounts/waiting/recover');
  }
  const reads = passing.filter((what) => what.startsWith('GET') && !what.endsWith('{operationId}'));
  expect(passed.sort()).toEqual([...reads, 'POST accounts/{accountName}/recover'].sort());
  await got(200, api('POST', '/api/accounts/waiting/tokenKeys/one/reveal'));

  await got(202, api('DELETE', '/api/accounts/waiting'));
  await refused(400, 'InvalidParameter', api('DELETE', '/api/accounts/waiting?now=yes'));
  await got(200, api('DELETE', '/api/accounts/waiting?now=true'));
  await refused(404, 'AccountNotFound', api('GET', '/api/accounts/waiting'));
});
