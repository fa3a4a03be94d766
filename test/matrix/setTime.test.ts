import { beforeAll, expect, test } from 'vitest';
import { runSetTime, type SetTimeOutcome, setTimeRows } from '../../src/local/matrix/setTime.ts';
import { useLab } from '../lab.ts';

const world = useLab();
let outcomes: SetTimeOutcome[] = [];
beforeAll(async () => {
  outcomes = await runSetTime(world.lab);
});

test.each(setTimeRows.map((row, index) => [row.name, index] as const))(
  '%s is rejected with its own cause, and the account does not change',
  (_name, index) => {
    const { row, reported, isUnchanged } = outcomes[index] ?? {};
    expect({ reported, isUnchanged }).toEqual({ reported: row?.cause, isUnchanged: true });
  },
);
