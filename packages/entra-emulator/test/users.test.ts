import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Identity, startIdentity } from '../src/issuer.ts';
import { CUSTOMER, call, control, HOME, type Reply, STRANGER } from './support.ts';

const AZURE_CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';
const API = 'api://keyward';
const ALEX = 'alex@contoso.example';

let identity: Identity;
beforeAll(async () => {
  identity = await startIdentity({
    tenants: [{ tenantId: HOME }],
    identities: [
      { name: 'alex', tenantId: HOME, kind: 'user', secret: 'pass', userPrincipalName: ALEX, roles: ['Keys.Operate'] },
    ],
  });
});
afterAll(() => identity.stop());

type Answer = { access_token: string; refresh_token: string; id_token: string; client_info: string };

async function post(path: string, form: Record<string, string>, headers = {}): Promise<Reply<Answer>> {
  const response = await fetch(`${identity.url}${path}`, { method: 'POST', body: new URLSearchParams(form), headers });
  return { status: response.status, body: (await response.json()) as Answer };
}

const password = {
  grant_type: 'password',
  client_id: AZURE_CLI,
  username: 'Alex@contoso.example',
  password: 'pass',
  scope: `${API}/.default openid profile offline_access`,
};

describe('a user', () => {
  it.each([HOME, 'organizations', 'common'])('a user signs in with a password at the tenant %s', async (tenant) => {
    const { status, body } = await post(`/${tenant}/oauth2/v2.0/token`, password);
    expect(status).toBe(200);
    const { objectId } = await control(identity, 'GET', 'identities/alex');
    expect(decodeJwt(body.access_token)).toMatchObject({
      aud: API,
      oid: objectId,
      azp: AZURE_CLI,
      scp: 'user_impersonation',
      roles: ['Keys.Operate'],
    });
    // What MSAL makes its account of.
    expect(decodeJwt(body.id_token)).toMatchObject({ aud: AZURE_CLI, oid: objectId, preferred_username: ALEX });
    expect(JSON.parse(Buffer.from(body.client_info, 'base64url').toString())).toEqual({ uid: objectId, utid: HOME });
  });

  it('a refresh token gets a token for another resource, for the same client only', async () => {
    const { body } = await post(`/${HOME}/oauth2/v2.0/token`, password);
    const refresh = { grant_type: 'refresh_token', client_id: AZURE_CLI, refresh_token: body.refresh_token };
    const scope = 'https://management.core.windows.net//.default';
    const other = await post('/organizations/oauth2/v2.0/token', { ...refresh, scope });
    expect(decodeJwt(other.body.access_token)).toMatchObject({
      aud: 'https://management.core.windows.net/',
      upn: ALEX,
    });

    await control(identity, 'PUT', 'identities/app', { tenantId: HOME, kind: 'application', clientId: STRANGER });
    const stolen = await post(`/${HOME}/oauth2/v2.0/token`, { ...refresh, scope, client_id: STRANGER });
    expect(stolen).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
  });

  it.each([
    ['a wrong password', { password: 'wrong' }, 50126],
    ['an unknown user', { username: 'no@contoso.example' }, 50034],
    ['an unknown client', { client_id: CUSTOMER }, 700016],
    ['a made-up refresh token', { grant_type: 'refresh_token', refresh_token: 'x' }, 70000],
    ['an unknown grant', { grant_type: 'device_code' }, 70003],
  ])('a user with %s is refused', async (_what, change, code) => {
    const answer = await post(`/${HOME}/oauth2/v2.0/token`, { ...password, ...change });
    expect(answer).toMatchObject({ status: 400, body: { error_codes: [code] } });
  });
});

describe('the endpoints of version 1.0', () => {
  it('the token endpoint takes a resource, and returns its numbers as text', async () => {
    const { scope: _scope, ...form } = password;
    const resource = 'https://vault.azure.net';
    const { status, body } = await post(`/${HOME}/oauth2/token`, { ...form, resource });
    expect([status, body]).toEqual([
      200,
      expect.objectContaining({ resource, expires_in: '3600', expires_on: expect.stringMatching(/^\d{10}$/) }),
    ]);
    expect(decodeJwt(body.access_token)).toMatchObject({ aud: resource, ver: '1.0' });
  });

  it('the metadata document names the issuer and the endpoints of version 1.0', async () => {
    const { body } = await call(identity, 'GET', `/${HOME}/.well-known/openid-configuration`);
    expect(body).toMatchObject({
      issuer: `https://sts.windows.net/${HOME}/`,
      token_endpoint: `${identity.url}/${HOME}/oauth2/token`,
      jwks_uri: `${identity.url}/${HOME}/discovery/keys`,
    });
    expect((await call<{ keys: unknown[] }>(identity, 'GET', `/${HOME}/discovery/keys`)).body.keys).toHaveLength(1);
  });
});

describe('a client behind a proxy with TLS', () => {
  const proxied = { 'x-forwarded-proto': 'https' };

  it('every address in the discovery documents names the host that the client called', async () => {
    const { host } = new URL(identity.url);
    for (const path of [
      `/${HOME}/v2.0/.well-known/openid-configuration`,
      '/common/discovery/instance?api-version=1.1',
      '/organizations/v2.0/.well-known/openid-configuration',
    ]) {
      const text = await (await fetch(identity.url + path, { headers: proxied })).text();
      expect(text).toContain(`https://${host}/`);
      expect(text).not.toContain('http://');
    }
  });

  it('an ID token names that host as issuer, and verifies with the keys of every tenant', async () => {
    const { body } = await post(`/${HOME}/oauth2/v2.0/token`, password, proxied);
    const keys = createRemoteJWKSet(new URL(`${identity.url}/common/discovery/v2.0/keys`));
    const issuer = `https://${new URL(identity.url).host}/${HOME}/v2.0`;
    expect((await jwtVerify(body.id_token, keys, { issuer, audience: AZURE_CLI })).payload.tid).toBe(HOME);
  });

  it('the realm of a user is managed', async () => {
    const { body } = await call(identity, 'GET', `/common/userrealm/${ALEX}?api-version=1.0`);
    expect(body).toMatchObject({ account_type: 'Managed', domain_name: 'contoso.example' });
  });
});

describe('the authorization code flow', () => {
  const page = 'http://127.0.0.1:7071/console/';
  const clientId = '66666666-6666-4666-8666-666666666666';
  const verifier = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  // The pair of RFC 7636, appendix B.
  const challenge = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
  const query = {
    client_id: clientId,
    redirect_uri: page,
    response_type: 'code',
    state: 's1',
    nonce: 'n1',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    scope: `${API}/user_impersonation openid`,
  };
  const address = (change = {}) =>
    `${identity.url}/${HOME}/oauth2/v2.0/authorize?${new URLSearchParams({ ...query, ...change })}`;
  const signIn = async (change = {}) => {
    const user = String((await control(identity, 'GET', 'identities/alex')).objectId);
    const body = new URLSearchParams({ user });
    const response = await fetch(address(change), { method: 'POST', body, redirect: 'manual' });
    const location = response.headers.get('location') ?? '';
    return { status: response.status, location, at: new URLSearchParams(location.split('#')[1]) };
  };
  const redeem = (code: string | null, change = {}) =>
    post(
      `/${HOME}/oauth2/v2.0/token`,
      {
        grant_type: 'authorization_code',
        client_id: clientId,
        redirect_uri: page,
        code_verifier: verifier,
        code: code ?? '',
        scope: query.scope,
        ...change,
      },
      { origin: 'http://127.0.0.1:7071' },
    );
  beforeAll(async () => {
    const app = { tenantId: HOME, kind: 'application', clientId, redirectUris: [page] };
    await control(identity, 'PUT', 'identities/spa', app);
  });

  it('a user signs in at the page and the application redeems the code once, with its verifier', async () => {
    expect(await (await fetch(address())).text()).toContain('alex@contoso.example');
    const { status, location, at } = await signIn();
    expect([status, location.startsWith(`${page}#`), at.get('state')]).toEqual([302, true, 's1']);
    const { body } = await redeem(at.get('code'));
    expect(decodeJwt(body.access_token)).toMatchObject({ aud: API, azp: clientId, scp: 'user_impersonation' });
    expect(decodeJwt(body.id_token)).toMatchObject({ aud: clientId, nonce: 'n1' });
    expect(await redeem(at.get('code'))).toMatchObject({ status: 400, body: { error_codes: [70000] } });
  });

  it.each([
    ['another verifier', { code_verifier: 'x'.repeat(43) }, 501481],
    ['another redirect URI', { redirect_uri: 'http://127.0.0.1:7072/' }, 70000],
    ['another client', { client_id: STRANGER }, 700016],
  ])('a code with %s is refused', async (_what, change, code) => {
    await control(identity, 'DELETE', 'identities/app').catch(() => undefined);
    const { at } = await signIn();
    expect(await redeem(at.get('code'), change)).toMatchObject({ status: 400, body: { error_codes: [code] } });
  });

  it('a request without PKCE or without a user returns to the application with an error', async () => {
    expect((await signIn({ code_challenge_method: 'plain' })).at.get('error')).toBe('invalid_request');
    expect((await signIn({ prompt: 'none' })).at.get('error')).toBe('interaction_required');
  });

  it('a redirect URI that is not registered gets a page instead of a redirect', async () => {
    const { status, location } = await signIn({ redirect_uri: 'http://evil.example/' });
    expect([status, location]).toEqual([400, '']);
  });
});
