/**
 * Two hosts on the same tables and queue, in real time. A key rotates twice, its vault throttles both hosts, and
 * accounts are created, deleted and changed. In the end every account is on the latest version of its key, and opens.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import type { Service } from '../../src/core/service.ts';
import { wake } from '../../src/core/vaultWork/events.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import type { VaultWork } from '../../src/core/watch/ports.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { useLab } from '../lab.ts';
import { latestVersion, openedKey, rewrapsOf, rotateKey, versionOf } from './support.ts';

const world = useLab({ settings: { KEYWARD_VAULT_SHARE_PERCENT: '100', KEYWARD_LOOK_SPACING_SECONDS: '1' } });

/** A queue for several workers in real time, with delays. A message whose handler throws is delivered again. */
function sharedQueue() {
  const waiting: { message: VaultWork; at: number }[] = [];
  return {
    send: async (message: VaultWork, delayMs = 0) => {
      waiting.push({ message, at: Date.now() + delayMs });
    },
    take: () => {
      const n = waiting.findIndex(({ at }) => at <= Date.now());
      return n < 0 ? undefined : waiting.splice(n, 1)[0]?.message;
    },
  };
}

test('two competing hosts: every account ends on the latest version, none is lost, none is re-wrapped twice to one version', async () => {
  const { lab } = world;
  const queue = sharedQueue();
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const real = { queue, clock, pause: (ms: number) => sleep(ms) };
  const hosts = [await lab.another(real), await lab.another(real)];
  const [one, two] = [await lab.vaultWithKey('rivals-kv'), await lab.vaultWithKey('refuge-kv')];
  const encryption = (keyIdentifier: string) =>
    ({ type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } }) as const;
  const host = (n: number): Service => hosts[n % 2] ?? lab.service;
  const create = (name: string, key: string, n: number) =>
    putAccount({ name, input: { owner: 'contoso', location, encryption: encryption(key) }, actor: tester }, host(n));

  const names = Array.from({ length: 40 }, (_, n) => `rival-${n}`);
  const keys = new Map<string, string>();
  for (const [n, name] of names.entries()) {
    await create(name, one, n);
    keys.set(name, await openedKey(name, lab));
  }
  // Half of the documented limit, so that the hosts have to find the pace.
  const throttle = { enabled: true, burstSeconds: 0.2, perSecond: { 'RSA-2048': 60 } };
  await lab.keyVault('PATCH', '/vaults/rivals-kv', { throttle });
  // A busy machine may not reach that pace.
  await lab.keyVault('POST', '/faults', { vault: 'rivals-kv', action: 'throttled', operation: 'unwrapkey', count: 5 });

  let isOver = false;
  const worker = async (service: Service) => {
    while (!isOver) {
      const message = queue.take();
      if (message === undefined) await sleep(10);
      else await workOnVault(message, service).catch(() => queue.send(message, 500));
    }
  };
  const working = hosts.map(worker);
  const rotated = async () => {
    await rotateKey('rivals-kv', lab);
    for (const service of hosts) await wake({ vaultHost: 'rivals-kv.vault.azure.net', keyName: 'cmk' }, service);
  };

  const gone = names.slice(0, 5);
  const moved = names.slice(5, 10);
  const late = Array.from({ length: 5 }, (_, n) => `rival-late-${n}`);
  const patiently = async (act: () => Promise<unknown>) => {
    for (let tries = 0; tries < 40; tries++) {
      // A vault that throttles leads to 503 for every caller.
      const isDone = await act().then(
        () => true,
        () => false,
      );
      if (isDone) return;
      await sleep(200);
    }
    throw new Error('It was refused too often.');
  };
  await rotated();
  await Promise.all([
    ...gone.map((name, n) => sleep(60 * n).then(() => patiently(() => deleteAccount(name, {}, tester, host(n))))),
    ...moved.map((name, n) =>
      sleep(90 * n).then(() =>
        patiently(() =>
          patchAccount(
            { name, input: { encryption: encryption(two) }, actor: tester, permissions: { mayRelease: true } },
            host(n),
          ),
        ),
      ),
    ),
    ...late.map((name, n) => sleep(120 * n).then(() => patiently(() => create(name, one, n)))),
    sleep(700).then(rotated),
  ]);

  const staying = [...names.slice(10), ...late];
  const target = await latestVersion('rivals-kv', lab);
  const behind = async () =>
    (await Promise.all(staying.map((name) => versionOf(name, lab)))).filter((v) => v !== target);
  for (let tries = 0; tries < 150 && (await behind()).length > 0; tries++) await sleep(200);
  isOver = true;
  await Promise.all(working);
  await lab.keyVault('PATCH', '/vaults/rivals-kv', { throttle: { enabled: false } });

  expect(await behind()).toEqual([]);
  for (const name of gone) expect(await lab.service.accounts.read(name)).toBeUndefined();
  for (const name of moved) expect((await lab.view(name)).record.encryption).toMatchObject({ keyIdentifier: two });
  for (const name of [...names.slice(10), ...moved]) expect(await openedKey(name, lab)).toBe(keys.get(name));
  for (const name of late) await openedKey(name, lab);
  for (const name of staying) {
    const versions = (await rewrapsOf(name, lab)).map(({ after }) => after);
    expect(new Set(versions).size, name).toBe(versions.length);
    expect(versions.length).toBeLessThanOrEqual(2);
  }
  const { requests } = await lab.keyVault<{ requests: { status: number }[] }>('GET', '/requests?vault=rivals-kv');
  expect(requests.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
}, 120_000);
