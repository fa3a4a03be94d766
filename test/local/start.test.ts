import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { caller } from '../../src/local/client.ts';
import { compressedTime } from '../../src/local/demo/compressedTime.ts';
import { isExhaustive } from '../exhaustive.ts';

const run = promisify(execFile);
const project = fileURLToPath(new URL('../..', import.meta.url));
const environment = { ...process.env, ...compressedTime };

let dir: string;
beforeAll(async () => {
  if (!existsSync(join(project, 'dist/functions/index.js'))) {
    await run(process.execPath, ['build.ts'], { cwd: project });
  }
  dir = await mkdtemp(join(tmpdir(), 'keyward-start-'));
});
const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** `npm start` without the build; `ready` resolves to the page. */
function start(data: string, ...more: string[]) {
  const parameters = ['src/local/start.ts', '--dir', join(dir, data), '--port', '0', ...more];
  const child = spawn(process.execPath, parameters, { cwd: project, env: environment });
  children.add(child);
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  const ended = new Promise<Ended>((done) => child.once('close', (code) => done({ code, out, err })));
  const ready = async () => {
    await expect.poll(() => out + err, { timeout: 30_000 }).toContain('Events from now on');
    return out;
  };
  return { child, ready, ended, said: () => out };
}

const curlLines = (page: string) => page.split('\n').filter((line) => line.startsWith('curl '));
const urlOf = (page: string, name: string) => new RegExp(`^ {2}${name} +(http://[\\d.:]+)`, 'm').exec(page)?.[1] ?? '';

/** Runs a printed line, with one more argument that makes curl print the status of the answer. */
async function paste(line: string) {
  const { stdout } = await run('/bin/sh', ['-c', `${line} -w '\\n%{http_code}'`]);
  const [, text = '', status] = /^([\s\S]*)\n(\d{3})$/.exec(stdout) ?? [];
  return { status: Number(status), text };
}

it.runIf(isExhaustive)(
  'npm start stores an account and its key over a restart, every printed line works, and its folder serves one process and has its keys',
  {
    timeout: 120_000,
  },
  async () => {
    const first = start('main', '--auth', 'functionKeys');
    const page = await first.ready();
    const lines = curlLines(page);
    expect(lines).toHaveLength(10);
    const look = lines.find((line) => line.includes('/api/accounts/alpha') && !line.includes(' -X ')) ?? '';
    const account = async () => JSON.parse((await paste(look)).text).properties;
    const currently = async () => (await account()).encryption.keyVaultProperties.currentKeyIdentifier;
    const within = { timeout: 20_000, interval: 250 };

    let version = '';
    for (const line of lines) {
      const { status, text } = await paste(line);
      expect([200, 201], `${line}\n${text}`).toContain(status);
      if (line.includes(' -X PATCH ')) version = await currently();
      if (line.includes('/rotate')) await expect.poll(currently, within).not.toBe(version);
      if (line.includes(' -X DELETE ')) {
        await expect.poll(async () => (await account()).encryption.status, within).toBe('Suspect');
        await expect.poll(async () => (await account()).state, within).toBe('CustomerKeyInaccessible');
      }
      if (line.includes('/recover')) await expect.poll(async () => (await account()).state, within).toBe('Enabled');
    }
    const before = await account();
    expect(first.said()).toMatch(/^\d\d:\d\d:\d\d {2}keyEvents +Received an event \{.*KeyNewVersionCreated/m);
    expect(first.said()).toMatch(/^\d\d:\d\d:\d\d {2}vaultWork +Checked a key \{.*"cause":"KeyNotFound"/m);
    expect(first.said()).toMatch(
      /^\d\d:\d\d:\d\d {2}announced +Keyward\.CustomerKeyInaccessible, \/accounts\/alpha, .*keyReleasedBy /m,
    );
    expect(first.said()).not.toContain('Execut');
    const requestedAt = Date.now();
    first.child.kill('SIGINT');
    expect(await first.ended).toMatchObject({ code: 0, err: '' });
    // Three seconds for work in flight, with what a busy machine adds.
    expect(Date.now() - requestedAt).toBeLessThan(20_000);

    const second = start('main', '--auth', 'functionKeys');
    const again = await second.ready();
    const keyVault = keyVaultControl(urlOf(again, 'Key Vault'));
    // The function key that the first run printed still works.
    const key = /x-functions-key: ([\w-]+)/.exec(page)?.[1] ?? '';
    const api = caller(urlOf(again, 'API'), { 'x-functions-key': key });
    const { body } = await api('GET', '/api/accounts/alpha');
    expect(body.properties).toMatchObject({ accountId: before.accountId, owner: 'contoso', state: 'Enabled' });

    // A change of key unwraps the account key with the old key first.
    await keyVault('POST', '/vaults/contoso-keys/keys/other', { kty: 'RSA', size: 2048 });
    const keyIdentifier = 'https://contoso-keys.vault.azure.net/keys/other';
    const moved = await api('PATCH', '/api/accounts/alpha', {
      properties: { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } } },
    });
    expect(moved.status, JSON.stringify(moved.body)).toBe(200);

    // Events reach the host at its current address.
    const rotated = await keyVault<{ key: { kid: string } }>('POST', '/vaults/contoso-keys/keys/other/rotate');
    const current = async () =>
      (await api('GET', '/api/accounts/alpha')).body.properties.encryption.keyVaultProperties.currentKeyIdentifier;
    await expect.poll(current, within).toBe(rotated.key.kid);
    const grants = await keyVault<{ roleAssignments: { principal: string }[] }>('GET', '/vaults/contoso-keys');
    const [grant] = grants.roleAssignments;
    await keyVault('DELETE', `/vaults/contoso-keys/grants/${grant?.principal}`);
    await expect.poll(second.said, within).toMatch(/resourceEvents +Received an event \{.*ResourceDeleteSuccess.*true/);

    expect(await start('main').ended).toMatchObject({
      code: 1,
      err: `npm start: ${join(dir, 'main')} is in use by another process.\n`,
    });
    second.child.kill('SIGTERM');
    expect(await second.ended).toMatchObject({ code: 0, err: '' });

    await rm(join(dir, 'main/keyvault.json'));
    const withoutKeys = await start('main').ended;
    expect(withoutKeys.code).toBe(1);
    expect(withoutKeys.err).toMatch(
      /^npm start: .*azurite holds accounts whose keys are not in .*keyvault\.json. .*\n$/,
    );
    const fresh = start('main', '--fresh');
    await fresh.ready();
    fresh.child.kill('SIGINT');
    expect((await fresh.ended).code).toBe(0);
  },
);

it.runIf(isExhaustive)(
  'npm start prints the console first, accepts only bearer tokens, and stops at a second interrupt with work in flight',
  {
    timeout: 60_000,
  },
  async () => {
    const entra = start("it's entra");
    const page = await entra.ready();
    expect(page).toMatch(/KEYWARD_AUTH +entra/);
    const [address = ''] = /http:\S+/.exec(page) ?? [];
    expect(page.trimStart()).toMatch(new RegExp(`^Console: ${address} `));
    expect(await (await fetch(address)).text()).toContain('<title>Keyward console</title>');
    for (const line of curlLines(page)) {
      const { status, text } = await paste(line);
      expect([200, 201], `${line}\n${text}`).toContain(status);
    }
    const withKey = caller(urlOf(page, 'API'), { 'x-functions-key': 'local-only-function-key' });
    expect(await withKey('GET', '/api/accounts')).toMatchObject({ status: 401 });

    const slow = { vault: 'contoso-keys', action: 'delay', delayMs: 20_000 };
    await keyVaultControl(urlOf(page, 'Key Vault'))('POST', '/faults', slow);
    const [create = '', giveKey = ''] = curlLines(page).map((line) => line.replaceAll('alpha', 'beta'));
    await paste(create);
    const cutOff = paste(giveKey).catch(() => undefined);
    await sleep(500);
    entra.child.kill('SIGINT');
    // npm passes on the same key press, which counts as one signal.
    entra.child.kill('SIGINT');
    await sleep(800);
    expect(entra.child.exitCode).toBeNull();
    entra.child.kill('SIGINT');
    expect((await entra.ended).code).toBe(130);
    await cutOff;
  },
);

it('npm start prints one line when its port is taken or an option is unknown', { timeout: 60_000 }, async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => other.once('listening', listening));
  const { port } = other.address() as AddressInfo;
  const onTakenPort = await start('taken', '--port', String(port)).ended;
  other.close();
  const hint = `npm start: port ${port} is taken. Choose another: npm start -- --port ${port + 1}\n`;
  expect(onTakenPort).toEqual({ code: 1, out: '', err: hint });

  const unknown = await start('taken', '--prot', '1').ended;
  expect([unknown.code, unknown.err.split('\n').length]).toEqual([1, 2]);
});
