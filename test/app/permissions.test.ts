import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, exportSPKI, generateKeyPair, importJWK, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ChildHost } from '../../packages/functions-host/src/child.ts';
import { roles } from '../../src/functions/pipeline/caller.ts';
import type { Route } from '../../src/functions/pipeline/route.ts';
import { routes } from '../../src/functions/routes.ts';
import { type Answer, caller } from '../../src/local/client.ts';
import { apiAudience, homeTenantId, location, operatorVault } from '../../src/local/operator.ts';
import {
  accountOf,
  got,
  newAccount,
  refused,
  requestsTo,
  spawnInstance,
  useStack,
  vaultWithKey,
  withCustomerKey,
} from './support.ts';

const world = useStack({ settings: { KEYWARD_AUTH: 'entra' } });
/** Azure docs, event-grid/secure-webhook-delivery: the application of Event Grid in the public cloud. */
const eventGrid = '4962773b-9cdb-44cf-a8bf-237846a00ab7';
const otherTenantId = '99999999-9999-4999-8999-999999999999';

const control = async (method: string, path: string, body: unknown): Promise<Record<string, string>> => {
  const response = await fetch(`${world.stack.identity.url}/control${path}`, { method, body: JSON.stringify(body) });
  expect(response.ok, `${method} ${path}`).toBe(true);
  return response.json() as Promise<Record<string, string>>;
};

/** A token of the issuer for this caller. */
const tokenOf = async (identity: string, resource = apiAudience): Promise<string> =>
  (await control('POST', '/token', { identity, resource })).access_token ?? '';

const callWith = (headers: Record<string, string>) => caller(world.stack.host.url, headers);
const bearer = (token: string) => callWith({ authorization: `Bearer ${token}` });

function callOn(api: ReturnType<typeof bearer>, { method, path }: Pick<Route, 'method' | 'path'>): Promise<Answer> {
  const url = `/api/${path.replace(/\{[^}]+\}/g, 'nobody')}`;
  return api(method, url, method === 'GET' || method === 'DELETE' ? undefined : {});
}

/** A customer's link has no role: test/app/customerPage.test.ts. */
const guarded = routes.filter(({ scope }) => scope !== 'public' && scope !== 'customer');
/** Readiness names settings of authentication that are wrong, because no caller could ask for them then. */
const needsAuthSettings = guarded.filter(({ name }) => name !== 'healthReady');

const onlySetting = (name: string) => ({
  status: 503,
  settings: { status: 'failed', names: [name] },
  parts: [],
});

/** The test of anonymous calls tries every route. Each other kind of wrong call tries its share of the routes. */
const shareOf = (kind: number, among = guarded): readonly Route[] => among.filter((_, n) => n % 5 === kind % 5);

async function refusedAt(
  among: readonly Route[],
  headers: Record<string, string>,
  url = world.stack.host.url,
): Promise<void> {
  for (const route of among) {
    const answer = await refused(401, 'AuthenticationFailed', callOn(caller(url, headers), route));
    expect(answer.headers.get('x-ms-request-id')).toMatch(/\S/);
  }
}

beforeAll(async () => {
  for (const [index, role] of [...roles, 'none'].entries()) {
    await control('PUT', `/identities/role-${index}`, {
      tenantId: homeTenantId,
      kind: 'application',
      secret: 's',
      roles: role === 'none' ? [] : [role],
      // Deliveries come from Event Grid's own application, not from another one with its role.
      ...(role === 'AzureEventGridSecureWebhookSubscriber' ? { clientId: eventGrid } : {}),
    });
  }
  for (const [index, role] of roles.entries())
    await control('PUT', `/identities/all-but-${index}`, {
      tenantId: homeTenantId,
      kind: 'application',
      secret: 's',
      roles: roles.filter((other) => other !== role),
    });
  await control('PUT', `/tenants/${otherTenantId}`, {});
  await control('PUT', '/identities/stranger', {
    tenantId: otherTenantId,
    kind: 'application',
    secret: 's',
    roles,
  });
  await control('PUT', '/identities/everything', { tenantId: homeTenantId, kind: 'application', secret: 's', roles });
});

describe('an app role', () => {
  test('reading, changing and deleting accounts needs a role for each: Accounts.Read, Accounts.Write, Accounts.Delete', () => {
    const asked = routes.filter(({ path }) => /^accounts(\/\{accountName\})?$/.test(path));
    expect(Object.fromEntries(asked.map(({ method, path, role }) => [`${method} ${path}`, role]))).toEqual({
      'GET accounts': 'Accounts.Read',
      'GET accounts/{accountName}': 'Accounts.Read',
      'PUT accounts/{accountName}': 'Accounts.Write',
      'PATCH accounts/{accountName}': 'Accounts.Write',
      'DELETE accounts/{accountName}': 'Accounts.Delete',
    });
  });

  test.each(roles.map((role, index) => [role, index] as const))(
    'the app role %s admits a caller to the routes that the table gives it, and all other roles together do not',
    async (role, index) => {
      const holder = bearer(await tokenOf(`role-${index}`));
      const others = bearer(await tokenOf(`all-but-${index}`));
      for (const route of guarded.filter((one) => one.role === role)) {
        const what = `${route.method} ${route.path}`;
        const { status } = await callOn(holder, route);
        expect({ what, isLetIn: status !== 403 && status !== 401 }).toEqual({ what, isLetIn: true });
        const answer = await refused(403, 'AuthorizationFailed', callOn(others, route));
        expect(answer.body.error.message).toContain(role);
      }
    },
  );

  test('a caller without an app role is refused at every route', async () => {
    const api = bearer(await tokenOf(`role-${roles.length}`));
    for (const route of guarded) await refused(403, 'AuthorizationFailed', callOn(api, route));
  });

  // The handshake of CloudEvents carries no token (test/app/webhook.test.ts): it only consents to Event Grid.
  test('no route is public except liveness, the handshake of the webhook and the public keys that verify what Keyward signed', () => {
    const open = routes.filter(({ scope }) => scope === 'public').map(({ method, path }) => `${method} ${path}`);
    expect(open.toSorted()).toEqual(['GET audit/jwks', 'GET health/live', 'GET keyStatus/jwks', 'OPTIONS events']);
  });

  test('all roles of a caller count', async () => {
    const api = bearer(await tokenOf('everything'));
    await got(201, api('PUT', '/api/accounts/permitted', newAccount()));
    await got(200, api('GET', '/api/accounts/permitted'));
    await got(200, api('DELETE', '/api/accounts/permitted'));
  });

  test('a caller without the role does not learn whether the account exists, or what is wrong with the call', async () => {
    const api = bearer(await tokenOf(`role-${roles.length}`));
    const refusals = [
      await refused(403, 'AuthorizationFailed', api('GET', '/api/accounts/nobody')),
      await refused(403, 'AuthorizationFailed', api('GET', '/api/accounts/-')),
      await refused(403, 'AuthorizationFailed', api('GET', '/api/accounts?$top=nonsense')),
    ];
    expect(new Set(refusals.map(({ body }) => body.error.message)).size).toBe(1);
    await refused(403, 'AuthorizationFailed', api('PUT', '/api/accounts/nobody', 'no json'));
  });
});

const amsPath = `/api/subscriptions/${homeTenantId}/resourceGroups/media/providers/Microsoft.Media`;
const keyIn = ({ properties }: ReturnType<typeof withCustomerKey>) =>
  properties.encryption.keyVaultProperties.keyIdentifier;

describe('Keys.Release', () => {
  const systemKey = { properties: { encryption: { type: 'SystemKey' } } };
  const letGo = [
    ['PATCH', systemKey],
    ['PUT', { ...newAccount('holder'), properties: { owner: 'holder', ...systemKey.properties } }],
  ] as const;

  test('changing an account back to the system key needs Keys.Release beside Accounts.Write; without it the vault gets no call', async () => {
    const writer = bearer(await tokenOf(`role-${roles.indexOf('Accounts.Write')}`));
    const all = bearer(await tokenOf('everything'));
    const key = await vaultWithKey(world, 'holder-kv');
    await got(201, writer('PUT', '/api/accounts/holder', withCustomerKey('holder', key)));
    const before = [await accountOf(all, 'holder'), await requestsTo(world, 'holder-kv')];
    for (const [method, body] of letGo) {
      const answer = await refused(403, 'AuthorizationFailed', writer(method, '/api/accounts/holder', body));
      expect(answer.body.error.message).toContain('Keys.Release');
    }
    expect([await accountOf(all, 'holder'), await requestsTo(world, 'holder-kv')]).toEqual(before);
    // Calls that release nothing need no additional role.
    await got(200, writer('PATCH', '/api/accounts/holder', { tags: { a: 'b' } }));
    await got(201, writer('PUT', '/api/accounts/unheld', newAccount()));
    await got(200, writer('PATCH', '/api/accounts/unheld', systemKey));

    await got(200, all('PATCH', '/api/accounts/holder', systemKey));
    expect((await accountOf(all, 'holder')).properties.encryption.type).toBe('SystemKey');
  });

  test('INV-14: changing to a key in another vault needs Keys.Release, to another key of the same vault it does not', async () => {
    const writer = bearer(await tokenOf(`role-${roles.indexOf('Accounts.Write')}`));
    const all = bearer(await tokenOf('everything'));
    const key = await vaultWithKey(world, 'first-kv');
    const elsewhere = await vaultWithKey(world, 'second-kv');
    await world.stack.keyVault('POST', '/vaults/first-kv/keys/next', { kty: 'RSA', size: 2048, fixture: 1 });
    await got(201, writer('PUT', '/api/accounts/leaver', withCustomerKey('leaver', key)));
    const to = (keyIdentifier: string) => ({ properties: withCustomerKey('leaver', keyIdentifier).properties });
    for (const method of ['PATCH', 'PUT']) {
      const body = { ...withCustomerKey('leaver', elsewhere) };
      const answer = await refused(403, 'AuthorizationFailed', writer(method, '/api/accounts/leaver', body));
      expect(answer.body.error.message).toContain('Keys.Release');
    }
    expect(await requestsTo(world, 'second-kv')).toEqual([]);
    await got(200, writer('PATCH', '/api/accounts/leaver', to('https://first-kv.vault.azure.net/keys/next')));
    await got(200, all('PATCH', '/api/accounts/leaver', to(elsewhere)));
  });

  test.each(['system', 'at-rest'])(
    'INV-14: the operator’s own key %s is refused as a customer key, on every call and in every spelling, before any call leaves',
    async (name) => {
      const all = bearer(await tokenOf('everything'));
      await all('PUT', '/api/accounts/own-keys', newAccount());
      const before = await requestsTo(world, operatorVault);
      const vault = `${operatorVault}.vault.azure.net`;
      for (const host of [vault, `${vault}:443`, `${operatorVault.toUpperCase()}.Vault.Azure.Net`])
        for (const version of ['', `/${'0'.repeat(32)}`]) {
          const body = withCustomerKey('contoso', `https://${host}/keys/${name}${version}`);
          const refusal = (answer: ReturnType<typeof all>) => refused(403, 'OwnerMismatch', answer);
          await refusal(all('PUT', '/api/accounts/own-keys-2', body));
          await refusal(
            all('PATCH', '/api/accounts/own-keys', { properties: { encryption: body.properties.encryption } }),
          );
          const { body: run } = await got(200, all('POST', '/api/accounts/own-keys-3/validateEncryption', body));
          const operatorRun = await got(
            200,
            all('POST', '/api/operator/keys/validate', { owner: 'contoso', keyIdentifier: keyIn(body) }),
          );
          for (const { checks } of [run, operatorRun.body])
            expect(checks.find(({ result }: { result: string }) => result === 'fail')).toMatchObject({
              cause: 'OwnerMismatch',
            });
          for (const apiVersion of ['2021-06-01', '2023-01-01'])
            await refusal(
              all('PUT', `${amsPath}/mediaservices/ownkeys?api-version=${apiVersion}`, {
                location,
                identity: { type: 'SystemAssigned' },
                properties: {
                  storageAccounts: [{ type: 'Primary' }],
                  encryption: {
                    type: 'CustomerKey',
                    keyVaultProperties: { keyIdentifier: keyIn(body) },
                    identity: { useSystemAssignedIdentity: true },
                  },
                },
              }),
            );
        }
      expect(await requestsTo(world, operatorVault)).toEqual(before);
    },
  );

  test('releasing a claim needs Keys.Release, and Keys.Operate only reads it', async () => {
    const operator = bearer(await tokenOf(`role-${roles.indexOf('Keys.Operate')}`));
    const releaser = bearer(await tokenOf(`role-${roles.indexOf('Keys.Release')}`));
    const all = bearer(await tokenOf('everything'));
    const key = await vaultWithKey(world, 'claimed-kv');
    await got(201, all('PUT', '/api/accounts/claimed', withCustomerKey('claimed', key)));
    const claim = '/api/operator/claims?kind=vault&value=claimed-kv.vault.azure.net';
    const { body } = await got(200, operator('GET', claim));
    expect(body).toEqual({
      kind: 'vault',
      value: 'claimed-kv.vault.azure.net',
      owner: 'claimed',
      claimedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    await refused(403, 'AuthorizationFailed', operator('DELETE', claim));
    await refused(403, 'AuthorizationFailed', releaser('GET', claim));
    const used = await refused(409, 'Conflict', releaser('DELETE', claim));
    expect(used.body.error.additionalInfo[0].info).toEqual({ accounts: 1, account: 'claimed' });
    await got(200, all('DELETE', '/api/accounts/claimed'));
    await got(200, releaser('DELETE', claim));
    await refused(404, 'NotFound', releaser('DELETE', claim));
  });

  test.each([
    ['', 'kind'],
    ['?kind=vault', 'value'],
    ['?kind=vault&value=', 'value'],
    ['?kind=key&value=x', 'kind'],
    ['?kind=__proto__&value=x', 'kind'],
  ])('a call on claims without a name is rejected with the wrong parameter: %j', async (query, target) => {
    const all = bearer(await tokenOf('everything'));
    for (const method of ['GET', 'DELETE']) {
      const answer = await refused(400, 'InvalidParameter', all(method, `/api/operator/claims${query}`));
      expect(answer.body.error.target).toBe(target);
    }
  });
});

describe('the request id of a call', () => {
  test('every response and every log line of a call carries its request id, for successful, refused and anonymous calls', async () => {
    const all = bearer(await tokenOf('everything'));
    const answers = [
      await all('GET', '/api/accounts'),
      await all('GET', '/api/accounts/nobody'),
      await all('PUT', '/api/accounts/nobody', 'no json'),
      await callWith({})('GET', '/api/accounts'),
      await bearer(await tokenOf(`role-${roles.length}`))('GET', '/api/accounts'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 400, 401, 403]);
    const ids = answers.map(({ headers }) => headers.get('x-ms-request-id'));
    expect(new Set(ids).size).toBe(answers.length);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('a requested look is logged under the request id of its call', async () => {
    const all = bearer(await tokenOf('everything'));
    const key = await vaultWithKey(world, 'logged-kv');
    await got(201, all('PUT', '/api/accounts/logged', withCustomerKey('logged', key)));
    const looked = await got(200, all('POST', '/api/operator/looks', { account: 'logged' }));
    const line = world.records.find(({ message }) => message.startsWith('Checked a key') && message.includes('logged'));
    expect(line?.message).toContain(`"requestId":"${looked.headers.get('x-ms-request-id')}"`);
  });
});

describe('a call without a valid token', () => {
  test('a call without a bearer token is rejected with 401', async () => {
    await refusedAt(guarded, {});
    const token = await tokenOf('everything');
    for (const authorization of [
      'Bearer',
      'Bearer ',
      'Bearer x',
      'Bearer a.b.c',
      `Basic ${token}`,
      token,
      `Bearer ${token} ${token}`,
      `Bearer ${token}x`,
      `Bearer ${token.slice(0, -4)}`,
    ]) {
      await refused(401, 'AuthenticationFailed', callWith({ authorization })('GET', '/api/accounts'));
    }
  });

  test('a call with a function key instead of a token is rejected with 401', async () => {
    const { keys } = world.stack.host;
    for (const key of [keys.function, keys.master, keys.eventgrid_extension]) {
      await refused(401, 'AuthenticationFailed', callWith({ 'x-functions-key': key })('GET', '/api/accounts'));
      await refused(401, 'AuthenticationFailed', callWith({})('GET', `/api/accounts?code=${key}`));
    }
  });

  test('a call with a token for another audience is rejected with 401', async () => {
    await refusedAt(shareOf(1), { authorization: `Bearer ${await tokenOf('everything', 'https://vault.azure.net')}` });
    await control('PUT', '/api-audiences', { audiences: [apiAudience, 'api://another'] });
    // Except for the audience it is a valid token: version 2.0, the tenant's issuer, and all roles.
    const token = await tokenOf('everything', 'api://another');
    expect(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
      roles,
      ver: '2.0',
    });
    await refusedAt(shareOf(2), { authorization: `Bearer ${token}` });
  });

  test('a call with a token of another tenant is rejected with 401', async () => {
    await refusedAt(shareOf(3), { authorization: `Bearer ${await tokenOf('stranger')}` });
  });

  test('a call with a token that has expired, or is not valid yet, is rejected with 401', async () => {
    for (const [index, offsetSeconds] of [-7200, 7200].entries()) {
      await control('PUT', '/clock', { offsetSeconds });
      const token = await tokenOf('everything');
      await control('PUT', '/clock', { offsetSeconds: 0 });
      await refusedAt(shareOf(4 + index), { authorization: `Bearer ${token}` });
    }
  });
});

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

/** An issuer of the test under the app's settings, to send tokens that the real one never issues. */
describe('a forged token', () => {
  const issuer = 'https://issuer.example/v2.0';
  let server: Server;
  let url: string;
  let privateKey: KeyPair['privateKey'];
  let publicKey: KeyPair['publicKey'];
  let answerWith: () => { status: number; body: string };
  const before: Record<string, string | undefined> = {};

  beforeAll(async () => {
    ({ privateKey, publicKey } = await generateKeyPair('RS256', { extractable: true }));
    const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'ours', use: 'sig', alg: 'RS256' }] };
    answerWith = () => ({ status: 200, body: JSON.stringify(jwks) });
    server = createServer((_request, response) => {
      const { status, body } = answerWith();
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    set({ KEYWARD_AUTH_JWKS_URL: `${url}/keys`, KEYWARD_AUTH_ISSUER: issuer });
  });
  afterAll(() => {
    set(before);
    server.closeAllConnections();
    server.close();
  });

  /** The app reads these settings on each call. */
  function set(settings: Record<string, string | undefined>): void {
    for (const [name, value] of Object.entries(settings)) {
      before[name] ??= process.env[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }

  const now = () => Math.floor(Date.now() / 1000);
  const claims = (more: Record<string, unknown> = {}): JWTPayload => ({
    aud: apiAudience,
    iss: issuer,
    oid: 'someone',
    azp: 'client-of-someone',
    tid: homeTenantId,
    roles,
    iat: now(),
    nbf: now(),
    exp: now() + 600,
    ...more,
  });
  const signed = (payload: JWTPayload, header: Record<string, unknown> = {}) =>
    new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'ours', ...header }).sign(privateKey);
  const list = (token: string) => bearer(token)('GET', '/api/accounts');
  const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

  test("a valid token of the test's own issuer is accepted", async () => {
    await got(200, list(await signed(claims())));
  });

  test.each<[title: string, claims: Record<string, unknown>]>([
    ['of another issuer', { iss: 'https://issuer.example/another/v2.0' }],
    ['of no issuer', { iss: undefined }],
    ['of no audience', { aud: undefined }],
    ['for several that we are not among', { aud: ['api://a', 'api://b'] }],
    ['that never expires', { exp: undefined }],
    ['that expired two minutes ago', { exp: Math.floor(Date.now() / 1000) - 120 }],
    ['that is valid in two minutes', { nbf: Math.floor(Date.now() / 1000) + 120 }],
    ['that names no principal', { oid: undefined }],
    ['whose principal is a number', { oid: 7 }],
    ['of another tenant, from an issuer of several', { tid: otherTenantId }],
    ['of no tenant', { tid: undefined }],
    ['that names no client', { azp: undefined }],
    ['of a sign-in, with a nonce', { nonce: 'n' }],
    ['of a person, without a delegated permission', { preferred_username: 'a@b.example' }],
    ['of a person, whose delegated permission is empty', { name: 'A Person', scp: '' }],
    ['of a person, whose delegated permission is a space', { name: 'A Person', scp: ' ' }],
    ['that says it is of a user, without a delegated permission', { idtyp: 'user' }],
    ['whose principal is a space', { oid: ' ' }],
    ['whose client is a space', { azp: ' ' }],
    ['that is bound to a key, sent as a bearer token', { cnf: { kid: 'k' } }],
  ])('a forged token is rejected with 401: one %s', async (_title, more) => {
    await refused(401, 'AuthenticationFailed', list(await signed(claims(more))));
  });

  test('the keys that verify tokens are read once for many calls', async () => {
    set({ KEYWARD_AUTH_JWKS_URL: `${url}/cached` });
    const good = answerWith;
    let reads = 0;
    answerWith = () => {
      reads += 1;
      return good();
    };
    for (const _call of [1, 2, 3]) await got(200, list(await signed(claims())));
    answerWith = good;
    set({ KEYWARD_AUTH_JWKS_URL: `${url}/keys` });
    expect(reads).toBe(1);
  });

  test('a token within a minute of its expiry is accepted, because clocks differ', async () => {
    await got(200, list(await signed(claims({ exp: now() - 30 }))));
  });

  test('a token whose roles are text has no role', async () => {
    const text = await signed(claims({ roles: 'Accounts.Read' }));
    await refused(403, 'AuthorizationFailed', list(text));
    const scopes = await signed(claims({ roles: undefined, name: 'A Person', scp: 'Accounts.Read' }));
    await refused(403, 'AuthorizationFailed', list(scopes));
  });

  test('a token with alg none is rejected', async () => {
    for (const alg of ['none', 'None', 'NONE']) {
      const unsigned = `${encoded({ alg, typ: 'JWT', kid: 'ours' })}.${encoded(claims())}.`;
      await refused(401, 'AuthenticationFailed', list(unsigned));
      await refused(401, 'AuthenticationFailed', list(`${unsigned}AAAA`));
    }
  });

  test('a token with HS256, signed with the public key, is rejected', async () => {
    const jwk = await exportJWK(publicKey);
    const secrets = [await exportSPKI(publicKey), JSON.stringify(jwk), jwk.n ?? ''];
    for (const secret of secrets) {
      const header = { alg: 'HS256', kid: 'ours' };
      const token = await new SignJWT(claims()).setProtectedHeader(header).sign(new TextEncoder().encode(secret));
      await refused(401, 'AuthenticationFailed', list(token));
    }
  });

  test("a token that another key signed under the issuer's key id, or with its own key in the header, is rejected", async () => {
    const stranger = await generateKeyPair('RS256', { extractable: true });
    const jwk = await exportJWK(stranger.publicKey);
    const headers: Record<string, unknown>[] = [{}, { jwk }, { jku: `${url}/evil` }, { kid: 'another', jwk }];
    for (const header of headers) {
      const token = await new SignJWT(claims())
        .setProtectedHeader({ alg: 'RS256', kid: 'ours', ...header })
        .sign(await importJWK(await exportJWK(stranger.privateKey), 'RS256'));
      await refused(401, 'AuthenticationFailed', list(token));
    }
  });

  test('a token whose claims were changed after signing is rejected', async () => {
    const [head, , signature] = (await signed(claims({ roles: [] }))).split('.');
    await refused(401, 'AuthenticationFailed', list(`${head}.${encoded(claims())}.${signature}`));
  });

  test('INV-9: no response and no log line contains a token', async () => {
    const token = await signed(claims({ exp: now() - 600 }));
    const { body } = await refused(401, 'AuthenticationFailed', list(token));
    const said = JSON.stringify([body, world.records]);
    for (const part of token.split('.').slice(1)) expect(said).not.toContain(part);
  });

  // An outage of the app or of Entra ends: the same call works later.
  test.each<[title: string, status: number, body: string]>([
    ['a server error', 500, ''],
    ['too many requests', 429, '{}'],
    ['a page of a proxy', 200, '<html></html>'],
    ['JSON that holds no keys', 200, '{"error":"x"}'],
  ])(
    'while the keys that verify tokens cannot be read, a call answers 503 with Retry-After: %s',
    async (title, status, body) => {
      set({ KEYWARD_AUTH_JWKS_URL: `${url}/${encodeURIComponent(title)}` });
      const good = answerWith;
      answerWith = () => ({ status, body });
      try {
        const answer = await refused(503, 'ServiceUnavailable', list(await signed(claims())));
        expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
      } finally {
        answerWith = good;
        set({ KEYWARD_AUTH_JWKS_URL: `${url}/keys` });
      }
    },
  );

  test('with incomplete settings every call is rejected, and readiness names the setting', async () => {
    const token = await signed(claims());
    for (const name of ['KEYWARD_AUTH_AUDIENCE', 'KEYWARD_TENANT_ID']) {
      for (const [index, value] of [undefined, ''].entries()) {
        const was = process.env[name];
        set({ [name]: value });
        try {
          await refusedAt(shareOf(index, needsAuthSettings), { authorization: `Bearer ${token}` });
          const ready = await callWith({})('GET', '/api/health/ready');
          expect({ ...ready.body, status: ready.status }).toEqual(onlySetting(name));
        } finally {
          set({ [name]: was });
        }
      }
    }
    await got(200, list(token));
  });
});

describe('an instance', () => {
  const hosts: ChildHost[] = [];
  afterAll(() => Promise.all(hosts.map((host) => host.stop())));

  const start = async (auth: string | undefined): Promise<ChildHost> => {
    const { KEYWARD_AUTH: _auth, ...settings } = world.stack.settings;
    const host = await spawnInstance(world, auth === undefined ? settings : { ...settings, KEYWARD_AUTH: auth });
    hosts.push(host);
    return host;
  };

  test('an instance without KEYWARD_AUTH, or with an unknown value, rejects every call, and readiness names the setting', async () => {
    const was = process.env.KEYWARD_AUTH;
    // A child has the environment of its parent, and this one must have no such setting.
    delete process.env.KEYWARD_AUTH;
    const [unset, unknown] = await Promise.all([start(undefined), start('Entra')]);
    process.env.KEYWARD_AUTH = was;
    const token = await tokenOf('everything');
    for (const host of [unset, unknown]) {
      const both = { authorization: `Bearer ${token}`, 'x-functions-key': host.keys.master };
      await refusedAt(needsAuthSettings, both, host.url);
      const withoutKey = caller(host.url, { authorization: `Bearer ${token}` });
      for (const route of shareOf(0, needsAuthSettings)) expect((await callOn(withoutKey, route)).status).toBe(401);
      const ready = await caller(host.url, { 'x-functions-key': host.keys.function })('GET', '/api/health/ready');
      expect({ ...ready.body, status: ready.status }).toEqual(onlySetting('KEYWARD_AUTH'));
    }
  });

  test('an instance with functionKeys admits every holder of a function key, and no other caller', async () => {
    const host = await start('functionKeys');
    const withKey = (key: string) => caller(host.url, { 'x-functions-key': key });
    for (const [index, headers] of [
      {},
      { 'x-functions-key': 'wrong' },
      { 'x-functions-key': host.keys.eventgrid_extension },
      { authorization: `Bearer ${await tokenOf('everything')}` },
    ].entries()) {
      const among = index === 0 ? guarded : shareOf(index);
      for (const route of among) expect((await callOn(caller(host.url, headers), route)).status).toBe(401);
    }
    await got(200, withKey(host.keys.function)('GET', '/api/accounts'));
    await got(200, withKey(host.keys.master)('GET', '/api/accounts'));
    await got(200, caller(host.url, {})('GET', `/api/accounts?code=${host.keys.function}`));
    await got(201, withKey(host.keys.function)('PUT', '/api/accounts/keyed', newAccount()));
  });
});
