/**
 * The faults of a storage call, as Azure Storage or the network causes them. An injector counts requests from `arm` on.
 * The request of the given number fails, and with a lasting fault also its repetitions.
 */

/** Azure Storage answers these to writes only (Table service and Queue service error codes). */
const conflicts = ['412', '409'] as const;
const outages = ['429', '500', 'broken connection'] as const;
const lostAnswers = ['answer lost once', 'answer lost'] as const;
export type Fault = (typeof conflicts | typeof outages | typeof lostAnswers)[number] | 'silence';

/** The SDK retries after these faults: only a lasting fault reaches the app. */
const lasting: ReadonlySet<Fault> = new Set(['429', '500', 'broken connection', 'answer lost']);

/**
 * The faults of a call. With `isWhole` each kind is injected at every call. Otherwise the kinds take turns from call
 * to call, and one operation after another begins with the next kind (`turn`).
 */
export function faultsFor(method: string, turn: number, isWhole: boolean): readonly Fault[] {
  const kinds: readonly Fault[] = method === 'GET' ? outages : [...conflicts, ...outages, ...lostAnswers];
  return isWhole ? kinds : kinds.slice(turn % kinds.length, (turn % kinds.length) + 1);
}

/** The overview is written in the background, at any time: its requests neither count nor fail. */
export const isOfOverview = (userAgent: string | undefined): boolean =>
  userAgent?.startsWith('keywardoverview') ?? false;

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly userAgent: string | undefined;
  readonly body: string;
}

export interface Injector {
  /** From 1. Without a fault, only counts. */
  arm(at: number, fault?: Fault): void;
  /** Ends the fault. Returns the methods of the requests since `arm`, and whether one failed. */
  disarm(): { readonly methods: readonly string[]; readonly hit: boolean };
  /** The fault of this request. */
  faultFor(request: Seen): Fault | undefined;
}

export function createInjector(): Injector {
  let armed: { readonly at: number; readonly fault: Fault | undefined; spoilt?: string } | undefined;
  let methods: string[] = [];
  let hit = false;
  return {
    arm(at, fault) {
      armed = { at, fault };
      methods = [];
      hit = false;
    },
    disarm() {
      armed = undefined;
      return { methods, hit };
    },
    faultFor({ method, url, userAgent, body }) {
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
    },
  };
}

export interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
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
export function refusalOf(status: number, url: string): Refusal {
  const code = words[status] ?? '';
  const error = JSON.stringify({ 'odata.error': { code, message: { lang: 'en-US', value: `${code}.` } } });
  if (!url.includes('$batch') || status === 429 || status === 500)
    return { status, headers: { 'content-type': 'application/json', 'x-ms-error-code': code }, body: error };
  const body = [
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
  return { status: 202, headers: { 'content-type': 'multipart/mixed; boundary=batchresponse_1' }, body };
}
