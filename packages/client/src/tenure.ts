/**
 * How long plaintext may be used: the span of a key status (`notAfter` minus `issuedAt`), counted from the time before
 * its request was sent. So Keyward's clock and this one need not agree. Two clocks measure the time, and the larger
 * result decides: the monotonic clock stops while a machine sleeps, and the wall clock can be set.
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

/** The larger of the two ages, in milliseconds. A wall clock that was set back makes nothing younger. */
export const ageOf = (since: Moment, clock: Clock): number =>
  Math.max(Math.abs(clock.now() - since.wall), clock.monotonic() - since.monotonic);

/** After this part of its span, a use of the account refreshes the status. */
const refreshFrom = 0.8;

export interface Tenure {
  readonly status: KeyStatus;
  /** Milliseconds until it ends; 0 or less: no key may be used any more. */
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
