import { describe, expect, it } from 'vitest';
import { defined } from '../src/core/base/defined.ts';
import { Unavailable } from '../src/core/base/errors.ts';
import { defaultPolicy } from '../src/core/base/policy.ts';
import type { ShownStatus, WatchStatus } from '../src/core/base/vocabulary.ts';
import { noBounds } from '../src/core/dailyProgress.ts';
import { countKeys, type HealthCheck, readiness, runHealthChecks } from '../src/core/health.ts';
import type { RangeState } from '../src/core/vaultWork/ports.ts';
import { noKeys } from '../src/core/vaultWork/sweepRange.ts';
import { statusOfKey, type Verdict, type Watch } from '../src/core/watch/watch.ts';

const monotonic = 0;
const clock = { now: () => 1000, monotonic: () => monotonic };
/** A deadline that passes at once, but after a promise that is already resolved. */
const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = () => new Promise<never>(() => undefined);
const check = (name: HealthCheck['name'], run: HealthCheck['run']): HealthCheck => ({
  name,
  timeoutCause: 'StorageUnavailable',
  run,
});

const watchOf = (...statuses: WatchStatus[]): Pick<Watch, 'versions'> => ({
  versions: Object.fromEntries(statuses.map((status, index) => [String(index), { status } as Verdict])),
});

describe('a health check', () => {
  it.each<[title: string, run: HealthCheck['run'], seen: object]>([
    ['that answers is ok', async () => undefined, { status: 'ok' }],
    ['that says what is wrong has failed, with the cause', async () => 'KeyDisabled', { cause: 'KeyDisabled' }],
    [
      'a dependency that throws has failed, with the cause of the error',
      async () => {
        throw new Unavailable('VaultUnavailable', 'x', 1);
      },
      { cause: 'VaultUnavailable' },
    ],
    [
      'a dependency that breaks has failed, with the cause of a missing answer',
      async () => {
        throw new TypeError('x');
      },
      { status: 'failed', cause: 'StorageUnavailable' },
    ],
    ['that hangs has failed after its deadline', never, { status: 'failed', cause: 'StorageUnavailable' }],
  ])('%s', async (_title, run, seen) => {
    expect(await runHealthChecks([check('tables', run)], { clock, pause })).toEqual([
      { name: 'tables', durationMs: 0, status: 'failed', ...seen },
    ]);
  });
});

describe('readiness', () => {
  const keys = { ...noKeys, Accessible: 1 };
  const ended = { beganAt: 4, endedAt: 5, vaults: 1, bindings: [], failed: 0, keys };
  const good = {
    clock,
    pause: never,
    healthChecks: [check('queue', async () => undefined)],
    sweepMark: { read: async () => 7, write: async () => undefined },
    policy: { ...defaultPolicy, sweepRanges: 1 },
    ranges: { read: never, write: never, all: async () => [{ last: ended }] },
    poisoned: async () => [{ queue: 'daily-pass-poison', messages: 3 }],
    dailyPass: { read: async () => ({ startedAt: 0, messages: 4, isDivided: true, bounds: noBounds }), write: never },
    dailyWaiting: async () => 3,
    passes: async () => [{ name: 'auditVerification' as const, startedAt: 2, done: 6 }],
  };

  it('readiness shows every check', async () => {
    expect(await readiness(good)).toMatchObject({
      isReady: true,
      sweep: { lastSweptAt: 7 },
      poisoned: [{ queue: 'daily-pass-poison', messages: 3 }],
      dailyPass: { startedAt: 0, messages: 4, left: 3 },
      passes: [{ name: 'auditVerification', startedAt: 2, done: 6 }],
      keys: { byStatus: { Accessible: 1 } },
    });
  });

  it('readiness fails with one failed dependency', async () => {
    const healthChecks = [...good.healthChecks, check('tables', async () => 'StorageUnavailable')];
    expect(await readiness({ ...good, healthChecks })).toMatchObject({ isReady: false });
  });

  it('readiness leaves out a part that cannot be read or hangs, and does not fail', async () => {
    const broken = async () => {
      throw new TypeError('x');
    };
    const sweepMark = { ...good.sweepMark, read: broken };
    const seen = await readiness({
      ...good,
      pause,
      sweepMark,
      ranges: { ...good.ranges, all: never },
      poisoned: broken,
      dailyWaiting: broken,
      passes: broken,
    });
    expect(Object.keys(seen).toSorted()).toEqual(['checks', 'isReady']);
    expect(seen.isReady).toBe(true);
  });
});

describe('keys by their status', () => {
  it.each<[versions: WatchStatus[], status: WatchStatus]>([
    [['Accessible'], 'Accessible'],
    [['Accessible', 'Unreachable'], 'Unreachable'],
    [['Unreachable', 'Suspect'], 'Suspect'],
    [['Suspect', 'Inaccessible', 'Accessible'], 'Inaccessible'],
    [[], 'Accessible'],
  ])('a key with versions %j is %s', (versions, status) => {
    expect(statusOfKey(watchOf(...versions))).toBe(status);
  });

  const pass = (endedAt: number, keys: Partial<Record<ShownStatus, number>>, oldestLookAt?: number) => ({
    last: {
      beganAt: endedAt - 1,
      endedAt,
      vaults: 1,
      bindings: [],
      failed: 0,
      keys: { ...noKeys, ...keys },
      ...defined({ oldestLookAt }),
    },
  });
  const policy = { ...defaultPolicy, sweepRanges: 3 };
  const rangesOf = (...states: readonly RangeState[]) => ({
    policy,
    clock: { now: () => 1_000, monotonic: () => 1_000 },
    ranges: { read: never, write: never, all: async () => [...states] },
  });

  it('keys are counted by what the last pass over each range has left, with the oldest look of all', async () => {
    const states = [pass(900, { Accessible: 2 }, 850), pass(700, { Suspect: 1, Accessible: 1 }, 690), pass(950, {})];
    expect(await countKeys(rangesOf(...states))).toEqual({
      byStatus: { Accessible: 3, Suspect: 1, Inaccessible: 0, Unreachable: 0, Unknown: 0 },
      isComplete: true,
      countedAt: 700,
      oldestLookAt: 690,
    });
  });

  it('INV-2: keys of a range that no pass has counted for more than twice the longest time between looks are Unknown', async () => {
    // docs/states-and-bounds.md: 70 s between two looks, and a sweep of 60 s.
    const [current, late] = [
      pass(-199_000, { Accessible: 2, Unknown: 1 }),
      pass(-199_001, { Accessible: 4, Suspect: 1 }),
    ];
    expect(await countKeys(rangesOf(current, late))).toMatchObject({
      byStatus: { Accessible: 2, Suspect: 0, Inaccessible: 0, Unreachable: 0, Unknown: 6 },
    });
  });

  it('the count of keys is not complete while no pass over a range has come to its end, and unknown before the first has', async () => {
    const begun = { pass: pass(900, {}).last };
    expect(await countKeys(rangesOf(pass(900, { Accessible: 1 }, 850), begun))).toMatchObject({
      isComplete: false,
      byStatus: { Accessible: 1 },
    });
    expect(await countKeys(rangesOf(begun))).toBeUndefined();
  });
});
