/**
 * Once a day, page by page, a pass over everything finds what no other path would: an account whose bound row is
 * missing, so that no look covers it, or whose name is missing in LIST (raises an alarm and restores the row); one
 * whose secrets are still under an older key although no pass runs; and rows that accounts have left behind (deletes
 * them). Pages of accounts and ranges of vaults are messages of their own, so that any number of hosts does the pass,
 * and none collects a whole table.
 */

import pLimit from 'p-limit';
import { wrappedByOf } from './accounts/account.ts';
import { finishDelete } from './accounts/deleteAccount.ts';
import { restoreNames } from './accounts/directoryNames.ts';
import type { RekeyWork } from './accounts/ports.ts';
import { requestRekey } from './accounts/requestRekey.ts';
import type { OperationWork, OrphanedSecretsWork } from './ams/ports.ts';
import type { AnnouncementWork } from './announcements/deps.ts';
import type { VerificationWork } from './attestation/deps.ts';
import { defined } from './base/defined.ts';
import { describeError, retryLostRaces, Unavailable } from './base/errors.ts';
import type { WorkQueue } from './base/workQueue.ts';
import { vaultIdOf } from './customerKey/binding.ts';
import { type DailyPassStore, noBounds, withPage } from './dailyProgress.ts';
import { compareAccount, compareWatch } from './overview/compareIndex.ts';
import type { OverviewDeps } from './overview/deps.ts';
import type { RingWork } from './rings/deps.ts';
import { boundIn, isNamed } from './rotation/rewrapAccount.ts';
import type { VaultWorkDeps } from './vaultWork/deps.ts';
import type { AccountsWork } from './vaultWork/ports.ts';
import { allRanges, type RangeWork, rangeOf } from './vaultWork/ranges.ts';
import { openWatch, readIfWhole, watchAccount } from './vaultWork/restoreWatch.ts';
import { boundAccounts, staleRowMs } from './watch/boundAccounts.ts';

/** One page of the daily pass, and other work in the background. */
export type DailyWork =
  | AccountsWork
  | RowsWork
  | { readonly visit: 'overview'; readonly after?: string }
  | { readonly visit: 'names'; readonly after?: string }
  | RingWork
  | AnnouncementWork
  | OperationWork
  | OrphanedSecretsWork
  | RekeyWork
  | VerificationWork;

interface DailyPassDeps extends Omit<VaultWorkDeps, 'dailyQueue'> {
  readonly dailyQueue: WorkQueue<DailyWork>;
  readonly dailyPass: DailyPassStore;
}

type ComparedDeps = DailyPassDeps & Pick<OverviewDeps, 'overview' | 'overviewIndex' | 'timelineIndex'>;

const pageSize = 200;
const sendsAtOnce = 32;
const accountsAtOnce = 8;
/** Rows of bindings. */
const vaultsPerPage = 256;
const vaultsAtOnce = 8;
/** How long one message lists or clears before another continues; functionTimeout in host.json is far longer. */
const messageMs = 60_000;

/** Begins the pass: its messages divide the accounts, and clear the vaults range by range. */
export async function beginDailyPass({ dailyPass, dailyQueue, clock, policy }: DailyPassDeps): Promise<void> {
  const ranges = allRanges(policy.sweepRanges);
  await dailyPass.write({ startedAt: clock.now(), messages: ranges.length, isDivided: false, bounds: noBounds });
  await dailyQueue.send({ visit: 'accounts' });
  await pLimit(sendsAtOnce).map(ranges, (range) => dailyQueue.send({ visit: 'rows', ...range }));
}

/**
 * Sends a message for each page of names, so that several hosts process the accounts at the same time. Returns where
 * the next message continues, or undefined at the end.
 */
export async function divideAccounts(after: string | undefined, deps: ComparedDeps): Promise<string | undefined> {
  const { clock, dailyQueue, dailyPass } = deps;
  const began = clock.now();
  const end = began + messageMs;
  const state = (await dailyPass.read()) ?? { startedAt: began, messages: 0, isDivided: false, bounds: noBounds };
  let { messages, bounds } = state;
  for (let from = after; ; ) {
    const { names, next } = await accountsPage(from, deps);
    const until = next ?? names.at(-1);
    if (until !== undefined) {
      await dailyQueue.send({ visit: 'accounts', until, ...defined({ after: from }) });
      messages += 1;
      bounds = withPage(bounds, until);
    }
    if (next === undefined || clock.now() >= end) {
      await dailyPass.write({ ...state, messages, isDivided: next === undefined, bounds });
      return next;
    }
    from = next;
  }
}

interface AccountsPage {
  /** In order: names of the directory, and names that have a record. */
  readonly names: readonly string[];
  readonly isListed: ReadonlySet<string>;
  readonly next: string | undefined;
}

async function accountsPage(after: string | undefined, deps: ComparedDeps): Promise<AccountsPage> {
  const listed = await deps.directory.page(pageSize, after);
  const stored = await deps.accounts.names(pageSize, after);
  // Both lists are complete up to here.
  const ends = [listed.next, stored.length < pageSize ? undefined : stored.at(-1)].filter((end) => end !== undefined);
  const [next] = ends.toSorted();
  const names = [...new Set([...listed.names, ...stored])].filter((name) => next === undefined || name <= next);
  return { names: names.toSorted(), isListed: new Set(listed.names), next };
}

/**
 * At most one page of the accounts after a name, up to and with `until`; where to continue, or undefined at the end.
 */
export async function processAccounts(
  after: string | undefined,
  deps: ComparedDeps,
  until?: string,
): Promise<string | undefined> {
  const { names, isListed, next } = await accountsPage(after, deps);
  const wanted = until === undefined ? names : names.filter((name) => name <= until);
  const outages = await pLimit(accountsAtOnce).map(wanted, (name) => outageOf(name, isListed.has(name), deps));
  const outage = outages.find((error) => error !== undefined);
  // Without storage the pass cannot continue: the message is delivered again.
  if (outage !== undefined) throw outage;
  return next === undefined || (until !== undefined && next >= until) ? undefined : next;
}

/** Every account is processed before an outage is reported, because nothing may run on when the message has ended. */
async function outageOf(name: string, isListed: boolean, deps: ComparedDeps): Promise<Unavailable | undefined> {
  try {
    await retryLostRaces(() => processAccount(name, isListed, deps));
  } catch (error) {
    if (error instanceof Unavailable && error.code === 'StorageUnavailable') return error;
    deps.log.error('The daily pass skipped an account', { account: name, error: describeError(error) });
  }
  return undefined;
}

async function processAccount(name: string, isListed: boolean, deps: ComparedDeps): Promise<void> {
  const stored = await deps.accounts.read(name);
  if (stored?.value.lifecycle === 'deleting') return finishDelete(name, deps);
  if (stored === undefined) return;
  if (await restoreNames(stored.value, isListed, deps)) deps.log.error('An account was not listed', { account: name });
  await compareAccount(stored.value, deps);
  const { pendingDeletion } = stored.value;
  // A schedule that was lost, with a restore of the tables for example.
  if (pendingDeletion !== undefined) await deps.purgeSchedule.put({ name, purgeAt: pendingDeletion.purgeAt });
  if (stored.value.olderAccountKeys !== undefined) await requestRekey(name, deps);
  if (stored.value.place !== undefined) await deps.dailyQueue.send({ visit: 'unnamed', account: name });
  if (stored.value.encryption.type === 'SystemKey') return;
  const { encryption } = stored.value;
  if (!(await watchAccount(stored.value, encryption, deps))) return;
  deps.log.error('An account was not watched', { account: name, key: wrappedByOf(encryption) });
  await deps.queue.send({ vault: vaultIdOf(encryption.binding.vaultHost), lookNow: {}, requestedBy: 'sweep' });
}

export interface RowsWork extends RangeWork {
  readonly visit: 'rows';
  /** The last vault that is done. */
  readonly after?: string;
}

/** Clears the vaults of a range, several at the same time; where to continue, or undefined at the end. */
export async function clearRange(
  { range, of, after }: RowsWork,
  deps: ComparedDeps,
): Promise<{ readonly cleared: number; readonly next?: string }> {
  const { clock, vaults, log } = deps;
  const end = clock.now() + messageMs;
  let cleared = 0;
  for (let from = after; ; ) {
    const page = await vaults.page(rangeOf({ range, of }), vaultsPerPage, from);
    const counts = await pLimit(vaultsAtOnce).map(page.vaults, async ({ id }) => {
      try {
        return await clearRows(id, deps);
      } catch (error) {
        // The next day finds the same rows.
        log.error('Work on a vault failed', { vault: id, error: describeError(error) });
        return 0;
      }
    });
    cleared += counts.reduce((sum, count) => sum + count, 0);
    if (page.next === undefined) return { cleared };
    if (clock.now() >= end) return { cleared, next: page.next };
    from = page.next;
  }
}

/** Deletes the rows of one vault's keys that belong to no account any more, and that no writer can be about to use. */
export async function clearRows(vaultId: string, deps: ComparedDeps): Promise<number> {
  let cleared = 0;
  for (const bindingId of await deps.vaults.bindings(vaultId)) {
    const watch = await openWatch(bindingId, deps);
    if (watch !== undefined) await compareWatch(watch.value, deps);
    // Of every version that a row names, also one that the watch never learned.
    for await (const row of boundAccounts(bindingId, {}, deps)) {
      if (row.ageMs < staleRowMs) continue;
      const stored = await readIfWhole(row.value.name, deps);
      if (stored === 'damaged') continue;
      const account = boundIn(stored);
      if (account !== undefined && isNamed(account, row, bindingId)) continue;
      await deps.bindings.removeAccount(bindingId, row);
      cleared += 1;
    }
  }
  return cleared;
}
