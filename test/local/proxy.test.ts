/** Unmodified clients of Azure in processes of their own, which reach the embedded stack through the proxy only. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compressedTime } from '../../src/local/demo/compressedTime.ts';
import { operatorCredentials } from '../../src/local/operator.ts';
import { openAuthority } from '../../src/local/proxy/certificates.ts';
import { startProxy } from '../../src/local/proxy/proxy.ts';
import { type Parts, targetOf } from '../../src/local/proxy/targets.ts';
import { type Stack, startStack } from '../../src/local/stack.ts';
import { proxyLines } from '../../src/local/startPage.ts';
import { keyPool } from '../lab.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
let stack: Stack;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keyward-proxy-'));
  const settings = { KEYWARD_AUTH: 'entra', ...compressedTime };
  stack = await startStack({ keyPool, settings, proxy: { dir }, onLog: () => undefined });
  await stack.createCustomerVault('contoso-keys');
  await stack.keyVault('POST', '/vaults/contoso-keys/keys/media', { kty: 'RSA', size: 2048 });
  // The application through which the customer changes the key.
  const customer = (await (await fetch(`${stack.identity.url}/control/identities/operator`)).json()) as {
    objectId: string;
  };
  const permissions = ['get', 'update'];
  await stack.keyVault('PUT', `/vaults/contoso-keys/grants/${customer.objectId}`, { permissions });
});
afterAll(async () => {
  await stack?.stop();
  await rm(dir, { recursive: true, force: true });
});

const proxy = () => {
  if (stack.proxy === undefined) throw new Error('The stack has no proxy.');
  return stack.proxy;
};

/** Runs a command in a shell that has the lines of the page of `npm start -- --proxy`; returns what it prints. */
async function inShell(command: string, ...args: string[]): Promise<string> {
  const script = `${proxyLines(proxy())}\nexec "$@"`;
  const options = { cwd: project, timeout: 110_000 };
  return (await run('sh', ['-c', script, 'sh', command, ...args], options)).stdout;
}

const runModule = (source: string) => inShell(process.execPath, '--input-type=module', '--eval', source);

/** Sends CONNECT; the first line of the answer. */
function connectTo(target: string): Promise<string> {
  const { hostname, port } = new URL(proxy().url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(`CONNECT ${target} HTTP/1.1\r\n\r\n`));
    socket.once('error', reject).once('data', (data) => {
      socket.destroy();
      resolve(String(data).split('\r\n', 1)[0] ?? '');
    });
  });
}

describe('npm start -- --proxy', () => {
  test('the lines of the README create and read an account exactly as they are printed', async () => {
    const readme = await readFile(join(project, 'README.md'), 'utf8');
    const [, lines = ''] = /```js\n(.*?)```/s.exec(readme) ?? [];
    expect(lines.trim().split('\n')).toHaveLength(5);
    expect(await runModule(lines)).toContain("type: 'SystemKey'");
  }, 60_000);

  test('npm clients 8.1.0, 9.0.0, 12.0.0 and 13.1.0 manage accounts, keys and secrets through a revocation', async () => {
    const walk = fileURLToPath(new URL('clients/walk.ts', import.meta.url));
    const seen = JSON.parse(await inShell(process.execPath, walk));
    expect(Object.keys(seen)).toEqual(['8.1.0', '9.0.0', '12.0.0', '13.1.0']);
    for (const [version, { account, ...others }] of Object.entries<Record<string, unknown>>(seen))
      expect({ version, ...others }).toEqual({
        version,
        key: expect.stringMatching(/^https:\/\/contoso-keys\.vault\.azure\.net\/keys\/media\/[0-9a-f]{32}$/),
        listed: true,
        refused: '400 KeyNotFound',
        // Written, read, and read with secrets: only the last has the value.
        policy: [null, null, Buffer.from('a token validation key').toString('base64')],
        // A locator's answer has no value; listContentKeys returns 16 bytes.
        contentKey: [null, 16],
        job: { baseUri: 'https://media.example/', files: ['a.mp4'], description: 'changed', state: 'Canceled' },
        read: account,
        revealed: '403 CustomerKeyInaccessible',
        written: '403 CustomerKeyInaccessible',
        isSame: true,
        gone: '404 NotFound',
        deleted: '404 AccountNotFound',
      });
  }, 120_000);

  test('a vault that does not exist is a failed connection, as behind a real proxy', async () => {
    const seen = await runModule(`
      import { KeyClient } from '@azure/keyvault-keys';
      import { EnvironmentCredential } from '@azure/identity';
      const options = { retryOptions: { maxRetries: 0 } };
      const keys = new KeyClient('https://missing-keys.vault.azure.net', new EnvironmentCredential(), options);
      console.log(await keys.getKey('media').catch(({ code }) => code));`);
    expect(seen.trim()).toBe('ECONNRESET');
  }, 30_000);

  test('a client in any language signs in over https, at the endpoints of version 1.0 and 2.0', async () => {
    const { clientId, secret } = operatorCredentials;
    const signIn = async (path: string, form: Record<string, string>) => {
      const data = new URLSearchParams({ client_id: clientId, client_secret: secret, ...form });
      const url = `https://login.microsoftonline.com/11111111-1111-4111-8111-111111111111${path}`;
      return JSON.parse(await inShell('curl', '-sS', url, '-d', String(data)));
    };
    const grant = { grant_type: 'client_credentials' };
    const v1 = await signIn('/oauth2/token', { ...grant, resource: 'https://management.core.windows.net/' });
    const v2 = await signIn('/oauth2/v2.0/token', { ...grant, scope: 'https://management.azure.com/.default' });
    const user = { username: 'on-call@operator.example', password: 'local-only', scope: 'openid' };
    const scope = 'https://management.azure.com/user_impersonation openid';
    const users = await signIn('/oauth2/v2.0/token', { grant_type: 'password', ...user, scope });
    expect([v1.expires_in, v2.expires_in]).toEqual(['3600', 3600]);
    const list = `https://management.azure.com/subscriptions/5b1c7c1e-53a1-4a67-9d0f-0c6d3d1f0a01/providers/Microsoft.Media/mediaservices?api-version=2021-11-01`;
    for (const { access_token: token } of [v1, v2, users]) {
      const answer = JSON.parse(await inShell('curl', '-sS', list, '-H', `Authorization: Bearer ${token}`));
      expect(answer).toHaveProperty('value');
    }
  }, 30_000);
});

describe('the proxy', () => {
  test.each([
    'example.com:443',
    'contoso-keys.vault.azure.net.example.com:443',
    'contoso-keys.vault.azure.net:80',
    '127.0.0.1:443',
    'graph.microsoft.com:443',
  ])('the proxy refuses a connection to %s', async (target) => {
    expect(await connectTo(target)).toBe('HTTP/1.1 403 Forbidden');
  });

  test('the proxy listens on the loopback address, and refuses a request that is no CONNECT', async () => {
    expect(new URL(proxy().url).hostname).toBe('127.0.0.1');
    expect((await fetch(`${proxy().url}/`)).status).toBe(403);
  });

  test.each(['appUrl', 'identityUrl', 'keyVaultUrl'])('the proxy does not start for a %s elsewhere', async (part) => {
    const local = 'http://127.0.0.1:1';
    const parts = { appUrl: local, identityUrl: local, keyVaultUrl: local, [part]: 'https://app.azurewebsites.net' };
    await expect(startProxy({ dir, ...parts })).rejects.toThrow(/on this machine only, not https:\/\/app/);
  });

  const parts: Parts = {
    appUrl: 'http://127.0.0.1:1',
    identityUrl: 'http://127.0.0.1:2',
    keyVaultUrl: 'http://127.0.0.1:3',
  };
  const media = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Media/mediaservices/a';
  test.each([
    ['a call of Media Services', 'management.azure.com', `${media}?api-version=x`, `1/api${media}?api-version=x`],
    ['a link of an answer', 'management.azure.com', `/api${media}`, `1/api${media}`],
    ['a sign-in', 'login.microsoftonline.com', '/tenant/oauth2/token', '2/tenant/oauth2/token'],
    ['a call of a vault', 'contoso-keys.vault.azure.net', '/keys/k?x=y', '3/keys/k?x=y'],
  ])('%s reaches its part of the stack', (_what, host, target, expected) => {
    expect(targetOf(host, target, parts)).toEqual({ forwardTo: `http://127.0.0.1:${expected}` });
  });

  test.each([
    ['the native API', 'management.azure.com', '/api/accounts'],
    ['the keys of the host', 'management.azure.com', '/../admin/host/keys'],
    ['the console', 'management.azure.com', `/${media}/../../../../../../../../console/`],
    ['another resource provider', 'management.azure.com', '/subscriptions/s/providers/Microsoft.KeyVault/vaults'],
    ['the control calls of the token issuer', 'login.microsoftonline.com', '/x/../control/identities'],
    ['the managed identity endpoint', 'login.microsoftonline.com', '/msi/token?resource=x'],
    ['an absolute address', 'management.azure.com', 'http://127.0.0.1:1/api/accounts'],
    ['another authority', 'contoso-keys.vault.azure.net', '@example.com/keys'],
  ])('%s has no route', (_what, host, target) => {
    expect(targetOf(host, target, parts)).toMatchObject({ status: 404 });
  });
});

describe('the certificate authority', () => {
  test('the data folder stores the authority, and only its owner can read its key', async () => {
    const first = await openAuthority(dir);
    const key = join(dir, 'ca-key.pem');
    expect((await stat(key)).mode & 0o777).toBe(0o600);
    await chmod(key, 0o644);
    expect((await openAuthority(dir)).cert).toBe(first.cert);
    expect((await stat(key)).mode & 0o777).toBe(0o600);
  });

  test('an authority whose key belongs to another certificate is replaced by a whole one', async () => {
    const folder = await mkdtemp(join(dir, 'torn-'));
    const [first, other] = [await openAuthority(folder), await openAuthority(join(folder, 'other'))];
    await writeFile(join(folder, 'ca-key.pem'), other.key);
    const replaced = await openAuthority(folder);
    expect([first.cert, other.cert]).not.toContain(replaced.cert);
    expect((await openAuthority(folder)).cert).toBe(replaced.cert);
  });
});
