/**
 * A verdict refuses or restores accounts as soon as it is stored. This work adds it to the chain of every affected
 * account. It can stop anywhere and start again, because the watch is marked last.
 */

import { catchUp, catchUpDeleted } from '../accounts/missingVerdictEntries.ts';
import { saveAccount } from '../accounts/writeAccount.ts';
import { retryLostRaces } from '../base/errors.ts';
import type { Stored } from '../base/stored.ts';
import { boundAccounts } from '../watch/boundAccounts.ts';
import { updateWatch } from '../watch/updateWatch.ts';
import type { Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';
import { readIfWhole } from './restoreWatch.ts';

export async function reconcile(
  stored: Stored<Watch>,
  service: VaultWorkDeps,
): Promise<{ watch: Stored<Watch>; done: boolean }> {
  const watch = stored.value;
  if (watch.reconciledEpoch === watch.epoch) return { watch: stored, done: true };
  let left = service.policy.accountsPerMessage;
  for (const version of new Set(watch.transitions.map((transition) => transition.version))) {
    for await (const row of boundAccounts(watch.binding.id, { version }, service)) {
      const caughtUp = await retryLostRaces(() => reconcileAccount(row.value.name, watch, service));
      if (caughtUp && --left === 0) return { watch: stored, done: false };
    }
  }
  return { watch: await updateWatch(stored, (before) => reconciledUpTo(before, watch.epoch), service), done: true };
}

/** Returns whether there was an entry to write. */
async function reconcileAccount(name: string, watch: Watch, service: VaultWorkDeps): Promise<boolean> {
  const stored = await readIfWhole(name, service);
  // A damaged record cannot take an entry. The binding's own chain has it.
  if (stored === undefined || stored === 'damaged') return false;
  const { value } = stored;
  const { record, facts } = value.lifecycle === 'active' ? catchUp(value, watch) : catchUpDeleted(value, watch);
  if (facts.length > 0) await saveAccount(stored, record, facts, service);
  return facts.length > 0;
}

function reconciledUpTo(watch: Watch, epoch: number): Watch {
  if (watch.reconciledEpoch >= epoch) return watch;
  return { ...watch, reconciledEpoch: epoch, transitions: watch.transitions.filter((one) => one.epoch > epoch) };
}
