/**
 * A proxy between the app's SDK clients and Azurite that injects faults into chosen requests, as Azure Storage or the
 * network would. It counts requests from `arm` on. The request of the given number fails, and with a lasting fault also
 * its repetitions.
 */
import { createServer, type IncomingMessage, request as requestTo, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpClient } from '@azure/core-rest-pipeline';
import { createTableEmulator, tableEndpoint } from '../../packages/table-emulator/src/tableEmulator.ts';
import { tableHttp } from '../../src/azure/storageClients.ts';
import { ACCOUNT_KEY, ACCOUNT_NAME, type Azurite } from '../../src/local/azurite.ts';

/** Azure Storage answers these to writes only (Table service and Queue service error codes). */
const conflicts = ['412', '409'] as const;
const outages = ['429', '500', 'broken connection'] as const;
const lostAnswers = ['answer lost once', 'answer lost'] as const;
export type Fault = (typeof conflicts | typeof outages | typeof lostAnswers)[number] | 'silence';

/**
 * The faults of a call. Faults that are equivalent for the app (a lost race, no answer) take turns from call to call.
 * `STORAGE_FAULTS=all` injects all of them at every call.
 */
export function faultsFor(method: string, at: number): readonly Fault[] {
  const some = process.env.STORAGE_FAULTS === 'all' ? <T>(all: readonly T[]) => all : oneOf(at);
  return method === 'GET' ? some(outages) : [...some(conflicts), ...some(outages), ...lostAnswers];
}

const oneOf =
  (turn: number) =>
  <T>(all: readonly T[]): readonly T[] =>
    all.slice(turn % all.length, (turn % all.length) + 1);

/** Far above every response of this machine. */
const deadlineSeconds = 30;

/** The SDK retries after these faults: only a lasting fault reaches the app. */
const lasting: ReadonlySet<Fault> = new Set(['429', '500', 'broken connection', 'answer lost']);

const isOfOverview = (userAgent: string | undefined): boolean => userAgent?.startsWith('keywardoverview') ?? false;

/** On a table request for which `tables` has chosen the fault. */
const faultHeader = 'x-injected-fault';

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly userAgent: string | undefined;
  readonly body: string;
}

export interface StorageProxy {
  readonly connectionString: string;
  /**
   * The same, with a transport for the table clients that costs less: only a request with a fault takes the way through
   * the proxy, and the others go to Azurite without a socket. Both ways count. The overview, which gets no faults and
   * which no case reads, is in memory.
   */
  readonly direct: { readonly connectionString: string; readonly tables: HttpClient };
  /** From 1. Without a fault, only counts. */
  arm(at: number, fault?: Fault): void;
  /** Ends the fault. Returns the methods of the requests since `arm`, and whether one failed. */
  disarm(): { readonly methods: readonly string[]; readonly hit: boolean };
  stop(): Promise<void>;
}

export async function startStorageProxy({ tableUrl, queueUrl, tables: direct }: Azurite): Promise<StorageProxy> {
  let armed: { readonly at: number; readonly fault: Fault | undefined; spoilt?: string } | undefined;
  let methods: string[] = [];
  let hit = false;

  /** The fault of this request. */
  function faultFor({ method, url, userAgent, body }: Seen): Fault | undefined {
    // The overview is written in the background, at any time: its requests neither count nor fail.
    if (isOfOverview(userAgent)) return undefined;
    methods.push(method);
    if (armed?.fault === undefined) return undefined;
    const what = `${method} ${url} ${body.replace(/(batch|changeset)_[\w-]+/g, '')}`;
    const isRepetition = armed.spoilt === what && lasting.has(armed.fault);
    if (methods.length !== armed.at && !isRepetition) return undefined;
    armed.spoilt = what;
    // Parallel calls can arrive in another order.
    if (method === 'GET' && /^4(09|12)$|^answer/.test(armed.fault)) return undefined;
    hit = true;
    return armed.fault;
  }

  const servers = await Promise.all(
    [tableUrl, queueUrl].map((target) =>
      listen((request, body, response) => {
        const chosen = request.headers[faultHeader] as Fault | undefined;
        const fault = chosen ?? faultFor(seenIn(request, body));
        if (fault === 'silence') return;
        if (fault === 'broken connection') return response.destroy();
        if (fault === undefined || fault.startsWith('answer'))
          return forward(target, request, body, response, fault !== undefined);
        refuse(Number(fault), request, response);
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
      const { method, url, headers, body } = request;
      const userAgent = headers.get('user-agent');
      const isOverviews = isOfOverview(userAgent);
      const fault = faultFor({ method, url, userAgent, body: String(body ?? '') });
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
    connectionString: connectionStringTo(table),
    direct: { connectionString: connectionStringTo(tableUrl), tables },
    arm(at, fault) {
      armed = { at, fault };
      methods = [];
      hit = false;
    },
    disarm() {
      armed = undefined;
      return { methods, hit };
    },
    async stop() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

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

const words: Readonly<Record<number, string>> = {
  412: 'UpdateConditionNotSatisfied',
  409: 'EntityAlreadyExists',
  429: 'TooManyRequests',
  500: 'InternalError',
};

/**
 * The response to a rejected batch is 202 with the rejection inside (Table service docs, "Performing entity group
 * transactions").
 */
function refuse(status: number, { url = '' }: IncomingMessage, response: ServerResponse): void {
  const code = words[status] ?? '';
  const error = JSON.stringify({ 'odata.error': { code, message: { lang: 'en-US', value: `${code}.` } } });
  if (!url.includes('$batch') || status === 429 || status === 500) {
    response.writeHead(status, { 'content-type': 'application/json', 'x-ms-error-code': code }).end(error);
    return;
  }
  const inner = [
    '--batchresponse_1',
    'Content-Type: multipart/mixed; boundary=changesetresponse_1',
    '',
    '--changesetresponse_1',
    'Content-Type: application/http',
    'Content-Transfer-Encoding: binary',
    '',
    `HTTP/1.1 ${status} Refused`,
    'Content-Type: application/json',
    '',
    error,
    '--changesetresponse_1--',
    '--batchresponse_1--',
    '',
  ].join('\r\n');
  response.writeHead(202, { 'content-type': 'multipart/mixed; boundary=batchresponse_1' }).end(inner);
}
