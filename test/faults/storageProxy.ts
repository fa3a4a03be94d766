/**
 * A proxy between the app's SDK clients and storage that injects faults into chosen requests. It listens in front of
 * Azurite, and carries the requests of table clients that need no socket.
 */
import { createServer, type IncomingMessage, request as requestTo, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpHeaders, type HttpClient, type PipelineRequest, RestError } from '@azure/core-rest-pipeline';
import {
  AccountSASPermissions,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from '@azure/storage-queue';
import {
  createTableEmulator,
  type TableEmulator,
  tableEndpoint,
} from '../../packages/table-emulator/src/tableEmulator.ts';
import { tableHttp } from '../../src/azure/storageClients.ts';
import { ACCOUNT_KEY, ACCOUNT_NAME, type Azurite } from '../../src/local/azurite.ts';
import { createInjector, type Fault, type Injector, isOfOverview, refusalOf, type Seen } from './faults.ts';

/** Far above every response of this machine. */
const deadlineSeconds = 30;

/** On a table request for which a table client's transport has chosen the fault. */
const faultHeader = 'x-injected-fault';

/** Storage as a service composes it. */
export interface Access {
  readonly connectionString: string;
  readonly tables: HttpClient;
}

export interface StorageProxy extends Injector {
  /** Every request takes the way through the proxy. */
  readonly connectionString: string;
  /**
   * Azurite, with a transport for the table clients that costs less: only a request with a fault takes the way through
   * the proxy, and the others go to Azurite without a socket. Both ways count. The overview, which gets no faults and
   * which no case reads, is in memory.
   */
  readonly direct: Access;
  /** Tables in memory, and the queues of Azurite behind the proxy. Faults of the tables begin in this process. */
  inMemory(tables: TableEmulator): Access;
  stop(): Promise<void>;
}

export async function startStorageProxy({ tableUrl, queueUrl, tables: direct }: Azurite): Promise<StorageProxy> {
  const injector = createInjector();
  const servers = await Promise.all(
    [tableUrl, queueUrl].map((target) =>
      listen((request, body, response) => {
        const chosen = request.headers[faultHeader] as Fault | undefined;
        const fault = chosen ?? injector.faultFor(seenIn(request, body));
        if (fault === 'silence') return;
        if (fault === 'broken connection') return response.destroy();
        if (fault === undefined || fault.startsWith('answer'))
          return forward(target, request, body, response, fault !== undefined);
        const refused = refusalOf(Number(fault), request.url ?? '');
        response.writeHead(refused.status, refused.headers).end(refused.body);
      }),
    ),
  );
  const [table = '', queue = ''] = servers.map(
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${ACCOUNT_NAME}`,
  );
  const connectionStringTo = (tables: string) =>
    `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT_NAME};AccountKey=${ACCOUNT_KEY};QueueEndpoint=${queue};TableEndpoint=${tables}`;
  const http = tableHttp(deadlineSeconds);
  const overview = createTableEmulator();
  const tables: HttpClient = {
    async sendRequest(request) {
      const { url, headers } = request;
      const isOverviews = isOfOverview(headers.get('user-agent'));
      const fault = injector.faultFor(seenOf(request));
      if (fault === undefined && !isOverviews) return direct.sendRequest(request);
      request.url = url.replace(tableUrl, isOverviews ? tableEndpoint : table);
      if (fault !== undefined) headers.set(faultHeader, fault);
      try {
        return await (isOverviews ? overview.httpClient : http).sendRequest(request);
      } finally {
        // The SDK repeats a failed request with the same object.
        request.url = url;
        headers.delete(faultHeader);
      }
    },
  };
  return {
    ...injector,
    connectionString: connectionStringTo(table),
    direct: { connectionString: connectionStringTo(tableUrl), tables },
    inMemory: ({ httpClient }) => ({
      connectionString: [
        `TableEndpoint=${tableEndpoint}`,
        `QueueEndpoint=${queue}`,
        // A signature in the address: a client of the tables signs no request then.
        `SharedAccessSignature=${queueSignature()}`,
      ].join(';'),
      tables: withFaults(httpClient, injector),
    }),
    async stop() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

/** Azurite accepts it for one day. */
const queueSignature = (): string =>
  generateAccountSASQueryParameters(
    {
      expiresOn: new Date(Date.now() + 86_400_000),
      permissions: AccountSASPermissions.parse('rwdlacup'),
      resourceTypes: 'sco',
      services: 'q',
    },
    new StorageSharedKeyCredential(ACCOUNT_NAME, ACCOUNT_KEY),
  ).toString();

const withFaults = (client: HttpClient, injector: Injector): HttpClient => ({
  async sendRequest(request) {
    const fault = injector.faultFor(seenOf(request));
    if (fault === undefined) return client.sendRequest(request);
    if (fault.startsWith('answer')) await client.sendRequest(request);
    // The error of the SDK's own transport when the connection breaks before the response.
    if (fault.startsWith('answer') || fault === 'broken connection')
      throw new RestError('socket hang up', { code: 'ECONNRESET', request });
    const { status, headers, body } = refusalOf(Number(fault), request.url);
    return { request, status, headers: createHttpHeaders(headers), bodyAsText: body };
  },
});

const seenOf = ({ method, url, headers, body }: PipelineRequest): Seen => ({
  method,
  url,
  userAgent: headers.get('user-agent'),
  body: String(body ?? ''),
});

const seenIn = ({ method = 'GET', url = '', headers }: IncomingMessage, body: Buffer): Seen => ({
  method,
  url,
  userAgent: headers['user-agent'],
  body: body.toString('latin1'),
});

async function listen(
  handle: (request: IncomingMessage, body: Buffer, response: ServerResponse) => void,
): Promise<Server> {
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    handle(request, Buffer.concat(parts), response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** With `isLost` the request succeeds, and the connection breaks before the response. */
function forward(target: string, request: IncomingMessage, body: Buffer, response: ServerResponse, isLost: boolean) {
  const { host, port } = new URL(target);
  const headers = { ...request.headers, host };
  const { method = 'GET', url = '/' } = request;
  const out = requestTo({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
    if (isLost) {
      answer.resume().on('end', () => response.destroy());
      return;
    }
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    answer.pipe(response);
  });
  out.on('error', () => response.destroy());
  out.end(body);
}
