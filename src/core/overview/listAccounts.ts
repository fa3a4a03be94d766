/**
 * Accounts by what is the matter with them, at most five table calls a page, however many accounts there are. The index
 * is read in its order, by owner and key. A filter that no healthy account passes jumps from marked key to marked key.
 * Any other filter reads on and leaves out: a page can hold fewer accounts than were requested, or none, and still not
 * be the last.
 */
import type { Cause } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import type { ShownStatus } from '../base/vocabulary.ts';
import type { KeyIdentifier } from '../customerKey/keyIdentifier.ts';
import { type ListedAccount, listedAccount } from './accountState.ts';
import { type CallBudget, callBudget } from './budget.ts';
import { readCheckedRanges } from './checkedRanges.ts';
import { type Counts, currentCounts, ofKey, sum } from './counts.ts';
import type { OverviewDeps } from './deps.ts';
import type { IndexedKey, IndexPosition } from './indexRows.ts';
import { afterAll, type KeyStop, type ReadAccount, readAll, readStops } from './readIndex.ts';

export interface AccountFilter {
  readonly state?: ListedAccount['state'];
  readonly status?: ShownStatus;
  readonly cause?: Cause;
  readonly served?: ListedAccount['served'];
  readonly owner?: string;
  readonly key?: KeyIdentifier;
  /** What the name begins with, folded. */
  readonly name?: string;
}

export interface AccountsPage {
  readonly accounts: readonly ListedAccount[];
  /** Of the key or the owner that the filter names, or of the service. On the first page only. */
  readonly counts?: Counts;
  /** No key of the service was last checked before this time. Absent: no sweep has ended. */
  readonly checkedSince?: number;
  readonly next?: IndexPosition;
}

/** No account whose key works passes the filter. */
const isAboutFailures = ({ state, status, cause, served }: AccountFilter): boolean =>
  state === 'CustomerKeyInaccessible' ||
  cause !== undefined ||
  (status !== undefined && status !== 'Accessible' && status !== 'Unknown') ||
  served === 'untilLeaseEnd' ||
  served === 'no';

function passes({ state, served, key, account }: ListedAccount, filter: AccountFilter): boolean {
  const wanted = filter.key;
  const binding = key?.row.watch.binding;
  return (
    (filter.state === undefined || filter.state === state) &&
    (filter.status === undefined || filter.status === key?.status) &&
    (filter.cause === undefined || filter.cause === key?.verdict.cause) &&
    (filter.served === undefined || filter.served === served) &&
    (filter.owner === undefined || filter.owner === account.owner) &&
    (filter.name === undefined || account.name.startsWith(filter.name)) &&
    (wanted === undefined ||
      (binding !== undefined &&
        isNamed(binding, wanted) &&
        (wanted.version === undefined || wanted.version === key?.version)))
  );
}

const isNamed = (
  binding: Pick<KeyIdentifier, 'vaultHost' | 'keyName'>,
  { vaultHost, keyName }: KeyIdentifier,
): boolean => binding.vaultHost === vaultHost && binding.keyName === keyName;

export async function listIndexedAccounts(
  filter: AccountFilter,
  limit: number,
  after: IndexPosition | undefined,
  deps: OverviewDeps,
): Promise<AccountsPage> {
  // What this process has changed just now is seen.
  await deps.overview.settled();
  const budget = callBudget();
  const checked = await budget.spend(readCheckedRanges(deps.ranges, deps.policy));
  const stops = await stopsFor(filter, after, budget, deps);
  const { clock, policy } = deps;
  const stored = after === undefined ? await countsFor(filter, stops, budget, deps) : undefined;
  const counts = stored && currentCounts(stored, checked, clock.now(), policy);
  const select = ({ account, key, version }: ReadAccount) => {
    const listed = listedAccount(account, key, checked.of(hostOf(key)), deps.clock.now(), deps.policy, version);
    return passes(listed, filter) ? listed : undefined;
  };
  const isWhole = Object.keys(filter).every((name) => name === 'owner');
  const request = { limit, after, select, isWhole };
  const { rows, next = stops?.next } =
    stops === undefined
      ? await readAll(request, filter.owner, budget, deps)
      : await readStops(request, stops.keys, budget, deps);
  return { accounts: rows, ...defined({ counts, checkedSince: checked.oldest, next }) };
}

async function countsFor(
  { key, owner }: AccountFilter,
  stops: Stops | undefined,
  budget: CallBudget,
  { overviewIndex }: OverviewDeps,
): Promise<Counts> {
  if (key !== undefined) return sum(...(stops?.keys ?? []).map((stop) => ofKey(stop.key)));
  return (await budget.spend(overviewIndex.counts(owner)))?.value ?? {};
}

const hostOf = (key: IndexedKey | undefined): string => key?.watch.binding.vaultHost ?? '';

const marksPerCall = 200;
const keysPerCall = 1000;

/** The keys that can have an account that passes. */
interface Stops {
  readonly keys: readonly KeyStop[];
  /** Where further ones are. */
  readonly next?: IndexPosition;
}

/** Undefined: any key can. */
async function stopsFor(
  filter: AccountFilter,
  after: IndexPosition | undefined,
  budget: CallBudget,
  { overviewIndex, claims }: OverviewDeps,
): Promise<Stops | undefined> {
  const { key: wanted, owner } = filter;
  if (wanted !== undefined) {
    const holder = (await budget.spend(claims.find('vault', wanted.vaultHost)))?.value.owner;
    if (holder === undefined || (owner !== undefined && owner !== holder)) return { keys: [] };
    const { rows } = await budget.spend(overviewIndex.ofOwner({ owner: holder }, keysPerCall, 'keys'));
    const keys = rows.flatMap((row) => (row.kind === 'key' && isNamed(row.key.watch.binding, wanted) ? [row.key] : []));
    const isWanted = ({ watch }: IndexedKey) => after?.bindingId === undefined || watch.binding.id >= after.bindingId;
    return { keys: keys.filter(isWanted).map((key) => ({ key })) };
  }
  if (!isAboutFailures(filter)) return undefined;
  const { marks, isLast } = await budget.spend(overviewIndex.marked(after, owner, marksPerCall));
  const last = marks.at(-1)?.key;
  if (last === undefined || isLast) return { keys: marks };
  return { keys: marks, next: { owner: last.owner, bindingId: last.watch.binding.id, name: afterAll } };
}
