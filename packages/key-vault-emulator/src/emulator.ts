/**
 * A Key Vault on this machine: the keys data plane on the wire with real RSA, and a control API for what customers, the
 * platform and time do in Azure (vaults, roles, firewalls, outages).
 *
 * One plain HTTP server. A request whose Host header names a vault goes to that vault; a request to the loopback
 * address goes to the control API. Where a client must see a network failure, the answer is 421 with
 * `x-emulator-network-error: CODE`, and the client's transport turns it into the error.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClock } from './clock.ts';
import { answerControl } from './control.ts';
import { answerDataPlane } from './dataPlane.ts';
import { createDelivery, documentedRetryMs } from './delivery.ts';
import { createFaults } from './faults.ts';
import { hostName, isControlHost } from './hosts.ts';
import { openKeySource } from './keySource.ts';
import type { Timings } from './model.ts';
import { createNetwork } from './names.ts';
import { createCatchUp } from './passingTime.ts';
import { createRequestLog } from './requestLog.ts';
import { openSnapshot } from './snapshot.ts';
import { createTokenVerifier } from './tokens.ts';
import type { Outcome, WireRequest } from './wire.ts';
import { allSubscriptions, type World } from './world.ts';

export type KeyVaultOptions = {
  /** 0, the default, takes a free port. */
  port?: number;
  /** The local token issuer: its keys for a tenant are at `{identityUrl}/{tenantId}/discovery/v2.0/keys`. */
  identityUrl: string;
  /** A file of ready private keys; see keySource.ts. */
  keyPool?: string;
  timings?: Partial<Timings>;
  /** The folder that stores the vaults; absent: in memory. See snapshot.ts. */
  dir?: string;
  /** Deletes what the folder holds. */
  fresh?: boolean;
};

export type KeyVaultEmulator = {
  url: string;
  /** With `dir`: the id of this set of keys, the same after every restart. */
  dataId?: string;
  /** The outcome of a request of this process, which needs no socket. */
  answer(request: WireRequest): Promise<Outcome>;
  stop(): Promise<void>;
};

const MAX_BODY_BYTES = 1_048_576;
const CATCH_UP_MS = 1_000;

export async function startKeyVault(options: KeyVaultOptions): Promise<KeyVaultEmulator> {
  const stopping = new AbortController();
  const world = await createWorld(options, stopping.signal);
  const { dir, fresh = false } = options;
  const snapshot = dir === undefined ? undefined : await openSnapshot(dir, world, fresh);
  const server = createServer((request, response) => {
    handle(world, request, response)
      .catch((error: unknown) => {
        if (response.destroyed) return;
        const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
        send(response, 500, {}, JSON.stringify({ error: { code: 'EmulatorFailure', message } }));
      })
      .finally(() => snapshot?.touch());
  });
  // Longer than the idle time-out of clients, so that no client writes into a connection that is closing.
  server.keepAliveTimeout = 120_000;
  try {
    await listen(server, options.port ?? 0);
  } catch (error) {
    await snapshot?.close();
    throw error;
  }
  world.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const timer = setInterval(() => void world.catchUp().finally(() => snapshot?.touch()), CATCH_UP_MS).unref();

  return {
    url: world.url,
    answer: (request) => answer(world, request).finally(() => snapshot?.touch()),
    ...(snapshot === undefined ? {} : { dataId: snapshot.id }),
    async stop() {
      clearInterval(timer);
      stopping.abort();
      world.delivery.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await snapshot?.close();
    },
  };
}

async function createWorld(options: KeyVaultOptions, stopping: AbortSignal): Promise<World> {
  const timings: Timings = {
    deleteDelayMs: 50,
    recoverDelayMs: 50,
    grantDelayMs: 0,
    eventRetryMs: documentedRetryMs,
    eventTimeoutMs: 30_000,
    ...options.timings,
  };
  const world: World = {
    clock: createClock(),
    timings,
    vaults: new Map(),
    resourceSubscriptions: new Map(),
    faults: createFaults(),
    network: createNetwork(),
    requests: createRequestLog(),
    delivery: createDelivery(
      () => world.timings,
      (subscription) => allSubscriptions(world).includes(subscription),
    ),
    source: await openKeySource(options.keyPool),
    verify: createTokenVerifier(options.identityUrl),
    url: '',
    catchUp: () => dueWork(),
    stopping,
  };
  const dueWork = createCatchUp(world);
  return world;
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function handle(world: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await readAll(request);
  if (body === undefined) {
    send(response, 413, { connection: 'close' }, '');
    return;
  }
  const wire: WireRequest = {
    method: request.method ?? 'GET',
    target: request.url ?? '/',
    host: hostName(request.headers.host),
    headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
    body,
    address: request.socket.remoteAddress ?? '127.0.0.1',
  };
  play(await answer(world, wire), response);
}

async function answer(world: World, request: WireRequest): Promise<Outcome> {
  if (!isControlHost(request.host)) return answerDataPlane(world, request);
  const { status, headers, body } =
    request.method === 'OPTIONS' ? { status: 204, headers: {}, body: '' } : await answerControl(world, request);
  return { kind: 'answer', status, headers: { ...headers, ...crossOrigin(request) }, body };
}

/** A page that this machine serves can make the control calls; a page of another origin cannot. */
function crossOrigin({ headers: { origin = '' } }: WireRequest): Record<string, string> {
  if (!/^http:\/\/(127\.0\.0\.1|localhost)(:\d+)?$/.test(origin)) return {};
  return { 'access-control-allow-origin': origin, 'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE' };
}

function play(outcome: Outcome, response: ServerResponse): void {
  switch (outcome.kind) {
    case 'answer':
      send(response, outcome.status, outcome.headers, outcome.body);
      return;
    case 'network':
      send(response, 421, { 'x-emulator-network-error': outcome.code }, '');
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'hang':
      // The connection stays open until the client or stop() closes it.
      return;
  }
}

function send(response: ServerResponse, status: number, headers: Record<string, string>, body: string): void {
  const length = status === 204 ? {} : { 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, { ...headers, ...length }).end(body);
}

async function readAll(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
