/**
 * The daily pass compares the overview with the state, and writes again what a crash or a failing table has lost: the
 * rows of accounts and keys, their entries of the last day in the time index, and the counts of an owner.
 */
import canonicalize from 'canonicalize';
import type { AccountRecord } from '../accounts/account.ts';
import type { ChainSubject } from '../announcements/announcement.ts';
import { ofBinding } from '../announcements/publishingStores.ts';
import { type AuditEntry, type ChainHead, positionText, shownEntry } from '../audit/auditEntry.ts';
import { isGenuine } from '../audit/chainCheck.ts';
import type { ChainPage, ChainPageRequest } from '../audit/ports.ts';
import { retryLostRaces } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { iso } from '../base/time.ts';
import type { Watch } from '../watch/watch.ts';
import { compareService } from './compareService.ts';
import { type Counts, minus, ofAccount, ofKey, sum } from './counts.ts';
import type { OverviewDeps } from './deps.ts';
import {
  type IndexedAccount,
  type IndexedKey,
  type IndexPosition,
  indexedAccountOf,
  isSameAccount,
  positionOf,
  shownText,
} from './indexRows.ts';

type CompareDeps = Pick<
  OverviewDeps,
  | 'accounts'
  | 'bindings'
  | 'claims'
  | 'clock'
  | 'log'
  | 'overview'
  | 'overviewIndex'
  | 'pause'
  | 'rings'
  | 'timelineIndex'
>;

/** Two reads where nothing is missing, and one more for each entry of the last day. */
export async function compareAccount(record: AccountRecord, deps: CompareDeps): Promise<void> {
  const { overview, overviewIndex: index, accounts, log } = deps;
  const name = fold(record.name);
  const subject: ChainSubject = { kind: 'account', name, owner: record.owner };
  await addMissing(record, subject, record.owner, (page) => accounts.audit(name, record.instanceId, page), deps);
  if (record.lifecycle !== 'active') return;
  const wanted = indexedAccountOf(record);
  const rows = [await index.locate(record.owner, name), await index.account(wanted)];
  if (rows.every((row) => row !== undefined && isSameAccount(row, wanted))) return;
  log.warn('The overview did not have an account as it is', { account: name });
  await overview.accountNow(record);
}

export async function compareWatch(watch: Watch, deps: CompareDeps): Promise<void> {
  const { overview, overviewIndex: index, claims, bindings, log } = deps;
  const { id, vaultHost } = watch.binding;
  const owner = (await claims.find('vault', vaultHost))?.value.owner;
  if (owner === undefined) return;
  const held = { instanceId: id, audit: watch.audit };
  await addMissing(held, ofBinding(watch.binding), owner, (page) => bindings.audit(id, page), deps);
  const key = await index.key(owner, id);
  if (key === undefined || shownText(key.watch) === shownText(watch)) return;
  log.warn('The overview did not have a key as it is', { bindingId: id });
  await overview.watchNow(watch);
}

const dayMs = 86_400_000;
/** Longer than from one pass to the next. */
const comparedMs = dayMs + 3_600_000;
const entriesAtOnce = 100;

/** Entries of the last day that the time index does not have. Older ones were compared the day before. */
async function addMissing(
  { instanceId, audit: head }: { readonly instanceId: string; readonly audit: ChainHead },
  subject: ChainSubject,
  owner: string,
  read: (page: ChainPageRequest) => Promise<ChainPage>,
  { rings, timelineIndex, clock, log }: CompareDeps,
): Promise<void> {
  const { audit } = await rings();
  const since = iso(clock.now() - comparedMs);
  for (let last = head.sequence; last > 0; last -= entriesAtOnce) {
    const first = Math.max(1, last - entriesAtOnce + 1);
    const { rows } = await read({ limit: last - first + 1, after: positionText(first - 1) });
    const recent = rows.flatMap(({ entry }) => {
      const read = entry as AuditEntry | undefined;
      if (typeof read?.at !== 'string' || read.at <= since) return [];
      return isGenuine(read, (generation) => audit.kek(generation)) ? [read] : [];
    });
    const missing = await Promise.all(recent.map(async (entry) => ((await timelineIndex.has(entry)) ? [] : [entry])));
    const ours = missing.flat();
    if (ours.length > 0) {
      log.warn('The time line did not have audit entries', { chain: instanceId, count: ours.length });
      await timelineIndex.add(ours.map((entry) => ({ subject, owner, entry: shownEntry(entry) })));
    }
    if (recent.length < rows.length || rows.length === 0) return;
  }
}

const rowsPerCall = 1000;
const keysPerBatch = 90;

/** Removes accounts that are gone, and counts again what is there. Returns the counts of the owner. */
async function compareOwner(owner: string, deps: CompareDeps): Promise<Counts> {
  const { overviewIndex: index, accounts, overview, log } = deps;
  return retryLostRaces(async () => {
    const stored = await index.counts(owner);
    const keys = new Map<string, IndexedKey>();
    const found = new Map<string, number>();
    let keyless: Counts = {};
    let at: IndexPosition | undefined = { owner };
    while (at !== undefined) {
      const page = await index.ofOwner(at, rowsPerCall);
      at = undefined;
      for (const row of page.rows) {
        const id = row.kind === 'key' ? row.key.watch.binding.id : row.account.key?.bindingId;
        if (!page.isLast) at = positionOf(row);
        if (row.kind === 'key') keys.set(row.key.watch.binding.id, row.key);
        else if (!(await isPresent(row.account, accounts))) {
          log.warn('The overview had an account that is gone', { account: row.account.name });
          await overview.removeNow(row.account);
          return compareOwner(owner, deps);
        } else if (id === undefined) keyless = sum(keyless, ofAccount(row.account));
        else found.set(id, (found.get(id) ?? 0) + 1);
      }
    }
    const counted = [...keys.values()].map((key) => ({ ...key, accounts: found.get(key.watch.binding.id) ?? 0 }));
    const counts = sum(keyless, ...counted.filter((key) => key.accounts > 0).map(ofKey));
    const wrong = counted
      .filter((key) => key.accounts !== keys.get(key.watch.binding.id)?.accounts)
      .slice(0, keysPerBatch);
    const before = stored?.value ?? {};
    if (wrong.length === 0 && canonicalize(counts) === canonicalize(before)) return counts;
    log.warn('The overview did not count an owner as it is', { count: wrong.length });
    const changed = wrong.map((key) => ({
      bindingId: key.watch.binding.id,
      ...(key.accounts > 0 ? { value: key } : {}),
    }));
    await index.write(owner, { counts: { value: counts, etag: stored?.etag }, keys: changed });
    await overview.countNow(sum(counts, minus(before)));
    return counts;
  });
}

async function isPresent(account: IndexedAccount, { read }: CompareDeps['accounts']): Promise<boolean> {
  const stored = await read(account.name);
  if (stored?.value.lifecycle !== 'active' || stored.value.instanceId !== account.instanceId) return false;
  return indexedAccountOf(stored.value).key?.bindingId === account.key?.bindingId;
}

const ownersPerMessage = 50;

/** Compares some owners, and in the end the service. Returns the last owner, if there may be more after it. */
export async function compareOwners(after: string | undefined, deps: CompareDeps): Promise<string | undefined> {
  let owner = after;
  for (let count = 0; count < ownersPerMessage; count++) {
    owner = await deps.overviewIndex.nextOwner(owner);
    if (owner === undefined) {
      await compareService(deps);
      return undefined;
    }
    await compareOwner(owner, deps);
  }
  return owner;
}
