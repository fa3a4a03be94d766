/**
 * A laboratory: the real core and adapters with the real SDK clients in virtual time. Tables and vaults are in this
 * process. `advance` does what the sweep's timer and the queue's trigger do in Azure, in order and without waiting.
 */

import type { HttpClient } from '@azure/core-rest-pipeline';
import { TableClient } from '@azure/data-tables';
import { startIdentity } from '../../../packages/entra-emulator/src/issuer.ts';
import type { KeyVaultControl } from '../../../packages/key-vault-emulator/src/controlClient.ts';
import { startKeyVault } from '../../../packages/key-vault-emulator/src/emulator.ts';
import { createTableEmulator } from '../../../packages/table-emulator/src/tableEmulator.ts';
import { compose } from '../../azure/compose.ts';
import type { TableName } from '../../azure/tableNames.ts';
import type { AccountView } from '../../core/accounts/account.ts';
import { patchAccount, putAccount } from '../../core/accounts/putAccount.ts';
import { getAccount } from '../../core/accounts/readAccount.ts';
import { defined } from '../../core/base/defined.ts';
import type { Log, LogFields } from '../../core/base/log.ts';
import type { KeyVault } from '../../core/customerKey/ports.ts';
import type { DailyWork } from '../../core/dailyPass.ts';
import type { Service } from '../../core/service.ts';
import type { QueuedWork } from '../../core/vaultWork/ports.ts';
import { allRanges } from '../../core/vaultWork/ranges.ts';
import { sweepRanges, timedSweep } from '../../core/vaultWork/sweep.ts';
import { workOnVault } from '../../core/vaultWork/vaultWork.ts';
import { controlInProcess, vaultsInProcess } from '../keyVaultInProcess.ts';
import {
  createGrantedVault,
  createOperatorVault,
  directory,
  location,
  operatorSettings,
  topicOf,
} from '../operator.ts';
import { startTopic, type Topic } from '../topic/topic.ts';
import { createVirtualClock, createVirtualQueue, type VirtualClock, type VirtualQueue } from './virtualTime.ts';

export interface LabOptions {
  readonly settings?: Readonly<Record<string, string>>;
  readonly keyPool?: string;
  /** With a topic to which Keyward publishes. */
  readonly announces?: true;
  /** The transport of the Key Vault clients, made of the one that leads to the emulator. */
  readonly vaultTransport?: (direct: HttpClient) => HttpClient;
  /** How many share the state: one by default. */
  readonly storageAccounts?: number;
  /** Key Vault, as the service gets it. */
  readonly keyVault?: (real: KeyVault) => KeyVault;
}

export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: LogFields;
}

export interface Lab {
  readonly service: Service;
  readonly clock: VirtualClock;
  readonly queue: VirtualQueue;
  readonly dailyQueue: VirtualQueue<DailyWork>;
  readonly keyVault: KeyVaultControl;
  readonly keyVaultUrl: string;
  readonly identityUrl: string;
  /** Absent unless the options request it. */
  readonly topic?: Topic;
  readonly log: LogLine[];
  /** A table of the app, for writes that another writer of the tables makes. */
  table(name: TableName): TableClient;
  /** The number of requests to the tables. */
  tableRequests(): number;
  /** Another process on the same tables: its own memory, the same world. */
  another(replace?: Partial<Service>): Promise<Service>;
  /** Creates a customer vault with an RSA key and Keyward's grant. Returns the key's versionless identifier. */
  vaultWithKey(vault: string, more?: Record<string, unknown>): Promise<string>;
  /** Creates an account of the owner, under the customer key if one is given. */
  account(name: string, owner: string, keyIdentifier?: string): Promise<AccountView>;
  move(name: string, keyIdentifier: string): Promise<AccountView>;
  view(name: string): Promise<AccountView>;
  /** From now on the existing vaults have no sweeps, so that a later test pays for its own vaults only. */
  turnPage(): Promise<void>;
  /** Lets time pass: sweeps every minute, and messages when they become visible. */
  advance(ms: number, how?: 'withoutTimer'): Promise<void>;
  stop(): Promise<void>;
}

const sweepEveryMs = 60_000;
export const tester = { kind: 'principal', id: 'tester' } as const;
const systemAssigned = { useSystemAssignedIdentity: true } as const;

export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const clock = createVirtualClock(Date.now());
  const tables = createTableEmulator(() => clock.now());
  const more = Array.from({ length: (options.storageAccounts ?? 1) - 1 }, () => createTableEmulator(() => clock.now()));
  const hostOf = (number: number) => `memory${number + 2}.table.core.windows.net`;
  const transport = inSeveral(tables.httpClient, new Map(more.map((one, index) => [hostOf(index), one.httpClient])));
  const identity = await startIdentity(directory);
  const emulator = await startKeyVault({
    identityUrl: identity.url,
    timings: { deleteDelayMs: 0, recoverDelayMs: 0 },
    ...defined({ keyPool: options.keyPool }),
  });
  const keyVault = controlInProcess(emulator);
  const { vaultTransport = (direct: HttpClient) => direct } = options;
  const vaults = vaultTransport(vaultsInProcess(emulator));
  await createOperatorVault(keyVault);
  // The managed identity's credential reads these from the process, as in Azure.
  Object.assign(process.env, identity.environment);

  const topic = options.announces ? await startTopic(topicOf(identity)) : undefined;
  const settings = {
    // Both queues are virtual: no request goes to this endpoint.
    ...operatorSettings(`${tables.connectionString};QueueEndpoint=http://127.0.0.1:9/memory`, identity, emulator.url),
    ...defined({ KEYWARD_ANNOUNCEMENTS_ENDPOINT: topic?.endpoint }),
    KEYWARD_SWEEP_RANGES: '2',
    ...(more.length === 0
      ? {}
      : {
          KEYWARD_ADDITIONAL_TABLES_ENDPOINTS: more
            .map((_, index) => `TableEndpoint=https://${hostOf(index)};SharedAccessSignature=sv=2019-02-02&sig=none`)
            .join(','),
        }),
    ...options.settings,
  };
  const queue = createVirtualQueue(clock);
  const dailyQueue = createVirtualQueue<DailyWork>(clock);
  const lines: LogLine[] = [];
  const pause = async (ms: number) => clock.set(clock.now() + ms);
  const gather = async () => undefined;
  const another = (replace: Partial<Service> = {}) =>
    compose(settings, logInto(lines), { clock, pause, gather, queue, dailyQueue, ...replace }, transport, vaults);
  const real = await another();
  const service = options.keyVault === undefined ? real : await another({ keyVault: options.keyVault(real.keyVault) });
  let nextSweepAt = clock.now() + sweepEveryMs;
  const past = new Set<string>();
  const present = { ...service, vaults: without(past, service.vaults) };
  const work = async (message: QueuedWork) => {
    if (!('vault' in message)) await sweepRanges(message, present);
    else if (!past.has(message.vault)) await workOnVault(message, service);
  };

  const lab: Lab = {
    service,
    clock,
    queue,
    dailyQueue,
    keyVault,
    keyVaultUrl: emulator.url,
    identityUrl: identity.url,
    log: lines,
    another,
    table: (name) => TableClient.fromConnectionString(tables.connectionString, `keyward${name}`, tables),
    tableRequests: () => [tables, ...more].reduce((sum, { requests }) => sum + requests, 0),
    ...defined({ topic }),
    async vaultWithKey(vault, more = {}) {
      await createGrantedVault(vault, keyVault, more);
      await keyVault('POST', `/vaults/${vault}/keys/cmk`, { kty: 'RSA', size: 2048, fixture: 0 });
      return `https://${vault}.vault.azure.net/keys/cmk`;
    },
    async account(name, owner, keyIdentifier) {
      const customerKey =
        keyIdentifier === undefined
          ? {}
          : { encryption: { type: 'CustomerKey', keyIdentifier, identity: systemAssigned } as const };
      return (await putAccount({ name, input: { owner, location, ...customerKey }, actor: tester }, service)).view;
    },
    move(name, keyIdentifier) {
      const encryption = { type: 'CustomerKey', keyIdentifier, identity: systemAssigned } as const;
      return patchAccount({ name, input: { encryption }, actor: tester, permissions: { mayRelease: true } }, service);
    },
    view: (name) => getAccount(name, service),
    async turnPage() {
      for await (const vault of service.vaults.list()) past.add(vault);
      if (past.size === 0) return;
      // The sweeps would take these vaults for lost.
      for (const range of allRanges(service.policy.sweepRanges)) await service.ranges.write(range, {});
    },
    async advance(ms, how) {
      const end = clock.now() + ms;
      for (;;) {
        const timerAt = how === undefined ? nextSweepAt : Number.POSITIVE_INFINITY;
        const nextAt = Math.min(timerAt, queue.nextAt() ?? Number.POSITIVE_INFINITY);
        if (nextAt > end) break;
        clock.set(Math.max(clock.now(), nextAt));
        if (nextAt === timerAt) {
          nextSweepAt = clock.now() + sweepEveryMs;
          await timedSweep(present);
        } else await queue.deliver(work);
      }
      clock.set(Math.max(clock.now(), end));
    },
    async stop() {
      await topic?.stop();
      await emulator.stop();
      await identity.stop();
    },
  };
  return lab;
}

/** The vaults, except those that are complete. */
export const without = (over: ReadonlySet<string>, vaults: Service['vaults']): Service['vaults'] => ({
  ...vaults,
  async page(...requested) {
    const page = await vaults.page(...requested);
    return { ...page, vaults: page.vaults.filter(({ id }) => !over.has(id)) };
  },
});

/** By the host of a request. */
const inSeveral = (first: HttpClient, more: ReadonlyMap<string, HttpClient>): HttpClient =>
  more.size === 0
    ? first
    : { sendRequest: (request) => (more.get(new URL(request.url).host) ?? first).sendRequest(request) };

function logInto(lines: LogLine[]): Log {
  const at =
    (level: keyof Log) =>
    (message: string, fields: LogFields = {}) => {
      lines.push({ level, message, fields });
    };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}
