/**
 * The use of a key by version: rows say which accounts to read, and each account's record says what wraps it. It costs
 * reads in proportion to the key's own accounts, for any number of other accounts.
 */

import pLimit from 'p-limit';
import type { Cause } from '../base/causes.ts';
import { unlessDamaged } from '../base/damagedRow.ts';
import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import { vaultIdOf } from '../customerKey/binding.ts';
import { type KeyIdentifier, parseKeyIdentifier } from '../customerKey/keyIdentifier.ts';
import { type BoundRow, boundAccounts } from '../watch/boundAccounts.ts';
import { unreadableNewest } from '../watch/newestVersion.ts';
import type { Rotation, Watch } from '../watch/watch.ts';
import type { RotationDeps } from './deps.ts';
import { isLongNotLatest, notLatestSince } from './latestVersion.ts';
import { boundIn, type CustomerKeyAccount, isNamed } from './rewrapAccount.ts';

export interface VersionUsage {
  readonly version: string;
  readonly accounts: number;
  /** The number of these that are pinned to the version: only their owner can change them. */
  readonly pinned: number;
  /** Absent: the newest version of the key is not known now. */
  readonly isLatest?: boolean;
  readonly notLatestSince?: EpochMs;
  readonly safeToDisable: boolean;
}

export interface KeyUsage {
  readonly key: KeyIdentifier;
  /** When the read began: later changes may not be in it. */
  readonly asOf: EpochMs;
  readonly versions: readonly VersionUsage[];
  readonly rotations: readonly RotationUsage[];
  /** Since when the newest version cannot be read, and why. Absent: it was read at the last try. */
  readonly newestUnknown?: { readonly since: EpochMs; readonly cause: Cause };
  readonly unusable: readonly { readonly version: string; readonly cause: Cause; readonly since: EpochMs }[];
}

/** One for each binding (identity, tenant) of the key with a rotation in progress. */
export type RotationUsage = Rotation & { readonly left: number; readonly status?: WatchStatus };

/** The number of accounts that are read in parallel. */
export const readsAtOnce = 16;

/** @throws Refusal NotFound when no account uses the key. */
export async function keyUsage(keyIdentifier: string, deps: RotationDeps): Promise<KeyUsage> {
  const asOf = deps.clock.now();
  const key = parseKeyIdentifier(keyIdentifier, deps.cloud);
  const watches = await watchesOf(key, deps);
  const counts = await Promise.all(watches.map((watch) => countByVersion(watch, deps)));
  const versions = new Set(watches.flatMap(knownVersions).concat(counts.flatMap((count) => [...count.keys()])));
  return {
    key,
    asOf,
    versions: [...versions].map((version) => usageOf(version, watches, counts, asOf, deps)),
    rotations: watches.flatMap((watch, n) => rotationOf(watch, counts[n] ?? new Map())),
    ...defined({ newestUnknown: watches.flatMap((watch) => unreadableNewest(watch) ?? [])[0] }),
    unusable: watches.flatMap(({ unusableVersion }) => unusableVersion ?? []),
  };
}

/** The watch of every binding of the key, for every identity and tenant. */
export async function watchesOf(key: KeyIdentifier, deps: RotationDeps): Promise<Watch[]> {
  const ids = await deps.vaults.bindings(vaultIdOf(key.vaultHost));
  const stored = await Promise.all(ids.map((id) => deps.bindings.readWatch(id)));
  // The rows that name bindings are only hints: a copied one can name a binding of another vault (INV-13).
  const isOfKey = ({ binding }: Watch) => binding.keyName === key.keyName && binding.vaultHost === key.vaultHost;
  const watches = stored.flatMap((one) => (one !== undefined && isOfKey(one.value) ? [one.value] : []));
  if (watches.length > 0) return watches;
  throw new Refusal('NotFound', 'No account uses this key.', { target: 'keyIdentifier' });
}

const knownVersions = ({ versions, latest, unusableVersion, superseded }: Watch): string[] => [
  ...Object.keys(versions),
  ...Object.keys(superseded ?? {}),
  ...[latest?.version, unusableVersion?.version].filter((version) => version !== undefined),
];

interface Count {
  following: number;
  pinned: number;
}

async function countByVersion({ binding }: Watch, deps: RotationDeps): Promise<Map<string, Count>> {
  const counts = new Map<string, Count>();
  const limit = pLimit(readsAtOnce);
  const reads: Promise<void>[] = [];
  for await (const row of boundAccounts(binding.id, {}, deps)) {
    const read = async () => {
      const account = await accountOfRow(row, binding.id, deps);
      if (account === undefined) return;
      // The content of a damaged record is unknown. Its account counts where its row is, so that no version looks
      // unused.
      const { version, follows } = account === 'damaged' ? row.value : account.encryption;
      const count = counts.get(version) ?? { following: 0, pinned: 0 };
      count[follows ? 'following' : 'pinned'] += 1;
      counts.set(version, count);
    };
    reads.push(limit(read));
  }
  await Promise.all(reads);
  return counts;
}

/** The account of a row, if its record equals the row: so it counts once, also with left-over rows. */
export async function accountOfRow(
  row: BoundRow,
  bindingId: string,
  deps: Pick<RotationDeps, 'accounts'>,
): Promise<CustomerKeyAccount | 'damaged' | undefined> {
  const stored = await unlessDamaged(deps.accounts.read(row.value.name));
  if (stored === 'damaged') return stored;
  const account = boundIn(stored);
  return account !== undefined && isNamed(account, row, bindingId) ? account : undefined;
}

function usageOf(
  version: string,
  watches: readonly Watch[],
  counts: readonly Map<string, Count>[],
  asOf: EpochMs,
  { policy }: RotationDeps,
): VersionUsage {
  const sum = (of: (count: Count) => number) =>
    counts.reduce((total, count) => total + of(count.get(version) ?? { following: 0, pinned: 0 }), 0);
  const accounts = sum(({ following, pinned }) => following + pinned);
  const since = watches.map((watch) => notLatestSince(watch, version));
  const known = since.filter((at) => at !== undefined);
  // Each binding reads the vault at its own time: the last one to find out decides.
  const left = known.length < since.length ? undefined : Math.max(...known);
  // One binding that has read the newest version speaks for the key, and none that cannot read it.
  const readers = watches.filter((watch) => watch.latest !== undefined && unreadableNewest(watch) === undefined);
  const isLatest = readers.length === 0 ? undefined : readers.some(({ latest }) => latest?.version === version);
  return {
    version,
    accounts,
    pinned: sum(({ pinned }) => pinned),
    ...defined({ isLatest }),
    ...defined({ notLatestSince: left }),
    safeToDisable: accounts === 0 && isLongNotLatest(left, asOf, policy),
  };
}

function rotationOf({ rotation, versions }: Watch, counts: ReadonlyMap<string, Count>): RotationUsage[] {
  if (rotation === undefined) return [];
  const outdated = [...counts].filter(([version]) => version !== rotation.to);
  const left = outdated.reduce((total, [, { following }]) => total + following, 0);
  const status = versions[rotation.to]?.status;
  return [{ ...rotation, left, ...defined({ status }) }];
}

export interface Holder {
  readonly account: string;
  readonly owner: string;
  readonly follows: boolean;
  readonly keyIdentifier: string;
}

export interface HolderPage {
  readonly holders: readonly Holder[];
  readonly next?: string;
}

/**
 * The accounts whose records name the version, a page of rows at a time: a page can hold fewer, or none, and still not
 * be the last. @throws Refusal NotFound | InvalidParameter
 */
export async function holdersOf(
  keyIdentifier: string,
  version: string,
  page: { readonly limit: number; readonly after?: string },
  deps: RotationDeps,
): Promise<HolderPage> {
  const watches = await watchesOf(parseKeyIdentifier(keyIdentifier, deps.cloud), deps);
  const ids = watches.map(({ binding }) => binding.id);
  const [id = '', from = ''] = page.after?.split('|') ?? [ids[0]];
  const at = ids.indexOf(id);
  if (at < 0 || (from !== '' && !from.startsWith(`bound:${version}:`)))
    throw new Refusal('InvalidParameter', '$skipToken must come from a nextLink of this list.', {
      target: '$skipToken',
    });
  const request = { version, limit: page.limit, ...(from === '' ? {} : { from }) };
  const { rows, next } = await deps.bindings.accounts(id, request);
  const holders = await Promise.all(rows.map((row) => holderOf(row, id, deps)));
  const following = next === undefined ? ids[at + 1] : `${id}|${next}`;
  const found = holders.filter((holder) => holder !== undefined);
  return { holders: found, ...defined({ next: following }) };
}

async function holderOf(row: BoundRow, bindingId: string, deps: RotationDeps): Promise<Holder | undefined> {
  const account = await accountOfRow(row, bindingId, deps);
  if (account === undefined || account === 'damaged') return undefined;
  const { name, owner } = account.stored.value;
  const { follows, keyIdentifier } = account.encryption;
  return { account: name, owner, follows, keyIdentifier };
}
