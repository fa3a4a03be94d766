/** What the cases share: a Key Vault, a topic, and benches with storage that can fail. */
import { startIdentity } from '../../packages/entra-emulator/src/issuer.ts';
import { type KeyVaultControl, keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { startKeyVault } from '../../packages/key-vault-emulator/src/emulator.ts';
import { createTableEmulator } from '../../packages/table-emulator/src/tableEmulator.ts';
import { compose } from '../../src/azure/compose.ts';
import type { Log } from '../../src/core/base/log.ts';
import type { KeyVaultIdentity } from '../../src/core/customerKey/binding.ts';
import type { Service } from '../../src/core/service.ts';
import { startAzurite } from '../../src/local/azurite.ts';
import { controlInProcess, vaultsInProcess } from '../../src/local/keyVaultInProcess.ts';
import {
  createOperatorVault,
  directory,
  homeTenantId,
  operatorSettings,
  operatorVault,
  topicOf,
} from '../../src/local/operator.ts';
import { startTopic, type Topic } from '../../src/local/topic/topic.ts';
import { keyPool } from '../lab.ts';
import { createAccount, createVault, permissions } from './given.ts';
import { type Access, type StorageProxy, startStorageProxy } from './storageProxy.ts';

/** A process with clients of its own. Cases run in parallel, one at a time on each bench. */
export interface Bench {
  readonly proxy: StorageProxy;
  readonly service: Service;
  readonly announcing: Service;
  /** A service without the proxy, to read the real state. */
  readonly witness: Service;
  /** A vault with a key that cases share. Each bench has its own, so that no unwanted races occur. */
  readonly vault: string;
  readonly keyVault: KeyVaultControl;
  /** A user-assigned identity of the service. */
  readonly spare: { readonly objectId: string; readonly identity: KeyVaultIdentity };
}

export interface Stage {
  readonly topic: Topic;
  /** Benches whose tables are in memory. */
  readonly inMemory: readonly Bench[];
  readonly onAzurite: readonly Bench[];
  /** Reads the tables in memory. */
  readonly witness: Service;
  stop(): Promise<void>;
}

const benchesInMemory = 8;
const benchesOnAzurite = 4;
const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

export async function openStage(): Promise<Stage> {
  const [azurite, identity] = await Promise.all([startAzurite(), startIdentity(directory)]);
  const emulator = await startKeyVault({ identityUrl: identity.url, keyPool, timings: { deleteDelayMs: 0 } });
  const topic = await startTopic(topicOf(identity));
  const undo = [azurite.stop, identity.stop, emulator.stop, topic.stop];
  const keyVault = controlInProcess(emulator);
  const vaults = vaultsInProcess(emulator);
  await createOperatorVault(keyVault);
  Object.assign(process.env, identity.environment);
  const spare = await createSpareIdentity(keyVaultControl(identity.url), keyVault);
  const settingsFor = (connectionString: string) => ({
    ...operatorSettings(connectionString, identity, emulator.url),
    // The time for which a failed worker keeps the next one off its vault.
    KEYWARD_WORKER_LEASE_SECONDS: '0.3',
  });

  async function openBench(name: string, accessThrough: (proxy: StorageProxy) => Access, witness: Service) {
    const proxy = await startStorageProxy(azurite);
    undo.push(proxy.stop);
    const { connectionString, tables } = accessThrough(proxy);
    const settings = settingsFor(connectionString);
    const announced = { ...settings, KEYWARD_ANNOUNCEMENTS_ENDPOINT: topic.endpoint };
    const service = await compose(settings, silent, {}, tables, vaults);
    const announcing = await compose(announced, silent, {}, tables, vaults);
    const vault = `${name}-kv`;
    // From here on, tables exist and rings are loaded.
    await createAccount({ service, vault }, name);
    await createAccount({ service: announcing, vault }, `${name}-announcing`);
    await service.queue.send({ vault: '0'.repeat(32), requestedBy: 'sweep' });
    await service.dailyQueue.send({ visit: 'accounts' });
    await createVault({ keyVault }, vault);
    return { proxy, service, announcing, witness, vault, keyVault, spare };
  }

  async function openBenches(
    count: number,
    name: string,
    witness: Service,
    accessThrough: (proxy: StorageProxy) => Access,
  ): Promise<readonly Bench[]> {
    await createAccount({ service: witness, vault: `${name}-first` }, `${name}-first`);
    const benches: Bench[] = [];
    for (let n = 0; n < count; n += 1) benches.push(await openBench(`${name}-${n}`, accessThrough, witness));
    return benches;
  }

  const memory = createTableEmulator();
  const direct = {
    // The witness sends no message.
    connectionString: `${memory.connectionString};QueueEndpoint=${azurite.queueUrl}`,
    tables: memory.httpClient,
  };
  const witnessOf = ({ connectionString, tables }: Access) =>
    compose(settingsFor(connectionString), silent, {}, tables, vaults);
  const witness = await witnessOf(direct);
  return {
    topic,
    witness,
    inMemory: await openBenches(benchesInMemory, 'memory', witness, (proxy) => proxy.inMemory(memory)),
    onAzurite: await openBenches(benchesOnAzurite, 'azurite', await witnessOf(azurite), (proxy) => proxy.direct),
    async stop() {
      for (const step of undo.reverse()) await step();
    },
  };
}

async function createSpareIdentity(directoryControl: KeyVaultControl, keyVault: KeyVaultControl) {
  const { objectId, resourceId } = await directoryControl<{ objectId: string; resourceId: string }>(
    'PUT',
    '/identities/spare',
    { tenantId: homeTenantId, kind: 'userAssigned' },
  );
  await keyVault('PUT', `/vaults/${operatorVault}/grants/${objectId}`, { permissions });
  return { objectId, identity: { useSystemAssignedIdentity: false, userAssignedIdentity: resourceId } as const };
}
