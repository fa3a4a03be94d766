/** The examples as a reader runs them: each in a process of its own, with the embedded stack. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { appDir, got, newAccount, sweptUntil, useStack, vaultWithKey, withCustomerKey } from '../app/support.ts';

/** Leases and looks of seconds, so that a revoked key is refused within the test. */
const world = useStack({
  settings: {
    KEYWARD_LEASE_SECONDS: '3',
    KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '0.5',
    KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.3',
    KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '0.3',
    KEYWARD_LOOK_SPACING_SECONDS: '0.3',
  },
});
const run = promisify(execFile);
const tenant = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
let folder = '';
let environment: NodeJS.ProcessEnv = {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyward-examples-'));
  const { host } = world.stack;
  environment = { ...process.env, KEYWARD_ENDPOINT: host.url, KEYWARD_FUNCTION_KEY: host.keys.function, PORT: '0' };
  await got(201, world.api('PUT', '/api/accounts/contoso', newAccount()));
  const key = await vaultWithKey(world, 'tenant-kv');
  await got(201, world.api('PUT', `/api/accounts/${tenant}`, withCustomerKey('fabrikam', key)));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const example = (name: string) => join(appDir, 'examples', name);

describe('the service in TypeScript', () => {
  let child: ChildProcess | undefined;
  afterAll(() => child?.kill());

  async function started(): Promise<string> {
    child = spawn(process.execPath, [example('typescript/service.ts')], {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of child.stdout ?? []) {
      const { port } = JSON.parse(/\{.*\}/.exec(String(line))?.[0] ?? '{}');
      return `http://127.0.0.1:${port}`;
    }
    throw new Error('The service has ended.');
  }

  test('the service in TypeScript stores a record, refuses it when the customer has revoked the key, with the remedy, and then restores it', async () => {
    const url = `${await started()}/${tenant}/42`;
    expect((await fetch(url, { method: 'PUT', body: 'blood group 0' })).status).toBe(204);
    const read = async () => {
      const response = await fetch(url);
      return `${response.status} ${await response.text()}`;
    };
    expect(await read()).toBe('200 blood group 0');

    const set = (enabled: boolean) => world.stack.keyVault('PATCH', '/vaults/tenant-kv/keys/cmk', { enabled });
    await set(false);
    await sweptUntil(world, tenant, ({ properties }) => properties.state === 'CustomerKeyInaccessible');
    // The service's cached key ends with the key status, and with the lease: after three seconds.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(await read()).toMatch(
      /^403 CustomerKeyInaccessible: KeyDisabled since \d{4}.*az keyvault key set-attributes/,
    );
    await set(true);
    await sweptUntil(world, tenant, ({ properties }) => properties.state === 'Enabled');
    expect(await read()).toBe('200 blood group 0');
  });
});

describe('the migration of existing data keys', () => {
  test('the migration wraps each key, proves it, continues where it was stopped, and each wrapped key opens to the same key', async () => {
    const [from, to] = [join(folder, 'keys.jsonl'), join(folder, 'wrapped.jsonl')];
    const line = (n: number) => {
      const [account, plaintext] = [n % 2 === 0 ? 'contoso' : tenant, Buffer.alloc(32, n).toString('base64')];
      return JSON.stringify({ id: String(n), account, plaintext, context: { n: String(n) } });
    };
    const migrate = () =>
      run(process.execPath, [example('typescript/migrateDataKeys.ts'), from, to], { env: environment });
    await writeFile(from, `${[1, 2, 3].map(line).join('\n')}\n`);
    await migrate();
    await writeFile(from, `${Array.from({ length: 150 }, (_, n) => line(n)).join('\n')}\n`);
    const { stdout } = await migrate();
    expect(stdout.trim().split('\n').at(-1)).toMatch(/^150 of 150 keys, 0 failed/);
    const lines = (await readFile(to, 'utf8'))
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text));
    expect(new Set(lines.map(({ id }) => id)).size).toBe(150);
    const short = JSON.stringify({ id: 'short', account: 'contoso', plaintext: 'AAAA' });
    await writeFile(from, `${[short, line(150)].join('\n')}\n`);
    await expect(migrate()).rejects.toMatchObject({
      stdout: expect.stringMatching(/^1 of 2 keys, 1 failed/),
      stderr: expect.stringMatching(/^short: InvalidRequestContent A data key .*16 or 32 bytes/),
    });
    expect(await readFile(to, 'utf8')).toMatch(/"id":"150"/);
    const { wrapped } = lines.find(({ id }) => id === '42');
    const value = [{ wrapped, context: { n: '42' } }];
    const { body } = await got(200, world.api('POST', '/api/accounts/contoso/dataKeys/unwrap', { value }));
    expect(body.value[0].plaintext).toBe(Buffer.alloc(32, 42).toString('base64'));
  });
});

const python = await ['/usr/bin/python3', 'python3'].reduce<Promise<string | undefined>>(
  async (found, path) =>
    (await found) ??
    run(path, ['--version']).then(
      () => path,
      () => undefined,
    ),
  Promise.resolve(undefined),
);

describe.skipIf(python === undefined)('the plain HTTP of the example in Python', () => {
  const pseudonyms = (account: string, more: NodeJS.ProcessEnv = {}) =>
    run(
      python ?? '',
      [example('python/pseudonyms.py'), account, 'Jane@example.com', 'jane@example.com', 'john@example.com'],
      {
        env: { ...environment, WRAPPED_KEY_FILE: join(folder, `${account}.txt`), ...more },
      },
    );

  test('the Python example gives the same pseudonym to the same address in each run, and another one to another address', async () => {
    const [first, again] = [await pseudonyms('contoso'), await pseudonyms('contoso')];
    const [jane, same, john] = first.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[1]);
    expect(jane).toMatch(/^[0-9a-f]{32}$/);
    expect(same).toBe(jane);
    expect(john).not.toBe(jane);
    expect(again.stdout).toBe(first.stdout);
  });

  test('the Python example says what to do when it is refused', async () => {
    await expect(pseudonyms('nowhere')).rejects.toMatchObject({
      stderr: expect.stringMatching(/^Refused\. AccountNotFound/),
    });
  });
});
