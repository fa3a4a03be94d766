/** The package for Azure, unpacked in an empty folder: no node_modules, no sources. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { QueueServiceClient } from '@azure/storage-queue';
import { unzipSync } from 'fflate';
import { afterAll, describe, expect, test } from 'vitest';
import { packageFiles, zipOf } from '../../package.ts';
import { until } from '../../src/local/client.ts';
import { accountOf, got, rotate, useStack, vaultWithKey, versionOf, withCustomerKey } from './support.ts';

const zip = zipOf(await packageFiles());
const appDir = await mkdtemp(join(tmpdir(), 'keyward-package-'));
for (const [path, bytes] of Object.entries(unzipSync(zip))) {
  await mkdir(dirname(join(appDir, path)), { recursive: true });
  await writeFile(join(appDir, path), bytes);
}

describe('the package', () => {
  test('the package has the files of the Functions host at its root, the chunks, the console, and nothing else', () => {
    const paths = Object.keys(unzipSync(zip));
    expect(paths).toEqual(
      expect.arrayContaining(['host.json', 'package.json', 'dist/functions/index.js', 'dist/console/index.html']),
    );
    const others = paths.filter(
      (path) =>
        !/^(host\.json|package\.json|LICENSE|dist\/[\w/-]+\.js|dist\/console\/[\w/-]+\.(js|css|html|svg))$/.test(path),
    );
    expect(others).toEqual([]);
  });

  test('the package has the same bytes each time the same files are packed', async () => {
    expect(Buffer.from(zipOf(await packageFiles())).equals(zip)).toBe(true);
  });

  test('the package loads without a setting, makes no call, reads only its own files, and few of them before the first call', async () => {
    const options = { env: {}, cwd: appDir };
    // The permission model throws on any file outside, on processes and on workers. The test counts sockets.
    const rights = ['--permission', `--allow-fs-read=${appDir}`];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [...rights, '--input-type=module', '-e', loadAndTell],
      options,
    );
    const { functions, calls, loaded } = JSON.parse(stdout);
    expect(functions).toEqual(expect.arrayContaining(['accountsGet', 'keyEvents', 'sweep', 'vaultWork']));
    expect(calls).toEqual([]);
    const files = await packageFiles();
    const bytes = loaded.map((path: string) => files[path]?.length ?? Number.NaN);
    // The library of Azure Functions is 75 KiB of it. A larger value means a static import in functions/index.ts that
    // can be lazy.
    expect(Math.max(...bytes)).toBeGreaterThan(50 * 1024);
    expect(bytes.reduce((sum: number, one: number) => sum + one, 0)).toBeLessThan(100 * 1024);
  });
});

/**
 * Registers into a list instead of a host, through the interface of the Node worker:
 * `require('@azure/functions-core')`.
 */
const loadAndTell = `
  import { Module, registerHooks } from 'node:module';
  import net from 'node:net';
  import dns from 'node:dns';
  const functions = [], calls = [], loaded = [];
  const core = { registerFunction: ({ name }) => functions.push(name), registerHook() {}, setProgrammingModel() {}, getProgrammingModel() {}, log() {}, version: '3.9.1', hostVersion: '4.1045.0' };
  const real = Module.prototype.require;
  Module.prototype.require = function (id) { return id === '@azure/functions-core' ? core : real.call(this, id); };
  net.Socket.prototype.connect = () => { calls.push('connect'); throw new Error('No network.'); };
  dns.lookup = () => { calls.push('lookup'); throw new Error('No network.'); };
  globalThis.fetch = () => { calls.push('fetch'); throw new Error('No network.'); };
  const here = 'file://' + process.cwd() + '/';
  registerHooks({ load(url, context, next) { if (url.startsWith(here)) loaded.push(url.slice(here.length)); return next(url, context); } });
  await import(here + 'dist/functions/index.js');
  await new Promise((resolve) => setTimeout(resolve, 100));
  console.log(JSON.stringify({ functions, calls, loaded }));
`;

describe('the package in the host', () => {
  const world = useStack({ appDir, settings: { KEYWARD_LOOK_SPACING_SECONDS: '1' } });
  const ran = (name: string) =>
    world.records.filter(({ message }) => message.startsWith(`Executed 'Functions.${name}' (Succeeded,`)).length;

  afterAll(() => rm(appDir, { recursive: true, force: true }));

  test('the package in the host serves a request, and an event and its queue message re-wrap the account', async () => {
    const key = await vaultWithKey(world, 'packed');
    await got(201, world.api('PUT', '/api/accounts/packed', withCustomerKey('packed', key)));
    expect(ran('accountsPut')).toBe(1);
    const version = await rotate(world, 'packed');
    await until(
      'the account is on the new version',
      () => versionOf(world.api, 'packed'),
      (seen) => seen === version,
    );
    expect(ran('keyEvents')).toBeGreaterThan(0);
    await until(
      'the message is done',
      async () => ran('vaultWork'),
      (times) => times > 0,
    );
  });

  test('the package in the host sweeps by its timer, and the sweep starts a look through the queue', async () => {
    const lookedAt = async () => (await accountOf(world.api, 'packed')).properties.encryption.lastAccessibleAt;
    const before = await lookedAt();
    await until(
      'a sweep has looked at the key',
      async () => {
        await world.stack.host.invokeTimer('sweep');
        return lookedAt();
      },
      (seen) => seen > before,
    );
    expect(ran('sweep')).toBeGreaterThan(0);
  });

  test('the package in the host accepts a queue message of another sender', async () => {
    const { connectionString } = world.stack.azurite;
    const queue = QueueServiceClient.fromConnectionString(connectionString).getQueueClient('vault-work');
    const before = ran('vaultWork');
    const work = { vault: '0'.repeat(32), requestedBy: 'sweep' };
    await queue.sendMessage(Buffer.from(JSON.stringify(work)).toString('base64'));
    await until(
      'the message was worked on',
      async () => ran('vaultWork'),
      (times) => times > before,
    );
  });
});
