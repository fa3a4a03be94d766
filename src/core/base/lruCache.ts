/** A cache of at most so many entries, from which the least recently used leave first. */
import { LRUCache } from 'lru-cache';

/** `max` would allocate the memory of all entries at once, 10 ms of a process's first call: an entry of size 1 takes it when it comes. */
export const lruCache = <V extends object | string | number>(
  mostEntries: number,
  options: Omit<LRUCache.OptionsBase<string, V, unknown>, 'max' | 'maxSize' | 'sizeCalculation'> = {},
): LRUCache<string, V> => new LRUCache<string, V>({ ...options, maxSize: mostEntries, sizeCalculation: () => 1 });
