import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OFFICER, OTHER_TENANT, openStage, raw, SERVICE, type Stage, startIssuer, TENANT } from './helpers.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());

const UNWRAP = { alg: 'RSA-OAEP-256', value: 'AAAA' };

describe('the challenge', () => {
  it('a request without a token gets a challenge that names tenant and resource', async () => {
    const { host } = await stage.vault({ location: 'northeurope' });
    const answer = await raw(stage.url, { host, path: '/keys/cmk/?api%2Dversion=2025-07-01' });
    expect(answer.status).toBe(401);
    expect(answer.text).toBe(
      '{"error":{"code":"Unauthorized","message":"AKV10000: Request is missing a Bearer or PoP token."}}',
    );
    expect(answer.headers).toMatchObject({
      'www-authenticate': `Bearer authorization="https://login.microsoftonline.com/${TENANT}", resource="https://vault.azure.net"`,
      'x-ms-keyvault-region': 'northeurope',
      'x-ms-request-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      'x-ms-keyvault-service-version': expect.stringMatching(/^1\.9\./),
      'cache-control': 'no-cache',
    });
  });

  it('the challenge of a Managed HSM or another cloud names its own resource', async () => {
    const cases = [
      [{ kind: 'managedhsm' }, '.managedhsm.azure.net', 'https://managedhsm.azure.net'],
      [{ cloud: 'china' }, '.vault.azure.cn', 'https://vault.azure.cn'],
      [{ cloud: 'usgov' }, '.vault.usgovcloudapi.net', 'https://vault.usgovcloudapi.net'],
    ] as const;
    for (const [settings, suffix, resource] of cases) {
      const { name, host } = await stage.vault(settings);
      expect(host).toBe(name + suffix);
      const answer = await raw(stage.url, { host, path: '/keys' });
      expect(answer.headers['www-authenticate']).toContain(`resource="${resource}"`);
    }
  });
});

describe('tokens', () => {
  const refusal = async (token: string) => {
    const { host } = await stage.vault();
    const { status, json, headers } = await raw(stage.url, { host, path: '/keys/cmk?api-version=7.4', token });
    expect(headers['www-authenticate']).toContain(TENANT);
    return [status, json.error.code, json.error.message];
  };

  it('a token of another tenant is refused with AKV10032', async () => {
    const message = `AKV10032: Invalid issuer. Expected one of https://sts.windows.net/${TENANT}/, found https://sts.windows.net/${OTHER_TENANT}/.`;
    expect(await refusal(await stage.issuer.token({ tenant: OTHER_TENANT }))).toEqual([401, 'Unauthorized', message]);
  });

  it('a token for another resource is refused with AKV10022', async () => {
    const token = await stage.issuer.token({ aud: 'https://management.azure.com' });
    const message =
      'AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://management.azure.com.';
    expect(await refusal(token)).toEqual([401, 'Unauthorized', message]);
  });

  it('a token that has expired, is malformed or has a foreign signature is refused', async () => {
    const expired = await refusal(await stage.issuer.token({ expiresIn: -60 }));
    expect(expired[2]).toBe("[TokenExpired] Error validating token: 'S2S12086'.");
    expect((await refusal('garbage'))[0]).toBe(401);
    const forger = await startIssuer();
    expect((await refusal(await forger.token()))[0]).toBe(401);
    await forger.stop();
  });
});

describe('permissions', () => {
  it('a refusal by RBAC names caller, action and resource', async () => {
    const { name } = await stage.vault();
    const oid = 'bbbbbbbb-0000-4000-8000-000000000001';
    const answer = await stage.call(name, 'POST', '/keys/cmk/unwrapkey', UNWRAP, { oid });
    expect(answer.status).toBe(403);
    expect(answer.json.error).toEqual({
      code: 'Forbidden',
      message: [
        'Caller is not authorized to perform action on resource.',
        'If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.',
        `Caller: appid=app-of-${oid};oid=${oid};iss=https://sts.windows.net/${TENANT}/`,
        "Action: 'Microsoft.KeyVault/vaults/keys/unwrap/action'",
        `Resource: '/subscriptions/00000000-0000-4000-8000-000000000001/resourcegroups/rg-keyward-local/providers/microsoft.keyvault/vaults/${name}/keys/cmk'`,
        'Assignment: (not found)',
        'DenyAssignmentId: null',
        "DecisionReason: 'DeniedWithNoValidRBAC' ",
        `Vault: ${name};location=westeurope`,
        '',
      ].join('\r\n'),
      innererror: { code: 'ForbiddenByRbac' },
    });
  });

  it('a missing permission is reported before a missing key, unless a setting of the vault reverses the order', async () => {
    const { name } = await stage.vault();
    await stage.control('DELETE', `/vaults/${name}/grants/${SERVICE}`);
    expect((await stage.call(name, 'GET', '/keys/nothing')).status).toBe(403);
    await stage.control('PATCH', `/vaults/${name}`, { answers: { existenceBeforePermission: true } });
    expect((await stage.call(name, 'GET', '/keys/nothing')).status).toBe(404);
  });

  it('the role Crypto Service Encryption User permits get, wrap and unwrap only', async () => {
    const { name } = await stage.vault();
    await stage.key(name, 'cmk');
    const statusOf = async (method: string, path: string, body?: unknown) =>
      (await stage.call(name, method, path, body)).status;
    expect(await statusOf('GET', '/keys/cmk')).toBe(200);
    expect(await statusOf('GET', '/keys/cmk/versions')).toBe(200);
    expect(await statusOf('POST', '/keys/cmk/wrapkey', UNWRAP)).toBe(200);
    expect(await statusOf('POST', '/keys/cmk/encrypt', UNWRAP)).toBe(403);
    expect(await statusOf('GET', '/deletedkeys/cmk')).toBe(403);
    expect(await statusOf('DELETE', '/keys/cmk')).toBe(403);
    expect(await statusOf('PATCH', '/keys/cmk', { attributes: { enabled: false } })).toBe(403);
    expect(await statusOf('POST', '/keys/cmk/rotate')).toBe(403);
  });

  it('a grant at the scope of a key covers that key only, and a success names the role assignment', async () => {
    const { name } = await stage.vault();
    await stage.key(name, 'one');
    await stage.key(name, 'two');
    const oid = 'bbbbbbbb-0000-4000-8000-000000000002';
    await stage.control('PUT', `/vaults/${name}/grants/${oid}`, { permissions: ['get'], key: 'ONE' });
    const granted = await stage.call(name, 'GET', '/keys/one', undefined, { oid });
    expect([granted.status, granted.headers['x-ms-keyvault-rbac-assignment-id']]).toEqual([200, expect.any(String)]);
    expect((await stage.call(name, 'GET', '/keys/two', undefined, { oid })).status).toBe(403);
    await stage.control('DELETE', `/vaults/${name}/grants/${oid}?key=one`);
    expect((await stage.call(name, 'GET', '/keys/one', undefined, { oid })).status).toBe(403);
  });

  it('a new or removed grant takes effect after the propagation delay', async () => {
    const slow = await openStage({ timings: { grantDelayMs: 60_000 } });
    try {
      const { name } = await slow.vault();
      await slow.key(name, 'cmk');
      const status = async () => (await slow.call(name, 'GET', '/keys/cmk')).status;
      expect(await status()).toBe(403);
      await slow.control('POST', '/clock/advance', { seconds: 61 });
      expect(await status()).toBe(200);
      await slow.control('DELETE', `/vaults/${name}/grants/${SERVICE}`);
      expect(await status()).toBe(200);
      await slow.control('POST', '/clock/advance', { seconds: 61 });
      expect(await status()).toBe(403);
    } finally {
      await slow.stop();
    }
  });

  it('a refusal by access policy has the inner code that the vault is set to, and list is a separate permission', async () => {
    const { name } = await stage.vault({ authModel: 'policy' });
    const answer = await stage.call(name, 'GET', '/keys/cmk/versions');
    expect(answer.json.error).toEqual({
      code: 'Forbidden',
      message: `The user, group or application 'appid=app-of-${SERVICE};oid=${SERVICE};iss=https://sts.windows.net/${TENANT}/' does not have keys list permission on key vault '${name};location=westeurope'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287`,
      innererror: { code: 'AccessDenied' },
    });
    await stage.control('PATCH', `/vaults/${name}`, { answers: { policyInnerCode: 'ForbiddenByPolicy' } });
    const older = await stage.call(name, 'GET', '/keys/cmk/versions');
    expect(older.json.error.innererror.code).toBe('ForbiddenByPolicy');
    await stage.control('PATCH', `/vaults/${name}`, { answers: { innerErrors: false } });
    expect((await stage.call(name, 'GET', '/keys/cmk/versions')).json.error).not.toHaveProperty('innererror');
    expect((await stage.call(name, 'GET', '/keys/nothing')).status).toBe(404);
  });

  it('access policies have no effect while the vault uses RBAC, and take effect again afterwards', async () => {
    const { name } = await stage.vault({ authModel: 'policy' });
    await stage.key(name, 'cmk');
    const read = async () => (await stage.call(name, 'GET', '/keys/cmk')).status;
    expect(await read()).toBe(200);
    await stage.control('PATCH', `/vaults/${name}`, { authModel: 'rbac' });
    expect(await read()).toBe(403);
    await stage.control('PATCH', `/vaults/${name}`, { authModel: 'policy' });
    expect(await read()).toBe(200);
  });

  it('a Managed HSM refuses a missing role with its own message', async () => {
    const { name, host } = await stage.vault({ kind: 'managedhsm' });
    const token = await stage.issuer.token({ aud: 'https://managedhsm.azure.net', oid: 'stranger' });
    const { json } = await raw(stage.url, { host, path: '/keys/cmk?api-version=7.4', token });
    expect(json.error.innererror.code).toBe('AccessDenied');
    expect(json.error.message).toMatch(/^Not authorized to access .*managedHsm.* on \/keys\/cmk \(Activity ID: /);
    expect(name).toBeTruthy();
  });
});

describe('network rules', () => {
  it.each([
    [
      'ForbiddenByFirewall',
      'ForbiddenByFirewall',
      /^Client address is not authorized and caller is not a trusted service\.\r\nClient address: 127\.0\.0\.1\r\nCaller: /,
    ],
    [
      'NetworkSecurityPerimeter',
      'ForbiddenByFirewall',
      /^Request was not allowed by NSP rules and the client address is not authorized/,
    ],
    [
      'ForbiddenByConnection',
      'ForbiddenByConnection',
      /^Public network access is disabled and request is not from a trusted service/,
    ],
  ])('the network rule %s refuses every operation before permissions are checked', async (firewall, inner, message) => {
    const { name } = await stage.vault({ firewall });
    for (const [method, path, oid] of [
      ['GET', '/keys/cmk', SERVICE],
      ['POST', '/keys/cmk/unwrapkey', 'stranger'],
      ['DELETE', '/keys/cmk', OFFICER],
    ] as const) {
      const { status, json } = await stage.call(name, method, path, UNWRAP, { oid });
      expect([status, json.error.code, json.error.innererror.code]).toEqual([403, 'Forbidden', inner]);
      expect(json.error.message).toMatch(message);
      expect(json.error.message).toMatch(new RegExp(`Vault: ${name};location=westeurope$`));
    }
    await stage.control('PATCH', `/vaults/${name}`, { firewall: 'ok' });
    expect((await stage.call(name, 'GET', '/keys/cmk')).status).toBe(404);
  });
});

describe('api-version', () => {
  it.each(['?api-version=7.4', '?api%2Dversion=7.6', '?api-version=2025-07-01', '?api-version=7.6-preview.2'])(
    'the api-version in %s is accepted',
    async (query) => {
      const { name } = await stage.vault();
      expect((await stage.call(name, 'GET', `/keys/cmk${query}`)).status).toBe(404);
    },
  );

  it.each(['?x=1', '?api-version=', '?api-version=1.0x'])(
    'a missing or unknown api-version is refused (%s)',
    async (query) => {
      const { name } = await stage.vault();
      const { status, json } = await stage.call(name, 'GET', `/keys/cmk${query}`);
      expect([status, json.error.code]).toEqual([400, 'BadParameter']);
    },
  );
});
