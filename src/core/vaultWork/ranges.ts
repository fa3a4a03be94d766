/**
 * Ranges of vaults: equal parts of the space of vault ids. Ids are hashes, so all ranges have about the same number of
 * vaults.
 */
import type { VaultRange } from '../watch/ports.ts';

/** The content of one message of a sweep: the number of a range, and the number of all ranges. */
export interface RangeWork {
  readonly range: number;
  readonly of: number;
}

/** A service with few vaults: one message for every range. */
export interface AllRanges {
  readonly allRanges: number;
}

const digits = 4;
const space = 16 ** digits;
/** Greater than every id, because ids are hexadecimal. */
const end = 'g';

/** The ids of a range, by their first digits. */
export function rangeOf({ range, of }: RangeWork): VaultRange {
  const boundary = (index: number) =>
    index === of
      ? end
      : Math.floor((index * space) / of)
          .toString(16)
          .padStart(digits, '0');
  return { from: boundary(range), to: boundary(range + 1) };
}

/** The ids of every range. */
export const allVaults: VaultRange = { from: '0', to: end };

export const allRanges = (of: number): RangeWork[] => Array.from({ length: of }, (_, range) => ({ range, of }));
