import { CredentialUnavailableError, ManagedIdentityCredential } from '@azure/identity';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Identity, startIdentity } from '../src/issuer.ts';
import { control, HOME, VAULT } from './support.ts';

const USER = { clientId: 'aaaaaaaa-0000-4000-8000-000000000001', objectId: 'bbbbbbbb-0000-4000-8000-000000000001' };
const RESOURCE_ID = '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/User';

// The SDK keeps the endpoint of its first request, and every token, for the life of the process: one issuer for the
// whole file, and a resource of its own for each test that must not meet a token of another.
let identity: Identity;
beforeAll(async () => {
  identity = await startIdentity({
    tenants: [{ tenantId: HOME }],
    identities: [
      { name: 'system', tenantId: HOME, kind: 'systemAssigned' },
      { name: 'user', tenantId: HOME, kind: 'userAssigned', resourceId: RESOURCE_ID, ...USER },
    ],
  });
  for (const [name, value] of Object.entries(identity.environment)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await identity.stop();
});

describe('ManagedIdentityCredential of @azure/identity, unmodified', () => {
  it('ManagedIdentityCredential gets a token of the system-assigned identity', async () => {
    const { objectId } = await control(identity, 'GET', 'identities/system');
    const { token } = await new ManagedIdentityCredential().getToken(`${VAULT}/.default`);
    expect(decodeJwt(token)).toMatchObject({ aud: VAULT, oid: objectId, tid: HOME });
  });

  it.each([
    ['client id', () => new ManagedIdentityCredential({ clientId: USER.clientId })],
    ['object id', () => new ManagedIdentityCredential({ objectId: USER.objectId })],
    ['resource id, whatever its case', () => new ManagedIdentityCredential({ resourceId: RESOURCE_ID.toLowerCase() })],
  ])('ManagedIdentityCredential gets a token of a user-assigned identity by its %s', async (_id, create) => {
    const { token } = await create().getToken(`${VAULT}/.default`);
    expect(decodeJwt(token)).toMatchObject({ oid: USER.objectId, appid: USER.clientId, xms_mirid: RESOURCE_ID });
  });

  it('ManagedIdentityCredential uses the expiry of the answer', async () => {
    await control(identity, 'PUT', 'lifetime', { msi: 1234 });
    const { token, expiresOnTimestamp } = await new ManagedIdentityCredential().getToken(
      'https://expiry.test/.default',
    );
    const left = (expiresOnTimestamp - Date.now()) / 1000;
    expect(left).toBeGreaterThan(1220);
    expect(left).toBeLessThan(1240);
    const { exp = 0, iat = 0 } = decodeJwt(token);
    expect(exp - iat).toBe(1234);
  });

  it('a deleted identity is unavailable, and has another object id after it is created again', async () => {
    const mortal = { tenantId: HOME, kind: 'userAssigned', clientId: 'aaaaaaaa-0000-4000-8000-000000000002' };
    const before = await control(identity, 'PUT', 'identities/mortal', mortal);
    const credential = new ManagedIdentityCredential({ clientId: mortal.clientId });
    await control(identity, 'DELETE', 'identities/mortal');

    const failure = credential.getToken('https://mortal.test/.default');
    await expect(failure).rejects.toBeInstanceOf(CredentialUnavailableError);
    await expect(failure).rejects.toThrow('No User Assigned or Delegated Managed Identity found');

    await control(identity, 'PUT', 'identities/mortal', mortal);
    const { oid } = decodeJwt((await credential.getToken('https://mortal.test/.default')).token);
    expect(oid).toMatch(/^[0-9a-f-]{36}$/);
    expect(oid).not.toBe(before.objectId);
  });

  it('ManagedIdentityCredential is unavailable for an application', async () => {
    const clientId = 'aaaaaaaa-0000-4000-8000-000000000003';
    await control(identity, 'PUT', 'identities/app', { tenantId: HOME, kind: 'application', clientId });
    const failure = new ManagedIdentityCredential({ clientId }).getToken(`${VAULT}/.default`);
    await expect(failure).rejects.toBeInstanceOf(CredentialUnavailableError);
  });
});

describe('the endpoint of App Service', () => {
  const get = async (query: string, header = identity.environment.IDENTITY_HEADER) => {
    const response = await fetch(`${identity.environment.IDENTITY_ENDPOINT}?${query}`, {
      headers: { 'X-IDENTITY-HEADER': header },
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it('the managed identity endpoint answers in the documented form', async () => {
    const { status, body } = await get(`resource=${VAULT}&api-version=2019-08-01&principal_id=${USER.objectId}`);
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      expires_on: expect.stringMatching(/^\d{10}$/),
      resource: VAULT,
      token_type: 'Bearer',
      client_id: USER.clientId,
    });
  });

  it.each([
    ['an unknown identity', `resource=${VAULT}&api-version=2019-08-01&client_id=${HOME}`],
    ['no resource', 'api-version=2019-08-01'],
    ['another API version', `resource=${VAULT}&api-version=2017-09-01`],
  ])('the managed identity endpoint returns 400 for %s', async (_what, query) => {
    const { status, body } = await get(query);
    expect(status).toBe(400);
    expect(body).toMatchObject({ statusCode: 400, message: expect.any(String) });
  });

  it('the managed identity endpoint returns 401 for a wrong secret header', async () => {
    expect((await get(`resource=${VAULT}&api-version=2019-08-01`, 'guess')).status).toBe(401);
  });
});
