/**
 * Wires the core to Azure. Nothing happens at load: each SDK is imported on first use, settings are read on the first call, and
 * a setting that is missing fails that call with its name.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAccountMemory, forgetful } from '../core/accounts/accountCache.ts';
import { createLeases } from '../core/accounts/leases.ts';
import { createRefusedCalls } from '../core/accounts/refusedCalls.ts';
import { type Announcer, createAnnouncer } from '../core/announcements/backgroundPublisher.ts';
import { isLate } from '../core/announcements/outboxPass.ts';
import type { AnnouncementTopic } from '../core/announcements/ports.ts';
import { announcing } from '../core/announcements/publishingStores.ts';
import { bytesOf } from '../core/base/bytes.ts';
import type { Cause } from '../core/base/causes.ts';
import type { Random } from '../core/base/effects.ts';
import { describeError, Unavailable } from '../core/base/errors.ts';
import { inTime } from '../core/base/inTime.ts';
import type { Log } from '../core/base/log.ts';
import { bindingOf, isFederated } from '../core/customerKey/binding.ts';
import type { KeyVault, Reach } from '../core/customerKey/ports.ts';
import type { DailyWork } from '../core/dailyPass.ts';
import { createSeenMarks } from '../core/dataKeys/lastSeen.ts';
import { createStatusKeys } from '../core/dataKeys/statusKeys.ts';
import { createKeyCount, type Part } from '../core/health.ts';
import { isWrappedBy, type OperatorKeys, versionIn } from '../core/rings/kek.ts';
import { createRings } from '../core/rings/ringCache.ts';
import type { Service } from '../core/service.ts';
import type { VaultWork } from '../core/watch/ports.ts';
import type { Credentials } from './credentials.ts';
import { wrapRsaOaep256 } from './rsaWrap.ts';
import { identifierIn, isDevelopment, readSettings, type Settings } from './settings.ts';

export { SettingsError } from './settings.ts';

const random: Random = { bytes: (length) => bytesOf(randomBytes(length)), uuid: randomUUID };

const pause = (ms: number): Promise<void> => sleep(ms);

const systemAssigned = { useSystemAssignedIdentity: true } as const;

export async function compose(
  environment: Readonly<Record<string, string | undefined>>,
  log: Log,
  replace: Partial<Service> = {},
): Promise<Service> {
  const settings = readSettings(environment);
  const [stores, { countOf, ...queues }] = await Promise.all([openStores(settings), openQueues(settings)]);
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const { keyVault, exchangesAtHome } = lazyKeyVault(settings);
  const operatorKeys = operatorKeysIn(settings);
  const topic = lazyTopic(settings);
  const ports = { ...stores, ...queues, topic, keyVault, operatorKeys, clock, pause, random, log, ...replace };
  const { policy } = settings;
  const announcer =
    ports.topic === undefined
      ? undefined
      : createAnnouncer({ ...ports, topic: ports.topic, source: sourceIn(environment) });
  // Whatever is made of these from here on announces what it commits.
  const parts = announcer === undefined ? ports : { ...ports, ...announcing(ports, announcer) };
  const rings = replace.rings ?? createRings(parts);
  const memory = createAccountMemory(parts, policy);
  const accounts = forgetful(parts.accounts, memory);
  return {
    ...parts,
    policy,
    cloud: settings.KEYWARD_CLOUD,
    homeTenantId: settings.KEYWARD_TENANT_ID,
    ownerTag: settings.KEYWARD_OWNER_TAG || undefined,
    rings,
    memory,
    refusedCalls: createRefusedCalls({ ...parts, accounts, memory, rings }),
    seenMarks: createSeenMarks(),
    statusKeys: createStatusKeys({ ...parts, rings }),
    leases: createLeases({ ...parts, accounts, memory, rings, policy }),
    controlLook: (reach) => controlLook(reach, { ...parts, exchangesAtHome }),
    parts: [
      { name: 'tables', silence: 'StorageUnavailable', ask: async () => void (await parts.sweepMark.read()) },
      { name: 'queue', silence: 'StorageUnavailable', ask: async () => void (await countOf('vault-work')) },
      {
        name: 'operatorVault',
        silence: 'VaultTimeout',
        ask: () => troubleWithSystemKey(systemAssigned, impatient(parts), 'keyWillDo'),
      },
      ...(announcer === undefined ? [] : [announcementTopic(announcer, { ...parts, rings })]),
    ] satisfies Part[],
    keyCounts: createKeyCount(parts),
    poisoned: async () => (await countOf('vault-work-poison')) + (await countOf('daily-pass-poison')),
    ...replace,
    announcer,
    bindings: parts.bindings,
    serviceAudit: parts.serviceAudit,
    accounts,
  };
}

async function openStores(settings: Settings) {
  const [{ TableClient }, { tableHttp, tableRetries }, { openTables }, ...adapters] = await Promise.all([
    import('@azure/data-tables'),
    import('./storageClients.ts'),
    import('./tables.ts'),
    import('./accountTable.ts'),
    import('./secretTable.ts'),
    import('./bindingTable.ts'),
    import('./ringTable.ts'),
    import('./smallTables.ts'),
    import('./outboxTable.ts'),
    import('./resourceTable.ts'),
    import('./operationTable.ts'),
    import('./dataKeyTables.ts'),
  ]);
  const [accounts, secrets, bindings, rings, small, outbox, resources, operations, dataKeys] = adapters;
  const { AzureWebJobsStorage: connection, AzureWebJobsStorage__tableServiceUri: serviceUri } = settings;
  const credential = connection === undefined ? await ownCredential() : undefined;
  const options = {
    httpClient: tableHttp(settings.policy.storageDeadlineSeconds),
    retryOptions: tableRetries,
    allowInsecureConnection: isDevelopment(settings),
  };
  const open = openTables((name) =>
    connection !== undefined || serviceUri === undefined || credential === undefined
      ? TableClient.fromConnectionString(connection ?? '', name, options)
      : new TableClient(serviceUri, name, credential, options),
  );
  return {
    accounts: accounts.createAccountStore(open),
    secrets: secrets.createSecretStore(open),
    dataKeyUse: dataKeys.createDataKeyUseStore(open),
    statusKeyStore: dataKeys.createStatusKeyStore(open),
    resources: resources.createResourceStore(open),
    operations: operations.createOperationStore(open),
    bindings: bindings.createBindingStore(open),
    vaults: small.createVaultStore(open),
    directory: small.createDirectory(open),
    claims: small.createClaims(open),
    ringStore: rings.createRingStore(open),
    serviceAudit: small.createServiceAuditStore(open),
    sweepMark: small.createSweepMark(open),
    outbox: outbox.createOutbox(open),
  };
}

async function openQueues(settings: Settings) {
  const { countMessages, createWorkQueue } = await import('./workQueue.ts');
  const { AzureWebJobsStorage: connectionString, AzureWebJobsStorage__queueServiceUri: serviceUrl } = settings;
  const { storageDeadlineSeconds: deadlineSeconds } = settings.policy;
  const access =
    connectionString !== undefined || serviceUrl === undefined
      ? { connectionString: connectionString ?? '', deadlineSeconds }
      : { serviceUrl, credential: await ownCredential(), deadlineSeconds };
  return {
    queue: createWorkQueue<VaultWork>('vault-work', access),
    dailyQueue: createWorkQueue<DailyWork>('daily-pass', access),
    countOf: (name: string) => countMessages(name, access),
  };
}

async function ownCredential() {
  const { ManagedIdentityCredential } = await import('@azure/identity');
  return new ManagedIdentityCredential();
}

/** Where the app is in Azure: its own name there stays, whatever stands in front of it. */
const sourceIn = ({ WEBSITE_HOSTNAME: host }: Readonly<Record<string, string | undefined>>): string =>
  host === undefined || host === '' ? '/keyward' : `https://${host}`;

/** Asked through what it leaves waiting: there is no way to ask a topic itself but to publish something. */
const announcementTopic = (announcer: Announcer, tools: Pick<Service, 'clock' | 'rings'>): Part => ({
  name: 'announcementTopic',
  silence: 'StorageUnavailable',
  ask: async () => ((await isLate(announcer, tools)) ? 'AnnouncementsLate' : undefined),
});

function lazyTopic({ KEYWARD_ANNOUNCEMENTS_ENDPOINT: endpoint }: Settings): AnnouncementTopic | undefined {
  if (endpoint === undefined) return undefined;
  const remote = onceUnlessItFails(async () => {
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

function lazyKeyVault(settings: Settings): { keyVault: KeyVault } & Pick<Credentials, 'exchangesAtHome'> {
  const remote = onceUnlessItFails(async () => {
    const [{ createKeyVault }, { createKeyVaultTransport }, { createCredentials }] = await Promise.all([
      import('./keyVault.ts'),
      import('./keyVaultTransport.ts'),
      import('./credentials.ts'),
    ]);
    const { KEYWARD_KEY_VAULT_EMULATOR: emulatorUrl, KEYWARD_ENTRA_EMULATOR: entraEmulatorUrl } = settings;
    const { KEYWARD_CLOUD: cloud, KEYWARD_TENANT_ID: homeTenantId } = settings;
    const deadlineSeconds = settings.policy.lookDeadlineSeconds;
    const httpClient = createKeyVaultTransport({ cloud, ...(emulatorUrl === undefined ? {} : { emulatorUrl }) });
    const credentials = createCredentials({
      ...{ cloud, homeTenantId, deadlineSeconds },
      ...(entraEmulatorUrl === undefined ? {} : { entraEmulatorUrl }),
    });
    const { exchangesAtHome } = credentials;
    return { ...createKeyVault({ httpClient, credentials, deadlineSeconds }), exchangesAtHome };
  });
  return {
    keyVault: {
      describe: async (...asked) => (await remote()).describe(...asked),
      unwrap: async (...asked) => (await remote()).unwrap(...asked),
      wrap: wrapRsaOaep256,
    },
    exchangesAtHome: async (identity) => (await remote()).exchangesAtHome(identity),
  };
}

function operatorKeysIn(settings: Settings): OperatorKeys {
  const reach = (name: Parameters<typeof identifierIn>[0]): Reach =>
    bindingOf(identifierIn(name, settings), settings.KEYWARD_TENANT_ID, systemAssigned);
  const [system, atRest] = [reach('KEYWARD_SYSTEM_KEY'), reach('KEYWARD_AT_REST_KEY')];
  const recovery = settings.KEYWARD_RECOVERY_KEY === undefined ? {} : { recovery: reach('KEYWARD_RECOVERY_KEY') };
  return { system, atRest, ...recovery };
}

/**
 * The same identity unwraps something of the operator's. An application has no grant there: for it the app's own identity unwraps,
 * and the token exchange must work in the home tenant.
 */
async function controlLook(
  { identity }: Pick<Reach, 'identity' | 'tenantId'>,
  ports: Pick<Service, 'keyVault' | 'ringStore' | 'operatorKeys'> & Pick<Credentials, 'exchangesAtHome'>,
): Promise<'good' | 'failed'> {
  const [trouble, speaks] = await Promise.all([
    troubleWithSystemKey(isFederated(identity) ? systemAssigned : identity, ports),
    isFederated(identity) ? ports.exchangesAtHome(identity) : true,
  ]);
  return trouble === undefined && speaks ? 'good' : 'failed';
}

/**
 * The identity unwraps something of the operator's, the newest wrapping of the system ring by the system key: why it cannot, or undefined. Before
 * there is a ring there is nothing to unwrap; for readiness the description of the key will do then.
 */
async function troubleWithSystemKey(
  identity: Reach['identity'],
  { keyVault, ringStore, operatorKeys }: Pick<Service, 'keyVault' | 'ringStore' | 'operatorKeys'>,
  withoutRing?: 'keyWillDo',
): Promise<Cause | undefined> {
  const key = { ...operatorKeys.system, identity };
  const { rows } = (await ringStore.read()).rings.system;
  const ours = rows.filter((one) => isWrappedBy(one, operatorKeys.system));
  const [row] = ours.toSorted((a, b) => b.createdAt - a.createdAt);
  if (row === undefined && withoutRing === undefined) return 'UnknownResponse';
  const answer =
    row === undefined ? await keyVault.describe(key) : await keyVault.unwrap(key, versionIn(row), row.wrapped);
  if (!answer.ok) return answer.cause;
  if (answer.value instanceof Uint8Array) answer.value.fill(0);
  return undefined;
}

/** Tables that do not answer are not the vault's fault: given up well before the vault's own deadline. */
function impatient<Ports extends Pick<Service, 'ringStore' | 'pause'>>(ports: Ports): Ports {
  const read: Service['ringStore']['read'] = async () => {
    const rings = await inTime(ports.ringStore.read(), ports, 1_000);
    if (rings === undefined) throw new Unavailable('StorageUnavailable', 'The rings could not be read in time.', 5);
    return rings;
  };
  return { ...ports, ringStore: { ...ports.ringStore, read } };
}

/** Single flight, kept when it succeeds, begun again when it has failed. */
function onceUnlessItFails<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
}
