import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planMoves } from '../../../infra/shards/plan.ts';
import { evenOwners, rangeCount } from '../../../src/azure/shards/layout.ts';

test('A plan gives each account as many ranges as another, and moves as few ranges as that needs', () => {
  const accounts = fc.integer({ min: 1, max: 16 });
  fc.assert(
    fc.property(accounts, accounts, fc.integer({ min: 1, max: 64 }), (before, after, together) => {
      const owners = evenOwners(before);
      const moves = planMoves(owners, after, together);
      const now = [...owners];
      for (const { ranges, from, to } of moves)
        for (const range of ranges) {
          expect(now[range]).toBe(from);
          now[range] = to;
        }
      const counts = Array.from({ length: after }, (_, account) => now.filter((owner) => owner === account).length);
      expect(counts.reduce((sum, count) => sum + count)).toBe(rangeCount);
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      const moved = moves.flatMap(({ ranges }) => ranges);
      expect(new Set(moved).size).toBe(moved.length);
      // An account that had more than its share gives the rest away, and a removed account all.
      const share = Math.floor(rangeCount / after);
      const had = Array.from({ length: before }, (_, account) => owners.filter((owner) => owner === account).length);
      const least = had.reduce(
        (sum, count, account) => sum + (account < after ? Math.max(0, count - share - 1) : count),
        0,
      );
      const most = had.reduce((sum, count, account) => sum + (account < after ? Math.max(0, count - share) : count), 0);
      expect(moved.length).toBeGreaterThanOrEqual(least);
      expect(moved.length).toBeLessThanOrEqual(most);
      expect(moves.every(({ ranges }) => ranges.length <= together)).toBe(true);
    }),
  );
});

test('A plan for a state that is divided evenly moves nothing', () => {
  for (const accounts of [1, 2, 3, 7, 16]) expect(planMoves(evenOwners(accounts), accounts, 16)).toEqual([]);
});
