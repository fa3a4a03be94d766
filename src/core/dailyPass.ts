/**
 * Once a day, page by page, a pass over everything finds what no other path would: an account whose bound row is
 * missing, so that no look covers it, or whose name is missing in LIST (raises an alarm and restores the row); one whose
 * secrets are still under an older key although no pass runs; and rows that accounts have left behind (deletes them).
 */

import { wrappedByOf } from './accounts/account.ts';
import { finishDelete } from './accounts/deleteAccount.ts';
import { restoreNames } from './accounts/leftNames.ts';
import type { RekeyWork } from './accounts/ports.ts';
import { requestRekey } from './accounts/requestRekey.ts';
import type { OperationWork, OrphanedSecretsWork } from './ams/ports.ts';
import type { AnnouncementWork } from './announcements/deps.ts';
import type { VerificationWork } from './attestation/deps.ts';
import { describeError, retryLostRaces, Unavailable } from './base/errors.ts';
import type { WorkQueue } from './base/workQueue.ts';
import { vaultIdOf } from './customerKey/binding.ts';
import { compareAccount, compareWatch } from './overview/compareIndex.ts';
import type { OverviewDeps } from './overview/deps.ts';
import type { RingWork } from './rings/deps.ts';
import { boundIn, isNamed } from './rotation/rewrapAccount.ts';
import type { VaultWorkDeps } from './vaultWork/deps.ts';
import type { AccountsVisit } from './vaultWork/ports.ts';
import { openWatch, readIfWhole, watchAccount } from './vaultWork/restoreWatch.ts';
import { boundAccounts, staleRowMs } from './watch/boundAccounts.ts';

/** One page of the daily pass, and other work in the background. */
export type DailyWork =
  | AccountsVisit
  | { readonly visit: 'rows'; readonly vault: string }
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
}

type ComparedDeps = DailyPassDeps & Pick<OverviewDeps, 'overview' | 'overviewIndex' | 'timelineIndex'>;

const pageSize = 200;

/** One page of accounts; where to continue, or undefined at the end. */
export async function processAccounts(after: string | undefined, service: ComparedDeps): Promise<string | undefined> {
  const listed = await service.directory.page(pageSize, after);
  const stored = await service.accounts.names(pageSize, after);
  // Both lists are complete up to here.
  const ends = [listed.next, stored.length < pageSize ? undefined : stored.at(-1)].filter((end) => end !== undefined);
  const [next] = ends.toSorted();
  const isListed = new Set(listed.names);
  const names = new Set([...listed.names, ...stored].filter((name) => next === undefined || name <= next));
  for (const name of names) {
    try {
      await retryLostRaces(() => processAccount(name, isListed.has(name), service));
    } catch (error) {
      // Without storage the pass cannot continue: the message is retried.
      if (error instanceof Unavailable && error.code === 'StorageUnavailable') throw error;
      service.log.error('The daily pass skipped an account', { account: name, error: describeError(error) });
    }
  }
  return next;
}

async function processAccount(name: string, isListed: boolean, service: ComparedDeps): Promise<void> {
  const stored = await service.accounts.read(name);
  if (stored?.value.lifecycle === 'deleting') return finishDelete(name, service);
  if (stored === undefined) return;
  if (await restoreNames(stored.value, isListed, service))
    service.log.error('An account was not listed', { account: name });
  await compareAccount(stored.value, service);
  const { pendingDeletion } = stored.value;
  // A schedule that was lost, with a restore of the tables for example.
  if (pendingDeletion !== undefined) await service.purgeSchedule.put({ name, purgeAt: pendingDeletion.purgeAt });
  if (stored.value.olderAccountKeys !== undefined) await requestRekey(name, service);
  if (stored.value.place !== undefined) await service.dailyQueue.send({ visit: 'unnamed', account: name });
  if (stored.value.encryption.type === 'SystemKey') return;
  const { encryption } = stored.value;
  if (!(await watchAccount(stored.value, encryption, service))) return;
  service.log.error('An account was not watched', { account: name, key: wrappedByOf(encryption) });
  await service.queue.send({ vault: vaultIdOf(encryption.binding.vaultHost), lookNow: {}, requestedBy: 'sweep' });
}

/** Deletes the rows of one vault's keys that belong to no account any more, and that no writer can be about to use. */
export async function clearRows(vaultId: string, service: ComparedDeps): Promise<number> {
  let cleared = 0;
  for (const bindingId of await service.vaults.bindings(vaultId)) {
    const watch = await openWatch(bindingId, service);
    if (watch !== undefined) await compareWatch(watch.value, service);
    // Of every version that a row names, also one that the watch never learned.
    for await (const row of boundAccounts(bindingId, {}, service)) {
      if (row.ageMs < staleRowMs) continue;
      const stored = await readIfWhole(row.value.name, service);
      if (stored === 'damaged') continue;
      const account = boundIn(stored);
      if (account !== undefined && isNamed(account, row, bindingId)) continue;
      await service.bindings.removeAccount(bindingId, row);
      cleared += 1;
    }
  }
  return cleared;
}
