/** The table transactions of calls on accounts, with and without a topic, compared with docs/costs.md. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startIdentity } from '../../packages/entra-emulator/src/issuer.ts';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { startKeyVault } from '../../packages/key-vault-emulator/src/emulator.ts';
import { compose } from '../../src/azure/compose.ts';
import { requestDeletion } from '../../src/core/accounts/deleteAccount.ts';
import type { AccountInput } from '../../src/core/accounts/planChange.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { findAccount, getAccount } from '../../src/core/accounts/readAccount.ts';
import { wakeAnnouncing } from '../../src/core/announcements/outboxPass.ts';
import type { Service } from '../../src/core/service.ts';
import { startAzurite } from '../../src/local/azurite.ts';
import { tester } from '../../src/local/lab/lab.ts';
import {
  createGrantedVault,
  createOperatorVault,
  directory,
  location,
  operatorSettings,
  topicOf,
} from '../../src/local/operator.ts';
import { startTopic } from '../../src/local/topic/topic.ts';
import { documentedCost } from '../documentedCosts.ts';
import { type StorageProxy, startStorageProxy } from '../faults/storageProxy.ts';
import { keyPool } from '../lab.ts';

/** What the overview writes later, and reads for that, must not count for the case that runs by then. */
const neverDue = () => new Promise<void>(() => undefined);
const undo: (() => Promise<unknown>)[] = [];
const services = new Map<string, Service>();
const serviceOf = (which: 'without' | 'with'): Service => {
  const service = services.get(which);
  if (service === undefined) throw new Error('It has started.');
  return service;
};
let proxy: StorageProxy;

beforeAll(async () => {
  const [azurite, identity] = await Promise.all([startAzurite(), startIdentity(directory)]);
  const emulator = await startKeyVault({ identityUrl: identity.url, keyPool });
  const topic = await startTopic(topicOf(identity));
  proxy = await startStorageProxy(azurite);
  undo.push(azurite.stop, identity.stop, emulator.stop, topic.stop, proxy.stop);
  await createOperatorVault(keyVaultControl(emulator.url));
  Object.assign(process.env, identity.environment);
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const settings = {
    ...operatorSettings(azurite.connectionString, identity, emulator.url),
    AzureWebJobsStorage: proxy.connectionString,
  };
  const announcing = { ...settings, KEYWARD_ANNOUNCEMENTS_ENDPOINT: topic.endpoint };
  for (const [name, all] of Object.entries({ without: settings, with: announcing })) {
    const service = await compose(all, silent, { gather: neverDue });
    services.set(name, service);
    // A warm process: rings are loaded, tables and queues exist, tokens and challenges are cached.
    await wakeAnnouncing(service);
    await service.dailyQueue.send({ visit: 'accounts' });
    for (const vault of ['warm', 'one', 'two']) await createVault(`${vault}-${name}`, emulator.url);
    await put('warm', 'warm-*/cmk')(service, name);
    await remove('warm')(service, name);
    await service.announcer?.idle();
  }
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

async function createVault(vault: string, emulatorUrl: string): Promise<void> {
  const keyVault = keyVaultControl(emulatorUrl);
  await createGrantedVault(vault, keyVault);
  for (const key of ['cmk', 'other'])
    await keyVault('POST', `/vaults/${vault}/keys/${key}`, { kty: 'RSA', size: 2048, fixture: 0 });
}

async function costOf(service: Service, act: () => Promise<unknown>): Promise<number> {
  proxy.arm(1);
  await act();
  await service.announcer?.idle();
  return proxy.disarm().methods.length;
}

type Act = (service: Service, which: string) => Promise<unknown>;
const accountOf = (name: string, which: string) => `${name}-${which}`;
const by = (key: string) => ({
  encryption: {
    type: 'CustomerKey' as const,
    identity: { useSystemAssignedIdentity: true } as const,
    keyIdentifier: `https://${key.replace('/', '.vault.azure.net/keys/')}`,
  },
});
/** The gate reads the account, and the writer uses what it has read. */
const gate = async (name: string, service: Service) => ({
  view: await findAccount(name, service),
  isRemembered: false,
});

const put =
  (name: string, key?: string): Act =>
  async (service, which) => {
    const known = await gate(accountOf(name, which), service);
    const input = { owner: 'contoso', location, ...(key === undefined ? {} : by(key.replace('*', which))) };
    return putAccount({ name: accountOf(name, which), input, actor: tester, known }, service);
  };
const patch =
  (name: string, input: AccountInput | string): Act =>
  async (service, which) => {
    const known = await gate(accountOf(name, which), service);
    const change = typeof input === 'string' ? by(input.replace('*', which)) : input;
    return patchAccount(
      { name: accountOf(name, which), input: change, actor: tester, known, permissions: { mayRelease: true } },
      service,
    );
  };
const get =
  (name: string): Act =>
  (service, which) =>
    getAccount(accountOf(name, which), service);
const remove =
  (name: string): Act =>
  (service, which) =>
    requestDeletion(accountOf(name, which), {}, tester, service);

// In this order: each begins where the previous one ended. The last number counts batches with entries.
test.each<[row: string, nth: number, act: Act, batches: number]>([
  ['PUT, new, system key', 0, put('a'), 1],
  ['GET, system key / customer key', 0, get('a'), 0],
  ['PATCH of tags, system key / customer key', 0, patch('a', { tags: { a: 'b' } }), 1],
  ['PUT, new, customer key, first of its vault', 0, put('b', 'one-*/cmk'), 2],
  ['PUT, new, customer key that is watched already', 0, put('c', 'one-*/cmk'), 1],
  ['GET, system key / customer key', 1, get('c'), 0],
  ['PATCH of tags, system key / customer key', 1, patch('c', { tags: { a: 'b' } }), 1],
  ['PATCH, system key → customer key, first of its vault', 0, patch('a', 'two-*/cmk'), 2],
  ['PATCH, customer key → another new key of the same vault', 0, patch('c', 'one-*/other'), 2],
  ['PATCH, customer key → system key', 0, patch('c', { encryption: { type: 'SystemKey' } }), 1],
  ['DELETE, system key / customer key', 0, remove('c'), 1],
  ['DELETE, system key / customer key', 1, remove('b'), 1],
])(
  '%s (%d) costs what docs/costs.md says; with a topic two more for each batch with entries',
  async (row, nth, act, batches) => {
    const costs = { without: 0, with: 0 };
    for (const which of ['without', 'with'] as const) {
      const service = serviceOf(which);
      costs[which] = await costOf(service, () => act(service, which));
    }
    const without = documentedCost(row)[nth] ?? Number.NaN;
    expect(costs).toEqual({ without, with: without + 2 * batches });
  },
);

test('a sweep costs one query more with a topic', async () => {
  const [without, withTopic] = [serviceOf('without'), serviceOf('with')];
  expect(await costOf(without, () => wakeAnnouncing(without))).toBe(0);
  expect(await costOf(withTopic, () => wakeAnnouncing(withTopic))).toBe(1);
});
