/**
 * Two instances of each function group of the built app on the same storage, each a process of its own as on Flex
 * Consumption, while customers disable, enable and rotate their keys and one process after the other is killed at
 * random moments. The final state must be right, and each verdict audited once. `TWO_HOSTS_SEED=n` repeats the choices
 * of an earlier run, but not the timing of the processes.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startIdentity } from '../packages/entra-emulator/src/issuer.ts';
import { type ChildHost, spawnHost } from '../packages/functions-host/src/child.ts';
import { type KeyVaultControl, keyVaultControl } from '../packages/key-vault-emulator/src/controlClient.ts';
import { startKeyVault } from '../packages/key-vault-emulator/src/emulator.ts';
import { compose } from '../src/azure/compose.ts';
import { type CustomerKeyEncryption, stateOf } from '../src/core/accounts/account.ts';
import { getAccount } from '../src/core/accounts/readAccount.ts';
import type { AuditEntry } from '../src/core/audit/auditEntry.ts';
import type { Log } from '../src/core/base/log.ts';
import type { Service } from '../src/core/service.ts';
import type { Watch } from '../src/core/watch/watch.ts';
import { startAzurite } from '../src/local/azurite.ts';
import { caller } from '../src/local/client.ts';
import { compressedTime } from '../src/local/demo/compressedTime.ts';
import { accountEntries, bindingEntries } from '../src/local/entries.ts';
import {
  createGrantedVault,
  createOperatorVault,
  directory,
  localHostKeys,
  location,
  operatorSettings,
} from '../src/local/operator.ts';
import { firstBrokenLink } from './chain.ts';
import { isExhaustive } from './exhaustive.ts';
import { keyPool } from './lab.ts';

const seed = Number(process.env.TWO_HOSTS_SEED ?? Math.floor(Math.random() * 1e6));
const chaosMs = 15_000;
/** A killed worker keeps others off its vault for 60 s; then come a sweep, a confirmation and a re-wrap. */
const settleWithinMs = 100_000;
/** Another host takes over the work of a killed one within seconds, because all intervals here are seconds. */
const quickSuccession = { KEYWARD_WORKER_LEASE_SECONDS: '6' };
/** More keys than one message of a sweep takes, so that each sweep has a message for each range. */
const ranges = 4;
const bystanders = Array.from({ length: 60 }, (_, n) => `other-${n}`);
const lookedAtAgainWithinMs = 75_000;
const vaults = { 'pair-a': ['k0', 'k1', 'k2'], 'pair-b': ['k0'], 'pair-c': ['k0', 'k1'] };
const keys = Object.entries(vaults).flatMap(([vault, names]) => names.map((key) => ({ vault, key })));
type KeyOf = (typeof keys)[number];
const names = Array.from({ length: 20 }, (_, n) => `pair-${String(n).padStart(2, '0')}`);

/** Mulberry32: the same numbers for the same seed. */
function randomFrom(start: number): (below: number) => number {
  let state = start;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const pick = <T>(from: readonly T[], random: (below: number) => number): T => {
  const one = from[random(from.length)];
  if (one === undefined) throw new Error('Nothing to pick from.');
  return one;
};

const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const undo: (() => Promise<unknown>)[] = [];
/** The groups with work here: HTTP with Event Grid, the sweep, and the workers. Two instances of each. */
const groups = ['http', 'http', 'function:sweep', 'function:sweep', 'function:vaultWork', 'function:vaultWork'];
/** The first two are of HTTP. */
const hosts: ChildHost[] = [];
const kills: string[] = [];
let keyVault: KeyVaultControl;
let service: Service;
let settled = 'never';

beforeAll(async () => {
  const [azurite, identity] = await Promise.all([startAzurite(), startIdentity(directory)]);
  undo.push(azurite.stop, identity.stop);
  const emulator = await startKeyVault({ identityUrl: identity.url, keyPool });
  undo.push(emulator.stop);
  keyVault = keyVaultControl(emulator.url);
  await createOperatorVault(keyVault);
  const settings = {
    ...operatorSettings(azurite.connectionString, identity, emulator.url),
    ...compressedTime,
    ...quickSuccession,
    KEYWARD_SWEEP_RANGES: String(ranges),
  };
  Object.assign(process.env, identity.environment);
  service = await compose(settings, silent);
  const start = (group: string, port = 0) =>
    spawnHost(
      {
        appDir: fileURLToPath(new URL('..', import.meta.url)),
        settings,
        group,
        port,
        keys: localHostKeys,
        queueVisibilityMs: 3_000,
      },
      () => undefined,
    );
  hosts.push(...(await Promise.all(groups.map((group) => start(group)))));
  undo.push(() => Promise.all(hosts.map((host) => host.kill())));

  await createKeysAndAccounts();
  const end = Date.now() + chaosMs;
  await Promise.all([customers(end, randomFrom(seed)), killer(end, randomFrom(seed + 1), start)]);
  settled = await settling();
}, 180_000);

afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

async function createKeysAndAccounts(): Promise<void> {
  for (const [vault, keyNames] of Object.entries(vaults)) {
    await createGrantedVault(vault, keyVault);
    // Half of the events arrive at a killed host, and are sent again until it runs.
    const [host] = hosts;
    await keyVault('PUT', `/vaults/${vault}/eventSubscriptions/keyward`, {
      endpoint: `${host?.url}/runtime/webhooks/EventGrid?functionName=keyEvents&code=${host?.keys.eventgrid_extension}`,
      destination: 'azureFunction',
    });
    for (const key of keyNames) await newVersion({ vault, key }, 0);
  }
  await Promise.all(names.map((name, n) => createAccount(name, n, keys[n % keys.length] ?? { vault: '', key: '' })));
  await Promise.all(
    bystanders.map(async (name, n) => {
      await createGrantedVault(name, keyVault);
      await newVersion({ vault: name, key: 'k0' }, 0);
      await createAccount(name, n, { vault: name, key: 'k0' });
    }),
  );
}

async function createAccount(name: string, n: number, { vault, key }: KeyOf): Promise<void> {
  const encryption = {
    type: 'CustomerKey',
    keyVaultProperties: { keyIdentifier: `https://${vault}.vault.azure.net/keys/${key}` },
  };
  const body = { location, properties: { owner: 'contoso', encryption } };
  const api = caller(hosts[n % 2]?.url ?? '', { 'x-functions-key': localHostKeys.function });
  const answer = await api('PUT', `/api/accounts/${name}`, body);
  if (answer.status !== 201) throw new Error(`PUT ${name}: ${answer.status} ${JSON.stringify(answer.body)}`);
}

const newVersion = ({ vault, key }: KeyOf, fixture: number) =>
  keyVault('POST', `/vaults/${vault}/keys/${key}`, { kty: 'RSA', size: 2048, fixture });

interface Version {
  readonly id: string;
  readonly enabled: boolean;
}

/** Oldest first. */
async function versionsOf({ vault, key }: KeyOf): Promise<Version[]> {
  const { versions } = await keyVault<{ versions: { key: { kid: string }; attributes: { enabled: boolean } }[] }>(
    'GET',
    `/vaults/${vault}/keys/${key}`,
  );
  return versions.map((one) => ({ id: one.key.kid.split('/').at(-1) ?? '', enabled: one.attributes.enabled }));
}

/** Disables, enables and rotates. */
async function customers(end: number, random: (below: number) => number): Promise<void> {
  while (Date.now() < end) {
    const target = pick(keys, random);
    const deed = random(10);
    if (deed < 2) await newVersion(target, random(8));
    else {
      const version = pick(await versionsOf(target), random);
      const enabled = deed >= 6;
      await keyVault('PATCH', `/vaults/${target.vault}/keys/${target.key}/${version.id}`, { enabled });
    }
    await sleep(100 + random(500));
  }
}

/** Kills one of the processes with SIGKILL, then starts it again on the same port. */
async function killer(
  end: number,
  random: (below: number) => number,
  start: (group: string, port: number) => Promise<ChildHost>,
): Promise<void> {
  while (Date.now() < end) {
    await sleep(300 + random(2_000));
    const victim = random(groups.length);
    const [host, group] = [hosts[victim], groups[victim]];
    if (host === undefined || group === undefined) return;
    await host.kill();
    kills.push(group);
    await sleep(random(1_000));
    hosts[victim] = await start(group, Number(new URL(host.url).port));
  }
}

/** Waits until no work is left. Returns the work that is left at the time-out. */
async function settling(): Promise<string> {
  const end = Date.now() + settleWithinMs;
  for (;;) {
    const left = await unsettled();
    if (left.length === 0) return 'settled';
    if (Date.now() > end) return left.join('\n');
    await sleep(500);
  }
}

async function unsettled(): Promise<string[]> {
  const left = (await watches()).flatMap(({ epoch, reconciledEpoch, binding }) =>
    epoch === reconciledEpoch ? [] : [`${binding.vaultName}/${binding.keyName}: ${reconciledEpoch} of epoch ${epoch}`],
  );
  for (const name of names) {
    const { seen, truth } = await judged(name);
    if (seen !== truth) left.push(`${name}: ${seen}, and the truth is ${truth}`);
  }
  return left;
}

/**
 * The account's state and the state that its key requires: its version decides, and it must use a usable latest
 * version.
 */
async function judged(name: string): Promise<{ seen: string; truth: string }> {
  const view = await getAccount(name, service);
  const { version, binding } = customerKeyOf(view.record);
  const versions = await versionsOf({ vault: binding.vaultName, key: binding.keyName });
  const isEnabled = versions.find((one) => one.id === version)?.enabled === true;
  const latest = versions.at(-1);
  const belongsOn = isEnabled && latest?.enabled === true ? latest.id : version;
  return {
    seen: `${stateOf(view)} on ${version}`,
    truth: `${isEnabled ? 'Enabled' : 'CustomerKeyInaccessible'} on ${belongsOn}`,
  };
}

function customerKeyOf({ encryption }: { encryption: { type: string } }): CustomerKeyEncryption {
  if (encryption.type !== 'CustomerKey') throw new Error('Every account here has a customer key.');
  return encryption as CustomerKeyEncryption;
}

async function watches(of: readonly string[] = names): Promise<Watch[]> {
  const ids = new Set<string>();
  for (const name of of) ids.add(customerKeyOf((await getAccount(name, service)).record).binding.id);
  const found = await Promise.all([...ids].map((id) => service.bindings.readWatch(id)));
  return found.flatMap((watch) => (watch === undefined ? [] : [watch.value]));
}

/** The verdicts in the chain of an account or a watch: direction, version and epoch. */
const verdictsIn = (entries: readonly AuditEntry[]): AuditEntry[] =>
  entries.filter(({ type }) => type === 'CustomerKeyInaccessible' || type === 'CustomerKeyRestored');

describe.runIf(isExhaustive)(
  `two instances of each function group on one storage, one process after the other killed (seed ${seed})`,
  () => {
    test('two instances of each function group reach a stable state without an action after their processes were killed', () => {
      expect(kills.length).toBeGreaterThan(2);
      expect(settled).toBe('settled');
    });

    test.each(names)('after random kills the account %s has the state that its key requires', async (name) => {
      const { seen, truth } = await judged(name);
      expect(seen).toBe(truth);
    });

    test('INV-6: after random kills every chain of accounts and watches is whole', async () => {
      const { audit } = await service.rings();
      const kekOf = (generation: number) => audit.kek(generation);
      for (const name of names) {
        const { record } = await getAccount(name, service);
        const entries = await accountEntries(name, record.instanceId, service);
        expect({ name, broken: await firstBrokenLink(record.instanceId, entries, record.audit, kekOf) }).toEqual({
          name,
        });
      }
      for (const watch of await watches()) {
        const { id, keyName: name } = watch.binding;
        const entries = await bindingEntries(id, service);
        expect({ name, broken: await firstBrokenLink(id, entries, watch.audit, kekOf) }).toEqual({ name });
      }
    });

    test('INV-6: after random kills each account has the verdicts of its watch in order, each epoch once', async () => {
      const given = new Set<string>();
      for (const { binding } of await watches()) {
        for (const { epoch, key, after } of await bindingEntries(binding.id, service)) {
          if (epoch !== undefined) given.add(`${binding.keyName} ${key} ${epoch} ${after === 'Inaccessible'}`);
        }
      }
      for (const name of names) {
        const view = await getAccount(name, service);
        const { keyName } = customerKeyOf(view.record).binding;
        const entries = await accountEntries(name, view.record.instanceId, service);
        const verdicts = verdictsIn(entries);
        const story = entries.map(({ type, key, epoch }) => `${type} ${key?.slice(-8)} ${epoch ?? ''}`.trim());
        const turns = verdicts.map((_, n) => (n % 2 === 0 ? 'CustomerKeyInaccessible' : 'CustomerKeyRestored'));
        expect({ name, story, turns: verdicts.map(({ type }) => type) }).toEqual({ name, story, turns });
        const last = verdicts.length % 2 === 0 ? 'Enabled' : 'CustomerKeyInaccessible';
        expect({ name, story, last }).toEqual({ name, story, last: stateOf(view) });
        const epochs = verdicts.map(({ epoch }) => epoch ?? 0);
        expect(epochs).toEqual([...new Set(epochs)].sort((a, b) => a - b));
        const isRefusal = ({ type }: AuditEntry) => type === 'CustomerKeyInaccessible';
        const invented = verdicts.filter(
          (one) => !given.has(`${keyName} ${one.key?.split('/').at(-1)} ${one.epoch} ${isRefusal(one)}`),
        );
        expect({ name, invented }).toEqual({ name, invented: [] });
      }
    });

    test('after random kills no verdict waits for its accounts, and every key of every range gets new looks', async () => {
      const all = [...names, ...bystanders];
      const before = await watches(all);
      expect(before.map(({ epoch, reconciledEpoch }) => reconciledEpoch - epoch)).toEqual(before.map(() => 0));
      expect(before).toHaveLength(keys.length + bystanders.length);
      expect(await service.ranges.all(ranges)).toHaveLength(ranges);
      const end = Date.now() + lookedAtAgainWithinMs;
      let waiting = before;
      while (waiting.length > 0 && Date.now() < end) {
        await sleep(250);
        const now = new Map((await watches(all)).map((watch) => [watch.binding.id, watch]));
        waiting = waiting.filter(({ binding, lastLookAt }) => (now.get(binding.id)?.lastLookAt ?? 0) <= lastLookAt);
      }
      expect(waiting.map(({ binding }) => `${binding.vaultName}/${binding.keyName}`)).toEqual([]);
    }, 120_000);
  },
);
