/**
 * The vault's transaction limits. Key Vault docs, general/service-limits: per vault and region, in 10 s, by key type
 * and size; the thresholds are weighted and summed, so one RSA-4096-HSM operation costs as much as eight RSA-2048-HSM
 * ones. Creating keys has a limit of its own. Requests that were refused with 429 do not count
 * (general/overview-throttling).
 *
 * A bucket holds seconds: each second adds one, and an operation of a kind that is allowed N times a second takes 1/N.
 */
import type { Operation } from './routes.ts';

export type ThrottleSettings = {
  enabled: boolean;
  /** The burst that is admitted, as seconds of the allowed rate. */
  burstSeconds: number;
  /** Limits that differ from the documented ones, by kind (`RSA-3072`, `RSA-3072-HSM`, `EC`, `create`, ...). */
  perSecond: Record<string, number>;
  /** Null: 429 comes without a Retry-After header, as captured from the real service. */
  retryAfterSeconds: number | null;
};

export const defaultThrottle: ThrottleSettings = {
  enabled: false,
  burstSeconds: 1,
  perSecond: {},
  retryAfterSeconds: null,
};

export type Bucket = { seconds: number; at: number };
export type ThrottleState = { create: Bucket; other: Bucket };

/** Allowed operations a second: the documented number for 10 s, divided by 10. */
export const documentedPerSecond: Readonly<Record<string, number>> = {
  'RSA-2048': 400,
  'RSA-2048-HSM': 200,
  'RSA-3072': 100,
  'RSA-3072-HSM': 50,
  'RSA-4096': 50,
  'RSA-4096-HSM': 25,
  EC: 400,
  'EC-HSM': 200,
  create: 2,
  'create-HSM': 1,
};

/** Full buckets; the settings define their capacity. */
export function newThrottleState(): ThrottleState {
  const full = { seconds: Number.POSITIVE_INFINITY, at: 0 };
  return { create: full, other: full };
}

/** The kind of a request; a request without an existing key counts as the cheapest. */
export function requestKind(
  operation: Operation,
  version: { readonly kty: string; readonly size?: number | undefined } | undefined,
  hsmAsked: boolean,
): string {
  if (operation === 'create' || operation === 'rotate') {
    return hsmAsked || version?.kty.endsWith('-HSM') ? 'create-HSM' : 'create';
  }
  if (version === undefined) return 'RSA-2048';
  const hsm = version.kty.endsWith('-HSM') ? '-HSM' : '';
  return version.kty.startsWith('EC') ? `EC${hsm}` : `RSA-${version.size}${hsm}`;
}

/**
 * Takes one request of this kind from the vault's buckets, or reports that the limit is reached. `now` in milliseconds.
 */
export function admit(
  state: ThrottleState,
  settings: ThrottleSettings,
  kind: string,
  now: number,
): { state: ThrottleState; admitted: boolean } {
  const perSecond = settings.perSecond[kind] ?? documentedPerSecond[kind] ?? 400;
  const which = kind.startsWith('create') ? 'create' : 'other';
  const bucket = state[which];
  const filled = bucket.seconds + Math.max(0, now - bucket.at) / 1000;
  const available = Math.min(capacity(settings, perSecond), filled);
  const cost = 1 / perSecond;
  // The tolerance absorbs rounding: 100 times 1/100 taken from 1 must admit the hundredth request.
  const admitted = available + 1e-9 >= cost;
  return { state: { ...state, [which]: { seconds: admitted ? available - cost : available, at: now } }, admitted };
}

/** Never less than one request: otherwise a limit below one a second would admit none. */
function capacity(settings: ThrottleSettings, perSecond: number): number {
  return Math.max(settings.burstSeconds, 1 / perSecond);
}
