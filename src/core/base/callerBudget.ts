/** How much each caller may do in a minute, in this process: a token bucket per caller that holds one minute's worth. */
import type { Clock } from './effects.ts';
import { lruCache } from './lruCache.ts';

export interface CallerBudget {
  /** 0: the call is within the budget, and counted. Otherwise the seconds, rounded up, until one is. */
  spend(caller: string): number;
}

const mostCallers = 10_000;

/** A budget of 0 is none: every call is within it. */
export function callerBudget(clock: Pick<Clock, 'monotonic'>, perMinute: number): CallerBudget {
  const buckets = lruCache<{ left: number; readonly filledAt: number }>(mostCallers);
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
