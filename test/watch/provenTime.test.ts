import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cause } from '../../src/core/base/causes.ts';
import { afterLook } from '../../src/core/watch/lookSchedule.ts';
import type { Watch } from '../../src/core/watch/watch.ts';
import { aBinding, aWatch, designPolicy, start, version1 } from '../builders.ts';

/** One look of a history: which host looked, the time since the previous look, and the error of that host's clock. */
interface Step {
  readonly host: number;
  readonly afterMs: number;
  readonly clockOffMs: number;
}

/** The watch while the vault denies the key for `cause`, and the true time when it became Inaccessible. */
function refusedAfterMs(steps: readonly Step[], cause: Cause): number | undefined {
  let [watch, trueMs, firstAt] = [aWatch(), 60_000, 60_000] as [Watch, number, number];
  for (const [i, { host, afterMs, clockOffMs }] of steps.entries()) {
    trueMs += i === 0 ? 0 : afterMs;
    if (i === 0) firstAt = trueMs;
    const beganAt = start + trueMs + clockOffMs;
    const evidence = {
      bindingId: aBinding.id,
      version: version1,
      takenAt: beganAt,
      afterLooks: watch.lookCount,
      cause,
      controlLook: 'good' as const,
    };
    // Each host's monotonic clock started at another time.
    const look = { beganAt, plannedAt: watch.nextLookAt, process: `host-${host}`, monotonic: host * 7_777 + trueMs };
    watch = afterLook(watch, [evidence], look, designPolicy);
    if (watch.versions[version1]?.status === 'Inaccessible') return trueMs - firstAt;
  }
  return undefined;
}

const hour = 3_600_000;
const skews = [0, -hour, 600_000, 24 * hour, -5_000, 45_000];

/** The published confirmations (docs/states-and-bounds.md): least time, in ms. */
const confirmations = [
  ['KeyDisabled', 10_000],
  ['KeyNotFound', 30_000],
  ['KeyPermissionDenied', 60_000],
  ['VaultNotFound', 900_000],
] as const;

describe('INV-2: clocks that are wrong', () => {
  it.each(confirmations)(
    'INV-2: %s is never confirmed before %i ms have passed, for any error of the clocks of three hosts',
    (cause, leastMs) => {
      const clockOffMs = fc.oneof(fc.constantFrom(...skews), fc.integer({ min: -24 * hour, max: 24 * hour }));
      const step = fc.record({
        host: fc.integer({ min: 0, max: 2 }),
        afterMs: fc.constantFrom(1, 500, 3_000, 10_000, 13_000, 60_000),
        clockOffMs,
      });
      fc.assert(
        fc.property(fc.array(step, { minLength: 5, maxLength: 120 }), (steps) => {
          // The first look of a host counts for the planned interval at most: 10 s in Suspect.
          const unproven = 10_000 * (new Set(steps.map(({ host }) => host)).size - 1);
          expect(refusedAfterMs(steps, cause) ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(leastMs - unproven);
        }),
        { numRuns: 300 },
      );
    },
  );

  it.each(confirmations)(
    'INV-2: %s is never confirmed by one host before %i ms, for any leaps of its clock',
    (cause, leastMs) => {
      const step = fc.record({
        host: fc.constant(0),
        afterMs: fc.constantFrom(1, 3_000, 10_000, 13_000),
        clockOffMs: fc.constantFrom(...skews),
      });
      fc.assert(
        fc.property(fc.array(step, { minLength: 5, maxLength: 120 }), (steps) => {
          expect(refusedAfterMs(steps, cause) ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(leastMs);
        }),
        { numRuns: 300 },
      );
    },
  );
});

describe('INV-2: a revocation is confirmed all the same', () => {
  const looksEvery10s = (offOf: (look: number) => number, hostOf: (look: number) => number) =>
    Array.from({ length: 120 }, (_, n) => ({ host: hostOf(n), afterMs: 10_000, clockOffMs: offOf(n) }));

  it.each(skews.flatMap((off) => confirmations.map(([cause, leastMs]) => [cause, off, leastMs] as const)))(
    'INV-2: %s, while two hosts take turns and the clock of one is off by %i ms: confirmed at most 20 s late',
    (cause, off, leastMs) => {
      const steps = looksEvery10s(
        (n) => (n % 2 === 0 ? 0 : off),
        (n) => n % 2,
      );
      const late = (refusedAfterMs(steps, cause) ?? Number.POSITIVE_INFINITY) - leastMs;
      expect(late).toBeLessThanOrEqual(20_000);
    },
  );

  it.each(confirmations)(
    'INV-2: %s, while the clock of the only host leaps a day forward and back: confirmed in time',
    (cause, leastMs) => {
      const steps = looksEvery10s(
        (n) => (n % 3 === 1 ? 24 * hour : 0),
        () => 0,
      );
      expect(refusedAfterMs(steps, cause)).toBe(leastMs);
    },
  );

  it.each(confirmations)(
    'INV-2: %s, while every look is made by a new process: confirmed in time',
    (cause, leastMs) => {
      const steps = looksEvery10s(
        () => 0,
        (n) => n,
      );
      expect(refusedAfterMs(steps, cause)).toBe(leastMs);
    },
  );
});
