/**
 * The one transport under every Key Vault client. It refuses hosts off the allow-list (INV-8), sends requests to the
 * emulator in development, caches each vault's challenge for all clients, and records each exchange. Causes come from
 * that record, never from the error that the SDK throws, which can hide it (an empty 503 becomes a TypeError).
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Cloud, isKeyVaultHost } from '../core/customerKey/keyIdentifier.ts';
import type { Principal } from '../core/customerKey/ports.ts';
import { clientAddressIn, principalInRefusal, principalInToken } from './callerPrincipal.ts';
import { limitedBody } from './limitedBody.ts';
import {
  createDefaultHttpClient,
  createHttpHeaders,
  createPipelineRequest,
  type HttpClient,
  type PipelineRequest,
  type PipelineResponse,
  RestError,
} from './sdk/http.ts';

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
  /** The principal of the call. Absent where neither the token nor the answer names it. */
  principal?: Principal;
  /** The address of the call, as a refusal of the firewall names it. */
  clientAddress?: string;
  /** The name does not resolve here, and public DNS shows that it does not exist. Set by keyVault.ts. */
  isNameGone?: true;
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
  /** The vault's last challenge in this call. It is remembered when it has led to a token. */
  challenge?: string;
  /** The parsed body of the last answer. It can hold key material, so it is never part of the record. */
  body?: unknown;
}

const recording = new AsyncLocalStorage<Call>();
const currentCall = (): Call => recording.getStore() ?? { wire: {}, bearsToken: false };

export interface Recorded<T> {
  readonly wire: WireRecord;
  /** The body of the last answer. */
  readonly body?: unknown;
  /** Absent: the call threw. */
  readonly result?: T;
  readonly error?: unknown;
}

/** Runs one SDK call and returns its record, also when the call throws. */
export async function recorded<T>(send: () => Promise<T>): Promise<Recorded<T>> {
  const call: Call = { wire: {}, bearsToken: false };
  try {
    const result = await recording.run(call, send);
    return { wire: call.wire, body: call.body, result };
  } catch (error) {
    return { wire: call.wire, error };
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
  /** Carries the requests where they do not go over the network. */
  readonly client?: HttpClient;
}

export interface KeyVaultTransport extends HttpClient {
  /** A challenge that led to no token may be outdated. The next request gets a new one from the vault. */
  forgetChallenge(host: string): void;
}

export function createKeyVaultTransport(options: TransportOptions): KeyVaultTransport {
  const wireClient = options.client ?? createDefaultHttpClient();
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

      const hasToken = request.headers.has('authorization');
      setBearsToken(call, hasToken);
      if (hasToken && call.challenge !== undefined) challenges.set(host, call.challenge);
      set(wire, 'principal', principalInToken(request.headers.get('authorization')));
      const response = await sendOnWire(wireClient, request, host, options.emulatorUrl, wire);
      if (response.status === 401) setBearsToken(call, false);
      if (response.status === 401) {
        // Without a token the SDK ends each later call at a challenge that it cannot read, and sends no more requests.
        challenges.delete(host);
        set(call, 'challenge', response.headers.get('www-authenticate'));
      }
      call.body = parsed(response.bodyAsText);
      readInto(wire, response, call.body);
      return response;
    },
  };
}

/** The vault's own 401, returned without a round trip: the SDK sends no content before it has a token. */
function challenge(request: PipelineRequest, header: string): PipelineResponse {
  const headers = createHttpHeaders({ 'www-authenticate': header });
  return { request, status: 401, headers, bodyAsText: '{"error":{"code":"Unauthorized"}}' };
}

/** Far above the largest answer of the service: a key bundle with all its tags has less than 16 KiB. */
const maxBodyBytes = 256 * 1024;

async function sendOnWire(
  client: HttpClient,
  request: PipelineRequest,
  host: string,
  emulatorUrl: string | undefined,
  wire: WireRecord,
): Promise<PipelineResponse> {
  try {
    const sent = emulatorUrl === undefined ? createPipelineRequest(request) : rerouted(request, host, emulatorUrl);
    // The body arrives as a stream, already decompressed. Without this the client collects it without a limit.
    sent.streamResponseStatusCodes = new Set([Number.POSITIVE_INFINITY]);
    const { readableStreamBody, ...response } = await client.sendRequest(sent);
    const networkError = response.headers.get('x-emulator-network-error');
    if (emulatorUrl !== undefined && networkError !== undefined)
      throw new RestError(`${networkError} (emulated)`, { code: networkError, request });
    const bodyAsText = readableStreamBody === undefined ? '' : await limitedBody(readableStreamBody, maxBodyBytes);
    return { ...response, bodyAsText, request };
  } catch (error) {
    if (isAborted(error, request)) wire.timedOut = true;
    else wire.networkCode = codeOf(error);
    throw error;
  }
}

const isAborted = (error: unknown, { abortSignal }: PipelineRequest): boolean =>
  abortSignal?.aborted === true || (error instanceof Error && error.name === 'AbortError');

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

/** The longest wait that a vault can ask for: re-wraps and callers would wait as long. */
const maxRetryAfterSeconds = 60;

function readInto(wire: WireRecord, { status, headers }: PipelineResponse, body: unknown): void {
  wire.status = status;
  set(wire, 'requestId', matching(/^[\w-]{1,64}$/, headers.get('x-ms-request-id')));
  set(wire, 'region', matching(/^[a-z0-9]{1,64}$/i, headers.get('x-ms-keyvault-region')));
  const retryAfter = Math.min(maxRetryAfterSeconds, Number(headers.get('retry-after')));
  set(wire, 'retryAfterSeconds', retryAfter > 0 ? retryAfter : undefined);
  const { code, message, innererror, innerError } = fieldsOf(fieldsOf(body).error);
  const text = typeof message === 'string' ? message : '';
  set(wire, 'code', word(code));
  set(wire, 'innerCode', word(fieldsOf(innererror ?? innerError).code));
  set(wire, 'perimeter', /not allowed by NSP rules/i.test(text) ? true : undefined);
  set(wire, 'akv', /AKV\d{5}/.exec(text)?.[0]);
  set(wire, 'principal', wire.principal ?? principalInRefusal(text));
  set(wire, 'clientAddress', clientAddressIn(text));
}

function set<T, K extends keyof T>(of: T, field: K, value: T[K] | undefined): void {
  if (value === undefined) delete of[field];
  else of[field] = value;
}

/** A body can be empty, HTML, or any text. */
function parsed(text: string | null | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

const matching = (form: RegExp, value: unknown): string | undefined =>
  typeof value === 'string' && form.test(value) ? value : undefined;

/** A code is one word. Any other text comes from another party and stays out of records and logs. */
const word = (value: unknown): string | undefined => matching(/^[A-Za-z]{1,64}$/, value);
