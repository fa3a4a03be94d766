/**
 * The real core and adapters over tables in memory and a vault in this process, on a clock that moves during work and
 * can be set forward.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpClient } from '@azure/core-rest-pipeline';
import { createTableEmulator } from '../../packages/table-emulator/src/tableEmulator.ts';
import { compose } from '../../src/azure/compose.ts';
import type { Log } from '../../src/core/base/log.ts';
import type { Service } from '../../src/core/service.ts';
import type { QueuedWork } from '../../src/core/vaultWork/ports.ts';
import { homeTenantId } from '../../src/local/operator.ts';
import { createLocalVault, type LocalVault } from './localVault.ts';

export interface World {
  readonly service: Service;
  readonly keyVault: LocalVault;
  /** Of the tables, for rows that the bench writes. */
  readonly httpClient: HttpClient;
  readonly messages: { readonly work: QueuedWork; readonly delayMs: number }[];
  tableRequests(): number;
  forward(ms: number): void;
}

export async function startWorld(settings: Readonly<Record<string, string>> = {}): Promise<World> {
  let ahead = 0;
  const clock = { now: () => Date.now() + ahead, monotonic: () => performance.now() + ahead };
  const tables = createTableEmulator(() => clock.now());
  const keyVault = await createLocalVault();
  const messages: World['messages'] = [];
  const queue = { send: async (work: QueuedWork, delayMs = 0) => void messages.push({ work, delayMs }) };
  const service = await compose(
    {
      AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
      AzureWebJobsStorage: `${tables.connectionString};QueueEndpoint=http://127.0.0.1:9/memory`,
      KEYWARD_TENANT_ID: homeTenantId,
      KEYWARD_SYSTEM_KEY: 'https://keyward-operator.vault.azure.net/keys/system',
      KEYWARD_AT_REST_KEY: 'https://keyward-operator.vault.azure.net/keys/at-rest',
      KEYWARD_SWEEP_SCHEDULE: '0 * * * * *',
      KEYWARD_AUTH: 'functionKeys',
      ...settings,
    },
    logOfFailures,
    { clock, keyVault, queue, dailyQueue: { send: async () => undefined }, pause: (ms) => sleep(ms) },
    tables.httpClient,
  );
  return {
    service,
    keyVault,
    httpClient: tables.httpClient,
    messages,
    tableRequests: () => tables.requests,
    forward(ms) {
      ahead += ms;
    },
  };
}

const logOfFailures: Log = {
  info: () => undefined,
  warn: () => undefined,
  // A figure that was measured over failures is no figure.
  error(message, fields) {
    process.stderr.write(`${message} ${JSON.stringify(fields)}\n`);
    process.exit(1);
  },
};
