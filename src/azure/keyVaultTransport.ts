/**
 * The one transport under every Key Vault client. It refuses hosts off the allow-list (INV-8), sends requests to the
 * emulator in development, caches each vault's challenge for all clients, and records each exchange. Causes come from
 * that record, never from the error that the SDK throws, which can hide it (an empty 503 becomes a TypeError).
 */
import { type Cloud, isKeyVaultHost } from '../core/customerKey/keyIdentifier.ts';
import { principalInToken } from './callerPrincipal.ts';
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
import { currentCall, parsed, readInto, set, setBearsToken, type WireRecord } from './wireRecord.ts';

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
