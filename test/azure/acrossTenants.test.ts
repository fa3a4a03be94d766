/**
 * Tokens of an application in a customer's tenant, from the real credentials and a token endpoint that answers as Entra
 * does.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Identity, startIdentity } from '../../packages/entra-emulator/src/issuer.ts';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { causeOf } from '../../src/azure/causeTable.ts';
import { createCredentials } from '../../src/azure/credentials.ts';
import { recorded } from '../../src/azure/wireRecord.ts';
import type { Cause } from '../../src/core/base/causes.ts';
import type { FederatedIdentity } from '../../src/core/customerKey/binding.ts';
import type { Cloud } from '../../src/core/customerKey/keyIdentifier.ts';

const HOME = '11111111-1111-4111-8111-111111111111';
const CUSTOMER = '55555555-5555-4555-8555-555555555551';
const APP = 'cccccccc-0000-4000-8000-000000000001';
const VAULT = 'https://vault.azure.net/.default';
const resourceId = (name: string) =>
  `/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`;

const identity: FederatedIdentity = {
  useSystemAssignedIdentity: false,
  userAssignedIdentity: resourceId('Speaker'),
  federatedIdentityClientId: APP,
  tenantId: CUSTOMER,
};
const across = { tenantId: CUSTOMER, identity };

let issuer: Identity;
const control: ReturnType<typeof keyVaultControl> = (...call) => keyVaultControl(issuer.url)(...call);

beforeAll(async () => {
  issuer = await startIdentity({
    // So short that the SDK caches none of them: each test requests a new one.
    lifetimeSeconds: { msi: 2, token: 2 },
    tenants: [{ tenantId: HOME }, { tenantId: CUSTOMER }],
    identities: [
      { name: 'system', tenantId: HOME, kind: 'systemAssigned' },
      { name: 'speaker', tenantId: HOME, kind: 'userAssigned', resourceId: resourceId('speaker') },
      { name: 'other', tenantId: HOME, kind: 'userAssigned', resourceId: resourceId('other') },
      { name: 'app', tenantId: HOME, kind: 'application', clientId: APP },
    ],
    apps: [{ tenantId: CUSTOMER, identity: 'app' }],
    federatedCredentials: [{ app: 'app', name: 'speaker', credential: { identity: 'speaker' } }],
  });
  for (const [name, value] of Object.entries(issuer.environment)) vi.stubEnv(name, value);
});
afterEach(() => control('DELETE', '/faults'));
afterAll(async () => {
  vi.unstubAllEnvs();
  await issuer.stop();
});

const credentials = (cloud: Cloud = 'public', entraEmulatorUrl = issuer.url) =>
  createCredentials({ cloud, homeTenantId: HOME, deadlineSeconds: 5, entraEmulatorUrl });

/** Counts the requests to the token endpoint from now on. */
async function watchTokenEndpoint(): Promise<() => Promise<number>> {
  const watching = { endpoint: 'token', effect: { kind: 'delay', ms: 0 } };
  const { id } = await control<{ id: number }>('POST', '/faults', watching);
  return async () =>
    (await control<{ id: number; hits: number }[]>('GET', '/faults')).find((one) => one.id === id)?.hits ?? -1;
}

describe('the credential of an application in another tenant', () => {
  it('the credential of an application in another tenant returns tokens of that tenant, for the service principal there', async () => {
    const { token } = (await credentials().of(across).getToken(VAULT)) ?? {};
    const [installed] = await control<{ objectId: string }[]>('GET', `/tenants/${CUSTOMER}/apps`);
    expect(decodeJwt(token ?? '')).toMatchObject({ tid: CUSTOMER, oid: installed?.objectId, appid: APP });
  });

  it('INV-8: the credential requests no token when the vault names another tenant than the account', async () => {
    const requests = await watchTokenEndpoint();
    const { of } = credentials();
    const tenantId = '99999999-9999-4999-8999-999999999999';
    for (const who of [across, { tenantId: HOME, identity: { useSystemAssignedIdentity: true } } as const]) {
      const { wire, result } = await recorded(async () => of(who).getToken(VAULT, { tenantId }));
      expect(result).toBeUndefined();
      expect(causeOf(wire)).toBe('TenantMismatch');
    }
    expect(await requests()).toBe(0);
    const sameTenant = await of(across).getToken(VAULT, { tenantId: CUSTOMER.toUpperCase() });
    expect(decodeJwt(sameTenant?.token ?? '')).toMatchObject({ tid: CUSTOMER });
  });

  it('a credential is cached with its token for its tenant, identity and application, and shared with no other', async () => {
    await control('PUT', '/lifetime', { token: 3600 });
    const requests = await watchTokenEndpoint();
    const { of } = credentials();
    const first = await of(across).getToken(VAULT);
    expect(await of({ ...across, identity: { ...identity } }).getToken(VAULT)).toEqual(first);
    expect(await requests()).toBe(1);
    const home = await of({ tenantId: HOME, identity: { ...identity, tenantId: HOME } }).getToken(VAULT);
    expect(decodeJwt(home?.token ?? '')).toMatchObject({ tid: HOME });
    const untrusted = { ...identity, userAssignedIdentity: resourceId('other') };
    await expect(of({ ...across, identity: untrusted }).getToken(VAULT)).rejects.toThrow('AADSTS700213');
    await control('PUT', '/lifetime', { token: 2 });
  });
});

const answering = (status: number, message: string) => ({
  kind: 'answer',
  status,
  body: { statusCode: status, message },
});
const refusing = (code: number) => ({
  kind: 'answer',
  status: 400,
  body: { error: 'interaction_required', error_description: `AADSTS${code}: refused.`, error_codes: [code] },
});
const fault = (endpoint: 'msi' | 'token', effect: object) => () => control('POST', '/faults', { endpoint, effect });
const nothing = async () => undefined;
const trust = { identity: 'speaker' };

describe('without a token, the cause names the side at fault:', () => {
  it.each<[string, Cause, () => Promise<unknown>, () => Promise<unknown>]>([
    [
      'the application is removed from the tenant',
      'IdentityNotAuthorized',
      () => control('DELETE', `/tenants/${CUSTOMER}/apps/app`),
      () => control('PUT', `/tenants/${CUSTOMER}/apps/app`, {}),
    ],
    [
      'the tenant says so with the older code',
      'IdentityNotAuthorized',
      async () => {
        await control('PUT', `/tenants/${CUSTOMER}`, { missingApp: 'AADSTS700016' });
        await control('DELETE', `/tenants/${CUSTOMER}/apps/app`);
      },
      () => control('PUT', `/tenants/${CUSTOMER}/apps/app`, {}),
    ],
    [
      'the application is disabled in the tenant',
      'IdentityNotAuthorized',
      () => control('PUT', `/tenants/${CUSTOMER}/apps/app`, { enabled: false }),
      () => control('PUT', `/tenants/${CUSTOMER}/apps/app`, { enabled: true }),
    ],
    ['conditional access blocks it', 'IdentityNotAuthorized', fault('token', refusing(53003)), nothing],
    ['the tenant does not exist', 'TenantMismatch', fault('token', refusing(90002)), nothing],
    [
      "the application no longer trusts Keyward's identity",
      'IdentityUnavailable',
      () => control('DELETE', '/identities/app/federated-credentials/speaker'),
      () => control('PUT', '/identities/app/federated-credentials/speaker', trust),
    ],
    [
      'the application trusts another identity',
      'IdentityUnavailable',
      () => control('PUT', '/identities/app/federated-credentials/speaker', { identity: 'other' }),
      () => control('PUT', '/identities/app/federated-credentials/speaker', trust),
    ],
    [
      'the managed identity endpoint answers with AADSTS700016 in its text',
      'IdentityUnavailable',
      fault('msi', answering(400, 'AADSTS700016: Application was not found.')),
      nothing,
    ],
    ['the managed identity endpoint fails', 'IdentityUnavailable', fault('msi', answering(500, '')), nothing],
    ['the token endpoint is busy', 'IdentityUnavailable', fault('token', answering(429, '')), nothing],
    ['the token endpoint fails', 'IdentityUnavailable', fault('token', answering(503, '')), nothing],
    ['the connection to the token endpoint breaks', 'IdentityUnavailable', fault('token', { kind: 'reset' }), nothing],
    [
      'the token endpoint answers in HTML',
      'IdentityUnavailable',
      fault('token', { kind: 'answer', status: 200, body: '<html>Welcome</html>' }),
      nothing,
    ],
  ])('when %s, the cause is %s, and the next call requests a token again', async (_what, cause, begin, end) => {
    const { of } = credentials();
    await begin();
    const { wire, result } = await recorded(async () => of(across).getToken(VAULT));
    expect(result).toBeUndefined();
    expect({ cause: causeOf(wire), wire }).toMatchObject({ cause });
    // INV-9
    expect(JSON.stringify(wire)).not.toMatch(/refused|Application|eyJ/);
    await end();
    await control('DELETE', '/faults');
    expect(decodeJwt((await of(across).getToken(VAULT))?.token ?? '')).toMatchObject({ tid: CUSTOMER });
  });
});

describe('the exchange at home', () => {
  it("the exchange at home succeeds while the application there trusts Keyward's identity, with a new request each time", async () => {
    await control('PUT', '/lifetime', { token: 3600 });
    const { exchangesAtHome } = credentials();
    expect(await exchangesAtHome(identity)).toBe(true);
    await control('PUT', `/tenants/${HOME}/apps/app`, { enabled: false });
    expect(await exchangesAtHome(identity)).toBe(false);
    await control('PUT', `/tenants/${HOME}/apps/app`, { enabled: true });
    await control('DELETE', '/identities/app/federated-credentials/speaker');
    expect(await exchangesAtHome(identity)).toBe(false);
    await control('PUT', '/identities/app/federated-credentials/speaker', trust);
    // The customer's tenant is not involved.
    await control('DELETE', `/tenants/${CUSTOMER}/apps/app`);
    expect(await exchangesAtHome(identity)).toBe(true);
    await control('PUT', `/tenants/${CUSTOMER}/apps/app`, {});
    await control('PUT', '/lifetime', { token: 2 });
  });
});

// Microsoft Entra docs, "National clouds" and "Workload identity federation".
describe('each cloud has its own authority and exchange', () => {
  it.each<[Cloud, string, string]>([
    ['public', 'login.microsoftonline.com', 'api://AzureADTokenExchange'],
    ['usgov', 'login.microsoftonline.us', 'api://AzureADTokenExchangeUSGov'],
    ['china', 'login.chinacloudapi.cn', 'api://AzureADTokenExchangeChina'],
  ])('in the cloud %s a token is requested from %s, with an assertion for %s', async (cloud, host, audience) => {
    const seen: unknown[] = [];
    // MSAL has the metadata of most authorities built in, and requests that of the others.
    const metadata = {
      issuer: `https://${host}/${CUSTOMER}/v2.0`,
      token_endpoint: `https://${host}/${CUSTOMER}/oauth2/v2.0/token`,
      authorization_endpoint: `https://${host}/${CUSTOMER}/oauth2/v2.0/authorize`,
      jwks_uri: `https://${host}/${CUSTOMER}/discovery/v2.0/keys`,
    };
    const server = createServer((request, response) => {
      if (request.method === 'GET') return response.end(JSON.stringify(metadata));
      return request.setEncoding('utf8').on('data', (form: string) => {
        const { aud } = decodeJwt(new URLSearchParams(form).get('client_assertion') ?? '');
        seen.push({ host: request.headers.host, path: request.url?.split('?')[0], aud });
        response.writeHead(503).end();
      });
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(credentials(cloud, url).of(across).getToken(VAULT)).rejects.toThrow();
    server.closeAllConnections();
    expect(seen).toEqual([{ host, path: `/${CUSTOMER}/oauth2/v2.0/token`, aud: audience }]);
    await new Promise((closed) => server.close(closed));
  });
});
