import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Identity, startIdentity } from '../src/issuer.ts';
import { CUSTOMER, call, control, HOME, STRANGER, VAULT } from './support.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const API = 'api://keyward';

let identity: Identity;
beforeAll(async () => {
  identity = await startIdentity({
    now: () => NOW,
    tenants: [{ tenantId: HOME }, { tenantId: CUSTOMER }],
    identities: [
      { name: 'operator', tenantId: HOME, kind: 'application', roles: ['Keys.Operate', 'Accounts.Read'] },
      { name: 'without-roles', tenantId: HOME, kind: 'application' },
      { name: 'system', tenantId: HOME, kind: 'systemAssigned' },
      {
        name: 'alex',
        tenantId: HOME,
        kind: 'user',
        roles: ['Keys.Operate'],
        userPrincipalName: 'Alex@contoso.example',
      },
    ],
    apps: [{ tenantId: CUSTOMER, identity: 'operator' }],
  });
});
afterAll(() => identity.stop());

type Token = { access_token: string; expires_on: number };
const mint = async (body: { identity: string; resource: string; tenant?: string; clientId?: string }) =>
  (await control<Token>(identity, 'POST', 'token', body)).access_token;
const keysOf = (tenant: string) => createRemoteJWKSet(new URL(`${identity.url}/${tenant}/discovery/v2.0/keys`));
const verify = (token: string, issuer: string, audience: string, at = NOW, tenant = HOME) =>
  jwtVerify(token, keysOf(tenant), { issuer, audience, algorithms: ['RS256'], currentDate: new Date(at) });

describe('a token for Key Vault', () => {
  it('a token for Key Vault has version 1.0 and verifies with the keys of the tenant', async () => {
    const { clientId, objectId } = await control(identity, 'GET', 'identities/operator');
    const token = await mint({ identity: 'operator', resource: VAULT });
    const { payload } = await verify(token, `https://sts.windows.net/${HOME}/`, VAULT);
    expect(payload).toMatchObject({
      ver: '1.0',
      tid: HOME,
      oid: objectId,
      sub: objectId,
      appid: clientId,
      idtyp: 'app',
    });
    expect(payload).not.toHaveProperty('roles');
  });

  it('a token for Key Vault names the service principal in the tenant of the token', async () => {
    const [installed] = await control<{ objectId: string }[]>(identity, 'GET', `tenants/${CUSTOMER}/apps`);
    const token = await mint({ identity: 'operator', resource: `${VAULT}/.default`, tenant: CUSTOMER });
    const { payload } = await verify(token, `https://sts.windows.net/${CUSTOMER}/`, VAULT, NOW, CUSTOMER);
    expect(payload).toMatchObject({ tid: CUSTOMER, oid: installed?.objectId });
    expect(installed?.objectId).not.toBe((await control(identity, 'GET', 'identities/operator')).objectId);
  });
});

describe('a token for the API', () => {
  const issuer = () => `${identity.url}/${HOME}/v2.0`;

  it('a token for the API has version 2.0 and the app roles', async () => {
    const { clientId, objectId } = await control(identity, 'GET', 'identities/operator');
    const { payload } = await verify(await mint({ identity: 'operator', resource: API }), issuer(), API);
    expect(payload).toMatchObject({ ver: '2.0', azp: clientId, oid: objectId, tid: HOME });
    expect(payload.roles).toEqual(['Keys.Operate', 'Accounts.Read']);
  });

  it('a token for the API without an assigned role has no roles claim', async () => {
    const { payload } = await verify(await mint({ identity: 'without-roles', resource: API }), issuer(), API);
    expect(payload).not.toHaveProperty('roles');
  });

  it('a token for the API has the roles at the time of issue', async () => {
    await control(identity, 'PUT', 'identities/without-roles/roles', { roles: ['Accounts.Read'] });
    const { payload } = await verify(await mint({ identity: 'without-roles', resource: API }), issuer(), API);
    expect(payload.roles).toEqual(['Accounts.Read']);
  });

  it('every audience that is set as an API gets tokens of version 2.0', async () => {
    await control(identity, 'PUT', 'api-audiences', { audiences: [API, 'api://other'] });
    const token = await mint({ identity: 'system', resource: 'api://other' });
    const { payload } = await verify(token, issuer(), 'api://other');
    expect(payload.ver).toBe('2.0');
  });
});

describe('a token of a user', () => {
  it("a user's token has app roles, the delegated permission and the client, and no claim of an application", async () => {
    const { objectId } = await control(identity, 'GET', 'identities/alex');
    const token = await mint({ identity: 'alex', resource: API });
    const { payload } = await verify(token, `${identity.url}/${HOME}/v2.0`, API);
    expect(payload).toMatchObject({
      oid: objectId,
      tid: HOME,
      ver: '2.0',
      azpacr: '0',
      scp: 'user_impersonation',
      roles: ['Keys.Operate'],
      // The client id of the Azure CLI, as azure-cli's source has it.
      azp: '04b07795-8ddb-461a-bbee-02f9e1bf7b46',
      preferred_username: 'alex@contoso.example',
    });
    expect(payload).not.toHaveProperty('idtyp');
    expect(payload.sub).not.toBe(objectId);
  });

  it("a user's token for Key Vault names the user and the client as version 1.0 does", async () => {
    const clientId = '99999999-0000-4000-8000-000000000001';
    const token = await mint({ identity: 'alex', resource: VAULT, clientId });
    const { payload } = await verify(token, `https://sts.windows.net/${HOME}/`, VAULT);
    expect(payload).toMatchObject({ ver: '1.0', appid: clientId, appidacr: '0', upn: 'alex@contoso.example' });
  });
});

describe('verification', () => {
  it('a token does not verify with the keys of another tenant', async () => {
    const token = await mint({ identity: 'operator', resource: API });
    await expect(jwtVerify(token, keysOf(CUSTOMER))).rejects.toBeInstanceOf(errors.JWKSNoMatchingKey);
  });

  it('a token expires by the clock of the options', async () => {
    await control(identity, 'PUT', 'lifetime', { token: 60 });
    const token = await mint({ identity: 'operator', resource: VAULT });
    const issuer = `https://sts.windows.net/${HOME}/`;
    await expect(verify(token, issuer, VAULT, NOW + 59_000)).resolves.toBeDefined();
    await expect(verify(token, issuer, VAULT, NOW + 60_000)).rejects.toBeInstanceOf(errors.JWTExpired);
  });

  it('a token follows the clock that a control call sets', async () => {
    await control(identity, 'PUT', 'clock', { offsetSeconds: 86_400 });
    const token = await mint({ identity: 'operator', resource: VAULT });
    await control(identity, 'PUT', 'clock', { offsetSeconds: 0 });
    const { payload } = await verify(token, `https://sts.windows.net/${HOME}/`, VAULT, NOW + 86_400_000);
    expect(payload.iat).toBe(NOW / 1000 + 86_400);
  });

  it('the metadata document names issuer, keys and token endpoint', async () => {
    const { body } = await call(identity, 'GET', `/${HOME}/v2.0/.well-known/openid-configuration`);
    expect(body).toMatchObject({
      issuer: `${identity.url}/${HOME}/v2.0`,
      jwks_uri: `${identity.url}/${HOME}/discovery/v2.0/keys`,
      token_endpoint: `${identity.url}/${HOME}/oauth2/v2.0/token`,
    });
  });

  it.each(['v2.0/.well-known/openid-configuration', 'discovery/v2.0/keys'])(
    'an unknown tenant in %s is refused with AADSTS90002',
    async (path) => {
      const { status, body } = await call(identity, 'GET', `/${STRANGER}/${path}`);
      expect(status).toBe(400);
      expect(body).toMatchObject({ error: 'invalid_request', error_codes: [90002] });
    },
  );
});
