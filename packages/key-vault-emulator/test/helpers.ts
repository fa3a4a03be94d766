/** Shared by the emulator's tests: a token issuer, a transport for the SDK, and a webhook. */
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createHttpHeaders, type HttpClient, RestError } from '@azure/core-rest-pipeline';
import { CryptographyClient, KeyClient, type KeyVaultKey } from '@azure/keyvault-keys';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { type KeyVaultControl, keyVaultControl } from '../src/controlClient.ts';
import { type KeyVaultOptions, startKeyVault } from '../src/emulator.ts';

export const TENANT = '11111111-1111-4111-8111-111111111111';
export const OTHER_TENANT = '22222222-2222-4222-8222-222222222222';
/** Object id of the service that uses the keys, and of the customer's officer who may do everything. */
export const SERVICE = 'aaaaaaaa-0000-4000-8000-000000000001';
export const OFFICER = 'aaaaaaaa-0000-4000-8000-000000000002';

export const keyPool = fileURLToPath(new URL('../../../test/fixtures/rsaKeys.json', import.meta.url));

function listen(server: Server): Promise<string> {
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
  );
}

function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  return closed;
}

export type TokenClaims = { tenant?: string; oid?: string; aud?: string; expiresIn?: number };

export type Issuer = { url: string; token(claims?: TokenClaims): Promise<string>; stop(): Promise<void> };

/** One key pair for every tenant; `iss` names the tenant of a token. */
export async function startIssuer(): Promise<Issuer> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'RS256', use: 'sig' }] });
  const server = createServer((_request, response) => response.setHeader('content-type', 'application/json').end(jwks));
  return {
    url: await listen(server),
    token: ({ tenant = TENANT, oid = SERVICE, aud = 'https://vault.azure.net', expiresIn = 3600 } = {}) =>
      new SignJWT({ tid: tenant, oid, appid: `app-of-${oid}` })
        .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
        .setIssuer(`https://sts.windows.net/${tenant}/`)
        .setAudience(aud)
        .setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn)
        .sign(privateKey),
    stop: () => close(server),
  };
}

export type RawAnswer = {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read bodies of many shapes.
  json: any;
};

type RawRequest = { method?: string; host: string; path: string; token?: string; body?: unknown; signal?: AbortSignal };

/** node:http, because fetch does not let a caller set the Host header. */
export function raw(url: string, { method = 'GET', host, path, token, body, signal }: RawRequest): Promise<RawAnswer> {
  const payload = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      `${url}${path}`,
      {
        method,
        headers: {
          host,
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(payload),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(signal === undefined ? {} : { signal }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const json = response.headers['content-type']?.startsWith('application/json') ? JSON.parse(text) : undefined;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

/** Sends the SDK's requests for https://{vault}.vault.azure.net to the emulator, as the app's transport does. */
function reroutingClient(url: string): HttpClient {
  return {
    sendRequest: (request) =>
      new Promise((resolve, reject) => {
        const { host, pathname, search } = new URL(request.url);
        const outgoing = httpRequest(
          url + pathname + search,
          { method: request.method, headers: { ...request.headers.toJSON(), host } },
          (response) => {
            const networkError = response.headers['x-emulator-network-error'];
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('end', () => {
              if (response.statusCode === 421 && typeof networkError === 'string') {
                reject(new RestError(`getaddrinfo ${networkError} ${host}`, { code: networkError, request }));
                return;
              }
              const headers = createHttpHeaders();
              for (const [name, value] of Object.entries(response.headers)) headers.set(name, String(value));
              const bodyAsText = Buffer.concat(chunks).toString();
              resolve({ request, status: response.statusCode ?? 0, headers, bodyAsText });
            });
          },
        );
        outgoing.on('error', (error: NodeJS.ErrnoException) =>
          reject(new RestError(error.message, { ...(error.code ? { code: error.code } : {}), request })),
        );
        outgoing.end(typeof request.body === 'string' ? request.body : undefined);
      }),
  };
}

export type Stage = {
  url: string;
  control: KeyVaultControl;
  issuer: Issuer;
  /** Creates a vault with a new name, where OFFICER has every permission and SERVICE those of a service. */
  vault(settings?: Record<string, unknown>): Promise<{ name: string; host: string }>;
  /** Creates a key from a fixture; returns its kid. */
  key(vault: string, name: string, settings?: Record<string, unknown>): Promise<string>;
  keyClient(vault: string, oid?: string): KeyClient;
  cryptography(kid: string, oid?: string): CryptographyClient;
  call(vault: string, method: string, path: string, body?: unknown, claims?: TokenClaims): Promise<RawAnswer>;
  stop(): Promise<void>;
};

const API = 'api-version=2025-07-01';
let vaultNumber = 0;

export async function openStage(options: Partial<KeyVaultOptions> = {}): Promise<Stage> {
  const issuer = await startIssuer();
  const emulator = await startKeyVault({ identityUrl: issuer.url, keyPool, ...options });
  const control = keyVaultControl(emulator.url);
  const httpClient = reroutingClient(emulator.url);
  const credential = (oid: string) => ({
    getToken: async () => ({ token: await issuer.token({ oid }), expiresOnTimestamp: Date.now() + 3_600_000 }),
  });
  const retryOptions = { maxRetries: 0 };
  return {
    url: emulator.url,
    control,
    issuer,
    async vault(settings = {}) {
      vaultNumber += 1;
      const name = `vault-${vaultNumber}`;
      const made = await control<{ host: string }>('POST', '/vaults', { name, tenantId: TENANT, ...settings });
      await control('PUT', `/vaults/${name}/grants/${OFFICER}`, { permissions: 'cryptoOfficer' });
      await control('PUT', `/vaults/${name}/grants/${SERVICE}`, { permissions: 'cryptoServiceEncryptionUser' });
      return { name, host: made.host };
    },
    async key(vault, name, settings = {}) {
      const ready = 'kty' in settings ? {} : { fixture: 0 };
      const made = await control<{ key: { kid: string } }>('POST', `/vaults/${vault}/keys/${name}`, {
        ...ready,
        ...settings,
      });
      return made.key.kid;
    },
    keyClient: (vault, oid = OFFICER) =>
      new KeyClient(`https://${vault}.vault.azure.net`, credential(oid), { httpClient, retryOptions }),
    cryptography(kid, oid = SERVICE) {
      // A key without its public part makes every operation a remote one.
      const [, , hostname = '', , name = '', version = ''] = kid.split('/');
      const properties = { id: kid, name, vaultUrl: `https://${hostname}`, version };
      const stub = { id: kid, name, keyType: 'RSA', properties } as KeyVaultKey;
      return new CryptographyClient(stub, credential(oid), { httpClient, retryOptions });
    },
    call: async (vault, method, path, body, claims) =>
      raw(emulator.url, {
        method,
        host: `${vault}.vault.azure.net`,
        path: path.includes('?') ? path : `${path}?${API}`,
        token: await issuer.token(claims),
        body,
      }),
    async stop() {
      await emulator.stop();
      await issuer.stop();
    },
  };
}

export type Received = { method: string; headers: IncomingMessage['headers']; body: string };

export type Webhook = {
  url: string;
  received: Received[];
  /** The notifications' bodies, in order of arrival. */
  // biome-ignore lint/suspicious/noExplicitAny: tests read bodies of many shapes.
  events(): any[];
  /** The statuses of the next answers to notifications; then 200. */
  answers: number[];
  handshake: 'echo' | 'ignore' | 'refuse';
  stop(): Promise<void>;
};

export async function startWebhook(): Promise<Webhook> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    webhook.received.push({ method: request.method ?? '', headers: request.headers, body });
    if (webhook.handshake === 'refuse') response.writeHead(404).end();
    else if (request.method === 'OPTIONS') {
      const allowed = webhook.handshake === 'echo' ? { 'webhook-allowed-origin': 'eventgrid.azure.net' } : {};
      response.writeHead(200, { ...allowed, 'webhook-allowed-rate': '*' }).end();
    } else if (request.headers['aeg-event-type'] === 'SubscriptionValidation') {
      const [{ data }] = JSON.parse(body);
      response.end(webhook.handshake === 'echo' ? JSON.stringify({ validationResponse: data.validationCode }) : '');
    } else response.writeHead(webhook.answers.shift() ?? 200).end();
  });
  const webhook: Webhook = {
    url: await listen(server),
    received: [],
    events: () =>
      webhook.received
        .filter(({ headers }) => headers['aeg-event-type'] === 'Notification')
        .flatMap(({ body }) => JSON.parse(body)),
    answers: [],
    handshake: 'echo',
    stop: () => close(server),
  };
  return webhook;
}
