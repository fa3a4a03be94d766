/**
 * HTTP to Keyward: the token, one deadline over all attempts, waits as Retry-After says, and errors for refusals.
 *
 *   2xx, 304          the answer
 *   408, 429, 5xx,    retried until the deadline, then KeywardUnavailable
 *   no answer
 *   any other         KeywardRefusal
 */
import type { KeyCredential, TokenCredential } from '@azure/core-auth';
import { KeywardRefusal, KeywardUnavailable } from './errors.ts';
import { type Clock, type Moment, momentOf } from './tenure.ts';
import { sleep, unlessAborted } from './waiting.ts';

export interface TransportOptions {
  readonly endpoint: string;
  /** A key is a function key, for development. */
  readonly credential: TokenCredential | KeyCredential;
  readonly scope: string;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  /** Milliseconds for all attempts of one call. */
  readonly deadlineMs: number;
}

export interface Request {
  readonly method: 'GET' | 'POST';
  /** Below the endpoint: `/api/...`. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** One attempt, without waiting: for work in the background. */
  readonly isSingleTry?: boolean;
  /** A public route. */
  readonly isPublic?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly etag: string | undefined;
  readonly body: unknown;
  /** The time before the answered attempt began. */
  readonly sent: Moment;
}

export type Send = (request: Request) => Promise<Answer>;

/** The version of Keyward's API that this client speaks (docs/api.md, "Versions"). Public routes have none. */
const apiVersion = '2026-11-28';

const tryMs = 10_000;
const maxBodyBytes = 1024 * 1024;
const firstPauseMs = 500;
const longestPauseMs = 10_000;

export function createTransport(options: TransportOptions): Send {
  const { clock, deadlineMs } = options;
  const { identify, forget } =
    'key' in options.credential ? byKey(options.credential) : byToken(options.credential, options);

  async function once(request: Request, leftMs: number): Promise<Answer | KeywardUnavailable | 'unauthenticated'> {
    const sent = momentOf(clock);
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(Math.min(tryMs, leftMs))));
    const signal = request.signal === undefined ? timeout : AbortSignal.any([timeout, request.signal]);
    try {
      const url = new URL(request.path, options.endpoint);
      if (!request.isPublic) url.searchParams.set('api-version', apiVersion);
      const response = await options.fetch(url, {
        method: request.method,
        headers: {
          accept: 'application/json',
          ...(request.isPublic ? {} : await unlessAborted(identify(), signal)),
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...request.headers,
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        signal,
        redirect: 'error',
        cache: 'no-store',
      });
      const body = await bodyOf(response);
      if (response.ok || response.status === 304)
        return { status: response.status, etag: response.headers.get('etag') ?? undefined, body, sent };
      if (response.status === 401 && forget()) return 'unauthenticated';
      return failureOf(response, body);
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof KeywardRefusal) throw error;
      return new KeywardUnavailable('NoAnswer', 'Keyward did not answer.', 1, { cause: error });
    }
  }

  return async (request) => {
    const began = clock.monotonic();
    for (let tries = 0; ; tries++) {
      const leftMs = deadlineMs - (clock.monotonic() - began);
      const answer = await once(request, leftMs);
      // The held token may have been revoked: one more attempt with a new one.
      if (answer === 'unauthenticated') continue;
      if (!(answer instanceof KeywardUnavailable)) return answer;
      const pauseMs = Math.max(answer.retryAfterSeconds * 1000, Math.min(firstPauseMs * 2 ** tries, longestPauseMs));
      const isOver = clock.monotonic() - began + pauseMs >= deadlineMs;
      if (request.isSingleTry || isOver) throw answer;
      await sleep(pauseMs, request.signal);
    }
  };
}

/** Reads no more bytes than Keyward's longest answer; undefined when the body is not JSON. */
async function bodyOf(response: Response): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.byteLength;
    if (length > maxBodyBytes) throw new RangeError('The answer is too large.');
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch {
    return undefined;
  }
}

interface ErrorAnswer {
  readonly error?: {
    readonly code?: unknown;
    readonly message?: unknown;
    readonly additionalInfo?: readonly { readonly info?: Readonly<Record<string, unknown>> }[];
  };
}

/** @throws KeywardRefusal */
function failureOf(response: Response, body: unknown): KeywardUnavailable {
  const { status, headers } = response;
  const { code, message, additionalInfo } = (body as ErrorAnswer | undefined)?.error ?? {};
  const word = typeof code === 'string' ? code : `Http${status}`;
  const text = typeof message === 'string' ? message : `Keyward answered with status ${status}.`;
  if (status >= 500 || status === 408 || status === 429)
    return new KeywardUnavailable(word, text, retryAfterSeconds(headers.get('retry-after')));
  const { cause, since, remedy, whoActs } = additionalInfo?.[0]?.info ?? {};
  throw new KeywardRefusal(word, text, {
    cause: textOf(cause),
    since: textOf(since),
    remedy: textOf(remedy),
    actor: textOf(whoActs),
    status,
    requestId: headers.get('x-ms-request-id') ?? undefined,
  });
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** RFC 9110, 10.2.3: seconds, or a date, which Keyward never sends. */
function retryAfterSeconds(header: string | null): number {
  const seconds = /^\d{1,5}$/.test(header ?? '') ? Number(header) : 1;
  return Math.min(seconds, 3600);
}

/** A token is requested again this long before it expires. */
const beforeExpiryMs = 120_000;

const byKey = ({ key }: KeyCredential): Identification => ({
  identify: async () => ({ 'x-functions-key': key }),
  forget: () => false,
});

interface Identification {
  /** The headers that say who calls. */
  identify(): Promise<Record<string, string>>;
  /** Returns whether a token had been used before. */
  forget(): boolean;
}

function byToken(credential: TokenCredential, { scope, clock }: TransportOptions): Identification {
  let known: { readonly token: string; readonly until: number } | undefined;
  let flight: Promise<string> | undefined;
  async function request(): Promise<string> {
    const got = await credential.getToken(scope);
    if (got === null) throw new TypeError('The credential gave no token.');
    known = { token: got.token, until: got.expiresOnTimestamp - beforeExpiryMs };
    isReused = false;
    return got.token;
  }
  let isReused = false;
  return {
    async identify() {
      if (known !== undefined && clock.now() < known.until) {
        isReused = true;
        return bearer(known.token);
      }
      flight ??= request().finally(() => {
        flight = undefined;
      });
      return bearer(await flight);
    },
    forget() {
      const wasReused = isReused;
      known = undefined;
      isReused = false;
      return wasReused;
    },
  };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
