/**
 * Account records that this process read within the last seconds. With them a reveal reads record and secret at the
 * same time instead of one after the other. The watch decides whether the account may be served, and is read every
 * time.
 *
 * Why a revocation is still refused in time (INV-3): another instance may have changed the account's key since. That
 * change proved the new key by a remote unwrap, and no key is confirmed as lost within `lookSpacingSeconds` of a good
 * look; a record is not used for longer than that. A re-wrap stays within the binding, so a cached record counts only
 * while *all* versions of the watch are accessible. A call that fails with a cached record is tried again with a fresh
 * one before it is refused.
 */
import { lruCache } from '../base/lruCache.ts';
import { fold } from '../base/names.ts';
import type { Policy } from '../base/policy.ts';
import { isAccessible } from '../watch/watch.ts';
import type { AccountView, ActiveAccount } from './account.ts';
import type { AccountRemover, AccountWriter } from './ports.ts';
import type { AccountCache } from './processState.ts';
import { findAccount, type ReadDeps } from './readAccount.ts';
import type { WatchReader } from './watchReader.ts';

interface Remembered {
  readonly record: ActiveAccount;
  readonly etag: string;
  /** By the monotonic clock, before the read began. */
  readonly at: number;
}

const accountsAtOnce = 5_000;
const bindingsAtOnce = 50_000;

export function createAccountCache(
  deps: ReadDeps,
  policy: Pick<Policy, 'lookSpacingSeconds'>,
  watches: WatchReader,
): AccountCache {
  const records = lruCache<Remembered>(accountsAtOnce);
  const bindingIds = lruCache<string>(bindingsAtOnce);
  const { clock } = deps;

  async function findRemembered(name: string): Promise<AccountView | undefined> {
    const known = records.get(name);
    if (known === undefined || clock.monotonic() - known.at >= policy.lookSpacingSeconds * 1000) return undefined;
    const { record, etag } = known;
    const readAt = clock.now();
    if (record.encryption.type === 'SystemKey') return { record, etag, readAt };
    const watch = await watches.read(record.encryption.binding.id, deps.bindings);
    if (watch?.versions[record.encryption.version] === undefined) return undefined;
    return isAccessible(watch) ? { record, etag, watch, readAt } : undefined;
  }

  const cache: AccountCache = {
    async view(requested) {
      const name = fold(requested);
      const recent = await findRemembered(name);
      if (recent !== undefined) return { view: recent, isRemembered: true };
      const at = clock.monotonic();
      const view = await findAccount(name, { ...deps, accountCache: cache });
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
    readWatch: (...requested) => watches.read(...requested),
  };
  return cache;
}

/** The store. Every change by this process invalidates the cached record. */
export function invalidatingStore<Store extends AccountWriter & AccountRemover>(
  accounts: Store,
  cache: AccountCache,
): Store {
  const afterwards = <T>(change: Promise<T>, name: string) => change.finally(() => cache.forget(name));
  return {
    ...accounts,
    create: (record, entries) => afterwards(accounts.create(record, entries), record.name),
    save: (record, entries) => afterwards(accounts.save(record, entries), record.value.name),
    saveWithSecret: (record, entries, secret) =>
      afterwards(accounts.saveWithSecret(record, entries, secret), record.value.name),
    replaceWithTombstone: (record) => afterwards(accounts.replaceWithTombstone(record), record.value.name),
  };
}
