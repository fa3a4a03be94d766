/**
 * Connects the core to Azure. Loading this file does nothing: each SDK is imported on first use, and the settings are
 * read on the first call. A missing setting fails that call with its name.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpClient } from '@azure/core-rest-pipeline';
import { createAccountCache, invalidatingStore } from '../core/accounts/accountCache.ts';
import { createLeases } from '../core/accounts/leases.ts';
import { createRefusedCalls } from '../core/accounts/refusedCalls.ts';
import { createWatchReader, invalidatingWatches } from '../core/accounts/watchReader.ts';
import { createAnnouncer } from '../core/announcements/backgroundPublisher.ts';
import { isLate } from '../core/announcements/outboxPass.ts';
import type { Announcer } from '../core/announcements/ports.ts';
import { announcing } from '../core/announcements/publishingStores.ts';
import { createDamageReporter, type ReportDamage } from '../core/audit/damagedRows.ts';
import { bytesOf } from '../core/base/bytes.ts';
import { callerBudget } from '../core/base/callerBudget.ts';
import { defined } from '../core/base/defined.ts';
import type { Random } from '../core/base/effects.ts';
import { keyedMutex } from '../core/base/keyedMutex.ts';
import type { Log } from '../core/base/log.ts';
import { lruCache } from '../core/base/lruCache.ts';
import { rateLimiter } from '../core/base/rateLimiter.ts';
import { bindingOf } from '../core/customerKey/binding.ts';
import type { KeyRef } from '../core/customerKey/ports.ts';
import { seenStepMs } from '../core/dataKeys/lastSeen.ts';
import { createStatusKeys } from '../core/dataKeys/statusKeys.ts';
import { type HealthCheck, keyChecks } from '../core/health.ts';
import { indexing } from '../core/overview/indexedStores.ts';
import { createOverviewWriter } from '../core/overview/overviewWriter.ts';
import { ownedAccounts } from '../core/overview/ownedAccounts.ts';
import { passesNow } from '../core/passProgress.ts';
import type { OperatorKeys } from '../core/rings/kek.ts';
import { createRings } from '../core/rings/ringCache.ts';
import type { Service } from '../core/service.ts';
import { createLookRequests } from '../core/vaultWork/requestLook.ts';
import { controlLook, systemAssigned, systemKeyFailure, withShortRingRead, withSystemWrapping } from './controlLook.ts';
import { lazyKeyVault, lazyQueues, lazyTopic } from './lazyAdapters.ts';
import type { MetricExport } from './otlpMetrics.ts';
import { identifierIn, ownIdentitiesIn, readSettings, type Settings } from './settings.ts';
import { checkSweepSchedule } from './sweepSchedule.ts';
import { systemClock } from './systemClock.ts';

export { SettingsError } from './settings.ts';
export type { MetricExport };

const random: Random = { bytes: (length) => bytesOf(randomBytes(length)), uuid: randomUUID };

/** Each use of a link is an entry of the service's own chain, which a holder of the link must not flood. */
const linkCallsPerMinute = 60;

const pause = (ms: number): Promise<void> => sleep(ms);
/** No process stays for what it only writes to an index. */
const gather = (): Promise<void> => sleep(1000, undefined, { ref: false });

/** Undefined without a collector: the OpenTelemetry SDK is then not loaded. */
export async function openMetricExport(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<MetricExport | undefined> {
  if (!environment.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT) return undefined;
  return (await import('./otlpMetrics.ts')).openMetricExport(environment.WEBSITE_SITE_NAME);
}

/**
 * @param tableTransport carries the requests of the Table Storage client where they do not go over the network
 * @param vaultTransport those of the Key Vault clients
 */
export async function compose(
  environment: Readonly<Record<string, string | undefined>>,
  log: Log,
  replace: Partial<Service> = {},
  tableTransport?: HttpClient,
  vaultTransport?: HttpClient,
): Promise<Service> {
  const settings = readSettings(environment);
  await checkSweepSchedule(environment);
  const { openStores } = await import('./stores.ts');
  const stores = await openStores(settings, tableTransport, {
    keks: async () => (await rings()).atRest,
    auditKeks: async () => (await rings()).audit,
    report: (place) => reportDamage(place),
    rejected: (table, code) => (replace.log ?? log).error('The tables refused a request', { table, code }),
  });
  const { countOf, ...queues } = lazyQueues(settings);
  const { keyVault, canaryKeys, exchangesAtHome } = lazyKeyVault(settings, vaultTransport);
  const operatorKeys = operatorKeysIn(settings);
  const topic = lazyTopic(settings);
  const given = {
    ...stores,
    ...queues,
    topic,
    keyVault,
    operatorKeys,
    clock: systemClock,
    pause,
    gather,
    random,
    log,
    ...replace,
  };
  const { lastWrapping, ringStore } = withSystemWrapping(given);
  const ports = { ...given, ringStore };
  const { policy } = settings;
  const announcer =
    ports.topic === undefined
      ? undefined
      : createAnnouncer({ ...ports, topic: ports.topic, source: sourceIn(environment) });
  // Every store that is created from these publishes what it commits.
  const announced = announcer === undefined ? ports : { ...ports, ...announcing(ports, announcer) };
  const overview = createOverviewWriter(announced);
  const parts = { ...announced, ...indexing(announced, overview) };
  const rings: Service['rings'] = replace.rings ?? createRings(parts);
  const reportDamage: ReportDamage = createDamageReporter({ ...parts, rings });
  const watches = createWatchReader(parts.clock);
  const accountCache = createAccountCache(parts, policy, watches);
  const accounts = invalidatingStore(parts.accounts, accountCache);
  const serialize = keyedMutex();
  const alarmLimiter = rateLimiter(parts.clock, 60_000);
  const requestLook = createLookRequests({ ...parts, policy });
  const revealBudget = callerBudget(parts.clock, policy.revealsPerMinute);
  return {
    ...parts,
    policy,
    cloud: settings.KEYWARD_CLOUD,
    homeTenantId: settings.KEYWARD_TENANT_ID,
    operatorVaults: new Set(Object.values(ports.operatorKeys).map(({ vaultHost }) => vaultHost)),
    ownerTag: settings.KEYWARD_OWNER_TAG || undefined,
    rings,
    accountCache,
    serialize,
    alarmLimiter,
    revealBudget,
    linkBudget: callerBudget(parts.clock, linkCallsPerMinute),
    refusedCalls: createRefusedCalls({ ...parts, accounts, serialize, rings }),
    seenLimiter: rateLimiter(parts.clock, seenStepMs),
    statusKeys: createStatusKeys({ ...parts, rings }),
    requestLook,
    leases: createLeases({ ...parts, accounts, serialize, rings, policy, requestLook }),
    processId: random.uuid().slice(0, 8),
    wrongSamples: lruCache<string>(10_000, { ttl: 3_600_000 }),
    ownIdentities: ownIdentitiesIn(settings),
    ownedAccounts: (owner) => ownedAccounts(owner, { ...parts, overview }),
    canaryKeys,
    ...defined({ canaryKey: canaryKeyIn(settings) }),
    controlLook: (keyRef) => controlLook(keyRef, { ...parts, exchangesAtHome, lastWrapping }),
    healthChecks: [
      { name: 'tables', timeoutCause: 'StorageUnavailable', run: async () => void (await parts.sweepMark.read()) },
      { name: 'queue', timeoutCause: 'StorageUnavailable', run: async () => void (await countOf('vault-work')) },
      {
        name: 'operatorVault',
        timeoutCause: 'VaultTimeout',
        run: () => systemKeyFailure(systemAssigned, { ...withShortRingRead(parts), lastWrapping }, 'keyWillDo'),
      },
      { name: 'keyChecks', timeoutCause: 'StorageUnavailable', run: keyChecks({ ...parts, policy }) },
      ...(announcer === undefined ? [] : [announcementTopic(announcer, { ...parts, rings })]),
    ] satisfies HealthCheck[],
    poisoned: () => Promise.all(poisonQueues.map(async (queue) => ({ queue, messages: await countOf(queue) }))),
    dailyWaiting: () => countOf('daily-pass'),
    passes: () => passesNow(parts),
    ...replace,
    announcer,
    overview,
    bindings: invalidatingWatches(parts.bindings, watches),
    serviceAudit: parts.serviceAudit,
    accounts,
  };
}

const poisonQueues = ['vault-work-poison', 'daily-pass-poison'] as const;

/** The app's own address in Azure. A gateway in front of the app does not change it. */
const sourceIn = ({ WEBSITE_HOSTNAME: host }: Readonly<Record<string, string | undefined>>): string =>
  host === undefined || host === '' ? '/keyward' : `https://${host}`;

/** Checks the entries that wait, because the only way to test a topic is to publish something. */
const announcementTopic = (announcer: Announcer, deps: Pick<Service, 'clock' | 'rings'>): HealthCheck => ({
  name: 'announcementTopic',
  timeoutCause: 'StorageUnavailable',
  run: async () => ((await isLate(announcer, deps)) ? 'AnnouncementsLate' : undefined),
});

/** Its vault is none of the operator's key vaults: the canary account is an account like any other (INV-14). */
function canaryKeyIn(settings: Settings): KeyRef | undefined {
  if (settings.KEYWARD_DRILL_KEY === undefined) return undefined;
  return bindingOf(identifierIn('KEYWARD_DRILL_KEY', settings), settings.KEYWARD_TENANT_ID, systemAssigned);
}

function operatorKeysIn(settings: Settings): OperatorKeys {
  const keyRef = (name: Parameters<typeof identifierIn>[0]): KeyRef =>
    bindingOf(identifierIn(name, settings), settings.KEYWARD_TENANT_ID, systemAssigned);
  const [system, atRest] = [keyRef('KEYWARD_SYSTEM_KEY'), keyRef('KEYWARD_AT_REST_KEY')];
  const recovery = settings.KEYWARD_RECOVERY_KEY === undefined ? {} : { recovery: keyRef('KEYWARD_RECOVERY_KEY') };
  return { system, atRest, ...recovery };
}
