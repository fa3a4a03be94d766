import { beforeAll, describe, expect, test } from 'vitest';
import type { Row } from '../src/local/matrix/row.ts';
import { rows as allRows } from '../src/local/matrix/rows.ts';
import { type Outcome, runMatrix } from '../src/local/matrix/run.ts';
import { isExhaustive } from './exhaustive.ts';
import { keyPool } from './lab.ts';

/** All rows in an exhaustive run. Else the first of each cause, kind of identity and result. */
const rows = isExhaustive ? allRows : [...new Map(allRows.toReversed().map((row) => [kindOf(row), row])).values()];

function kindOf({ expect: expected, ownIdentity, acrossTenants, alone }: Row): string {
  const { cause, afterTenMinutes } = expected;
  return JSON.stringify([cause, afterTenMinutes, ownIdentity, acrossTenants, alone]);
}

/** The rows run in parallel, once. Each test reads the result of its row. */
let outcomes: ReadonlyMap<string, Outcome>;
beforeAll(async () => {
  outcomes = new Map((await runMatrix(rows, { keyPool })).map((outcome) => [outcome.row.name, outcome]));
}, 400_000);

function outcomeOf({ name }: Row): Outcome {
  const outcome = outcomes.get(name);
  if (outcome === undefined) throw new Error(`"${name}" did not run.`);
  return outcome;
}

const named = (some: readonly Row[]) => some.map((row) => [row.name, row] as const);
const isRefused = ({ expect: expected }: Row) =>
  expected.afterTenMinutes.includes('Inaccessible') || expected.afterTwentyMinutes !== undefined;

describe('the fault matrix', () => {
  test('the fault matrix has enough rows, with one name each', () => {
    expect(new Set(allRows.map(({ name }) => name)).size).toBe(allRows.length);
    expect(allRows.length).toBeGreaterThanOrEqual(100);
    expect(rows.length).toBeGreaterThanOrEqual(25);
  });

  test.each(named(rows))('%s', (_name, row) => {
    expect(outcomeOf(row).differences).toEqual([]);
  });
});

describe('INV-2: no outage changes an account’s state', () => {
  test.each(named(rows.filter((row) => !isRefused(row))))('INV-2: %s blocks no account', (_name, row) => {
    const { wrongDisable, refusedAfterSeconds } = outcomeOf(row);
    expect({ wrongDisable, refusedAfterSeconds }).toEqual({ wrongDisable: false, refusedAfterSeconds: undefined });
  });
});

describe('the published bounds, at the worst phase of the sweep', () => {
  const bounds: Record<string, number> = {
    KeyDisabled: 120,
    KeyNotFound: 120,
    KeyOperationNotAllowed: 120,
    KeyPermissionDenied: 180,
    IdentityNotAuthorized: 180,
    VaultNotFound: 960,
  };
  test.each(named(rows.filter(isRefused)))('%s blocks the account in time', (_name, row) => {
    const { cause, refusedAfterSeconds, missedDisable } = outcomeOf(row);
    expect(missedDisable).toBe(false);
    expect(refusedAfterSeconds).toBeLessThanOrEqual(bounds[cause ?? ''] ?? 0);
  });

  test.each(
    named(rows.filter((row) => row.expect.cause !== undefined && row.expect.afterEnd === 'Enabled Accessible')),
  )('after %s access returns within a minute, without any action', (_name, row) => {
    expect(outcomeOf(row).restoredAfterSeconds).toBeLessThanOrEqual(60);
  });
});
