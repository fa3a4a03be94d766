import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { keyVaultControl } from '../src/controlClient.ts';
import { keyPool, OFFICER, openStage, type Stage, startIssuer, startWebhook, TENANT } from './helpers.ts';

let dir: string;
const file = () => join(dir, 'keyvault.json');
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'keyward-vaults-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const secret = randomBytes(32);
const wrap = async (stage: Stage, kid: string) =>
  (await stage.cryptography(kid, OFFICER).wrapKey('RSA-OAEP-256', secret)).result;
const unwrap = async (stage: Stage, kid: string, wrapped: Uint8Array) =>
  Buffer.from((await stage.cryptography(kid).unwrapKey('RSA-OAEP-256', wrapped)).result);

/** Runs the work on an emulator with this folder, and stops it. */
async function run<T>(work: (stage: Stage) => Promise<T>, options: { fresh?: boolean } = {}): Promise<T> {
  const stage = await openStage({ dir, ...options });
  return work(stage).finally(() => stage.stop());
}

describe('after a restart', () => {
  it('after a restart every key version unwraps what it wrapped, under the same grants', async () => {
    const before = await run(async (stage) => {
      const { name } = await stage.vault();
      const first = await stage.key(name, 'media');
      const second = await stage.control<{ key: { kid: string } }>('POST', `/vaults/${name}/keys/media/rotate`);
      const kids = [first, second.key.kid];
      const wrapped = await Promise.all(kids.map((kid) => wrap(stage, kid)));
      await stage.control('DELETE', `/vaults/${name}/grants/${OFFICER}`);
      return { name, kids, wrapped, seen: await stage.control('GET', `/vaults/${name}`) };
    });

    await run(async (stage) => {
      for (const [index, kid] of before.kids.entries()) {
        expect(await unwrap(stage, kid, before.wrapped[index] ?? new Uint8Array())).toEqual(secret);
      }
      expect(await stage.control('GET', `/vaults/${before.name}`)).toEqual(before.seen);
      // A removed grant stays removed.
      await expect(wrap(stage, before.kids[0] ?? '')).rejects.toMatchObject({ statusCode: 403 });
    });
  });

  it('after a restart deleted keys and vaults are still deleted and can be recovered', async () => {
    const { name, gone, kid, wrapped } = await run(async (stage) => {
      const vault = await stage.vault();
      const made = await stage.key(vault.name, 'media');
      const blob = await wrap(stage, made);
      await stage.control('DELETE', `/vaults/${vault.name}/keys/media`);
      const other = await stage.vault();
      await stage.control('DELETE', `/vaults/${other.name}`);
      return { name: vault.name, gone: other.name, kid: made, wrapped: blob };
    });

    await run(async (stage) => {
      await expect(unwrap(stage, kid, wrapped)).rejects.toMatchObject({ statusCode: 404 });
      // A restart can be quicker than the deletion of a key.
      const recovered = () => stage.control('POST', `/vaults/${name}/keys/media/recover`).then(() => true, String);
      await expect.poll(recovered).toBe(true);
      await stage.control('POST', `/vaults/${gone}/recover`);
      await sleep(100);
      expect(await unwrap(stage, kid, wrapped)).toEqual(secret);
    });
  });

  it('after a restart policies, attributes, settings, access policies, EC keys and the clock are unchanged', async () => {
    const look = async (stage: Stage, name: string) => ({
      vault: await stage.control('GET', `/vaults/${name}`),
      media: await stage.control('GET', `/vaults/${name}/keys/media`),
      curve: await stage.control('GET', `/vaults/${name}/keys/curve`),
      policy: (await stage.call(name, 'GET', '/keys/media/rotationpolicy', undefined, { oid: OFFICER })).json,
      clock: (await stage.control<{ offsetMs: number }>('GET', '/clock')).offsetMs,
    });
    const { name, before } = await run(async (stage) => {
      const settings = { authModel: 'policy', throttle: { enabled: true }, answers: { innerErrors: false } };
      const vault = await stage.vault({ ...settings, recoveryLevel: 'CustomizedRecoverable', recoverableDays: 20 });
      await stage.key(vault.name, 'media', { fixture: 0, exp: 2_000_000_000, tags: { team: 'media' } });
      await stage.control('PATCH', `/vaults/${vault.name}/keys/media`, { enabled: false, keyOps: ['unwrapKey'] });
      await stage.key(vault.name, 'curve', { kty: 'EC', curve: 'P-384' });
      await stage.control('PUT', `/vaults/${vault.name}/keys/media/rotationpolicy`, {
        lifetimeActions: [{ trigger: { timeAfterCreate: 'P90D' }, action: { type: 'Rotate' } }],
        attributes: { expiryTime: 'P1Y' },
      });
      await stage.control('PUT', '/clock', { offsetMs: 3_600_000 });
      return { name: vault.name, before: await look(stage, vault.name) };
    });
    expect(before.policy.lifetimeActions).toHaveLength(1);

    expect(await run((stage) => look(stage, name))).toEqual(before);
  });

  it('after a restart the event subscriptions of vaults and Azure subscriptions still deliver', async () => {
    const webhook = await startWebhook();
    const name = await run(async (stage) => {
      const vault = await stage.vault();
      const seen = await stage.control<{ subscriptionId: string }>('GET', `/vaults/${vault.name}`);
      const to = { endpoint: webhook.url };
      await stage.control('PUT', `/vaults/${vault.name}/eventSubscriptions/keys`, to);
      await stage.control('PUT', `/subscriptions/${seen.subscriptionId}/eventSubscriptions/resources`, to);
      return vault.name;
    });

    await run(async (stage) => {
      await stage.key(name, 'media');
      await stage.control('DELETE', `/vaults/${name}`);
      await expect.poll(() => webhook.events().map(({ eventType }) => eventType)).toHaveLength(2);
    });
    const types = webhook.events().map(({ eventType }) => eventType);
    expect(types.toSorted()).toEqual([
      'Microsoft.KeyVault.KeyNewVersionCreated',
      'Microsoft.Resources.ResourceDeleteSuccess',
    ]);
    await webhook.stop();
  });

  it('after a start with `fresh` nothing is left', async () => {
    await run((stage) => stage.vault());
    const before = JSON.parse(await readFile(file(), 'utf8'));
    expect(await run((stage) => stage.control('GET', '/vaults'), { fresh: true })).toEqual([]);
    const after = JSON.parse(await readFile(file(), 'utf8'));
    expect([before.vaults.length, after.vaults.length]).toEqual([1, 0]);
    expect(after.id).not.toBe(before.id);
  });
});

describe('the file', () => {
  it('the snapshot is written shortly after a change, readable by its owner only, and always complete', async () => {
    await run(async (stage) => {
      const { name } = await stage.vault();
      await expect.poll(() => readFile(file(), 'utf8'), { timeout: 2_000, interval: 20 }).toContain(`"${name}"`);
      expect((await stat(file())).mode & 0o777).toBe(0o600);
      expect(await readdir(dir)).toEqual(['keyvault.json']);
    });
  });

  it.each([
    ['is not JSON', '{"format":', 'it is not JSON'],
    ['is of something else', '{"tables":[]}', 'format: '],
    [
      'is of a later version',
      '{"format":"keyward-keyvault-emulator","version":2,"id":"a","clockOffsetMs":0,"vaults":[],"resourceSubscriptions":[]}',
      'version: ',
    ],
  ])('a snapshot that %s is refused with its file name, and left unchanged', async (_what, text, why) => {
    await writeFile(file(), text);
    const failed = await openStage({ dir }).then(
      () => undefined,
      (error: Error) => error.message,
    );
    expect(failed).toContain(file());
    expect(failed).toContain(why);
    expect(await readFile(file(), 'utf8')).toBe(text);
    // The lock was released, so the same start fails in the same way.
    await expect(openStage({ dir })).rejects.toThrow(why);
  });

  it('a snapshot with a broken private key is refused, and the message names the key', async () => {
    await run(async (stage) => stage.key((await stage.vault()).name, 'media'));
    await writeFile(file(), (await readFile(file(), 'utf8')).replace('BEGIN PRIVATE KEY', 'BEGIN PRIVATE'));
    await expect(openStage({ dir })).rejects.toThrow(/keyvault\.json .*privateKey: is not a private key in PEM/);
  });

  it('a snapshot is used by one emulator at a time', async () => {
    await run(async () => {
      await expect(openStage({ dir })).rejects.toThrow(`${dir} is in use by another process.`);
    });
    await run(async () => undefined);
  });
});

it('a killed process loses at most the last moments, and its lock ends with it', async () => {
  const issuer = await startIssuer();
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const options = ['--identity-url', issuer.url, '--key-pool', keyPool, '--dir', dir];
  const child = spawn(process.execPath, [main, ...options], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const control = keyVaultControl(JSON.parse(String(line)).url);
  await control('POST', '/vaults', { name: 'kept-vault', tenantId: TENANT });
  await control('POST', '/vaults/kept-vault/keys/media', { fixture: 0 });
  await sleep(1_000);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await issuer.stop();

  const kept = await run((stage) => stage.control<{ keys: string[] }>('GET', '/vaults/kept-vault'));
  expect(kept.keys).toEqual(['media']);
});
