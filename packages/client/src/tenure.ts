/**
 * How long plaintext may be used: the span of a key status (`notAfter` less `issuedAt`), counted from the moment before its request was
 * sent. So Keyward's clock and this one need not agree. Two clocks measure it, and the one that says more time has passed decides: the
 * monotonic clock stands still while a machine sleeps, and the wall clock can be set.
 */
import type { KeyStatus } from './keyStatus.ts';

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds from any fixed moment. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

export interface Moment {
  readonly wall: number;
  readonly monotonic: number;
}

export const momentOf = (clock: Clock): Moment => ({ wall: clock.now(), monotonic: clock.monotonic() });

/** The older of the two ages, in milliseconds. A wall clock that was set back makes nothing younger. */
export const ageOf = (since: Moment, clock: Clock): number =>
  Math.max(Math.abs(clock.now() - since.wall), clock.monotonic() - since.monotonic);

/** From this part of its span on, a status is refreshed when its account is used. */
const refreshFrom = 0.8;

export interface Tenure {
  readonly status: KeyStatus;
  /** Milliseconds until it ends; 0 or less: nothing may be used any more. */
  leftMs(): number;
  isDue(): boolean;
}

export function tenureOf(status: KeyStatus, sent: Moment, clock: Clock): Tenure {
  const spanMs = status.cause === undefined ? status.notAfter - status.issuedAt : 0;
  return {
    status,
    leftMs: () => spanMs - ageOf(sent, clock),
    isDue: () => ageOf(sent, clock) >= spanMs * refreshFrom,
  };
}
