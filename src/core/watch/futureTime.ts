/** Stored times of a host with a wrong clock. No work waits for them, and the log names their row. */
import type { Log } from '../base/log.ts';
import type { EpochMs } from '../base/time.ts';

/** Clocks of hosts that agree differ by less. */
export const clockToleranceMs = 5_000;

/** @param latest the latest time that a host with a right clock can have stored */
export function logFutureTime(row: string, at: EpochMs, latest: EpochMs, log: Log): void {
  if (at > latest + clockToleranceMs) log.warn('Ignored a stored time from the future', { row, aheadMs: at - latest });
}
