/** The pass of a ring's rotation by several workers: parts of the accounts by name, one worker each. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { noBounds, withPage } from '../../src/core/dailyProgress.ts';
import { partsOf, workOnPass } from '../../src/core/reseal/resealPass.ts';
import { requestRotation } from '../../src/core/rings/rotateRing.ts';
import type { Service } from '../../src/core/service.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { useLab } from '../lab.ts';
import { minutes, phaseOf, ringWorld, stored, wholeRotationMs } from './support.ts';

const world = useLab();
const name = fc.stringMatching(/^[a-z0-9]{3,6}$/);

test('the parts of any bounds have every account name exactly once', () => {
  const property = fc.property(fc.array(name, { maxLength: 80 }), name, (bounds, one) => {
    const parts = partsOf(bounds);
    const inPart = parts.filter(({ after = '', until = '~' }) => one > after && one <= until);
    expect(inPart).toHaveLength(1);
    expect(parts.length).toBe(1 + Math.floor(new Set(bounds).size / 8));
  });
  fc.assert(property);
});

test.each([1, 64, 65, 700, 5_000])(
  'the daily pass over %i pages keeps at most 64 bounds, at equal distances',
  (pages) => {
    const ends = Array.from({ length: pages }, (_, n) => String(n + 1).padStart(5, '0'));
    const { names, each } = ends.reduce(withPage, noBounds);
    expect(names.length).toBeLessThanOrEqual(64);
    expect(names.length).toBe(Math.floor(pages / each));
    for (const [n, end] of names.entries()) expect(Number(end)).toBe((n + 1) * each);
  },
);

test('INV-1: several workers share a round of a ring’s pass, each account is processed once, and a worker that dies leaves its part to another', async () => {
  const { lab } = world;
  const names = Array.from({ length: 32 }, (_, n) => `part-${String(n).padStart(2, '0')}`);
  for (const one of names) await lab.account(one, 'contoso');
  const all = await lab.service.accounts.names(1_000);
  const bounds = { names, each: 1, pages: 32 };
  const dailyPass = {
    ...lab.service.dailyPass,
    read: async () => ({ startedAt: 0, messages: 0, isDivided: true, bounds }),
  };
  const rings = await ringWorld(lab, { dailyPass });
  /**
   * A worker, and the accounts that it has read. It dies at the n-th one: from then on none of its calls has an effect.
   */
  const worker = async (diesAt = Number.POSITIVE_INFINITY) => {
    const read: string[] = [];
    const { accounts, ringStore, vaults } = lab.service;
    const alive = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> =>
        read.length >= diesAt ? Promise.reject(new Error('died')) : call(...args);
    };
    const service: Service = await rings.another({
      dailyPass,
      vaults: { ...vaults, endWork: alive(vaults.endWork) },
      ringStore: { ...ringStore, saveState: alive(ringStore.saveState) },
      accounts: {
        ...accounts,
        save: alive(accounts.save),
        read: alive(async (one) => {
          read.push(one);
          return accounts.read(one);
        }),
      },
    });
    return { read, work: () => workOnPass('system', service) };
  };
  const passNow = async () => (await stored('system', lab.service)).state?.value.rotation?.pass;
  const before = (await lab.service.rings()).system.newest.generation;

  await requestRotation('system', tester, rings.service);
  await rings.advance(6 * minutes);
  expect(await phaseOf('system', lab.service)).toBe('moving');
  lab.clock.set(lab.clock.now() + 3 * minutes);
  const [one, two, three, dying] = [await worker(), await worker(), await worker(), await worker(3)];

  // The first message begins the round, and its worker takes the first part.
  await one.work();
  expect((await passNow())?.parts).toHaveLength(5);
  expect((await passNow())?.visited).toBe(one.read.length);
  await Promise.allSettled([dying.work(), two.work(), three.work()]);
  expect(two.read.length * three.read.length * dying.read.length).toBeGreaterThan(0);
  // The lock of the dead worker lasts, so only one part is free.
  await Promise.all([one.work(), two.work()]);
  const left = (await passNow())?.parts?.filter(({ isOver }) => !isOver);
  expect(left).toHaveLength(1);
  lab.clock.set(lab.clock.now() + 2 * minutes);
  await three.work();
  const done = await passNow();
  expect(done?.parts?.every(({ isOver }) => isOver)).toBe(true);
  expect(done?.visited).toBe(all.length);
  expect([...one.read, ...two.read, ...three.read].toSorted()).toEqual(all.toSorted());

  await rings.advance(wholeRotationMs);
  expect(await phaseOf('system', lab.service)).toBe('resting');
  const { rows } = await stored('system', lab.service);
  expect(new Set(rows.map(({ generation }) => generation))).toEqual(new Set([before + 1]));
});
