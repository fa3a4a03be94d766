/**
 * What a change of an account or of a watch means for the rows of its owner. Pure: from the rows as they were read to
 * the rows to write, and by how much the service's counts change.
 */
import { defined } from '../base/defined.ts';
import type { Stored } from '../base/stored.ts';
import { isAccessible } from '../watch/watch.ts';
import { type Counts, minus, ofAccount, ofKey, sum } from './counts.ts';
import { type IndexedAccount, type IndexedKey, type IndexedWatch, isMixed } from './indexRows.ts';
import type { OwnerChange } from './ports.ts';

export interface ChangedIndex {
  readonly change: OwnerChange;
  /** Of the counts. */
  readonly difference: Counts;
  /** Keys that are not well after the change, and those that are marked and need no mark any more. */
  readonly marks: { readonly put: readonly IndexedKey[]; readonly remove: readonly string[] };
}

export interface AccountRows {
  /** Read before the other rows: every write of the partition is conditional on this row. */
  readonly counts: Stored<Counts> | undefined;
  /** The row of the account where it was, if there is one. */
  readonly was: IndexedAccount | undefined;
  /** The row where the account belongs, if there is one. */
  readonly is: IndexedAccount | undefined;
  /** The key that it was under. */
  readonly oldKey: IndexedKey | undefined;
  /** The key that it is under; where the index does not have it, the watch. */
  readonly newKey: IndexedKey | undefined;
  readonly watch?: IndexedWatch;
}

/** An account is created, changed or, without `next`, gone. */
export function changedByAccount(rows: AccountRows, next: IndexedAccount | undefined): ChangedIndex {
  const { counts, was, is, oldKey, newKey, watch } = rows;
  const keyId = next?.key?.bindingId;
  const isMoved = was !== undefined && (next === undefined || was.key?.bindingId !== keyId);
  const changes: KeyChange[] = [];
  if (isMoved && oldKey !== undefined) changes.push({ before: oldKey, key: less(oldKey) });
  if (next !== undefined && keyId !== undefined) {
    const base = newKey ?? (watch === undefined ? undefined : { owner: next.owner, watch, accounts: 0 });
    if (base !== undefined) changes.push({ before: newKey, key: is === undefined ? more(base) : base });
  }
  const gone = sum(...[...(isMoved ? [was] : []), is].map((one) => minus(ofKeyless(one))));
  const come = ofKeyless(next);
  const difference = sum(gone, come, ...changes.map(differenceOf));
  return {
    change: {
      ...withCounts(counts, difference),
      keys: changes.map(({ key }) => keyRowOf(key)),
      ...defined({ put: next }),
      ...(isMoved ? { remove: was } : {}),
    },
    difference,
    marks: marksOf(changes),
  };
}

/** A watch has changed. `byVersion`: where versions differ in status. */
export function changedByWatch(
  before: IndexedKey,
  counts: Stored<Counts> | undefined,
  watch: IndexedWatch,
  byVersion: IndexedKey['byVersion'],
): ChangedIndex {
  const { owner, accounts } = before;
  const key: IndexedKey = {
    owner,
    watch,
    accounts,
    ...(isMixed(watch) && byVersion !== undefined ? { byVersion } : {}),
  };
  const difference = differenceOf({ before, key });
  const change = { ...withCounts(counts, difference), keys: [keyRowOf(key)] };
  return { change, difference, marks: marksOf([{ before, key }]) };
}

const ofKeyless = (account: IndexedAccount | undefined): Counts =>
  account === undefined || account.key !== undefined ? {} : ofAccount(account);

interface KeyChange {
  readonly before: IndexedKey | undefined;
  readonly key: IndexedKey;
}

const more = (key: IndexedKey): IndexedKey => ({ ...key, accounts: key.accounts + 1 });
const less = (key: IndexedKey): IndexedKey => ({ ...key, accounts: Math.max(0, key.accounts - 1) });

const isUnused = ({ accounts }: IndexedKey): boolean => accounts === 0;

const differenceOf = ({ before, key }: KeyChange): Counts =>
  sum(ofKey(isUnused(key) ? undefined : key), minus(ofKey(before)));

/** A key that no account is bound to has no row. */
const keyRowOf = (key: IndexedKey): OwnerChange['keys'][number] => ({
  bindingId: key.watch.binding.id,
  ...(isUnused(key) ? {} : { value: key }),
});

const withCounts = (counts: Stored<Counts> | undefined, difference: Counts): Pick<OwnerChange, 'counts'> => ({
  counts: { value: sum(counts?.value ?? {}, difference), etag: counts?.etag },
});

const needsMark = (key: IndexedKey | undefined): boolean =>
  key !== undefined && !isUnused(key) && !isAccessible(key.watch);

const marksOf = (changes: readonly KeyChange[]): ChangedIndex['marks'] => ({
  put: changes.flatMap(({ key }) => (needsMark(key) ? [key] : [])),
  remove: changes.flatMap(({ before, key }) => (needsMark(before) && !needsMark(key) ? [key.watch.binding.id] : [])),
});
