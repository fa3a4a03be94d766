/** A cache with a limited number of entries. It drops the least recently used ones first. */
import { LRUCache } from 'lru-cache';

/**
 * `max` would allocate the memory of all entries at once, which takes 10 ms of a process's first call. With sizes of 1,
 * an entry takes its memory when it is added.
 */
export const lruCache = <V extends object | string | number>(
  maxEntries: number,
  options: Omit<LRUCache.OptionsBase<string, V, unknown>, 'max' | 'maxSize' | 'sizeCalculation'> = {},
): LRUCache<string, V> => new LRUCache<string, V>({ ...options, maxSize: maxEntries, sizeCalculation: () => 1 });
