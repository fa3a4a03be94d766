/**
 * The cost of the overview: the most table calls of a page, over the filters of accounts and keys, with 100 and with
 * 100,000 accounts of which every fifth key is down; and by how much a page costs more calls with a thousand times the
 * accounts. The emulator counts.
 */
import type { IndexPosition } from '../src/core/overview/indexRows.ts';
import { type AccountFilter, listIndexedAccounts } from '../src/core/overview/listAccounts.ts';
import { type KeyFilter, listKeys } from '../src/core/overview/listKeys.ts';
import { type Lab, startLab } from '../src/local/lab/lab.ts';
import { seedOverview } from '../test/overview/seed.ts';
import type { Bench } from './report.ts';
import { keyPool } from './seed.ts';

const sizes = [100, 100_000] as const;
const accountsPerKey = 10;
const everyNthDown = 5;
const limit = 10;
const pages = 10;

const accountFilters: readonly AccountFilter[] = [
  {},
  { state: 'CustomerKeyInaccessible' },
  { cause: 'KeyDisabled', served: 'no' },
  { owner: 'owner000000' },
  { status: 'Accessible' },
  { name: 'account00' },
];
const keyFilters: readonly KeyFilter[] = [{}, { status: 'Inaccessible' }, { owner: 'owner000000' }];

type ReadPage = (after: IndexPosition | undefined) => Promise<{ readonly next?: IndexPosition }>;

const overviewBench: Bench = async ({ figure, progress }) => {
  const measured: { readonly most: number; readonly mean: number }[] = [];
  for (const accounts of sizes) {
    const lab = await startLab({ keyPool });
    try {
      progress(`overview: writing ${accounts} accounts`);
      await lab.account('first', 'zz');
      await lab.service.overview.settled();
      await seedOverview(lab, { accounts, accountsPerKey, everyNthDown });
      const reads: readonly ReadPage[] = [
        ...accountFilters.map(
          (filter): ReadPage =>
            (after) =>
              listIndexedAccounts(filter, limit, after, lab.service),
        ),
        ...keyFilters.map(
          (filter): ReadPage =>
            (after) =>
              listKeys(filter, limit, after, lab.service),
        ),
      ];
      const calls: number[] = [];
      for (const read of reads) calls.push(...(await callsOf(read, lab)));
      measured.push({ most: Math.max(...calls), mean: calls.reduce((a, b) => a + b, 0) / calls.length });
      progress(
        `overview: ${calls.length} pages with ${accounts} accounts, ${measured.at(-1)?.mean.toFixed(2)} calls a page`,
      );
    } finally {
      await lab.stop();
    }
  }
  const [few, many] = measured;
  figure('overview.tableCallsPerPage', Math.max(...measured.map(({ most }) => most)), 'calls', { atMost: 5 });
  figure('overview.costGrowth', (many?.mean ?? 0) / (few?.mean ?? 1), 'times', { atMost: 1.1 });
};

async function callsOf(read: ReadPage, lab: Lab): Promise<number[]> {
  const calls: number[] = [];
  let after: IndexPosition | undefined;
  do {
    const before = lab.tableRequests();
    after = (await read(after)).next;
    calls.push(lab.tableRequests() - before);
  } while (after !== undefined && calls.length < pages);
  return calls;
}

export default overviewBench;
