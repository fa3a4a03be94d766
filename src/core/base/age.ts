/**
 * How much time has passed since a moment, in milliseconds, by the clock that says more. The monotonic clock can stand
 * still while a host is suspended, and the wall clock can be set.
 */
import type { Clock } from './effects.ts';

export type Age = () => number;

/** Counts from now. A wall clock that was set back makes nothing younger. */
export function startAge(clock: Clock): Age {
  const [wall, monotonic] = [clock.now(), clock.monotonic()];
  return () => Math.max(Math.abs(clock.now() - wall), clock.monotonic() - monotonic);
}

export const unknownAge: Age = () => Number.POSITIVE_INFINITY;
