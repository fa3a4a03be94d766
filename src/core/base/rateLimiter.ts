/** Admits each id at most once within a time, so that a repeated fault raises one alarm. */

import type { Clock } from './effects.ts';
import { lruCache } from './lruCache.ts';

export interface RateLimiter {
  /** Those of the ids that were not admitted within the time. */
  admit(ids: readonly string[]): string[];
  /** Takes the admission back, when the work that it was for has failed. */
  release(ids: readonly string[]): void;
}

const mostIds = 10_000;

export function rateLimiter(clock: Pick<Clock, 'monotonic'>, everyMs: number): RateLimiter {
  const admittedAt = lruCache<number>(mostIds);
  return {
    admit(ids) {
      const now = clock.monotonic();
      const admitted = ids.filter((id) => (admittedAt.get(id) ?? Number.NEGATIVE_INFINITY) <= now - everyMs);
      for (const id of admitted) admittedAt.set(id, now);
      return admitted;
    },
    release(ids) {
      for (const id of ids) admittedAt.delete(id);
    },
  };
}
