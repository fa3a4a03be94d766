/**
 * Reads accounts from the index in its order, each with the row of its key, within a budget of table calls: all
 * accounts, or those of some keys. Where the budget ends, the position is where the next page begins.
 */
import { defined } from '../base/defined.ts';
import type { CallBudget } from './budget.ts';
import type { OverviewDeps } from './deps.ts';
import { type IndexedAccount, type IndexedKey, type IndexPosition, positionOf } from './indexRows.ts';
import { versionReader } from './versionsOfAccounts.ts';

export interface ReadAccount {
  readonly account: IndexedAccount;
  /** Absent under the system key, and where the row of the key is missing. */
  readonly key: IndexedKey | undefined;
  /** Where versions in use differ in status: the version that the account is on. */
  readonly version: string | undefined;
}

export interface ReadRequest<T> {
  readonly limit: number;
  readonly after: IndexPosition | undefined;
  /** Undefined: the account is left out. */
  readonly select: (account: ReadAccount) => T | undefined;
  /** No account is left out: a call reads no more rows than a page needs. */
  readonly isWhole?: boolean;
}

export interface ReadPage<T> {
  readonly rows: readonly T[];
  /** Absent: there is nothing after these. */
  readonly next?: IndexPosition;
}

/** Sorts after all keys of an owner, and after all accounts of a key. */
export const afterAll = '~';
/** The table service returns at most 1,000 rows a call. */
const rowsPerCall = 1000;
/** A key and an account. */
const rowsPerAccount = 2;

export async function readAll<T>(
  { limit, after, select, isWhole }: ReadRequest<T>,
  owner: string | undefined,
  budget: CallBudget,
  deps: OverviewDeps,
): Promise<ReadPage<T>> {
  const index = deps.overviewIndex;
  const versionOf = versionReader(budget, deps);
  const take = isWhole ? Math.min(rowsPerCall, limit * rowsPerAccount) : rowsPerCall;
  const rows: T[] = [];
  let at = after ?? (owner === undefined ? undefined : { owner });
  // A page can begin between a key and its accounts.
  let key = isAtKey(at) ? await budget.spend(index.key(at.owner, at.bindingId)) : undefined;
  while (budget.left > 0) {
    const isOfOwner: boolean = at !== undefined && at.bindingId !== afterAll;
    const page = isOfOwner
      ? await budget.spend(index.ofOwner(at as IndexPosition, take))
      : await budget.spend(index.ofLaterOwners(at?.owner, take));
    for (const row of page.rows) {
      if (row.kind === 'key') key = row.key;
      else {
        const own =
          row.account.key?.bindingId === key?.watch.binding.id && row.account.key !== undefined ? key : undefined;
        const version = await versionOf(row.account, own);
        if (version === 'noCallLeft') return { rows, ...defined({ next: at }) };
        const selected = select({ account: row.account, key: own, version });
        if (selected !== undefined) rows.push(selected);
      }
      at = positionOf(row);
      if (rows.length === limit) return { rows, next: at };
    }
    if (!page.isLast) continue;
    if (!isOfOwner || owner !== undefined) return { rows };
    at = { owner: (at as IndexPosition).owner, bindingId: afterAll };
  }
  return { rows, ...defined({ next: at }) };
}

const isAtKey = (at: IndexPosition | undefined): at is IndexPosition & { readonly bindingId: string } =>
  at?.bindingId !== undefined && at.bindingId !== afterAll && at.name !== afterAll;

/** A key whose accounts are wanted; with its accounts, where they are known already. */
export interface KeyStop {
  readonly key: IndexedKey;
  readonly accounts?: readonly IndexedAccount[];
}

/** Of keys in the order of the index. The caller knows whether there are further ones after the last. */
export async function readStops<T>(
  { limit, after, select }: ReadRequest<T>,
  stops: readonly KeyStop[],
  budget: CallBudget,
  deps: OverviewDeps,
): Promise<ReadPage<T>> {
  const versionOf = versionReader(budget, deps);
  const rows: T[] = [];
  let next = after;
  for (const { key, accounts } of stops) {
    const { owner, watch } = key;
    const bindingId = watch.binding.id;
    let name = after?.owner === owner && after.bindingId === bindingId ? after.name : undefined;
    for (let isLast = false; !isLast; ) {
      if (accounts === undefined && budget.left === 0) return { rows, ...defined({ next }) };
      const page: OfKey =
        accounts === undefined
          ? await ofKey({ owner, bindingId, name }, budget, deps)
          : { accounts: accounts.filter((one) => name === undefined || one.name > name), isLast: true };
      for (const account of page.accounts) {
        const version = await versionOf(account, key);
        if (version === 'noCallLeft') return { rows, ...defined({ next }) };
        const selected = select({ account, key, version });
        if (selected !== undefined) rows.push(selected);
        name = account.name;
        next = { owner, bindingId, name };
        if (rows.length === limit) return { rows, next };
      }
      isLast = page.isLast;
    }
    next = { owner, bindingId, name: afterAll };
  }
  return { rows };
}

interface OfKey {
  readonly accounts: readonly IndexedAccount[];
  readonly isLast: boolean;
}

async function ofKey(
  { owner, bindingId, name }: Required<Pick<IndexPosition, 'owner' | 'bindingId' | 'name'>>,
  budget: CallBudget,
  { overviewIndex }: OverviewDeps,
): Promise<OfKey> {
  const at = { owner, bindingId, name };
  const page = await budget.spend(overviewIndex.ofOwner(at, rowsPerCall));
  const accounts = page.rows.flatMap((row) => (row.kind === 'account' ? [row.account] : []));
  const own = accounts.filter(({ key }) => key?.bindingId === bindingId);
  return { accounts: own, isLast: page.isLast || page.rows.some((row) => row.kind === 'key') };
}
