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
  ...{ grant_type: 'password', client_id: AZURE_CLI, username: 'Alex@contoso.example', password: 'pass' },
  scope: `${API}/.default openid profile offline_access`,
};

describe('a user', () => {
  it.each([HOME, 'organizations', 'common'])('a user signs in with a password at the tenant %s', async (tenant) => {
    const { status, body } = await post(`/${tenant}/oauth2/v2.0/token`, password);
    expect(status).toBe(200);
    const { objectId } = await control(identity, 'GET', 'identities/alex');
    expect(decodeJwt(body.access_token)).toMatchObject({
      ...{ aud: API, oid: objectId, azp: AZURE_CLI, scp: 'user_impersonation', roles: ['Keys.Operate'] },
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
