import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { keyVaultControl } from '../src/controlClient.ts';
import { startKeyVault } from '../src/emulator.ts';
import { openStage, raw, type Stage, TENANT } from './helpers.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());
afterEach(() => stage.control('DELETE', '/faults'));

const fault = (body: unknown) => stage.control<{ id: string }>('POST', '/faults', body);

async function vaultWithKey(): Promise<string> {
  const { name } = await stage.vault();
  await stage.key(name, 'cmk');
  return name;
}

const get = (vault: string, key = 'cmk') => stage.call(vault, 'GET', `/keys/${key}`);

describe('faults', () => {
  it.each([
    ['json', 'application/json; charset=utf-8', /^\{"error":\{"code":"InternalServerError"/],
    ['html', 'text/html', /^<html>/],
    ['empty', undefined, /^$/],
  ])('a fault can answer a status with a body of %s', async (body, type, text) => {
    const vault = await vaultWithKey();
    await fault({ vault, action: 'status', status: 503, body, retryAfter: 7 });
    const answer = await get(vault);
    expect([answer.status, answer.headers['content-type'], answer.headers['retry-after']]).toEqual([503, type, '7']);
    expect(answer.text).toMatch(text);
  });

  it('a fault acts before the challenge on every caller', async () => {
    const { host, name } = await stage.vault();
    await fault({ vault: name, action: 'status', status: 500 });
    expect((await raw(stage.url, { host, path: '/keys' })).status).toBe(500);
  });

  it('a fault affects only its vault, key and operation, `count` times', async () => {
    const vault = await vaultWithKey();
    const other = await vaultWithKey();
    await stage.key(vault, 'second');
    await fault({ vault, key: 'cmk', operation: 'Get', action: 'status', status: 500, count: 2 });
    expect((await get(other)).status).toBe(200);
    expect((await get(vault, 'second')).status).toBe(200);
    const wrap = await stage.call(vault, 'POST', '/keys/cmk/wrapkey', { alg: 'RSA-OAEP-256', value: 'AAAA' });
    expect(wrap.status).toBe(200);
    expect([(await get(vault)).status, (await get(vault)).status, (await get(vault)).status]).toEqual([500, 500, 200]);
    expect(await stage.control('GET', '/faults')).toEqual([]);
  });

  it('a fault without a count stays until it is cleared', async () => {
    const vault = await vaultWithKey();
    const { id } = await fault({ vault, action: 'status', status: 500 });
    expect([(await get(vault)).status, (await get(vault)).status]).toEqual([500, 500]);
    await stage.control('DELETE', `/faults/${id}`);
    expect((await get(vault)).status).toBe(200);
    await expect(stage.control('DELETE', `/faults/${id}`)).rejects.toThrow('404');
  });

  it('a throttling fault answers 429 with or without Retry-After', async () => {
    const vault = await vaultWithKey();
    await fault({ vault, action: 'throttled', count: 1 });
    const bare = await get(vault);
    expect([bare.status, bare.headers['retry-after'], bare.text]).toEqual([
      429,
      undefined,
      '{"error":{"code":"Throttled","message":"Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"}}',
    ]);
    await fault({ vault, action: 'throttled', retryAfter: 3, count: 1 });
    expect((await get(vault)).headers['retry-after']).toBe('3');
  });

  it('a fault can answer 403 with any inner code or none', async () => {
    const vault = await vaultWithKey();
    await fault({ vault, action: 'forbidden', inner: 'SomethingNew', count: 1 });
    expect((await get(vault)).json.error.innererror).toEqual({ code: 'SomethingNew' });
    await fault({ vault, action: 'forbidden', count: 1 });
    expect((await get(vault)).json.error).not.toHaveProperty('innererror');
  });

  it.each(['EAI_AGAIN', 'ECONNREFUSED', 'CERT_HAS_EXPIRED', 'ENOTFOUND'])(
    'a fault can fail the network with %s',
    async (code) => {
      const vault = await vaultWithKey();
      await fault({ vault, action: 'network', code });
      const failed = await stage
        .keyClient(vault)
        .getKey('cmk')
        .catch((error: unknown) => error);
      expect(failed).toMatchObject({ code });
    },
  );

  it('a fault can reset the connection', async () => {
    const vault = await vaultWithKey();
    await fault({ vault, action: 'reset' });
    await expect(get(vault)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('a fault can delay the request', async () => {
    const vault = await vaultWithKey();
    await fault({ vault, action: 'delay', delayMs: 80, count: 1 });
    const started = performance.now();
    expect((await get(vault)).status).toBe(200);
    expect(performance.now() - started).toBeGreaterThan(75);
  });

  it('a late answer has the state at the time of the request', async () => {
    const vault = await vaultWithKey();
    await fault({ vault, action: 'lateAnswer', delayMs: 400, count: 1 });
    const late = get(vault);
    await new Promise((resolve) => setTimeout(resolve, 200));
    await stage.control('DELETE', `/vaults/${vault}/keys/cmk`);
    expect((await get(vault)).status).toBe(404);
    expect((await late).status).toBe(200);
  });

  it('a fault can answer 403 after a delay', async () => {
    const vault = await vaultWithKey();
    await fault({ vault, action: 'forbidden', inner: 'KeyDisabled', delayMs: 60, count: 1 });
    const started = performance.now();
    expect((await get(vault)).status).toBe(403);
    expect(performance.now() - started).toBeGreaterThan(55);
  });

  it('a fault can make an unwrap return wrong bytes', async () => {
    const vault = await vaultWithKey();
    const wrap = { alg: 'RSA-OAEP-256', value: 'c2VjcmV0' };
    const wrapped = (await stage.call(vault, 'POST', '/keys/cmk/wrapkey', wrap)).json;
    await fault({ vault, action: 'wrongUnwrap', count: 1 });
    const unwrap = async () =>
      (await stage.call(vault, 'POST', '/keys/cmk/unwrapkey', { alg: 'RSA-OAEP-256', value: wrapped.value })).json;
    const wrong = await unwrap();
    expect(Buffer.from(wrong.value, 'base64url')).toHaveLength(6);
    expect(wrong).not.toMatchObject({ value: wrap.value });
    expect(await unwrap()).toEqual({ kid: wrapped.kid, value: wrap.value });
  });

  it('a hanging request does not prevent the emulator from stopping', async () => {
    const emulator = await startKeyVault({ identityUrl: stage.issuer.url });
    const control = keyVaultControl(emulator.url);
    await control('POST', '/vaults', { name: 'hanging', tenantId: TENANT });
    await control('POST', '/faults', { vault: 'hanging', action: 'hang', count: 1 });
    const hanging = raw(emulator.url, { host: 'hanging.vault.azure.net', path: '/keys' }).catch((error) => error.code);
    await control('POST', '/faults', { vault: 'hanging', action: 'delay', delayMs: 60_000 });
    const slow = raw(emulator.url, { host: 'hanging.vault.azure.net', path: '/keys' }).catch((error) => error.code);
    await expect.poll(async () => (await control<{ total: number }>('GET', '/requests')).total).toBe(1);
    await emulator.stop();
    expect([await hanging, await slow]).toEqual(['ECONNRESET', 'ECONNRESET']);
  });
});

describe('the request log', () => {
  it('the request log counts by vault, operation and status, and stores the caller of each request', async () => {
    const vault = await vaultWithKey();
    await stage.control('DELETE', '/requests');
    const { key } = (await get(vault)).json;
    await get(vault, 'nothing');
    await fault({ vault, action: 'network', code: 'EAI_AGAIN', count: 1 });
    await stage.call(vault, 'POST', '/keys/cmk//unwrapkey', {});
    const { total, counts, requests } = await stage.control<Record<string, unknown>>('GET', '/requests');
    expect(total).toBe(3);
    expect(counts).toEqual({ [vault]: { get: { 200: 1, 404: 1 }, unwrapkey: { EAI_AGAIN: 1 } } });
    expect(requests).toMatchObject([
      { vault, operation: 'get', key: 'cmk', status: 200, principal: expect.stringMatching(/^aaaaaaaa-/) },
      { key: 'nothing', status: 404 },
      { operation: 'unwrapkey', status: 'EAI_AGAIN' },
    ]);
    expect(key.kid).toContain(vault);
    const unwraps = await stage.control<{ requests: unknown[] }>('GET', `/requests?vault=${vault}&operation=unwrapkey`);
    expect(unwraps.requests).toHaveLength(1);
  });
});
