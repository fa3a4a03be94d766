/**
 * The one transport under every Key Vault client. It refuses hosts off the allow-list (INV-8), sends requests to the
 * emulator in development, caches each vault's challenge for all clients, and records each exchange. Causes come from
 * that record, never from the error that the SDK throws, which can hide it (an empty 503 becomes a TypeError).
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import {
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from '@azure/core-rest-pipeline';
import { type Cloud, isKeyVaultHost } from '../core/customerKey/keyIdentifier.ts';

/** The record of one call: status and words of closed lists, never bodies or headers with secrets. */
export interface WireRecord {
  status?: number;
  code?: string;
  innerCode?: string;
  networkCode?: string;
  timedOut?: boolean;
  /** A token was requested and has not arrived. */
  awaitsToken?: boolean;
  /** Set by the credential: the error's class, and Entra's AADSTS number when it has one. */
  credentialError?: { readonly name: string; readonly aadsts?: string };
  requestId?: string;
  region?: string;
  retryAfterSeconds?: number;
  /** The key version that answered. */
  kid?: string;
  /** Where a 401 names an AKV error. */
  akv?: string;
  /** The refusal names a network security perimeter. Its inner code is that of the firewall. */
  perimeter?: true;
}

/**
 * A call and its record. The SDK renews a token in parallel to a call with the present, still valid token. The result
 * of that renewal says nothing about the call.
 */
interface Call {
  readonly wire: WireRecord;
  bearsToken: boolean;
}

const recording = new AsyncLocalStorage<Call>();
const currentCall = (): Call => recording.getStore() ?? { wire: {}, bearsToken: false };

/** Runs one SDK call and returns its record, also when the call throws. */
export async function recorded<T>(call: () => Promise<T>): Promise<{ wire: WireRecord; result?: T; error?: unknown }> {
  const wire: WireRecord = {};
  try {
    return { wire, result: await recording.run({ wire, bearsToken: false }, call) };
  } catch (error) {
    return { wire, error };
  }
}

/**
 * Requests a token. A call that times out before the token arrives was waiting for Keyward's identity, not for the
 * vault.
 */
export async function awaitingToken<T>(ask: () => Promise<T>): Promise<T> {
  const call = currentCall();
  if (!call.bearsToken) call.wire.awaitsToken = true;
  const token = await ask();
  delete call.wire.awaitsToken;
  return token;
}

export function recordCredentialError(error: WireRecord['credentialError'] & object): void {
  const call = currentCall();
  if (!call.bearsToken) call.wire.credentialError = error;
}

/** From here on the vault decides, until it requests another token. */
function setBearsToken(call: Call, bearsToken: boolean): void {
  call.bearsToken = bearsToken;
  if (!bearsToken) return;
  delete call.wire.awaitsToken;
  delete call.wire.credentialError;
}

export interface TransportOptions {
  readonly cloud: Cloud;
  /** Development only. */
  readonly emulatorUrl?: string;
}

export interface KeyVaultTransport extends HttpClient {
  /** A challenge that led to no token may be outdated. The next request gets a new one from the vault. */
  forgetChallenge(host: string): void;
}

export function createKeyVaultTransport(options: TransportOptions): KeyVaultTransport {
  const wireClient = createDefaultHttpClient();
  const challenges = new Map<string, string>();
  return {
    forgetChallenge: (host) => void challenges.delete(host),

    async sendRequest(request) {
      const { host } = new URL(request.url);
      const call = currentCall();
      const { wire } = call;
      if (!isKeyVaultHost(host, options.cloud)) {
        wire.networkCode = 'HostNotAllowed';
        throw new RestError(`Refused: ${host} is not a Key Vault host.`, { code: 'HostNotAllowed' });
      }
      const remembered = challenges.get(host);
      if (remembered !== undefined && !request.headers.has('authorization')) return challenge(request, remembered);

      setBearsToken(call, request.headers.has('authorization'));
      const response = await sendOnWire(wireClient, request, host, options.emulatorUrl, wire);
      if (response.status === 401) setBearsToken(call, false);
      const asked = response.headers.get('www-authenticate');
      if (response.status === 401 && asked !== undefined) challenges.set(host, asked);
      readInto(wire, response);
      return response;
    },
  };
}

/** The vault's own 401, returned without a round trip: the SDK sends no content before it has a token. */
function challenge(request: PipelineRequest, header: string): PipelineResponse {
  const headers = createHttpHeaders({ 'www-authenticate': header });
  return { request, status: 401, headers, bodyAsText: '{"error":{"code":"Unauthorized"}}' };
}

async function sendOnWire(
  client: HttpClient,
  request: PipelineRequest,
  host: string,
  emulatorUrl: string | undefined,
  wire: WireRecord,
): Promise<PipelineResponse> {
  try {
    if (emulatorUrl === undefined) return await client.sendRequest(request);
    const response = await client.sendRequest(rerouted(request, host, emulatorUrl));
    const networkError = response.headers.get('x-emulator-network-error');
    if (networkError !== undefined) throw new RestError(`${networkError} (emulated)`, { code: networkError, request });
    return { ...response, request };
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') wire.timedOut = true;
    else wire.networkCode = codeOf(error);
    throw error;
  }
}

/** The same request to the emulator, which knows the vault by its Host header. */
function rerouted(request: PipelineRequest, host: string, emulatorUrl: string): PipelineRequest {
  const { pathname, search } = new URL(request.url);
  const headers = createHttpHeaders(request.headers.toJSON());
  headers.set('host', host);
  return createPipelineRequest({
    ...request,
    url: new URL(pathname + search, emulatorUrl).href,
    headers,
    allowInsecureConnection: true,
  });
}

function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return 'UNKNOWN';
}

function readInto(wire: WireRecord, { status, headers, bodyAsText }: PipelineResponse): void {
  wire.status = status;
  set(wire, 'requestId', headers.get('x-ms-request-id'));
  set(wire, 'region', headers.get('x-ms-keyvault-region'));
  const retryAfter = Number(headers.get('retry-after'));
  set(wire, 'retryAfterSeconds', retryAfter > 0 ? retryAfter : undefined);
  const body = parsed(bodyAsText);
  set(wire, 'kid', textIn(body.kid) ?? textIn(body.key?.kid));
  set(wire, 'code', word(body.error?.code));
  set(wire, 'innerCode', word(body.error?.innererror?.code ?? body.error?.innerError?.code));
  set(wire, 'perimeter', /not allowed by NSP rules/i.test(body.error?.message ?? '') ? true : undefined);
  set(wire, 'akv', /AKV\d{5}/.exec(body.error?.message ?? '')?.[0]);
}

function set<K extends keyof WireRecord>(wire: WireRecord, field: K, value: WireRecord[K] | undefined): void {
  if (value === undefined) delete wire[field];
  else wire[field] = value;
}

interface AnyBody {
  kid?: string;
  key?: { kid?: string };
  error?: { code?: string; message?: string; innererror?: { code?: string }; innerError?: { code?: string } };
}

/** A body can be empty, HTML, or any text. Only the error envelope has a meaning. */
function parsed(text: string | null | undefined): AnyBody {
  try {
    const body: unknown = JSON.parse(text ?? '');
    return typeof body === 'object' && body !== null ? body : {};
  } catch {
    return {};
  }
}

const textIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** A code is one word. Any other text comes from another party and stays out of records and logs. */
const word = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[A-Za-z]{1,64}$/.test(value) ? value : undefined;
