/**
 * The counts of the service against the counts of all owners. They are written apart, so a crash between the two writes
 * loses a difference. While changes are written the two sides differ for a moment: a difference counts that stays the
 * same.
 */
import { type Counts, minus, noCounts, sum } from './counts.ts';
import type { OverviewDeps } from './deps.ts';
import type { OverviewCorrection } from './overviewWriter.ts';
import type { IndexedCounts } from './ports.ts';

type CompareDeps = Pick<OverviewDeps, 'log' | 'pause'> & {
  readonly overview: Pick<OverviewCorrection, 'countNow'>;
  readonly overviewIndex: IndexedCounts;
};

const ownersPerCall = 1000;
/** Longer than a change waits for its write (`gather`). */
const betweenMs = 2_000;
const comparisons = 3;

export async function compareService(deps: CompareDeps): Promise<void> {
  let lasting = await differenceNow(deps);
  for (let more = 1; more < comparisons && Object.keys(lasting).length > 0; more++) {
    await deps.pause(betweenMs);
    const again = await differenceNow(deps);
    lasting = Object.fromEntries(Object.entries(lasting).filter(([name, count]) => again[name] === count));
  }
  const count = Object.keys(lasting).length;
  if (count === 0) return;
  deps.log.warn('The overview did not count the service as it is', { count });
  await deps.overview.countNow(lasting);
}

async function differenceNow({ overviewIndex: index }: CompareDeps): Promise<Counts> {
  let all = noCounts;
  let after: string | undefined;
  do {
    const { counts, next } = await index.ownerCounts(after, ownersPerCall);
    all = sum(all, ...counts);
    after = next;
  } while (after !== undefined);
  return sum(all, minus((await index.counts())?.value ?? noCounts));
}
