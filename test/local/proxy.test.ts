/** Unmodified clients of Azure in a process of their own, which reaches the embedded stack through the proxy only. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { homeTenantId, location, operatorCredentials } from '../../src/local/operator.ts';
import { openAuthority } from '../../src/local/proxy/certificates.ts';
import { type Stack, startStack } from '../../src/local/stack.ts';
import { keyPool } from '../lab.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
let stack: Stack;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keyward-proxy-'));
  stack = await startStack({ keyPool, timers: false, proxy: { dir } });
  await stack.createCustomerVault('contoso-keys');
  await stack.keyVault('POST', '/vaults/contoso-keys/keys/media', { kty: 'RSA', size: 2048 });
});
afterAll(async () => {
  await stack.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Runs a module with the variables that `npm start -- --proxy` prints; returns what it prints as JSON. */
async function runClient(source: string): Promise<unknown> {
  const env = {
    ...process.env,
    HTTPS_PROXY: stack.proxy?.url,
    NODE_EXTRA_CA_CERTS: stack.proxy?.caFile,
    AZURE_TENANT_ID: homeTenantId,
    AZURE_CLIENT_ID: operatorCredentials.clientId,
    AZURE_CLIENT_SECRET: operatorCredentials.secret,
  };
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', source], { cwd: project, env });
  return JSON.parse(stdout);
}

/** Sends CONNECT; the first line of the answer. */
function connectTo(target: string): Promise<string> {
  const { hostname, port } = new URL(stack.proxy?.url ?? '');
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(`CONNECT ${target} HTTP/1.1\r\n\r\n`));
    socket.once('error', reject).once('data', (data) => {
      socket.destroy();
      resolve(String(data).split('\r\n', 1)[0] ?? '');
    });
  });
}

describe('the proxy', () => {
  test('the unmodified Media Services client creates an account under a customer key, and lists it', async () => {
    const seen = await runClient(`
      import { AzureMediaServices } from '@azure/arm-mediaservices';
      import { EnvironmentCredential } from '@azure/identity';
      const client = new AzureMediaServices(new EnvironmentCredential(), '5b1c7c1e-53a1-4a67-9d0f-0c6d3d1f0a01');
      const account = { location: '${location}', encryption: { type: 'CustomerKey',
        identity: { useSystemAssignedIdentity: true },
        keyVaultProperties: { keyIdentifier: 'https://contoso-keys.vault.azure.net/keys/media' } } };
      const { encryption } = await client.mediaservices.beginCreateOrUpdateAndWait('media', 'contoso', account, { updateIntervalInMs: 50 });
      const names = [];
      for await (const { name } of client.mediaservices.list('media')) names.push(name);
      console.log(JSON.stringify({ names, key: encryption.keyVaultProperties.currentKeyIdentifier }));`);
    expect(seen).toEqual({
      names: ['contoso'],
      key: expect.stringMatching(/^https:\/\/contoso-keys\.vault\.azure\.net\/keys\/media\/[0-9a-f]{32}$/),
    });
  }, 60_000);

  test('the unmodified Key Vault client reads a key by the public name of its vault', async () => {
    const directory = (await (await fetch(`${stack.identity.url}/control/identities/operator`)).json()) as {
      objectId: string;
    };
    await stack.keyVault('PUT', `/vaults/contoso-keys/grants/${directory.objectId}`, { permissions: ['get'] });
    const seen = await runClient(`
      import { KeyClient } from '@azure/keyvault-keys';
      import { EnvironmentCredential } from '@azure/identity';
      const keys = (vault) => new KeyClient('https://' + vault + '.vault.azure.net', new EnvironmentCredential(), { retryOptions: { maxRetries: 0 } });
      const { name, keyType } = await keys('contoso-keys').getKey('media');
      const missing = await keys('missing-keys').getKey('media').catch((error) => error.code);
      console.log(JSON.stringify({ name, keyType, missing }));`);
    expect(seen).toEqual({ name: 'media', keyType: 'RSA', missing: 'ECONNRESET' });
  }, 60_000);

  test.each([
    'example.com:443',
    'contoso-keys.vault.azure.net.example.com:443',
    'contoso-keys.vault.azure.net:80',
    '127.0.0.1:443',
    'graph.microsoft.com:443',
  ])('the proxy refuses a connection to %s', async (target) => {
    expect(await connectTo(target)).toBe('HTTP/1.1 403 Forbidden');
  });

  test('the proxy refuses a request that is no CONNECT', async () => {
    expect((await fetch(`${stack.proxy?.url}/`)).status).toBe(403);
  });

  test('the proxy listens on the loopback address and hides the control calls of the emulators', async () => {
    expect(new URL(stack.proxy?.url ?? '').hostname).toBe('127.0.0.1');
    const seen = await runClient(`
      import { createDefaultHttpClient, createEmptyPipeline, createPipelineRequest, proxyPolicy } from '@azure/core-rest-pipeline';
      const pipeline = createEmptyPipeline();
      pipeline.addPolicy(proxyPolicy());
      const get = async (url) => (await pipeline.sendRequest(createDefaultHttpClient(), createPipelineRequest({ url }))).status;
      console.log(JSON.stringify([
        await get('https://login.microsoftonline.com/control/identities'),
        await get('https://contoso-keys.vault.azure.net/control/vaults'),
        await get('https://management.azure.com/subscriptions?api-version=2022-12-01'),
      ]));`);
    expect(seen).toEqual([404, 401, 200]);
  }, 30_000);
});

test('the certificate authority is stored, and only its owner can read its key', async () => {
  const first = await openAuthority(dir);
  expect((await openAuthority(dir)).cert).toBe(first.cert);
  expect((await stat(join(dir, 'ca-key.pem'))).mode & 0o777).toBe(0o600);
});
