/** Several storage accounts in memory, as one HTTP client sees them. */
import { TableClient } from '@azure/data-tables';
import { createTableEmulator } from '../../../packages/table-emulator/src/tableEmulator.ts';
import { createLayoutReader } from '../../../src/azure/shards/layoutReader.ts';
import { shardedTable } from '../../../src/azure/shards/shardedTable.ts';
import type { TableRequests } from '../../../src/azure/tableConnection.ts';

type HttpClient = ReturnType<typeof createTableEmulator>['httpClient'];

export interface MemoryAccounts {
  readonly connectionStrings: readonly string[];
  readonly httpClient: HttpClient;
  /** The table as one account has it. */
  clientIn(account: number, table: string): TableClient;
  /** The table as a process sees it whose settings name these accounts, in this order. */
  process(accounts: readonly number[], clock?: Clock): (table: string) => TableRequests;
  requestsOf(account: number): number;
}

interface Clock {
  now(): number;
  monotonic(): number;
}

const realClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

export function memoryAccounts(count: number, now: () => number = Date.now): MemoryAccounts {
  const emulators = Array.from({ length: count }, () => createTableEmulator(now));
  const hosts = emulators.map((_, account) => `account${account}.table.core.windows.net`);
  const connectionStrings = hosts.map(
    (host) => `TableEndpoint=https://${host};SharedAccessSignature=sv=2019-02-02&sig=not-verified`,
  );
  const httpClient: HttpClient = {
    sendRequest(request) {
      const emulator = emulators[hosts.indexOf(new URL(request.url).host)];
      if (emulator === undefined) throw new Error(`No account has the address ${request.url}.`);
      return emulator.httpClient.sendRequest(request);
    },
  };
  const clientIn = (account: number, table: string) =>
    TableClient.fromConnectionString(connectionStrings[account] ?? '', table, { httpClient });
  return {
    connectionStrings,
    httpClient,
    clientIn,
    process(accounts, clock = realClock) {
      const layout = createLayoutReader(
        accounts.map((account) => clientIn(account, 'keywardrings')),
        clock,
      );
      return (table) =>
        shardedTable(
          table,
          accounts.map((account) => clientIn(account, table)),
          layout,
        );
    },
    requestsOf: (account) => emulators[account]?.requests ?? 0,
  };
}
