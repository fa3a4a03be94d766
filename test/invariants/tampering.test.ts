/**
 * A writer of the tables edits one property of one row. `npm run bench -- security` tries every edit; this file tries
 * some of each kind of row, another choice with each seed.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Edit, isSilent, startTamperingWorld, type TamperingWorld } from '../../bench/security/tampering.ts';
import { keyPool } from '../lab.ts';

const seed = Number(process.env.TAMPER_SEED ?? 1);
const perKind = 2;

let world: TamperingWorld;
beforeAll(async () => {
  world = await startTamperingWorld(keyPool, ['one']);
});
afterAll(() => world.stop());

/** Some edits of each table and way, spread over its rows. */
function someEdits(): Edit[] {
  const kinds = Map.groupBy(world.edits, ({ table, row }) => `${table} ${row.rowKey.split(':')[0]}`);
  return [...kinds.values()].flatMap((edits) =>
    Array.from({ length: perKind }, (_, n) => edits[(seed * 7919 + n * 104_729) % edits.length]).flatMap(
      (one) => one ?? [],
    ),
  );
}

const nameOf = ({ table, row, what, property }: Edit) =>
  `${table}/${row.partitionKey}/${row.rowKey}: ${property} ${what}`;

test('INV-13: a row of any table that was edited, copied, swapped or brought back is never accepted without a report, and disturbs no other account', async () => {
  const edits = someEdits();
  expect(edits.length).toBeGreaterThan(30);
  const [silent, disturbing]: [string[], string[]] = [[], []];
  for (const edit of edits) {
    const outcome = await world.try(edit);
    if (isSilent(outcome)) silent.push(nameOf(edit));
    if (outcome.others.length > 0) disturbing.push(`${nameOf(edit)}: ${outcome.others.join(', ')}`);
  }
  expect(silent).toEqual([]);
  expect(disturbing).toEqual([]);
}, 120_000);
