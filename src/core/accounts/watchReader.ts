/**
 * The watch as calls read it. All accounts of a key read one row, and a partition of the tables answers 2,000 reads a
 * second. So a process that reads one watch very often serves its own copy of it for up to a second, while every
 * version is Accessible. That second is part of the bounds of docs/states-and-bounds.md; a watch that is read less
 * often, or that says anything but Accessible, is read every time.
 */
import type { Clock } from '../base/effects.ts';
import { lruCache } from '../base/lruCache.ts';
import type { WatchStore } from '../watch/ports.ts';
import { isAccessible, type Watch } from '../watch/watch.ts';

export interface WatchReader {
  read(bindingId: string, bindings: Pick<WatchStore, 'readWatch'>): Promise<Watch | undefined>;
  /** This process has changed the watch. */
  forget(bindingId: string): void;
}

/** Reads of one watch in a second, in this process, from which on its copy is served. */
const oftenReads = 32;
const secondMs = 1_000;
const watchesAtOnce = 2_000;

interface Known {
  readonly since: number;
  reads: number;
  /** By the monotonic clock, before the read began. */
  copy?: { readonly watch: Watch; readonly at: number } | undefined;
}

export function createWatchReader(clock: Clock): WatchReader {
  const known = lruCache<Known>(watchesAtOnce);

  return {
    async read(bindingId, bindings) {
      const now = clock.monotonic();
      const before = known.get(bindingId);
      const isThisSecond = before !== undefined && now - before.since < secondMs;
      const entry: Known = isThisSecond ? before : { since: now, reads: 0, copy: before?.copy };
      if (!isThisSecond) known.set(bindingId, entry);
      entry.reads += 1;
      const { copy } = entry;
      if (entry.reads > oftenReads && copy !== undefined && now - copy.at < secondMs) return copy.watch;
      const watch = (await bindings.readWatch(bindingId))?.value;
      // A write of this process that came in between has put another entry in its place, and this one is not read
      // again.
      entry.copy = watch !== undefined && isAccessible(watch) ? { watch, at: now } : undefined;
      return watch;
    },
    forget: (bindingId) => void known.delete(bindingId),
  };
}

/** The store. Every change by this process invalidates its copy of the watch. */
export function invalidatingWatches<Store extends WatchStore>(bindings: Store, reader: WatchReader): Store {
  return {
    ...bindings,
    createWatch: (watch, ...more) =>
      bindings.createWatch(watch, ...more).finally(() => reader.forget(watch.binding.id)),
    saveWatch: (watch, entries) =>
      bindings.saveWatch(watch, entries).finally(() => reader.forget(watch.value.binding.id)),
  };
}
