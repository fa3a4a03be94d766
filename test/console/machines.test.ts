/** The state machines that the console draws are those that decide. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { accountMachine, keyStatusMachine } from '../../console/src/machines.ts';
import type { Cause } from '../../src/core/base/causes.ts';
import { defaultPolicy } from '../../src/core/base/policy.ts';
import { judge } from '../../src/core/watch/judge.ts';
import { accessibleVerdict, type Verdict } from '../../src/core/watch/watch.ts';

const openApi = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'));

/** A good check, a denial and an outage. */
const seen: readonly (Cause | undefined)[] = [undefined, 'KeyDisabled', 'Throttled'];

/** Every change of status that checks cause, from an accessible key on. */
function changesOfChecks(): Set<string> {
  const changes = new Set<string>();
  const visit = (before: Verdict, depth: number) => {
    if (depth === 0) return;
    for (const cause of seen) {
      const evidence = { bindingId: 'b', version: 'v', takenAt: before.evidenceAt + 60_000 };
      const after = judge(before, { ...evidence, ...(cause === undefined ? {} : { cause }) }, defaultPolicy);
      if (after.status !== before.status) changes.add(`${before.status} ${after.status}`);
      visit(after, depth - 1);
    }
  };
  visit(accessibleVerdict(0), 6);
  return changes;
}

const drawn = ({ changes }: typeof keyStatusMachine) => changes.map(({ from, to }) => `${from} ${to}`).toSorted();

test('the drawing of a key has exactly the changes of status that checks cause', () => {
  expect(drawn(keyStatusMachine)).toEqual([...changesOfChecks()].toSorted());
});

test('the drawing of an account has every state of the API, and each can be left and reached', () => {
  const { states, changes } = accountMachine;
  const names = states.map(({ name }) => name);
  expect(names).toEqual(openApi.components.schemas.Account.properties.properties.properties.state.enum);
  for (const end of ['from', 'to'] as const)
    expect(new Set(changes.map((change) => change[end]))).toEqual(new Set(names));
});
