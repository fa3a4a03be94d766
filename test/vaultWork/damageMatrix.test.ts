/** Every kind of row, damaged in every way: a revocation is found all the same. The bench tries each under each revocation. */
import { expect, test } from 'vitest';
import { damages } from '../../src/local/matrix/damage.ts';
import { fewCells, missedWithDamage, missedWithSharedDamage } from '../../src/local/matrix/damageMatrix.ts';
import { useLab } from '../lab.ts';

const world = useLab();

test('INV-13, INV-2: after each damage to each kind of row, a revoked key blocks every other account within its bound', async () => {
  expect(await missedWithDamage(world.lab, fewCells())).toEqual([]);
}, 120_000);

test.each(Object.keys(damages))(
  'INV-13: rows that the whole service shares hide no revocation when they are %s',
  async (how) => {
    expect(await missedWithSharedDamage(world.lab, how)).toEqual([]);
  },
  60_000,
);
