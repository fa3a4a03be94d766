/**
 * Runs the work of this process on one key one after the other, because parallel work would compete for the same row.
 */

import pLimit, { type LimitFunction } from 'p-limit';
import { lruCache } from './lruCache.ts';

export type Serialize = <T>(key: string, work: () => Promise<T>) => Promise<T>;

const maxKeys = 5_000;

export function keyedMutex(): Serialize {
  const limits = lruCache<LimitFunction>(maxKeys);
  return (key, work) => {
    const limit = limits.get(key) ?? pLimit(1);
    limits.set(key, limit);
    return limit(work);
  };
}
