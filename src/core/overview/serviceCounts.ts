/** The counts of the service: differences of all owners, which this process adds together. */
import { retryLostRaces } from '../base/errors.ts';
import type { Stored } from '../base/stored.ts';
import { type Counts, noCounts, sum } from './counts.ts';
import type { IndexedCounts } from './ports.ts';

export interface ServiceCounts {
  add(difference: Counts): void;
  /** Writes what was added. What was not written waits for the next call. */
  write(): Promise<void>;
}

export function createServiceCounts(index: Pick<IndexedCounts, 'counts' | 'writeCounts'>): ServiceCounts {
  let difference = noCounts;
  /** As this process wrote them last. */
  let known: Stored<Counts> | undefined;
  return {
    add(more) {
      difference = sum(difference, more);
    },
    async write() {
      const taken = difference;
      difference = noCounts;
      if (Object.keys(taken).length === 0) return;
      try {
        await retryLostRaces(async () => {
          const before = known ?? (await index.counts());
          known = undefined;
          const value = sum(before?.value ?? noCounts, taken);
          known = { value, etag: await index.writeCounts(value, before?.etag) };
        });
      } catch (error) {
        difference = sum(difference, taken);
        throw error;
      }
    },
  };
}
