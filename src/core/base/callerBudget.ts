/**
 * How many calls each caller may make per minute in this process: one token bucket per caller, which holds the calls of
 * one minute.
 */
import type { Clock } from './effects.ts';
import { lruCache } from './lruCache.ts';

export interface CallerBudget {
  /**
   * Counts a call that is within the budget and returns 0. Otherwise it returns the seconds, rounded up, until the next
   * call is.
   */
  spend(caller: string): number;
}

const maxCallers = 10_000;

/** A budget of 0 sets no limit. */
export function callerBudget(clock: Pick<Clock, 'monotonic'>, perMinute: number): CallerBudget {
  const buckets = lruCache<{ left: number; readonly filledAt: number }>(maxCallers);
  return {
    spend(caller) {
      if (perMinute === 0) return 0;
      const now = clock.monotonic();
      const { left, filledAt } = buckets.get(caller) ?? { left: perMinute, filledAt: now };
      const filled = Math.min(perMinute, left + ((now - filledAt) * perMinute) / 60_000);
      const isWithin = filled >= 1;
      buckets.set(caller, { left: isWithin ? filled - 1 : filled, filledAt: now });
      return isWithin ? 0 : Math.ceil(((1 - filled) * 60) / perMinute);
    },
  };
}
