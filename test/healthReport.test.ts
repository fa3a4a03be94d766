import { describe, expect, it } from 'vitest';
import { Unavailable } from '../src/core/base/errors.ts';
import type { Stored } from '../src/core/base/stored.ts';
import type { WatchStatus } from '../src/core/base/vocabulary.ts';
import { createKeyCount, type HealthCheck, readiness, runHealthChecks, statusOfKey } from '../src/core/health.ts';
import type { Verdict, Watch } from '../src/core/watch/watch.ts';

let monotonic = 0;
const clock = { now: () => 1000, monotonic: () => monotonic };
/** A deadline that passes at once, but after a promise that is already resolved. */
const pause = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = () => new Promise<never>(() => undefined);
const part = (name: HealthCheck['name'], ask: HealthCheck['ask']): HealthCheck => ({
  name,
  silence: 'StorageUnavailable',
  ask,
});

const watchOf = (...statuses: WatchStatus[]): Pick<Watch, 'versions'> => ({
  versions: Object.fromEntries(statuses.map((status, index) => [String(index), { status } as Verdict])),
});

describe('a part', () => {
  it.each<[title: string, ask: HealthCheck['ask'], seen: object]>([
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
  ])('%s', async (_title, ask, seen) => {
    expect(await runHealthChecks([part('tables', ask)], { clock, pause })).toEqual([
      { name: 'tables', durationMs: 0, status: 'failed', ...seen },
    ]);
  });
});

describe('readiness', () => {
  const good = {
    clock,
    pause: never,
    parts: [part('queue', async () => undefined)],
    sweepMark: { read: async () => 7, write: async () => undefined },
    keyCounts: async () => ({ byStatus: { Accessible: 1, Suspect: 0, Inaccessible: 0, Unreachable: 0 }, ...whole }),
    poisoned: async () => 3,
  };
  const whole = { isComplete: true, countedAt: 5 };

  it('readiness shows every part', async () => {
    expect(await readiness(good)).toMatchObject({
      isReady: true,
      sweep: { lastSweptAt: 7 },
      poisoned: 3,
      keys: { byStatus: { Accessible: 1 } },
    });
  });

  it('readiness fails with one failed dependency', async () => {
    const parts = [...good.parts, part('tables', async () => 'StorageUnavailable')];
    expect(await readiness({ ...good, parts })).toMatchObject({ isReady: false });
  });

  it('readiness leaves out a part that cannot be read or hangs, and does not fail', async () => {
    const broken = async () => {
      throw new TypeError('x');
    };
    const sweepMark = { ...good.sweepMark, read: broken };
    const seen = await readiness({ ...good, pause, sweepMark, keyCounts: never, poisoned: broken });
    expect(Object.keys(seen).toSorted()).toEqual(['isReady', 'parts']);
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

  it('keys are counted once in ten seconds, and again after a failure', async () => {
    let reads = 0;
    let fails = false;
    const tools = {
      clock,
      vaults: {
        async *list() {
          yield 'one';
          yield 'two';
        },
        bindings: async (vault: string) => [`${vault}-a`, `${vault}-b`],
      },
      bindings: {
        readWatch: async (id: string) => {
          reads += 1;
          if (fails) throw new TypeError('x');
          return id === 'one-a' ? undefined : ({ value: watchOf('Suspect'), etag: '' } as Stored<Watch>);
        },
      },
    } as unknown as Parameters<typeof createKeyCount>[0];
    const counts = createKeyCount(tools);
    const [first, second] = await Promise.all([counts(), counts()]);
    expect(first).toEqual({
      isComplete: true,
      countedAt: 1000,
      byStatus: { Accessible: 0, Suspect: 3, Inaccessible: 0, Unreachable: 0 },
    });
    expect(second).toBe(first);
    monotonic += 9_999;
    await counts();
    expect(reads).toBe(4);
    monotonic += 1;
    fails = true;
    await expect(counts()).rejects.toThrow(TypeError);
    fails = false;
    expect((await counts()).byStatus.Suspect).toBe(3);
  });
});
