/**
 * Writes the rows of an owner together with the owner's counts, in one batch. Every write of the partition is
 * conditional on the counts. So while a process has the ETag of its own last write, it knows that no row has changed
 * since, and it reads only the rows that it needs.
 */
import type { AccountRecord } from '../accounts/account.ts';
import { defined } from '../base/defined.ts';
import { retryLostRaces } from '../base/errors.ts';
import { keyedMutex } from '../base/keyedMutex.ts';
import { lruCache } from '../base/lruCache.ts';
import type { Stored } from '../base/stored.ts';
import { type ChangedIndex, changedByAccount, changedByWatch } from './changeIndex.ts';
import type { Counts } from './counts.ts';
import { type IndexedAccount, type IndexedKey, type IndexedWatch, isNoOlder, type MarkedKey } from './indexRows.ts';
import type { OverviewIndex } from './ports.ts';

export interface ChangedAccount {
  readonly owner: string;
  readonly name: string;
  /** Absent: it is gone. */
  readonly next: IndexedAccount | undefined;
  /**
   * `created`: no row of it is expected. `changed`: its rows are as this module wrote them. `compared`: each row is
   * read, as after a lost race.
   */
  readonly expected: 'created' | 'changed' | 'compared';
  /** The index has a later state, which stays. */
  readonly isOlderThan: (indexed: IndexedAccount) => boolean;
}

export interface OwnerRows {
  account(change: ChangedAccount): Promise<void>;
  /** Removes the row of an account that is gone from there. */
  removeAccount(account: IndexedAccount): Promise<void>;
  watch(owner: string, watch: IndexedWatch, byVersion: IndexedKey['byVersion']): Promise<void>;
}

interface OwnerDeps {
  readonly index: OverviewIndex;
  /** Of a key that the index does not have. */
  readonly watchOf: (bindingId: string) => Promise<IndexedWatch | undefined>;
  /** The counts of an owner have changed. */
  readonly onDifference: (difference: Counts) => void;
}

const maxOwners = 2_000;
/** A key with so few accounts is marked together with them. */
const fewAccounts = 10;

export function createOwnerRows({ index, watchOf, onDifference }: OwnerDeps): OwnerRows {
  const serialize = keyedMutex();
  const known = lruCache<Stored<Counts>>(maxOwners);

  /** `isFirst`: what this process remembers counts. */
  const change = (
    owner: string,
    attempt: (counts: Stored<Counts> | undefined, isFirst: boolean) => Promise<ChangedIndex | undefined>,
  ): Promise<void> =>
    serialize(owner, async () => {
      let isFirst = true;
      await retryLostRaces(async () => {
        const [first, remembered] = [isFirst, isFirst ? known.get(owner) : undefined];
        isFirst = false;
        const counts = remembered ?? (await index.counts(owner));
        const changed = await attempt(counts, first);
        // Until the write succeeds.
        known.delete(owner);
        if (changed !== undefined) await write(owner, changed);
      });
    });

  /** The mark of a key that is not well comes before its row, and that of a key that is well again goes after it. */
  async function write(owner: string, { change, difference, marks }: ChangedIndex): Promise<void> {
    for (const key of marks.put) await index.mark({ key });
    known.set(owner, { value: change.counts.value, etag: await index.write(owner, change) });
    onDifference(difference);
    for (const key of marks.put.filter(({ accounts }) => accounts <= fewAccounts))
      await index.mark(await withAccounts(key));
    for (const bindingId of marks.remove) await index.unmark(owner, bindingId);
  }

  /** With its few accounts beside it, a marked key costs a reader no call of its own. */
  async function withAccounts(key: IndexedKey): Promise<MarkedKey> {
    const bindingId = key.watch.binding.id;
    const { rows } = await index.ofOwner({ owner: key.owner, bindingId }, fewAccounts + 1);
    const accounts = rows.flatMap((row) =>
      row.kind === 'account' && row.account.key?.bindingId === bindingId ? [row.account] : [],
    );
    return accounts.length === key.accounts ? { key, accounts } : { key };
  }

  const keyOf = async (account: IndexedAccount | undefined): Promise<IndexedKey | undefined> =>
    account?.key === undefined ? undefined : index.key(account.owner, account.key.bindingId);

  async function computeChange(
    counts: Stored<Counts> | undefined,
    was: IndexedAccount | undefined,
    is: IndexedAccount | undefined,
    next: IndexedAccount | undefined,
  ): Promise<ChangedIndex> {
    const isMoved = was !== undefined && (next === undefined || !isUnderSameKey(was, next));
    const [oldKey, newKey] = await Promise.all([isMoved ? keyOf(was) : undefined, keyOf(next)]);
    const isNew = newKey === undefined && next?.key !== undefined;
    const watch = isNew ? await watchOf(next.key.bindingId) : undefined;
    return changedByAccount({ counts, was, is, oldKey, newKey, ...defined({ watch }) }, next);
  }

  /** The rows of an account where it was and where it belongs. A location and the row that it names are one write. */
  const read = async (located: IndexedAccount | undefined, next: IndexedAccount | undefined) => ({
    was: located && (await index.account(located)),
    is: next && (await index.account(next)),
  });
  const asLocated = (located: IndexedAccount | undefined, next: IndexedAccount | undefined) => ({
    was: located,
    is: located !== undefined && next !== undefined && isUnderSameKey(located, next) ? located : undefined,
  });

  return {
    account: ({ owner, name, next, expected, isOlderThan }) =>
      change(owner, async (counts, isFirst) => {
        const isCreated = isFirst && expected === 'created' && next !== undefined;
        const located = isCreated ? undefined : await index.locate(owner, name);
        if (located === undefined ? next === undefined : isOlderThan(located)) return undefined;
        const { was, is } = isFirst && expected !== 'compared' ? asLocated(located, next) : await read(located, next);
        const { change, ...effects } = await computeChange(counts, was, is, next);
        const more = { ...(next === undefined ? { removeLocation: name } : {}), ...(isCreated ? { isCreated } : {}) };
        return { ...effects, change: { ...change, ...more } };
      }),

    removeAccount: (account) =>
      change(account.owner, async (counts) => {
        const row = await index.account(account);
        const located = await index.locate(account.owner, account.name);
        const isLocation = located?.instanceId === account.instanceId && isUnderSameKey(located, account);
        if (row === undefined && !isLocation) return undefined;
        const { change, ...effects } = await computeChange(counts, row, undefined, undefined);
        return { ...effects, change: { ...change, ...(isLocation ? { removeLocation: account.name } : {}) } };
      }),

    watch: (owner, watch, byVersion) =>
      change(owner, async (counts) => {
        const key = await index.key(owner, watch.binding.id);
        if (key === undefined || !isNoOlder(watch, key.watch)) return undefined;
        return changedByWatch(key, counts, watch, byVersion);
      }),
  };
}

const isUnderSameKey = (one: IndexedAccount, other: IndexedAccount): boolean =>
  one.key?.bindingId === other.key?.bindingId;

/**
 * The index has a later state of the account, or a later account of the name. A deletion is the last state of an
 * account, and changes no other account of the name, so the clocks of two hosts do not matter to it.
 */
export const isLaterThan = (
  was: IndexedAccount,
  { instanceId, revision, createdAt, lifecycle }: AccountRecord,
): boolean =>
  was.instanceId === instanceId
    ? was.revision > revision && lifecycle === 'active'
    : lifecycle !== 'active' || was.createdAt > createdAt;
