/**
 * What a page of the overview costs, counted as requests to the tables, however many accounts there are and whatever is
 * down.
 */
import { expect, test } from 'vitest';
import type { IndexPosition } from '../../src/core/overview/indexRows.ts';
import { type AccountFilter, listIndexedAccounts } from '../../src/core/overview/listAccounts.ts';
import { type KeyFilter, listKeys } from '../../src/core/overview/listKeys.ts';
import { readTimeline } from '../../src/core/overview/timeline.ts';
import { type Lab, startLab } from '../../src/local/lab/lab.ts';
import { keyPool } from '../lab.ts';
import { type Seed, seedOverview } from './seed.ts';

const mostCalls = 5;
const limit = 100;

/** Follows all pages. Returns how many items they have, and the most calls of one page. */
async function readPages(
  lab: Lab,
  read: (after: IndexPosition | undefined) => Promise<{ items: number; next?: IndexPosition | undefined }>,
) {
  let [items, calls, pages] = [0, 0, 0];
  let after: IndexPosition | undefined;
  do {
    const before = lab.tableRequests();
    const page = await read(after);
    calls = Math.max(calls, lab.tableRequests() - before);
    items += page.items;
    pages += 1;
    after = page.next;
  } while (after !== undefined);
  return { items, calls, pages };
}

const pagesOfAccounts = (lab: Lab, filter: AccountFilter) =>
  readPages(lab, async (after) => {
    const { accounts, next } = await listIndexedAccounts(filter, limit, after, lab.service);
    return { items: accounts.length, next };
  });
const pagesOfKeys = (lab: Lab, filter: KeyFilter) =>
  readPages(lab, async (after) => {
    const { keys, next } = await listKeys(filter, limit, after, lab.service);
    return { items: keys.length, next };
  });

test.each<[title: string, seed: Seed, down: number]>([
  ['100 accounts, every tenth key down', { accounts: 100, accountsPerKey: 1, everyNthDown: 10 }, 10],
  ['1,000 accounts, each key down', { accounts: 1_000, accountsPerKey: 1, everyNthDown: 1 }, 1_000],
  ['2,000 accounts, 200 a key, every fourth key down', { accounts: 2_000, accountsPerKey: 200, everyNthDown: 4 }, 600],
])('a page of the overview costs at most five table calls with %s', async (_, seed, down) => {
  const lab = await startLab({ keyPool });
  try {
    await lab.account('first', 'zz');
    await lab.service.overview.settled();
    await seedOverview(lab, seed);
    const keys = seed.accounts / seed.accountsPerKey;
    const all = await pagesOfAccounts(lab, {});
    expect(all).toMatchObject({ items: seed.accounts + 1 });
    const refused = await pagesOfAccounts(lab, { state: 'CustomerKeyInaccessible' });
    expect(refused).toMatchObject({ items: down });
    const one = await pagesOfAccounts(lab, { owner: 'owner000000', cause: 'KeyDisabled' });
    expect(one).toMatchObject({ items: seed.accountsPerKey });
    const listed = await pagesOfKeys(lab, {});
    expect(listed).toMatchObject({ items: keys });
    const failing = await pagesOfKeys(lab, { status: 'Inaccessible' });
    expect(failing).toMatchObject({ items: down / seed.accountsPerKey });
    const healthy = await pagesOfAccounts(lab, { served: 'yes', name: 'first' });
    expect(healthy).toMatchObject({ items: 1 });
    for (const { calls } of [all, refused, one, listed, failing, healthy]) expect(calls).toBeLessThanOrEqual(mostCalls);
    // Pages of failures are full while there are enough of them.
    expect(refused.pages).toBeLessThanOrEqual(Math.ceil(down / limit) + 1);
  } finally {
    await lab.stop();
  }
});

test('a page of the time line costs at most five table calls, whatever the filter leaves out', async () => {
  const lab = await startLab({ keyPool });
  try {
    const from = lab.clock.now();
    for (let n = 0; n < 12; n++) await lab.account(`account-${n}`, n % 2 === 0 ? 'even' : 'odd');
    await lab.service.overview.settled();
    const span = { from, to: lab.clock.now() + 1, limit: 4, order: 'newest' } as const;
    const before = lab.tableRequests();
    const page = await readTimeline({ owner: 'odd' }, span, lab.service);
    expect([page.entries.length, lab.tableRequests() - before]).toEqual([4, 1]);
    const rest = await readTimeline({ owner: 'odd' }, { ...span, after: page.next ?? '' }, lab.service);
    expect(rest).toMatchObject({ entries: { length: 2 } });
    expect(rest.next).toBeUndefined();
  } finally {
    await lab.stop();
  }
});
