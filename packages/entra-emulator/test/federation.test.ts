import {
  AuthenticationRequiredError,
  ClientAssertionCredential,
  CredentialUnavailableError,
  ManagedIdentityCredential,
} from '@azure/identity';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Identity, startIdentity } from '../src/issuer.ts';
import { throughIssuer } from './rerouting.ts';
import { AS_ASSERTION, askForToken, CUSTOMER, control, HOME, VAULT } from './support.ts';

const USER = 'aaaaaaaa-0000-4000-8000-000000000001';
const APP = 'cccccccc-0000-4000-8000-000000000001';
const EXCHANGE = 'api://AzureADTokenExchange';

let now = Date.now();
let identity: Identity;
beforeAll(async () => {
  identity = await startIdentity({
    now: () => now,
    tenants: [{ tenantId: HOME }, { tenantId: CUSTOMER }],
    identities: [
      { name: 'user', tenantId: HOME, kind: 'userAssigned', clientId: USER },
      { name: 'other', tenantId: HOME, kind: 'userAssigned' },
      { name: 'app', tenantId: HOME, kind: 'application', clientId: APP },
    ],
    apps: [{ tenantId: CUSTOMER, identity: 'app' }],
    federatedCredentials: [{ app: 'app', name: 'by-user', credential: { identity: 'user' } }],
  });
  for (const [name, value] of Object.entries(identity.environment)) vi.stubEnv(name, value);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await identity.stop();
});

describe('a managed identity that speaks for an app in a customer tenant', () => {
  const credentialOf = (tenant: string, clientId: string, seen?: string[]) => {
    const managed = new ManagedIdentityCredential({ clientId: USER });
    const assertion = async () => (await managed.getToken(`${EXCHANGE}/.default`)).token;
    const httpClient = throughIssuer(identity.url, seen);
    return new ClientAssertionCredential(tenant, clientId, assertion, { httpClient });
  };

  it("a managed identity gets a customer tenant's token for an application with one request to Entra", async () => {
    const seen: string[] = [];
    const { token } = await credentialOf(CUSTOMER, APP, seen).getToken(`${VAULT}/.default`);
    const [installed] = await control<{ objectId: string }[]>(identity, 'GET', `tenants/${CUSTOMER}/apps`);
    expect(decodeJwt(token)).toMatchObject({ tid: CUSTOMER, oid: installed?.objectId, appid: APP, appidacr: '2' });
    expect(seen).toEqual([`POST https://login.microsoftonline.com/${CUSTOMER}/oauth2/v2.0/token`]);
  });

  it('the credential reports AADSTS7000229 when the customer has removed the application', async () => {
    await control(identity, 'DELETE', `tenants/${CUSTOMER}/apps/app`);
    const failure = credentialOf(CUSTOMER, APP).getToken(`${VAULT}/.default`);
    await expect(failure).rejects.toBeInstanceOf(AuthenticationRequiredError);
    await expect(failure).rejects.toThrow('AADSTS7000229');
    await control(identity, 'PUT', `tenants/${CUSTOMER}/apps/app`, {});
  });

  it('the credential is unavailable when the managed identity was deleted', async () => {
    const managed = new ManagedIdentityCredential({ clientId: 'aaaaaaaa-0000-4000-8000-00000000dead' });
    await expect(managed.getToken(`${EXCHANGE}/.default`)).rejects.toBeInstanceOf(CredentialUnavailableError);
  });
});

describe('an assertion', () => {
  const assertionOf = async (name: string, resource = EXCHANGE) =>
    String((await control(identity, 'POST', 'token', { identity: name, resource })).access_token);
  const present = async (client_assertion: string) => {
    const { status, body } = await askForToken(identity, CUSTOMER, {
      client_id: APP,
      client_assertion,
      ...AS_ASSERTION,
    });
    return status === 200 ? 'granted' : body.error_codes;
  };

  it('an assertion is granted the same token as a client secret', async () => {
    expect(await present(await assertionOf('user'))).toBe('granted');
  });

  it.each<[string, () => Promise<string>, number]>([
    ['of another identity', () => assertionOf('other'), 700213],
    ['meant for another audience', () => assertionOf('user', VAULT), 700211],
    ['of another issuer', () => assertionOf('user', 'api://keyward'), 700211],
    ['that is no token', async () => 'nonsense', 50027],
    ['whose signature is broken', async () => `${(await assertionOf('user')).slice(0, -8)}AAAAAAAA`, 700027],
  ])('an assertion %s is refused', async (_what, make, code) => {
    expect(await present(await make())).toEqual([code]);
  });

  it('an assertion with another audience is refused', async () => {
    expect(await present(await assertionOf('user', `${EXCHANGE}USGov`))).toEqual([700212]);
  });

  it('an expired assertion is refused', async () => {
    await control(identity, 'PUT', 'lifetime', { msi: 60 });
    const assertion = await assertionOf('user');
    now += 61_000;
    expect(await present(assertion)).toEqual([700024]);
    now -= 61_000;
  });

  it('an assertion is refused after its federated credential was removed', async () => {
    const assertion = await assertionOf('user');
    await control(identity, 'DELETE', 'identities/app/federated-credentials/by-user');
    expect(await present(assertion)).toEqual([700211]);
    await control(identity, 'PUT', 'identities/app/federated-credentials/by-user', { identity: 'user' });
    expect(await present(assertion)).toBe('granted');
  });

  it('an assertion of an identity that was deleted and created again is refused, because the subject is the object id', async () => {
    await control(identity, 'DELETE', 'identities/user');
    await control(identity, 'PUT', 'identities/user', { tenantId: HOME, kind: 'userAssigned', clientId: USER });
    expect(await present(await assertionOf('user'))).toEqual([700213]);
  });
});
