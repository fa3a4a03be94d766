/** Adapters whose SDKs load with their first use. */
import type { HttpClient } from '@azure/core-rest-pipeline';
import type { AnnouncementTopic } from '../core/announcements/ports.ts';
import { defined } from '../core/base/defined.ts';
import { describeError } from '../core/base/errors.ts';
import type { WorkQueue } from '../core/base/workQueue.ts';
import { identityParts } from '../core/customerKey/binding.ts';
import type { KeyRef, KeyVault } from '../core/customerKey/ports.ts';
import type { DailyWork } from '../core/dailyPass.ts';
import type { CanaryKeys } from '../core/drill.ts';
import type { QueuedWork } from '../core/vaultWork/ports.ts';
import type { Credentials } from './credentials.ts';
import { ownCredential } from './ownCredential.ts';
import { wrapRsaOaep256 } from './rsaWrap.ts';
import { identifierIn, ownIdentitiesIn, type Settings } from './settings.ts';

/** The sender loads with the first message: most calls send none. */
export function lazyQueues(settings: Settings) {
  const opened = lazy(async () => {
    const { openQueueService } = await import('./queueService.ts');
    const { countMessages, createWorkQueue } = await import('./workQueue.ts');
    const { AzureWebJobsStorage: connectionString, AzureWebJobsStorage__queueServiceUri: serviceUrl } = settings;
    const { storageDeadlineSeconds: deadlineSeconds } = settings.policy;
    const access =
      connectionString !== undefined || serviceUrl === undefined
        ? { connectionString: connectionString ?? '', deadlineSeconds }
        : { serviceUrl, credential: await ownCredential(), deadlineSeconds };
    const call = await openQueueService(access);
    return {
      vaultWork: createWorkQueue<QueuedWork>('vault-work', call),
      dailyPass: createWorkQueue<DailyWork>('daily-pass', call),
      countOf: (name: string) => countMessages(name, call),
    };
  });
  const queue: WorkQueue<QueuedWork> = { send: async (...message) => (await opened()).vaultWork.send(...message) };
  const dailyQueue: WorkQueue<DailyWork> = { send: async (...message) => (await opened()).dailyPass.send(...message) };
  return { queue, dailyQueue, countOf: async (name: string) => (await opened()).countOf(name) };
}

export function lazyTopic({ KEYWARD_ANNOUNCEMENTS_ENDPOINT: endpoint }: Settings): AnnouncementTopic | undefined {
  if (endpoint === undefined) return undefined;
  const remote = lazy(async () => {
    const { createAnnouncementTopic } = await import('./announcementTopic.ts');
    return createAnnouncementTopic(endpoint, await ownCredential());
  });
  return {
    async publish(announcements) {
      try {
        return await (await remote()).publish(announcements);
      } catch (error) {
        return { outcome: 'failed', status: describeError(error) };
      }
    },
  };
}

export function lazyKeyVault(
  settings: Settings,
  client: HttpClient | undefined,
): { keyVault: KeyVault; canaryKeys: CanaryKeys } & Pick<Credentials, 'exchangesAtHome'> {
  const remote = lazy(async () => {
    const [{ createKeyVault }, { createKeyVaultTransport }, { createCredentials }, vaultNames] = await Promise.all([
      import('./keyVault.ts'),
      import('./keyVaultTransport.ts'),
      import('./credentials.ts'),
      import('./vaultNames.ts'),
    ]);
    const { KEYWARD_KEY_VAULT_EMULATOR: emulatorUrl, KEYWARD_ENTRA_EMULATOR: entraEmulatorUrl } = settings;
    const { KEYWARD_CLOUD: cloud, KEYWARD_TENANT_ID: homeTenantId } = settings;
    const deadlineSeconds = settings.policy.lookDeadlineSeconds;
    const httpClient = createKeyVaultTransport({ cloud, ...defined({ emulatorUrl, client }) });
    const credentials = createCredentials({
      cloud,
      homeTenantId,
      deadlineSeconds,
      ...defined({ entraEmulatorUrl }),
    });
    const { exchangesAtHome } = credentials;
    const lookUp = emulatorUrl === undefined ? vaultNames.dnsAliases() : vaultNames.emulatedAliases(emulatorUrl);
    const names = vaultNames.createVaultNames(lookUp, identifierIn('KEYWARD_SYSTEM_KEY', settings).vaultHost);
    const own = new Map(ownIdentitiesIn(settings).map((one) => [identityParts(one.identity).join(' '), one.principal]));
    const principalOf = (identity: KeyRef['identity']) => own.get(identityParts(identity).join(' '));
    return { ...createKeyVault({ httpClient, credentials, names, deadlineSeconds, principalOf }), exchangesAtHome };
  });
  return {
    keyVault: {
      describe: async (...parameters) => (await remote()).describe(...parameters),
      unwrap: async (...parameters) => (await remote()).unwrap(...parameters),
      wrap: wrapRsaOaep256,
    },
    canaryKeys: { setEnabled: async (...change) => (await remote()).setEnabled(...change) },
    exchangesAtHome: async (identity) => (await remote()).exchangesAtHome(identity),
  };
}

/** Loads once and shares the result. A failed load is repeated by the next call. */
function lazy<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
}
