/** The time line across months, whose entries are in partitions of their own. */
import { expect, test } from 'vitest';
import type { ShownEntry } from '../../src/core/audit/auditEntry.ts';
import { iso } from '../../src/core/base/time.ts';
import type { TimelineOrder } from '../../src/core/overview/ports.ts';
import { readTimeline } from '../../src/core/overview/timeline.ts';
import { useLab } from '../lab.ts';

const world = useLab();
const times = [
  '2031-01-31T23:59:59.999Z',
  '2031-02-01T00:00:00.000Z',
  '2031-02-14T08:00:00.000Z',
  '2031-02-28T23:59:59.999Z',
  '2031-12-31T23:59:59.999Z',
  '2032-01-01T00:00:00.000Z',
];
const entryAt = (at: string): ShownEntry => ({
  ...({ at, chain: 'service', sequence: 1, type: 'LinkCreated', actor: { kind: 'keyward', id: 'rings' } } as const),
  previousHash: '',
  hash: '',
  keyGeneration: 1,
});

async function timesOf(order: TimelineOrder, from: string, to: string, limit: number): Promise<string[]> {
  const found: string[] = [];
  const span = { order, from: Date.parse(from), to: Date.parse(to), limit };
  let after: string | undefined;
  do {
    const page = await readTimeline({}, { ...span, ...(after === undefined ? {} : { after }) }, world.lab.service);
    found.push(...page.entries.map(({ entry }) => entry.at));
    after = page.next;
  } while (after !== undefined);
  return found;
}

test.each([1, 2, 100])(
  'a span of the time line has the entries of all its months once, at %d a page',
  async (limit) => {
    const { timelineIndex } = world.lab.service;
    await timelineIndex.add(times.map((at) => ({ subject: { kind: 'service' }, entry: entryAt(at) })));
    const [first = '', second = '', ...others] = times;
    const [end = ''] = others.slice(-1);
    expect(await timesOf('oldest', first, iso(Date.parse(end) + 1), limit)).toEqual(times);
    expect(await timesOf('newest', first, iso(Date.parse(end) + 1), limit)).toEqual(times.toReversed());
    // The end of a span is not included, and its begin is.
    expect(await timesOf('oldest', second, end, limit)).toEqual(times.slice(1, -1));
    expect(await timesOf('newest', second, end, limit)).toEqual(times.slice(1, -1).toReversed());
  },
);
