import { ClientSecretCredential } from '@azure/identity';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Identity, startIdentity } from '../src/issuer.ts';
import { throughIssuer } from './rerouting.ts';
import { askForToken, CUSTOMER, control, HOME, STRANGER, VAULT } from './support.ts';

const APP = 'cccccccc-0000-4000-8000-000000000001';
const SECRET = 'open sesame';

let identity: Identity;
beforeAll(async () => {
  identity = await startIdentity({
    tenants: [{ tenantId: HOME }, { tenantId: CUSTOMER }],
    identities: [
      { name: 'app', tenantId: HOME, kind: 'application', clientId: APP, secret: SECRET, roles: ['Keyward.Reader'] },
    ],
  });
});
afterAll(() => identity.stop());

const withSecret = { client_id: APP, client_secret: SECRET };

describe('the client credentials flow with a secret', () => {
  it('a client secret gets a token for the resource of the scope', async () => {
    const { status, body } = await askForToken(identity, HOME, withSecret);
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 3600 });
    expect(decodeJwt(String(body.access_token))).toMatchObject({ aud: VAULT, appid: APP, appidacr: '1' });
  });

  it('a client secret gets a token with roles for the API', async () => {
    const { body } = await askForToken(identity, HOME, { ...withSecret, scope: 'api://keyward/.default' });
    expect(decodeJwt(String(body.access_token))).toMatchObject({ aud: 'api://keyward', roles: ['Keyward.Reader'] });
  });

  it('ClientSecretCredential gets a token through a rerouting HTTP client', async () => {
    const credential = new ClientSecretCredential(HOME, APP, SECRET, { httpClient: throughIssuer(identity.url) });
    const { token } = await credential.getToken(`${VAULT}/.default`);
    expect(decodeJwt(token)).toMatchObject({ aud: VAULT, appid: APP });
  });

  it.each<[string, string, Record<string, string>, number, string, number]>([
    ['an unknown tenant', STRANGER, withSecret, 400, 'invalid_request', 90002],
    ['an unknown application', HOME, { ...withSecret, client_id: STRANGER }, 400, 'unauthorized_client', 700016],
    ['a tenant without the application', CUSTOMER, withSecret, 401, 'invalid_client', 7000229],
    ['a wrong secret', HOME, { ...withSecret, client_secret: 'guess' }, 401, 'invalid_client', 7000215],
    ['no proof at all', HOME, { client_id: APP }, 401, 'invalid_client', 7000216],
    ['no client id', HOME, { client_secret: SECRET }, 400, 'invalid_request', 900144],
    ['another grant type', HOME, { ...withSecret, grant_type: 'device_code' }, 400, 'unsupported_grant_type', 70003],
    ['a scope that is not .default', HOME, { ...withSecret, scope: 'User.Read' }, 400, 'invalid_scope', 1002012],
  ])('a token request with %s is refused in the form of Entra', async (_what, tenant, form, status, error, code) => {
    const reply = await askForToken(identity, tenant, form);
    expect(reply.status).toBe(status);
    expect(reply.body).toMatchObject({
      error,
      error_codes: [code],
      error_description: expect.stringMatching(
        new RegExp(
          `^AADSTS${code}: .+ Trace ID: .+ Correlation ID: .+ Timestamp: \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\dZ$`,
        ),
      ),
    });
  });
});

describe('an app in a customer tenant', () => {
  const codes = async () => (await askForToken(identity, CUSTOMER, withSecret)).body.error_codes;

  it('a tenant installs, disables and removes an application, which has a new object id when it is installed again', async () => {
    const { objectId } = await control(identity, 'PUT', `tenants/${CUSTOMER}/apps/app`, {});
    const { body } = await askForToken(identity, CUSTOMER, withSecret);
    expect(decodeJwt(String(body.access_token))).toMatchObject({ tid: CUSTOMER, oid: objectId });

    await control(identity, 'PUT', `tenants/${CUSTOMER}/apps/app`, { enabled: false });
    expect(await codes()).toEqual([7000112]);

    await control(identity, 'DELETE', `tenants/${CUSTOMER}/apps/app`);
    expect(await codes()).toEqual([7000229]);
    expect((await askForToken(identity, HOME, withSecret)).status).toBe(200);

    const again = await control(identity, 'PUT', `tenants/${CUSTOMER}/apps/app`, {});
    expect(again.objectId).not.toBe(objectId);
    await control(identity, 'DELETE', `tenants/${CUSTOMER}/apps/app`);
  });

  it('an application that is not installed is refused with the code that the tenant is set to', async () => {
    await control(identity, 'PUT', `tenants/${CUSTOMER}`, { missingApp: 'AADSTS700016' });
    expect(await codes()).toEqual([700016]);
    await control(identity, 'PUT', `tenants/${CUSTOMER}`, { missingApp: 'AADSTS7000229' });
    expect(await codes()).toEqual([7000229]);
  });
});
