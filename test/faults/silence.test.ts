/** Keyward waits for a missing response of storage until the deadline, and the call after it is a new one. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compose } from '../../src/azure/compose.ts';
import type { Service } from '../../src/core/service.ts';
import { type Azurite, startAzurite } from '../../src/local/azurite.ts';
import { failure } from '../lab.ts';
import { type StorageProxy, startStorageProxy } from './storageProxy.ts';

let azurite: Azurite;
let proxy: StorageProxy;
let service: Service;

beforeAll(async () => {
  azurite = await startAzurite();
  proxy = await startStorageProxy(azurite);
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const settings = {
    AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
    AzureWebJobsStorage: proxy.connectionString,
    KEYWARD_TENANT_ID: '11111111-1111-4111-8111-111111111111',
    KEYWARD_SYSTEM_KEY: 'https://operator.vault.azure.net/keys/system',
    KEYWARD_AT_REST_KEY: 'https://operator.vault.azure.net/keys/at-rest',
    KEYWARD_SWEEP_SCHEDULE: '0 * * * * *',
    KEYWARD_STORAGE_DEADLINE_SECONDS: '0.5',
  };
  service = await compose(settings, log);
});

afterAll(async () => {
  await proxy.stop();
  await azurite.stop();
});

// The first call creates a table or queue: the first case finds it missing, the second does not.
test.each([
  ['the first call of a table', () => service.sweepMark.write(1)],
  ['a write', () => service.sweepMark.write(1)],
  ['a read', () => service.sweepMark.read()],
  ['a query', () => service.directory.page(10)],
  ['the first call of a queue', () => service.queue.send({ vault: 'v', requestedBy: 'sweep' })],
  ['a message', () => service.queue.send({ vault: 'v', requestedBy: 'sweep' })],
] as const)(
  'storage that does not answer %s ends it at the deadline, and the next one succeeds',
  async (_title, call) => {
    proxy.arm(1, 'silence');
    const began = Date.now();
    const error = await failure(call());
    expect(error.code).toBe('StorageUnavailable');
    // Two seconds at most, with what a busy machine adds. Without a deadline the SDK waits for minutes.
    expect(Date.now() - began).toBeLessThan(15_000);
    expect(proxy.disarm().hit).toBe(true);
    await call();
  },
);

test('a table whose first creation failed is created by the next call', async () => {
  // The first request finds no table, and the second creates it.
  proxy.arm(2, '409');
  expect((await failure(service.ringStore.read())).code).toBe('StorageUnavailable');
  proxy.disarm();
  expect((await service.ringStore.read()).rings.audit.rows).toEqual([]);
});
