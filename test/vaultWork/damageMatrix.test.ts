/**
 * Every kind of row, damaged in every way: a revocation is found all the same. Each damage comes to a third of the
 * kinds of rows, and rows that are shared get each damage under the next revocation. An exhaustive run has every kind
 * with every damage. The bench tries each under each revocation.
 */
import { expect, test } from 'vitest';
import { damages, rowKinds } from '../../src/local/matrix/damage.ts';
import { fewCells, missedWithDamage, missedWithSharedDamage } from '../../src/local/matrix/damageMatrix.ts';
import { revocations } from '../../src/local/matrix/revocations.ts';
import { isExhaustive } from '../exhaustive.ts';
import { useLab } from '../lab.ts';

const world = useLab();

/** Three damages for each kind of row, each under another revocation. The next kind begins at the next damage. */
function cellsInTurn() {
  const ways = Object.keys(damages);
  const groups = [...new Set(fewCells().map(({ kinds }) => kinds.join()))];
  return fewCells().filter(({ kinds, damage }) => {
    const [group, way] = [groups.indexOf(kinds.join()), ways.indexOf(damage)];
    return (group + way + Math.floor(way / 3)) % 3 === 0;
  });
}

test('INV-13, INV-2: after each damage to each kind of row, a revoked key blocks every other account within its bound', async () => {
  const cells = isExhaustive ? fewCells() : cellsInTurn();
  expect(new Set(cells.flatMap(({ kinds }) => kinds))).toEqual(new Set(Object.keys(rowKinds)));
  expect(new Set(cells.map(({ damage }) => damage))).toEqual(new Set(Object.keys(damages)));
  expect(new Set(cells.map(({ revocation }) => revocation))).toEqual(new Set(Object.keys(revocations)));
  expect(await missedWithDamage(world.lab, cells)).toEqual([]);
}, 120_000);

test.each(Object.keys(damages).map((how, turn) => [how, turn] as const))(
  'INV-13: rows that the whole service shares hide no revocation when they are %s',
  async (how, turn) => {
    const all = Object.keys(revocations);
    const some = isExhaustive ? all : [all[turn % all.length] ?? ''];
    expect(await missedWithSharedDamage(world.lab, how, some)).toEqual([]);
  },
  60_000,
);
