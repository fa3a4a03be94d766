/**
 * What one process remembers of accounts between two reveals: the record as it was read a moment ago, so that record and secret
 * need not be read one after the other. The watch, which says whether the account may be served at all, is read every time.
 *
 * Why that refuses in time (INV-3): another instance may have moved the account to another key meanwhile. That key was proven
 * at the move, and no key is confirmed as lost within `lookSpacingSeconds` of a good look; a record is remembered no longer. A
 * re-wrap stays within the binding, so what is remembered counts only while *all* versions of the watch are accessible. And
 * whatever fails with a remembered record is tried again with a fresh one before anybody is told.
 */
import { LRUCache } from 'lru-cache';
import pLimit, { type LimitFunction } from 'p-limit';
import type { Clock } from '../base/effects.ts';
import { fold } from '../base/names.ts';
import type { Policy } from '../base/policy.ts';
import type { BindingStore } from '../watch/ports.ts';
import type { AccountView, ActiveAccount } from './account.ts';
import type { AccountStore } from './ports.ts';
import { findAccount } from './readAccount.ts';

export interface KnownAccount {
  /** Undefined when there is no such account, or it is being deleted. */
  readonly view: AccountView | undefined;
  readonly isRemembered: boolean;
}

export interface AccountMemory {
  /** The account as it stands, of a record that may be a few seconds old. */
  view(name: string): Promise<KnownAccount>;
  forget(name: string): void;
  /** The binding that the account's record named when it was last read here: a guess. */
  bindingOf(foldedName: string): string | undefined;
  noteBinding(foldedName: string, bindingId: string | undefined): void;
  /** Work of this process that would otherwise race for one row, an account's or a resource's, one after the other. */
  inTurn<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Those of which this process has told no alarm within a minute: the caller is to, or forgets that it was. */
  toAlarm(ids: readonly string[]): string[];
  forgetAlarms(ids: readonly string[]): void;
}

interface Remembered {
  readonly record: ActiveAccount;
  readonly etag: string;
  /** By the monotonic clock, before the read began. */
  readonly at: number;
}

const accountsAtOnce = 5_000;
const bindingsAtOnce = 50_000;
const alarmsAtOnce = 10_000;
const alarmEveryMs = 60_000;

export function createAccountMemory(
  tools: { readonly accounts: AccountStore; readonly bindings: BindingStore; readonly clock: Clock },
  policy: Pick<Policy, 'lookSpacingSeconds'>,
): AccountMemory {
  const records = new LRUCache<string, Remembered>({ max: accountsAtOnce });
  const bindingIds = new LRUCache<string, string>({ max: bindingsAtOnce });
  const turns = new LRUCache<string, LimitFunction>({ max: accountsAtOnce });
  const alarms = new LRUCache<string, number>({ max: alarmsAtOnce });
  const { clock } = tools;

  async function remembered(name: string): Promise<AccountView | undefined> {
    const known = records.get(name);
    if (known === undefined || clock.monotonic() - known.at >= policy.lookSpacingSeconds * 1000) return undefined;
    const { record, etag } = known;
    if (record.encryption.type === 'SystemKey') return { record, etag };
    const watch = (await tools.bindings.readWatch(record.encryption.binding.id))?.value;
    if (watch?.versions[record.encryption.version] === undefined) return undefined;
    const isAccessible = Object.values(watch.versions).every(({ status }) => status === 'Accessible');
    return isAccessible ? { record, etag, watch } : undefined;
  }

  return {
    async view(asked) {
      const name = fold(asked);
      const recent = await remembered(name);
      if (recent !== undefined) return { view: recent, isRemembered: true };
      const at = clock.monotonic();
      const view = await findAccount(name, tools);
      if (view === undefined) records.delete(name);
      else records.set(name, { record: view.record, etag: view.etag, at });
      return { view, isRemembered: false };
    },
    forget(name) {
      records.delete(fold(name));
      bindingIds.delete(fold(name));
    },
    bindingOf: (name) => bindingIds.get(name),
    noteBinding(name, bindingId) {
      if (bindingId === undefined) bindingIds.delete(name);
      else bindingIds.set(name, bindingId);
    },
    inTurn(name, work) {
      const turn = turns.get(fold(name)) ?? pLimit(1);
      turns.set(fold(name), turn);
      return turn(work);
    },
    toAlarm(ids) {
      const now = clock.monotonic();
      const news = ids.filter((id) => (alarms.get(id) ?? Number.NEGATIVE_INFINITY) <= now - alarmEveryMs);
      for (const id of news) alarms.set(id, now);
      return news;
    },
    forgetAlarms(ids) {
      for (const id of ids) alarms.delete(id);
    },
  };
}

/** The store, with every change of this process forgotten in its memory. */
export function forgetful(accounts: AccountStore, memory: AccountMemory): AccountStore {
  const afterwards = (change: Promise<void>, name: string) => change.finally(() => memory.forget(name));
  return {
    read: (name) => accounts.read(name),
    audit: (...asked) => accounts.audit(...asked),
    kept: (...asked) => accounts.kept(...asked),
    tombstone: (...asked) => accounts.tombstone(...asked),
    tombstones: (...asked) => accounts.tombstones(...asked),
    names: (limit, after) => accounts.names(limit, after),
    create: (record, entries) => afterwards(accounts.create(record, entries), record.name),
    save: (record, entries) => afterwards(accounts.save(record, entries), record.value.name),
    bury: (record) => afterwards(accounts.bury(record), record.value.name),
  };
}
