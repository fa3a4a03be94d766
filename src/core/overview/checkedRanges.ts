/**
 * The oldest last check of any key in a range of vaults: no key there was last checked before. One call for all ranges.
 */
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import { vaultIdOf } from '../customerKey/binding.ts';
import type { RangeStore } from '../vaultWork/ports.ts';
import { allRanges, rangeOf } from '../vaultWork/ranges.ts';

export interface CheckedRanges {
  /** Absent: no pass over the vault's range has ended. */
  of(vaultHost: string): EpochMs | undefined;
  /** The oldest of the ranges that vaults with such an id can be in. */
  ofPart(digits: string): EpochMs | undefined;
  /** Of all keys of the service. */
  readonly oldest?: EpochMs;
}

export async function readCheckedRanges(ranges: RangeStore, { sweepRanges }: Policy): Promise<CheckedRanges> {
  const states = await ranges.all(sweepRanges);
  const known = allRanges(sweepRanges).map((range, n) => ({ ...rangeOf(range), at: states[n]?.last?.oldestLookAt }));
  const times = known.flatMap(({ at }) => at ?? []);
  return {
    ofPart(digits) {
      const ofThis = known.filter(({ from, to }) => from < `${digits}g` && to > digits).flatMap(({ at }) => at ?? []);
      return ofThis.length === 0 ? undefined : Math.min(...ofThis);
    },
    of(vaultHost) {
      const id = vaultIdOf(vaultHost);
      return known.find(({ from, to }) => id >= from && id < to)?.at;
    },
    ...(times.length === 0 ? {} : { oldest: Math.min(...times) }),
  };
}
