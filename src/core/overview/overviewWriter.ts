/**
 * Writes the overview in the background, after the state. No caller waits for it, and no caller fails with it: a change that a crash or
 * a failing table has lost is found by the daily pass (compareIndex.ts). A reader in the same process waits for what this process has to write.
 *
 *   record or watch ─▶ committed with its entries ─▶ row of the account or key, with the counts of its owner, in one batch
 *                                                └─▶ entries in the time index, those of concurrent changes together
 */
import pLimit from 'p-limit';
import type { AccountRecord } from '../accounts/account.ts';
import type { AccountsDeps } from '../accounts/deps.ts';
import type { ChainSubject } from '../announcements/announcement.ts';
import { ofBinding } from '../announcements/publishingStores.ts';
import type { AuditEntry } from '../audit/auditEntry.ts';
import { defined } from '../base/defined.ts';
import { describeError, retryLostRaces } from '../base/errors.ts';
import { keyedMutex } from '../base/keyedMutex.ts';
import { lruCache } from '../base/lruCache.ts';
import { fold } from '../base/names.ts';
import { boundAccounts } from '../watch/boundAccounts.ts';
import type { Watch } from '../watch/watch.ts';
import { type ChangedIndex, changedByAccount, changedByWatch } from './changeIndex.ts';
import { type Counts, sum } from './counts.ts';
import {
  type IndexedAccount,
  type IndexedKey,
  type IndexedWatch,
  indexedAccountOf,
  indexedWatchOf,
  isMixed,
  isNoOlder,
  isSameAccount,
  type MarkedKey,
  shownText,
} from './indexRows.ts';
import type { OverviewIndex, TimelineEntry, TimelineIndex } from './ports.ts';

export interface OverviewWriter {
  /** A record was saved, with the entries of its chain. */
  account(record: AccountRecord, entries: readonly AuditEntry[]): void;
  /** A watch was created: no account is bound to it yet, and its vault may be about to be claimed. */
  createdWatch(watch: Watch, entries: readonly AuditEntry[]): void;
  /** A watch was saved. */
  watch(watch: Watch, entries: readonly AuditEntry[]): void;
  /** Entries of the service's own chain. */
  service(entries: readonly AuditEntry[]): void;
  /** Resolves when everything that was noted before is written, or has failed. */
  settled(): Promise<void>;
  /** The same at once, for the daily pass: nothing that this process remembers is taken as known. Throws where `account` logs. */
  accountNow(record: AccountRecord): Promise<void>;
  watchNow(watch: Watch): Promise<void>;
  /** Removes an account that is gone. */
  removeNow(account: IndexedAccount): Promise<void>;
  /** Adds to the counts of the service. */
  countNow(difference: Counts): Promise<void>;
}

type WriterDeps = Pick<AccountsDeps, 'bindings' | 'claims' | 'clock' | 'log'> & {
  readonly overviewIndex: OverviewIndex;
  readonly timelineIndex: TimelineIndex;
};

const atOnce = 8;
/** Accounts and keys that this process remembers as written: 100 bytes each. */
const mostRemembered = 20_000;
const ownerMs = 60_000;
const mostWatches = 500;
const watchMs = 10_000;
/** A key with so few accounts is marked together with them. */
const fewAccounts = 10;

export function createOverviewWriter(tools: WriterDeps): OverviewWriter {
  const { overviewIndex: index, timelineIndex, bindings, claims, clock, log } = tools;
  const waiting = new Map<string, () => Promise<void>>();
  const limit = pLimit(atOnce);
  const perOwner = keyedMutex();
  const known = { accounts: lruCache<IndexedAccount>(mostRemembered), keys: lruCache<string>(mostRemembered) };
  const owners = lruCache<{ readonly owner: string; readonly at: number }>(mostRemembered);
  /** Seen by this process just now: an account is bound right after its watch was saved. */
  const watches = lruCache<{ readonly watch: IndexedWatch; readonly at: number }>(mostWatches);
  let entriesWaiting: (() => Promise<readonly TimelineEntry[]>)[] = [];
  let differenceWaiting: Counts = {};
  let work: Promise<void> | undefined;

  /** A later change of the same subject replaces one that has not started. */
  function later(subject: string, task: () => Promise<void>): void {
    waiting.set(subject, task);
    work ??= workOff().finally(() => {
      work = undefined;
    });
  }

  /** Never rejects. A turn of the event loop first, so that concurrent changes share their writes. */
  async function workOff(): Promise<void> {
    await Promise.resolve();
    while (waiting.size > 0) {
      const tasks = [...waiting];
      waiting.clear();
      await Promise.all(tasks.map(([subject, task]) => limit(() => logged(subject, task))));
      await logged('counts', writeCounts);
    }
  }

  async function logged(subject: string, task: () => Promise<void>): Promise<void> {
    try {
      await task();
    } catch (error) {
      log.warn('The overview was not updated', { row: subject, error: describeError(error) });
    }
  }

  async function writeEntries(): Promise<void> {
    const taken = entriesWaiting;
    entriesWaiting = [];
    const entries = (await Promise.all(taken.map((one) => one()))).flat();
    if (entries.length > 0) await timelineIndex.add(entries);
  }

  async function writeCounts(): Promise<void> {
    const difference = differenceWaiting;
    differenceWaiting = {};
    if (Object.keys(difference).length === 0) return;
    try {
      await retryLostRaces(async () => {
        const counts = await index.counts();
        await index.writeCounts(sum(counts?.value ?? {}, difference), counts?.etag);
      });
    } catch (error) {
      differenceWaiting = sum(differenceWaiting, difference);
      throw error;
    }
  }

  const ownerOf = async (vaultHost: string): Promise<string | undefined> => {
    const remembered = owners.get(vaultHost);
    if (remembered !== undefined && clock.now() - remembered.at < ownerMs) return remembered.owner;
    const owner = (await claims.find('vault', vaultHost))?.value.owner;
    if (owner !== undefined) owners.set(vaultHost, { owner, at: clock.now() });
    return owner;
  };

  /** The mark of a key that is not well comes before its row, and that of a key that is well again goes after it. */
  async function write(owner: string, { change, difference, marks }: ChangedIndex): Promise<void> {
    for (const key of marks.put) await index.mark({ key });
    await index.write(owner, change);
    differenceWaiting = sum(differenceWaiting, difference);
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

  async function accountNow(record: AccountRecord): Promise<void> {
    const name = fold(record.name);
    const located = await index.locate(name);
    const next = record.lifecycle === 'active' ? indexedAccountOf(record) : undefined;
    const was = located?.value;
    if (was !== undefined && isLaterThan(was, record)) return;
    // An account never changes its owner; a later one of the same name can have another.
    if (was !== undefined && was.owner !== record.owner) await apply(was, undefined);
    await apply(was?.owner === record.owner ? was : undefined, next, record.owner);
    if (next !== undefined) await index.setLocation(next);
    else if (located !== undefined) await index.removeLocation(located);
    if (next !== undefined) known.accounts.set(name, next);
    else known.accounts.delete(name);
  }

  function apply(
    from: IndexedAccount | undefined,
    next: IndexedAccount | undefined,
    owner = from?.owner ?? '',
  ): Promise<void> {
    return perOwner(owner, () =>
      retryLostRaces(async () => {
        const counts = await index.counts(owner);
        const isMoved = from !== undefined && from.key?.bindingId !== next?.key?.bindingId;
        const [was, is, oldKey, newKey] = await Promise.all([
          from === undefined ? undefined : index.account(from),
          next === undefined ? undefined : index.account(next),
          isMoved || next === undefined ? keyOf(from) : undefined,
          keyOf(next),
        ]);
        if (was === undefined && next === undefined) return;
        const isNew = newKey === undefined && next?.key !== undefined;
        const watch = isNew ? await watchOf(next.key.bindingId) : undefined;
        await write(owner, changedByAccount({ counts, was, is, oldKey, newKey, ...defined({ watch }) }, next));
      }),
    );
  }

  async function watchOf(bindingId: string): Promise<IndexedWatch | undefined> {
    const seen = watches.get(bindingId);
    if (seen !== undefined && clock.now() - seen.at < watchMs) return seen.watch;
    const stored = await bindings.readWatch(bindingId);
    return stored && indexedWatchOf(stored.value);
  }

  const keyOf = async (account: IndexedAccount | undefined): Promise<IndexedKey | undefined> =>
    account?.key === undefined ? undefined : index.key(account.owner, account.key.bindingId);

  async function watchNow(watch: Watch): Promise<void> {
    const { id, vaultHost } = watch.binding;
    const next = indexedWatchOf(watch);
    const owner = await ownerOf(vaultHost);
    if (owner === undefined) return;
    const byVersion = isMixed(watch) ? await countByVersion(watch) : undefined;
    await perOwner(owner, () =>
      retryLostRaces(async () => {
        const counts = await index.counts(owner);
        const key = await index.key(owner, id);
        if (key !== undefined && isNoOlder(next, key.watch))
          await write(owner, changedByWatch(key, counts, next, byVersion));
      }),
    );
    known.keys.set(id, shownText(next));
  }

  async function countByVersion({ binding, versions }: Watch): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const version of Object.keys(versions)) {
      let count = 0;
      for await (const _ of boundAccounts(binding.id, { version }, tools)) count += 1;
      counts[version] = count;
    }
    return counts;
  }

  function inTimeline(
    subject: ChainSubject,
    entries: readonly AuditEntry[],
    owner: () => Promise<string | undefined>,
  ): void {
    if (entries.length === 0) return;
    entriesWaiting.push(async () => {
      const known = await owner();
      return entries.map((entry) => ({ subject, entry, ...defined({ owner: known }) }));
    });
    later('timeline', writeEntries);
  }

  return {
    account(record, entries) {
      inTimeline({ kind: 'account', name: fold(record.name), owner: record.owner }, entries, async () => record.owner);
      if (record.lifecycle === 'active' && record.encryption.type === 'CustomerKey')
        owners.set(record.encryption.binding.vaultHost, { owner: record.owner, at: clock.now() });
      const remembered = known.accounts.get(fold(record.name));
      const isKnown =
        record.lifecycle === 'active' &&
        remembered !== undefined &&
        isSameAccount(remembered, indexedAccountOf(record));
      if (!isKnown) later(`account:${fold(record.name)}`, () => accountNow(record));
    },
    createdWatch(watch, entries) {
      watches.set(watch.binding.id, { watch: indexedWatchOf(watch), at: clock.now() });
      inTimeline(ofBinding(watch.binding), entries, async () => undefined);
    },
    watch(watch, entries) {
      const { id, vaultHost } = watch.binding;
      watches.set(id, { watch: indexedWatchOf(watch), at: clock.now() });
      inTimeline(ofBinding(watch.binding), entries, () => ownerOf(vaultHost));
      // Without entries a look has changed times, which the overview does not have; a process that is new to the key assumes so.
      const text = shownText(watch);
      const remembered = known.keys.get(id);
      if (entries.length === 0 && remembered === undefined) known.keys.set(id, text);
      else if (remembered !== text) later(`key:${id}`, () => watchNow(watch));
    },
    service(entries) {
      inTimeline({ kind: 'service' }, entries, async () => undefined);
    },
    async settled() {
      while (work !== undefined) await work;
    },
    async accountNow(record) {
      await accountNow(record);
      await writeCounts();
    },
    async watchNow(watch) {
      await watchNow(watch);
      await writeCounts();
    },
    async removeNow(account) {
      await apply(account, undefined);
      const located = await index.locate(account.name);
      if (located?.value.instanceId === account.instanceId) await index.removeLocation(located);
      known.accounts.delete(account.name);
      await writeCounts();
    },
    async countNow(difference) {
      differenceWaiting = sum(differenceWaiting, difference);
      await writeCounts();
    },
  };
}

/** The index has a later state of the account, or a later account of the name. A deletion is the last state of an account. */
const isLaterThan = (was: IndexedAccount, { instanceId, revision, createdAt, lifecycle }: AccountRecord): boolean =>
  was.instanceId === instanceId ? was.revision > revision && lifecycle === 'active' : was.createdAt > createdAt;
