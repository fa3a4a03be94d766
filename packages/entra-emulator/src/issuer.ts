/**
 * An emulator of Microsoft Entra ID: tenants, identities and applications, the token endpoint, and the managed identity
 * endpoint of App Service, on one local port. Its tokens are signed and can be verified. `/control` changes the
 * directory (`GET /control` lists the calls).
 */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type * as z from 'zod';
import { createDirectory } from './directory.ts';
import { createFaults } from './faults.ts';
import { send } from './http.ts';
import { answer } from './requests.ts';
import { Seeds } from './seeds.ts';
import type { EpochMs, World } from './world.ts';

export type IdentityOptions = z.input<typeof Seeds> & {
  /** The clock; default: the machine's. */
  now?: () => EpochMs;
};

export type Identity = {
  url: string;
  /** The variables that App Service sets for an app with managed identities; `ManagedIdentityCredential` reads them. */
  environment: { IDENTITY_ENDPOINT: string; IDENTITY_HEADER: string };
  stop(): Promise<void>;
};

const HOST = '127.0.0.1';
/** The token of a managed identity is valid for a day, that of an application for an hour. */
const LIFETIME_SECONDS = { msi: 86_400, token: 3_600 };

export async function startIdentity(options: IdentityOptions = {}): Promise<Identity> {
  const { now = Date.now, ...given } = options;
  const seeds = Seeds.parse(given);
  const world = createWorld(seeds, now);
  const server = createServer((request, response) => {
    answer(world, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, { status: 500, body: { error: { code: 'InternalError', message: String(error) } } });
    });
  });
  await listen(server, seeds.port ?? 0);
  world.url = `http://${HOST}:${(server.address() as AddressInfo).port}`;
  let stopped: Promise<void> | undefined;
  return {
    url: world.url,
    environment: { IDENTITY_ENDPOINT: `${world.url}/msi/token`, IDENTITY_HEADER: world.identityHeader },
    stop() {
      stopped ??= close(server);
      return stopped;
    },
  };
}

function createWorld(seeds: z.output<typeof Seeds>, clock: () => EpochMs): World {
  const directory = createDirectory();
  for (const { tenantId, ...tenant } of seeds.tenants ?? []) directory.putTenant(tenantId, tenant);
  for (const { name, ...identity } of seeds.identities ?? []) directory.putPrincipal(name, identity);
  for (const { tenantId, identity, ...app } of seeds.apps ?? []) directory.install(tenantId, identity, app);
  for (const { app, name, credential } of seeds.federatedCredentials ?? []) {
    directory.putFederatedCredential(app, name, credential);
  }
  return {
    directory,
    faults: createFaults(),
    url: '',
    identityHeader: seeds.identityHeader ?? randomUUID(),
    clock,
    clockOffsetMs: 0,
    lifetimeSeconds: { ...LIFETIME_SECONDS, ...seeds.lifetimeSeconds },
    apiAudiences: new Set([seeds.apiAudience ?? 'api://keyward']),
    refreshTokens: new Map(),
    codes: new Map(),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, HOST, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    // Requests that hang because of a fault would otherwise block the stop.
    server.closeAllConnections();
  });
}
