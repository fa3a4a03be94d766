/**
 * Verdicts refuse and restore accounts the moment they are stored; this visits every account that a verdict touched, so that
 * its own chain has it too. Can stop anywhere and be begun again: the watch is marked last.
 */
import { saveAccount } from '../accounts/write.ts';
import { catchUp, catchUpDeleted } from '../catchUp.ts';
import { retryLostRaces } from '../errors.ts';
import type { Stored } from '../ports.ts';
import type { Service } from '../service.ts';
import type { Watch } from '../watch.ts';
import { updateWatch } from '../watching.ts';
import { boundAccounts } from './boundAccounts.ts';

export async function reconcile(
  stored: Stored<Watch>,
  service: Service,
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

/** Whether there was anything to write. */
async function reconcileAccount(name: string, watch: Watch, service: Service): Promise<boolean> {
  const stored = await service.accounts.read(name);
  if (stored === undefined) return false;
  const { value } = stored;
  const { record, facts } = value.lifecycle === 'active' ? catchUp(value, watch) : catchUpDeleted(value, watch);
  if (facts.length > 0) await saveAccount(stored, record, facts, service);
  return facts.length > 0;
}

function reconciledUpTo(watch: Watch, epoch: number): Watch {
  if (watch.reconciledEpoch >= epoch) return watch;
  return { ...watch, reconciledEpoch: epoch, transitions: watch.transitions.filter((one) => one.epoch > epoch) };
}
