/**
 * How fast a customer's vault may be asked: a token bucket over the documented limits. The vault is the customer's and serves
 * their other programs too, so only a share of it is ours (`vaultSharePercent`).
 *
 * A bucket holds seconds of the whole vault: of a key that is allowed N operations a second, each costs 1/N second. So
 * operations of different keys add up as the service weighs and sums them (Key Vault docs, "service limits": one RSA-4096-HSM
 * operation costs as much as eight RSA-2048-HSM ones). A 429 slows the pace by a part, quiet time gives it back evenly. Pure:
 * no clock, no waiting.
 */

import type { EpochMs } from '../base/time.ts';
import type { KeyDescription } from '../customerKey/ports.ts';

export interface Budget {
  /** Seconds of the vault that may be spent now; below 0 they were spent in advance, by looks. */
  readonly seconds: number;
  readonly at: EpochMs;
  /** The part of our share that the vault bears: 1 until it throttles. */
  readonly pace: number;
  /** When the pace was last slowed, and how often in a row. */
  readonly slowedAt: EpochMs;
  readonly refusals: number;
  /** Nothing is asked before. */
  readonly quietUntil: EpochMs;
}

export type KeyKind = Pick<KeyDescription, 'keyType' | 'bits'>;

/** Key Vault docs, "service limits": transactions in 10 s, per vault and region, of everything but creating keys. */
const documentedPer10Seconds: Readonly<Record<string, number>> = {
  'RSA 2048': 4000,
  'RSA 3072': 1000,
  'RSA 4096': 500,
  'RSA-HSM 2048': 2000,
  'RSA-HSM 3072': 500,
  'RSA-HSM 4096': 250,
};
/** Of a key that nobody has described yet; only looks ask for one, one a minute. */
const otherPer10Seconds = 4000;

/** What may be spent at once after a pause, in seconds of our share: well below the one second that the service's bucket holds. */
const burstSeconds = 0.25;
/** Looks never wait; what they spend in advance is held against re-wraps up to this. */
const maxDebtSeconds = 5;
const slowedTo = 0.7;
const leastPace = 0.01;
const recoveryPerSecond = 0.03;
/** Without a Retry-After: this, doubled with each refusal in a row, up to what the throttling guidance ends with. */
const firstQuietMs = 100;
const maxQuietMs = 16_000;

/** Of a vault that nobody has worked on: full, once it is `filled`. */
export const newBudget: Budget = { seconds: 0, at: 0, pace: 1, slowedAt: 0, refusals: 0, quietUntil: 0 };

/** Seconds of the vault that one operation with the key takes. */
export function costOf(key: KeyKind | undefined): number {
  const per10 = key === undefined ? undefined : documentedPer10Seconds[`${key.keyType} ${key.bits}`];
  return 10 / (per10 ?? otherPer10Seconds);
}

/** The same budget on a clock that shows less: that of another host, or one that went back. It loses no time to the difference. */
function onClock(budget: Budget, now: EpochMs): Budget {
  const aheadMs = budget.at - now;
  const { slowedAt, quietUntil } = budget;
  return { ...budget, at: now, slowedAt: slowedAt - aheadMs, quietUntil: quietUntil - aheadMs };
}

/** The budget as it stands now. A clock that went back fills nothing. */
export function filled(budget: Budget, share: number, now: EpochMs): Budget {
  if (now < budget.at) return onClock(budget, now);
  const elapsed = (now - budget.at) / 1000;
  if (elapsed === 0) return budget;
  // Only time in which the vault was asked shows that it bears more.
  const asking = Math.min(elapsed, Math.max(0, now - budget.quietUntil) / 1000);
  const pace = Math.min(1, budget.pace + recoveryPerSecond * asking);
  const rate = (share * (budget.pace + pace)) / 2;
  const seconds = Math.min(burstSeconds * share * pace, budget.seconds + rate * elapsed);
  // A debt is not forgiven by the limit on bursts.
  return { ...budget, pace, seconds: Math.max(seconds, Math.min(budget.seconds, 0)), at: now };
}

/** How long to wait before an operation of this cost may be asked; 0: now. */
export function waitMs(budget: Budget, cost: number, share: number): number {
  const quiet = Math.max(0, budget.quietUntil - budget.at);
  // Any one operation may be asked for from a full bucket, however dear it is.
  const needed = Math.min(cost, burstSeconds * share * budget.pace);
  const filling = ((needed - budget.seconds) / (share * budget.pace)) * 1000;
  return Math.max(quiet, Math.ceil(filling * 1000) / 1000, 0);
}

export function spent(budget: Budget, cost: number): Budget {
  return { ...budget, seconds: Math.max(-maxDebtSeconds, budget.seconds - cost) };
}

/**
 * The vault answered 429 to what was asked at `requestedAt`. Whatever was under way when the pace was slowed tells nothing new and
 * slows it no further; a longer Retry-After is kept.
 */
export function afterRefusal(
  budget: Budget,
  requestedAt: EpochMs,
  retryAfterSeconds: number | undefined,
  now: EpochMs,
): Budget {
  const asked = retryAfterSeconds === undefined ? 0 : now + retryAfterSeconds * 1000;
  if (requestedAt < budget.slowedAt) return { ...budget, quietUntil: Math.max(budget.quietUntil, asked) };
  const refusals = budget.refusals + 1;
  const backOff = now + Math.min(maxQuietMs, firstQuietMs * 2 ** (refusals - 1));
  return {
    ...budget,
    pace: Math.max(leastPace, budget.pace * slowedTo),
    seconds: Math.min(budget.seconds, 0),
    slowedAt: now,
    refusals,
    quietUntil: Math.max(budget.quietUntil, retryAfterSeconds === undefined ? backOff : asked),
  };
}

/** The vault answered what was asked at `requestedAt`. */
export function afterAnswer(budget: Budget, requestedAt: EpochMs): Budget {
  return budget.refusals === 0 || requestedAt < budget.slowedAt ? budget : { ...budget, refusals: 0 };
}
