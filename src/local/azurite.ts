/**
 * Table, Queue and Blob Storage on this machine, by Azurite, for the well-known development account
 * (Microsoft docs: "Use the Azurite emulator for local Azure Storage development", well-known storage account and key).
 */
import { mkdir } from 'node:fs/promises';
import type { HttpClient } from '@azure/core-rest-pipeline';
import type { AzuriteServer } from './azuriteLibrary.ts';

export type AzuriteOptions = {
  /** The folder of the data. Azurite writes it every 5 s and on `stop()`, so a killed process loses its last writes. */
  dir?: string;
  /** Default: true without `dir`, false with it. */
  inMemory?: boolean;
  /** Default 0 each: any free port. */
  ports?: { table?: number; queue?: number; blob?: number };
};

export type Azurite = {
  tableUrl: string;
  queueUrl: string;
  blobUrl: string;
  connectionString: string;
  /** For table clients in this process: the same tables without a socket. */
  tables: HttpClient;
  stop(): Promise<void>;
};

export const ACCOUNT_NAME = 'devstoreaccount1';
/** Public: every storage emulator has this key. */
export const ACCOUNT_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export async function startAzurite(options: AzuriteOptions = {}): Promise<Azurite> {
  const dir = folderOf(options);
  if (dir !== undefined) await mkdir(dir, { recursive: true });
  // This variable of a developer's shell would replace the well-known account, and Azurite reads it every minute.
  delete process.env.AZURITE_ACCOUNTS;

  // Imported on first use: loading Azurite costs more than starting it.
  const [{ tableServer, queueServer, blobServer }, { inProcess }] = await Promise.all([
    import('./azuriteLibrary.ts'),
    import('./azuriteTransport.ts'),
  ]);
  const table = tableServer({ port: options.ports?.table ?? 0, dir });
  const queue = queueServer({ port: options.ports?.queue ?? 0, dir });
  const blob = blobServer({ port: options.ports?.blob ?? 0, dir });
  const servers = [table, queue, blob];
  await startAll(servers);

  const tableUrl = accountUrl(table);
  const queueUrl = accountUrl(queue);
  const blobUrl = accountUrl(blob);
  let stopped: Promise<void> | undefined;
  return {
    tableUrl,
    queueUrl,
    blobUrl,
    connectionString: [
      'DefaultEndpointsProtocol=http',
      `AccountName=${ACCOUNT_NAME}`,
      `AccountKey=${ACCOUNT_KEY}`,
      `BlobEndpoint=${blobUrl}`,
      `QueueEndpoint=${queueUrl}`,
      `TableEndpoint=${tableUrl}`,
    ].join(';'),
    tables: inProcess(table),
    stop() {
      stopped ??= closeAll(servers);
      return stopped;
    },
  };
}

function folderOf({ dir, inMemory = dir === undefined }: AzuriteOptions): string | undefined {
  if (inMemory === (dir === undefined)) return dir;
  throw new TypeError('startAzurite needs either `dir` or `inMemory`, not both.');
}

const accountUrl = (server: AzuriteServer) => `${server.getHttpServerAddress()}/${ACCOUNT_NAME}`;

async function startAll(servers: AzuriteServer[]): Promise<void> {
  const results = await Promise.allSettled(servers.map((server) => server.start()));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return;
  await Promise.allSettled(servers.map((server) => (isRunning(server) ? server.close() : server.afterClose())));
  throw failed.reason;
}

const isRunning = (server: AzuriteServer) => server.getStatus() === 'Running';

async function closeAll(servers: AzuriteServer[]): Promise<void> {
  for (const server of servers.filter(isRunning)) {
    await server.close();
    // Azurite leaves connections of clients open, and they would delay the exit of the process.
    server.httpServer.closeAllConnections();
  }
}
