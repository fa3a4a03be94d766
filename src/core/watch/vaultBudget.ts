/**
 * How fast Keyward may call a customer's vault: a token bucket over the documented limits. The vault belongs to the
 * customer and serves other programs too, so Keyward uses only a share of it (`vaultSharePercent`).
 *
 * A bucket holds seconds of the whole vault: one operation with a key that is allowed N operations per second costs 1/N
 * second. So operations with different keys add up as the service weighs and sums them (Key Vault docs, "service
 * limits": one RSA-4096-HSM operation costs as much as eight RSA-2048-HSM ones). A 429 slows the pace by a fraction,
 * and time without a 429 restores it evenly. Pure: no clock, no waiting.
 */

import type { EpochMs } from '../base/time.ts';
import type { KeyDescription } from '../customerKey/ports.ts';

export interface Budget {
  /** Seconds of the vault that may be spent now. Below 0: looks have spent them in advance. */
  readonly seconds: number;
  readonly at: EpochMs;
  /** The part of the share that the vault can serve: 1 until it throttles. */
  readonly pace: number;
  /** When the pace was last slowed, and how often in a row. */
  readonly slowedAt: EpochMs;
  readonly refusals: number;
  /** No operation is sent before this time. */
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
/** For a key without a description; only looks have such keys, once a minute. */
const otherPer10Seconds = 4000;

/**
 * How much may be spent at once after a pause, in seconds of the share: well below the one second that the service's
 * bucket holds.
 */
const burstSeconds = 0.25;
/** Looks never wait. Up to this limit, their advance spending delays re-wraps. */
const maxDebtSeconds = 5;
const slowedTo = 0.7;
const minPace = 0.01;
const recoveryPerSecond = 0.03;
/**
 * The pause without a Retry-After. It doubles with each refusal in a row, up to the last value of the throttling
 * guidance.
 */
const firstQuietMs = 100;
const maxQuietMs = 16_000;

/** The budget of a vault without earlier work: full, after `refill`. */
export const newBudget: Budget = { seconds: 0, at: 0, pace: 1, slowedAt: 0, refusals: 0, quietUntil: 0 };

/** The seconds of the vault that one operation with the key takes. */
export function costOf(key: KeyKind | undefined): number {
  const per10 = key === undefined ? undefined : documentedPer10Seconds[`${key.keyType} ${key.bits}`];
  return 10 / (per10 ?? otherPer10Seconds);
}

/**
 * The same budget on a clock that shows an earlier time: that of another host, or one that was set back. The budget
 * loses no time by the difference.
 */
function onClock(budget: Budget, now: EpochMs): Budget {
  const aheadMs = budget.at - now;
  const { slowedAt, quietUntil } = budget;
  return { ...budget, at: now, slowedAt: slowedAt - aheadMs, quietUntil: quietUntil - aheadMs };
}

/** The budget at the given time. A clock that was set back adds nothing. */
export function refill(budget: Budget, share: number, now: EpochMs): Budget {
  if (now < budget.at) return onClock(budget, now);
  const elapsed = (now - budget.at) / 1000;
  if (elapsed === 0) return budget;
  // Only time with calls to the vault shows that it can serve more.
  const openSeconds = Math.min(elapsed, Math.max(0, now - budget.quietUntil) / 1000);
  const pace = Math.min(1, budget.pace + recoveryPerSecond * openSeconds);
  const rate = (share * (budget.pace + pace)) / 2;
  const seconds = Math.min(burstSeconds * share * pace, budget.seconds + rate * elapsed);
  // The limit on bursts does not cancel a debt.
  return { ...budget, pace, seconds: Math.max(seconds, Math.min(budget.seconds, 0)), at: now };
}

/** How long to wait before an operation of this cost may be sent; 0: none. */
export function waitMs(budget: Budget, cost: number, share: number): number {
  const quiet = Math.max(0, budget.quietUntil - budget.at);
  // A full bucket admits any single operation, for any cost.
  const needed = Math.min(cost, burstSeconds * share * budget.pace);
  const filling = ((needed - budget.seconds) / (share * budget.pace)) * 1000;
  return Math.max(quiet, Math.ceil(filling * 1000) / 1000, 0);
}

export function spend(budget: Budget, cost: number): Budget {
  return { ...budget, seconds: Math.max(-maxDebtSeconds, budget.seconds - cost) };
}

/**
 * The vault answered 429 to an operation that was sent at `requestedAt`. Operations that were in progress when the pace
 * was slowed show nothing new and do not slow it again. A longer Retry-After stays valid.
 */
export function afterRefusal(
  budget: Budget,
  requestedAt: EpochMs,
  retryAfterSeconds: number | undefined,
  now: EpochMs,
): Budget {
  const retryAt = retryAfterSeconds === undefined ? 0 : now + retryAfterSeconds * 1000;
  if (requestedAt < budget.slowedAt) return { ...budget, quietUntil: Math.max(budget.quietUntil, retryAt) };
  const refusals = budget.refusals + 1;
  const backOff = now + Math.min(maxQuietMs, firstQuietMs * 2 ** (refusals - 1));
  return {
    ...budget,
    pace: Math.max(minPace, budget.pace * slowedTo),
    seconds: Math.min(budget.seconds, 0),
    slowedAt: now,
    refusals,
    quietUntil: Math.max(budget.quietUntil, retryAfterSeconds === undefined ? backOff : retryAt),
  };
}

/** The vault answered an operation that was sent at `requestedAt`. */
export function afterAnswer(budget: Budget, requestedAt: EpochMs): Budget {
  return budget.refusals === 0 || requestedAt < budget.slowedAt ? budget : { ...budget, refusals: 0 };
}
