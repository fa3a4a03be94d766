/** Work of this process on one key, one after the other: it would otherwise compete for the same row. */
import { LRUCache } from 'lru-cache';
import pLimit, { type LimitFunction } from 'p-limit';

export type Serialize = <T>(key: string, work: () => Promise<T>) => Promise<T>;

const mostKeys = 5_000;

export function keyedMutex(): Serialize {
  const limits = new LRUCache<string, LimitFunction>({ max: mostKeys });
  return (key, work) => {
    const limit = limits.get(key) ?? pLimit(1);
    limits.set(key, limit);
    return limit(work);
  };
}
