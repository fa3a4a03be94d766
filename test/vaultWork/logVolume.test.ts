/** What a customer key costs in log lines, as docs/size-and-cost.md says, and which of them a setting leaves out. */
import { expect, test } from 'vitest';
import { isOfGoodKeyCheck } from '../../src/core/base/metrics.ts';
import { useLab } from '../lab.ts';

const world = useLab();
const minuteMs = 60_000;

test('a healthy key writes three log lines for each check and one for each version check, and a setting leaves all of them out', async () => {
  const { lab } = world;
  await lab.account('logged', 'contoso', await lab.vaultWithKey('logged'));
  await lab.advance(10 * minuteMs);
  lab.log.length = 0;
  await lab.advance(60 * minuteMs);
  const ofKey = lab.log.filter(({ message, fields }) => isOfGoodKeyCheck(message, fields));
  const count = (name: string) => ofKey.filter(({ message, fields }) => (fields.metric ?? message) === name).length;
  expect([count('Checked a key'), count('keyward.looks'), count('keyward.looks.ms')]).toEqual([60, 60, 60]);
  expect(count('keyward.newest.reads')).toBe(15);
  // What is left belongs to the service, whatever the number of keys.
  const left = lab.log.filter(({ message, fields }) => !isOfGoodKeyCheck(message, fields));
  const names = new Set(left.map(({ message, fields }) => fields.metric ?? message));
  expect([...names].toSorted()).toEqual(['keyward.looks.oldest.ms', 'keyward.ranges.ms', 'keyward.sweeps.ms']);
});

test('the setting leaves out no line of a check that failed, and no change of a status', () => {
  const kept = [
    isOfGoodKeyCheck('Checked a key', { cause: 'KeyDisabled' }),
    isOfGoodKeyCheck('Metric', { metric: 'keyward.looks', value: 1, status: 'Suspect', cause: 'IdentityUnavailable' }),
    isOfGoodKeyCheck('Metric', { metric: 'keyward.transitions', value: 1, cause: 'none' }),
    isOfGoodKeyCheck('Swept all vaults', {}),
  ];
  expect(kept).toEqual([false, false, false, false]);
});
