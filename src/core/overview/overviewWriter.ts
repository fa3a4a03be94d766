/**
 * Writes the overview in the background, after the state. No caller waits for it, and no caller fails with it: a change
 * that a crash or a failing table has lost is found by the daily pass (compareIndex.ts). A reader in the same process
 * waits for what this process has to write.
 *
 *   record or watch ─▶ committed with its entries ─▶ row of the account or key, with the counts of its owner, in one batch
 *                                                └─▶ in a moment: entries in the time index, and the counts of the service
 */
import type { AccountRecord } from '../accounts/account.ts';
import type { AccountsDeps } from '../accounts/deps.ts';
import type { ChainSubject } from '../announcements/announcement.ts';
import { ofBinding } from '../announcements/publishingStores.ts';
import { type AuditEntry, shownEntry } from '../audit/auditEntry.ts';
import { defined } from '../base/defined.ts';
import { lruCache } from '../base/lruCache.ts';
import { fold } from '../base/names.ts';
import { boundAccounts } from '../watch/boundAccounts.ts';
import type { Watch } from '../watch/watch.ts';
import { createBackgroundWork } from './backgroundWork.ts';
import type { Counts } from './counts.ts';
import {
  type IndexedAccount,
  type IndexedWatch,
  indexedAccountOf,
  indexedWatchOf,
  isMixed,
  isSameAccount,
  shownText,
} from './indexRows.ts';
import { type ChangedAccount, createOwnerRows, isLaterThan } from './ownerRows.ts';
import type { OverviewIndex, TimelineEntry, TimelineIndex } from './ports.ts';
import { createServiceCounts } from './serviceCounts.ts';

/** Notes what this process has committed. It is written in the background. */
export interface OverviewRecorder {
  /** An account was created, with the entries of its chain. */
  createdAccount(record: AccountRecord, entries: readonly AuditEntry[]): void;
  /** A record was saved. */
  account(record: AccountRecord, entries: readonly AuditEntry[]): void;
  /** A watch was created: no account is bound to it yet, and its vault may be about to be claimed. */
  createdWatch(watch: Watch, entries: readonly AuditEntry[]): void;
  /** A watch was saved. */
  watch(watch: Watch, entries: readonly AuditEntry[]): void;
  /** Entries of the service's own chain. */
  service(entries: readonly AuditEntry[]): void;
}

/**
 * Corrects the overview at once, for the daily pass: nothing that this process remembers is taken as known. Throws where
 * the recorder logs.
 */
export interface OverviewCorrection {
  accountNow(record: AccountRecord): Promise<void>;
  watchNow(watch: Watch): Promise<void>;
  /** Removes an account that is gone. */
  removeNow(account: IndexedAccount): Promise<void>;
  /** Adds to the counts of the service. */
  countNow(difference: Counts): Promise<void>;
}

export interface OverviewWriter extends OverviewRecorder, OverviewCorrection {
  /** Resolves when everything that was noted before is written, or has failed. */
  settled(): Promise<void>;
}

type WriterDeps = Pick<AccountsDeps, 'bindings' | 'claims' | 'clock' | 'log'> & {
  readonly overviewIndex: OverviewIndex;
  readonly timelineIndex: TimelineIndex;
  /** Resolves when changes have gathered that are written together. */
  readonly gather: () => Promise<void>;
};

/** Accounts and keys that this process remembers as written: 100 bytes each. */
const maxRemembered = 20_000;
const ownerMs = 60_000;
const maxWatches = 500;
const watchMs = 10_000;

export function createOverviewWriter(deps: WriterDeps): OverviewWriter {
  const { overviewIndex: index, timelineIndex, bindings, claims, clock, log, gather } = deps;
  const background = createBackgroundWork(gather, log);
  const serviceCounts = createServiceCounts(index);
  const known = { accounts: lruCache<IndexedAccount>(maxRemembered), keys: lruCache<string>(maxRemembered) };
  const owners = lruCache<{ readonly owner: string; readonly at: number }>(maxRemembered);
  /** Seen by this process just now: an account is bound right after its watch was saved. */
  const watches = lruCache<{ readonly watch: IndexedWatch; readonly at: number }>(maxWatches);
  let entriesWaiting: (() => Promise<readonly TimelineEntry[]>)[] = [];
  const rows = createOwnerRows({
    index,
    watchOf,
    onDifference(difference) {
      serviceCounts.add(difference);
      background.gathered('counts', serviceCounts.write);
    },
  });

  async function writeEntries(): Promise<void> {
    const taken = entriesWaiting;
    entriesWaiting = [];
    const entries = (await Promise.all(taken.map((one) => one()))).flat();
    if (entries.length > 0) await timelineIndex.add(entries);
  }

  const ownerOf = async (vaultHost: string): Promise<string | undefined> => {
    const remembered = owners.get(vaultHost);
    if (remembered !== undefined && clock.now() - remembered.at < ownerMs) return remembered.owner;
    const owner = (await claims.find('vault', vaultHost))?.value.owner;
    if (owner !== undefined) owners.set(vaultHost, { owner, at: clock.now() });
    return owner;
  };

  async function accountNow(record: AccountRecord, expected: ChangedAccount['expected']): Promise<void> {
    const { owner } = record;
    const name = fold(record.name);
    const next = record.lifecycle === 'active' ? indexedAccountOf(record) : undefined;
    await rows.account({ owner, name, next, expected, isOlderThan: (indexed) => isLaterThan(indexed, record) });
    if (next !== undefined) known.accounts.set(name, next);
    else known.accounts.delete(name);
  }

  async function watchOf(bindingId: string): Promise<IndexedWatch | undefined> {
    const seen = watches.get(bindingId);
    if (seen !== undefined && clock.now() - seen.at < watchMs) return seen.watch;
    const stored = await bindings.readWatch(bindingId);
    return stored && indexedWatchOf(stored.value);
  }

  async function watchNow(watch: Watch): Promise<void> {
    const { id, vaultHost } = watch.binding;
    const next = indexedWatchOf(watch);
    const owner = await ownerOf(vaultHost);
    if (owner === undefined) return;
    await rows.watch(owner, next, isMixed(watch) ? await countByVersion(watch) : undefined);
    known.keys.set(id, shownText(next));
    // What is down now is counted now.
    background.hurry();
  }

  async function countByVersion({ binding, versions }: Watch): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const version of Object.keys(versions)) {
      let count = 0;
      for await (const _ of boundAccounts(binding.id, { version }, deps)) count += 1;
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
      return entries.map((entry) => ({ subject, entry: shownEntry(entry), ...defined({ owner: known }) }));
    });
    background.gathered('timeline', writeEntries);
  }

  const ofAccount = (record: AccountRecord, entries: readonly AuditEntry[], expected: ChangedAccount['expected']) => {
    const name = fold(record.name);
    inTimeline({ kind: 'account', name, owner: record.owner }, entries, async () => record.owner);
    if (record.lifecycle === 'active' && record.encryption.type === 'CustomerKey')
      owners.set(record.encryption.binding.vaultHost, { owner: record.owner, at: clock.now() });
    const remembered = known.accounts.get(name);
    const isKnown =
      record.lifecycle === 'active' && remembered !== undefined && isSameAccount(remembered, indexedAccountOf(record));
    // A name that has another owner now is gone from the first one's rows.
    if (!isKnown) background.atOnce(`account:${record.owner}:${name}`, () => accountNow(record, expected));
  };

  return {
    createdAccount: (record, entries) => ofAccount(record, entries, 'created'),
    account: (record, entries) => ofAccount(record, entries, 'changed'),
    createdWatch(watch, entries) {
      watches.set(watch.binding.id, { watch: indexedWatchOf(watch), at: clock.now() });
      inTimeline(ofBinding(watch.binding), entries, async () => undefined);
    },
    watch(watch, entries) {
      const { id, vaultHost } = watch.binding;
      watches.set(id, { watch: indexedWatchOf(watch), at: clock.now() });
      inTimeline(ofBinding(watch.binding), entries, () => ownerOf(vaultHost));
      // Without entries a look has changed times, which the overview does not have; a process that is new to the key
      // assumes so.
      const text = shownText(watch);
      const remembered = known.keys.get(id);
      if (entries.length === 0 && remembered === undefined) known.keys.set(id, text);
      else if (remembered !== text) background.atOnce(`key:${id}`, () => watchNow(watch));
    },
    service(entries) {
      inTimeline({ kind: 'service' }, entries, async () => undefined);
    },
    settled: background.settled,
    async accountNow(record) {
      await accountNow(record, 'compared');
      await serviceCounts.write();
    },
    async watchNow(watch) {
      await watchNow(watch);
      await serviceCounts.write();
    },
    async removeNow(account) {
      await rows.removeAccount(account);
      known.accounts.delete(account.name);
      await serviceCounts.write();
    },
    async countNow(difference) {
      serviceCounts.add(difference);
      await serviceCounts.write();
    },
  };
}
