/**
 * A token issuer for a machine without Microsoft Entra ID: tenants, identities and apps, the token endpoint, and the managed
 * identity endpoint of App Service, on one local port. What it issues is signed and can be verified; who may have what is
 * set through `/control` (`GET /control` lists the calls).
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
  /** Default: the time of the machine. */
  now?: () => EpochMs;
};

export type Identity = {
  url: string;
  /** What App Service sets for an app with managed identities; `ManagedIdentityCredential` needs no more. */
  environment: { IDENTITY_ENDPOINT: string; IDENTITY_HEADER: string };
  stop(): Promise<void>;
};

const HOST = '127.0.0.1';
/** A managed identity's tokens live for a day, an app's for an hour. */
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
    // Requests that hang on purpose would keep it open for ever.
    server.closeAllConnections();
  });
}
