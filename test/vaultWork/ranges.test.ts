import fc from 'fast-check';
import { expect, test } from 'vitest';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { allRanges, rangeOf } from '../../src/core/vaultWork/ranges.ts';

const isIn = (id: string, { from, to }: { from: string; to: string }) => id >= from && id < to;

test('every vault id is in exactly one range, for any number of ranges', () => {
  const id = fc.stringMatching(/^[0-9a-f]{32}$/);
  fc.assert(
    fc.property(id, fc.integer({ min: 1, max: 4096 }), (vault, of) => {
      expect(allRanges(of).filter((work) => isIn(vault, rangeOf(work)))).toHaveLength(1);
    }),
  );
});

test('64 ranges of 10,000 vaults differ by no more than chance', () => {
  const ids = Array.from({ length: 10_000 }, (_, n) => vaultIdOf(`customer-${n}.vault.azure.net`));
  const sizes = allRanges(64).map((work) => ids.filter((id) => isIn(id, rangeOf(work))).length);
  // The mean is 156 with a standard deviation of 12.4; the limit is five of them.
  expect(Math.min(...sizes)).toBeGreaterThan(94);
  expect(Math.max(...sizes)).toBeLessThan(219);
});
