/** Keys, and those that are not well: with their versions in use and which versions can be disabled safely. */
import type { Cause } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import { isLongNotLatest, notLatestSince } from '../rotation/latestVersion.ts';
import { intervalSeconds } from '../watch/lookSchedule.ts';
import { type ListedVerdict, listedVerdict } from './accountState.ts';
import { type CallBudget, callBudget } from './budget.ts';
import { readCheckedRanges } from './checkedRanges.ts';
import { type Counts, currentCounts } from './counts.ts';
import type { OverviewDeps } from './deps.ts';
import type { IndexedKey, IndexedWatch, IndexPosition } from './indexRows.ts';
import { afterAll } from './readIndex.ts';

export interface KeyFilter {
  readonly owner?: string;
  readonly status?: ListedVerdict['status'];
  readonly cause?: Cause;
}

export interface ListedVersion {
  readonly version: string;
  /** Absent: no account is on the version. */
  readonly verdict?: ListedVerdict;
  readonly isLatest?: boolean;
  readonly notLatestSince?: EpochMs;
  readonly expiresOn?: EpochMs;
  readonly safeToDisable: boolean;
}

export interface ListedKey {
  readonly row: IndexedKey;
  /** The worst of its versions in use. */
  readonly worst: ListedVerdict;
  readonly versions: readonly ListedVersion[];
  readonly checkedAt: EpochMs;
  /** The next check is no later, as long as sweeps run. */
  readonly nextCheckAt: EpochMs;
}

export interface KeysPage {
  readonly keys: readonly ListedKey[];
  readonly counts?: Counts;
  readonly checkedSince?: EpochMs;
  readonly next?: IndexPosition;
}

const rowsPerCall = 1000;
const marksPerCall = 500;

export async function listKeys(
  filter: KeyFilter,
  limit: number,
  after: IndexPosition | undefined,
  deps: OverviewDeps,
): Promise<KeysPage> {
  await deps.overview.settled();
  const budget = callBudget();
  const checked = await budget.spend(readCheckedRanges(deps.ranges, deps.policy));
  const counts = after === undefined ? await budget.spend(deps.overviewIndex.counts(filter.owner)) : undefined;
  const select = (row: IndexedKey) => {
    const key = listedKey(row, checked.of(row.watch.binding.vaultHost), deps.clock.now(), deps.policy);
    return key !== undefined && passes(key, filter) ? key : undefined;
  };
  const isAboutFailures = filter.cause !== undefined || !['Accessible', 'Unknown', undefined].includes(filter.status);
  const { keys, next } = await (isAboutFailures ? readMarked : readKeys)(filter, limit, after, budget, deps, select);
  const { clock, policy } = deps;
  const known = after === undefined ? currentCounts(counts?.value ?? {}, checked, clock.now(), policy) : undefined;
  return { keys, ...defined({ counts: known, checkedSince: checked.oldest, next }) };
}

type Select = (row: IndexedKey) => ListedKey | undefined;
type Read = (
  filter: KeyFilter,
  limit: number,
  after: IndexPosition | undefined,
  budget: CallBudget,
  deps: OverviewDeps,
  select: Select,
) => Promise<Pick<KeysPage, 'keys' | 'next'>>;

const readKeys: Read = async ({ owner }, limit, after, budget, { overviewIndex: index }, select) => {
  const keys: ListedKey[] = [];
  let at = after ?? (owner === undefined ? undefined : { owner });
  while (budget.left > 0) {
    const isOfOwner = at !== undefined && at.bindingId !== afterAll;
    const page = isOfOwner
      ? await budget.spend(index.ofOwner(at as IndexPosition, rowsPerCall, 'keys'))
      : await budget.spend(index.ofLaterOwners(at?.owner, rowsPerCall, 'keys'));
    for (const row of page.rows) {
      if (row.kind !== 'key') continue;
      at = { owner: row.key.owner, bindingId: row.key.watch.binding.id };
      const key = select(row.key);
      if (key !== undefined) keys.push(key);
      if (keys.length === limit) return { keys, next: at };
    }
    if (!page.isLast) continue;
    if (!isOfOwner || owner !== undefined) return { keys };
    at = { owner: (at as IndexPosition).owner, bindingId: afterAll };
  }
  return { keys, ...defined({ next: at }) };
};

const readMarked: Read = async ({ owner }, limit, after, budget, { overviewIndex: index }, select) => {
  const keys: ListedKey[] = [];
  let at = after;
  while (budget.left > 0) {
    const { marks, isLast } = await budget.spend(index.marked(at, owner, marksPerCall));
    for (const { key: row } of marks) {
      const { id } = row.watch.binding;
      // The position itself is the last key of the page before.
      if (at?.owner === row.owner && at.bindingId === id) continue;
      at = { owner: row.owner, bindingId: id };
      const key = select(row);
      if (key !== undefined) keys.push(key);
      if (keys.length === limit) return { keys, next: at };
    }
    if (isLast) return { keys };
  }
  return { keys, ...defined({ next: at }) };
};

const passes = ({ worst }: ListedKey, { status, cause }: KeyFilter): boolean =>
  (status === undefined || status === worst.status) && (cause === undefined || cause === worst.cause);

function listedKey(
  row: IndexedKey,
  checkedAt: EpochMs | undefined,
  now: EpochMs,
  policy: Policy,
): ListedKey | undefined {
  const { watch } = row;
  const worst = listedVerdict(row, checkedAt, now, policy);
  if (worst === undefined) return undefined;
  const inUse = Object.keys(watch.versions);
  const others = Object.keys(watch.superseded ?? {}).filter((version) => !inUse.includes(version));
  const versions = [...inUse, ...others].map((version) => ({
    ...listedVersion(watch, version, now, policy),
    ...defined({ verdict: inUse.includes(version) ? listedVerdict(row, checkedAt, now, policy, version) : undefined }),
  }));
  const nextCheckAt = worst.checkedAt + betweenChecksMs(worst.verdict.status, policy);
  return { row, worst, versions, checkedAt: worst.checkedAt, nextCheckAt };
}

/** The longest time between two checks of a key, as docs/states-and-bounds.md has it: the sweep adds a spacing. */
function betweenChecksMs(status: WatchStatus, policy: Policy): number {
  return (intervalSeconds(status, policy) + policy.lookSpacingSeconds) * 1000;
}

/**
 * A version that wraps no account key can be disabled a while after it was the latest (rotation/usage.ts counts the
 * accounts).
 */
function listedVersion(watch: IndexedWatch, version: string, now: EpochMs, policy: Policy): ListedVersion {
  const { latest, expiries, versions } = watch;
  const left = notLatestSince(watch, version);
  const isLatest = latest === undefined ? undefined : latest.version === version;
  const { expiresOn } = expiries?.[version] ?? {};
  return {
    version,
    safeToDisable: versions[version] === undefined && isLongNotLatest(left, now, policy),
    ...defined({ isLatest, notLatestSince: left, expiresOn }),
  };
}
