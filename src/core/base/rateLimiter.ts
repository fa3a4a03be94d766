/** Admits each id at most once in a time, so that a repeated fault raises one alarm. */

import type { Clock } from './effects.ts';
import { lruCache } from './lruCache.ts';

export interface RateLimiter {
  /** Returns the ids that it has not admitted within the time. */
  admit(ids: readonly string[]): string[];
  /** Withdraws the admission when the admitted work has failed. */
  release(ids: readonly string[]): void;
}

const maxIds = 10_000;

export function rateLimiter(clock: Pick<Clock, 'monotonic'>, everyMs: number): RateLimiter {
  const admittedAt = lruCache<number>(maxIds);
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
