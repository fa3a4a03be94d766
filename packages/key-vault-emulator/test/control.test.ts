import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStage, raw, type Stage, TENANT } from './helpers.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage.stop());

const send = async (method: string, path: string, body?: unknown) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`${stage.url}/control${path}`, {
    method,
    ...(body === undefined ? {} : { body: text }),
  });
  return {
    status: response.status,
    message: ((await response.json()) as { error: { message: string } }).error.message,
  };
};

describe('the control API', () => {
  it('GET /control lists every call with a curl line', async () => {
    const text = await (await fetch(`${stage.url}/control`)).text();
    expect(text).toContain(`curl -X POST '${stage.url}/control/vaults' -d '{"name":"fabrikam-keys"`);
    expect(text.match(/^curl /gm)?.length).toBeGreaterThan(30);
  });

  it('the curl lines of GET /control name a vault and a key that exist', async () => {
    const { name } = await stage.vault();
    await stage.key(name, 'media');
    const text = await (await fetch(`${stage.url}/control`)).text();
    expect(new Set([...text.matchAll(/control\/vaults\/([^/']+)/g)].map(([, vault]) => vault))).toEqual(
      new Set([name]),
    );
    expect(text).toContain(`"vault":"${name}","operation":"unwrapkey"`);
    const reads = [...text.matchAll(/^curl '([^']+)'$/gm)].map(([, url = '']) => url);
    for (const url of reads) {
      // It needs the code of a handshake.
      if (url.endsWith('/validate')) continue;
      expect([url, (await fetch(url)).status]).toEqual([url, 200]);
    }
    expect(reads.length).toBeGreaterThan(8);
  });

  it.each([
    ['POST', '/vaults', {}, 'name: '],
    ['POST', '/vaults', { name: 'x', tenantId: TENANT }, 'name: must be 3 to 24'],
    ['POST', '/vaults', { name: 'good-name', tenantId: 'contoso' }, 'tenantId: '],
    ['POST', '/vaults', { name: 'good-name', tenantId: TENANT, firewal: 'ok' }, 'firewal'],
    [
      'POST',
      '/vaults',
      { name: 'good-name', tenantId: TENANT, throttle: { perSecond: { EC: 0 } } },
      'throttle.perSecond.EC: ',
    ],
    ['PUT', '/vaults/base/grants/p', { permissions: ['read'] }, 'permissions: must be cryptoServiceEncryptionUser'],
    ['PUT', '/vaults/base/grants/p', { permissions: ['get'], key: 'k', model: 'policy' }, 'key: access policies'],
    ['POST', '/vaults/base/keys/k', { exp: 'tomorrow' }, 'exp: '],
    ['POST', '/vaults/base/keys/k', { fixture: 99 }, 'fixture: the pool has no RSA-2048 key 99'],
    ['PUT', '/vaults/base/keys/k', {}, 'jwk: give jwk or pem'],
    ['PUT', '/vaults/base/keys/k', { pem: 'not a key' }, 'pem: not a private key'],
    ['POST', '/faults', { action: 'explode' }, 'action: '],
    ['POST', '/faults', { action: 'status', status: 99 }, 'status: '],
    ['POST', '/faults', { action: 'reset', operation: 'verify' }, 'operation: '],
    ['PUT', '/clock', {}, 'now: give now'],
    ['PUT', '/timings', { eventRetryMs: [] }, 'eventRetryMs: '],
    ['PUT', '/vaults/base/eventSubscriptions/s', { endpoint: 'ftp://x' }, 'endpoint: '],
    ['PUT', '/events/mode', { mode: 'chaos' }, 'mode: '],
    ['POST', '/faults', '{"action":', 'The body is not JSON'],
  ])('%s %s with %j returns 400 and names the field', async (method, path, body, message) => {
    await stage.control('POST', '/vaults', { name: 'base', tenantId: TENANT }).catch(() => undefined);
    const answer = await send(method, path, body);
    expect(answer.status).toBe(400);
    expect(answer.message).toContain(message);
  });

  it.each([
    ['GET', '/vaults/nothing', 404],
    ['GET', '/nothing', 404],
    ['POST', '/vaults/nothing/keys/k/rotate', 404],
    ['DELETE', '/clock', 405],
  ])('the control call %s %s returns %i', async (method, path, status) => {
    expect((await send(method, path)).status).toBe(status);
  });

  it('a second vault of the same name is refused with 409', async () => {
    const { name } = await stage.vault();
    const answer = await send('POST', '/vaults', { name: name.toUpperCase(), tenantId: TENANT });
    expect(answer.status).toBe(409);
  });

  it('the control API never returns a private key', async () => {
    const { name } = await stage.vault();
    await stage.key(name, 'cmk');
    const shown = JSON.stringify([
      await stage.control('GET', '/vaults'),
      await stage.control('GET', `/vaults/${name}/keys/cmk`),
    ]);
    expect(shown).not.toMatch(/"(d|p|q|dp|dq|qi|privateKey)":/);
  });

  it('the control API accepts loopback host names only', async () => {
    const answer = await raw(stage.url, { host: 'evil.example.com', path: '/control/vaults' });
    expect([answer.status, answer.headers['x-emulator-network-error']]).toEqual([421, 'ENOTFOUND']);
    const { port } = new URL(stage.url);
    expect((await raw(stage.url, { host: `localhost:${port}`, path: '/control/vaults' })).status).toBe(200);
  });

  it('the clock can be set and advanced', async () => {
    await stage.control('PUT', '/clock', { now: '2030-06-01T00:00:00Z' });
    const { now } = await stage.control<{ now: string }>('POST', '/clock/advance', { days: 1, seconds: 60 });
    expect(now).toMatch(/^2030-06-02T00:01:0/);
    await stage.control('PUT', '/clock', { offsetMs: 0 });
  });

  it('a reset deletes all vaults and faults', async () => {
    await stage.vault();
    await stage.control('POST', '/faults', { action: 'hang' });
    await stage.control('POST', '/reset');
    expect(await stage.control('GET', '/vaults')).toEqual([]);
    expect(await stage.control('GET', '/faults')).toEqual([]);
  });
});

describe('the emulator as a process', () => {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

  async function start(): Promise<{ child: ChildProcess; url: string }> {
    const child = spawn(process.execPath, [main, '--identity-url', 'http://127.0.0.1:1'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = await once(child.stdout as NodeJS.ReadableStream, 'data');
    return { child, url: JSON.parse(String(line)).url };
  }

  it.each([
    ['SIGTERM', (child: ChildProcess) => child.kill('SIGTERM')],
    ['the end of its standard input', (child: ChildProcess) => child.stdin?.end()],
  ])('the emulator process prints its URL and ends on %s', async (_how, end) => {
    const { child, url } = await start();
    expect(await (await fetch(`${url}/control/vaults`)).json()).toEqual([]);
    const exited = once(child, 'exit');
    end(child);
    expect(await exited).toEqual([0, null]);
  });
});
