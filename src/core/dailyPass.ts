/**
 * Once a day, page by page, a pass over everything finds what no other path would: an account whose bound row is
 * missing, so that no look covers it (raises an alarm and restores the row); one whose secrets are still under an older
 * key although no pass runs; and rows that accounts have left behind (deletes them).
 */

import { boundOf, wrappedByOf } from './accounts/account.ts';
import { finishDelete } from './accounts/deleteAccount.ts';
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
import type { VaultWorkDeps } from './vaultWork/deps.ts';
import { boundAccounts, staleRowMs } from './watch/boundAccounts.ts';

/** One page of the daily pass, and other work in the background. */
export type DailyWork =
  | { readonly visit: 'accounts'; readonly after?: string }
  | { readonly visit: 'rows'; readonly vault: string }
  | { readonly visit: 'overview'; readonly after?: string }
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
  const { names, next } = await service.directory.page(pageSize, after);
  for (const name of names) {
    try {
      await retryLostRaces(() => processAccount(name, service));
    } catch (error) {
      // Without storage the pass cannot continue: the message is retried.
      if (error instanceof Unavailable && error.code === 'StorageUnavailable') throw error;
      service.log.error('The daily pass skipped an account', { account: name, error: describeError(error) });
    }
  }
  return next;
}

async function processAccount(name: string, service: ComparedDeps): Promise<void> {
  const stored = await service.accounts.read(name);
  if (stored?.value.lifecycle === 'deleting') return finishDelete(name, service);
  if (stored === undefined) return;
  await compareAccount(stored.value, service);
  if (stored.value.olderAccountKeys !== undefined) await requestRekey(name, service);
  if (stored.value.place !== undefined) await service.dailyQueue.send({ visit: 'unnamed', account: name });
  if (stored.value.encryption.type === 'SystemKey') return;
  const { encryption } = stored.value;
  const bound = boundOf(stored.value, encryption);
  const { id, vaultHost } = encryption.binding;
  const [row, watch, ofVault] = await Promise.all([
    service.bindings.readAccount(id, bound),
    service.bindings.readWatch(id),
    service.vaults.bindings(vaultIdOf(vaultHost)),
  ]);
  if (row !== undefined && watch?.value.versions[encryption.version] !== undefined && ofVault.includes(id)) return;
  service.log.error('An account was not watched', { account: name, key: wrappedByOf(encryption) });
  await service.vaults.addBinding(vaultHost, id);
  await service.bindings.putAccount(id, bound);
  if (watch !== undefined && watch.value.versions[encryption.version] === undefined)
    await service.queue.send({ vault: vaultIdOf(vaultHost), lookNow: {}, requestedBy: 'sweep' });
}

/** Deletes the rows of one vault's keys that belong to no account any more, and that no writer can be about to use. */
export async function clearRows(vaultId: string, service: ComparedDeps): Promise<number> {
  let cleared = 0;
  for (const bindingId of await service.vaults.bindings(vaultId)) {
    const watch = await service.bindings.readWatch(bindingId);
    if (watch !== undefined) await compareWatch(watch.value, service);
    for (const version of Object.keys(watch?.value.versions ?? {})) {
      for await (const row of boundAccounts(bindingId, { version }, service)) {
        if (service.clock.now() - row.writtenAt < staleRowMs) continue;
        const stored = await service.accounts.read(row.value.name);
        const encryption = stored?.value.lifecycle === 'active' ? stored.value.encryption : undefined;
        const isMeant =
          stored?.value.instanceId === row.value.instanceId &&
          encryption?.type === 'CustomerKey' &&
          encryption.binding.id === bindingId &&
          encryption.version === version;
        if (isMeant) continue;
        await service.bindings.removeAccount(bindingId, row);
        cleared += 1;
      }
    }
  }
  return cleared;
}
