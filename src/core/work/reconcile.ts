/**
 * Verdicts refuse and restore accounts the moment they are stored; this visits every account that a verdict touched, so that
 * its own chain has it too. Can stop anywhere and be begun again: the watch is marked last.
 */
import { saveAccount } from '../accounts/write.ts';
import { catchUp } from '../catchUp.ts';
import { retryLostRaces } from '../errors.ts';
import type { Service } from '../service.ts';
import type { Watch } from '../watch.ts';
import { saveWatch } from '../watching.ts';
import { boundAccounts } from './boundAccounts.ts';

export async function reconcile(bindingId: string, service: Service): Promise<void> {
  const stored = await service.bindings.readWatch(bindingId);
  if (stored === undefined || stored.value.reconciledEpoch === stored.value.epoch) return;
  const watch = stored.value;
  for (const version of new Set(watch.transitions.map((transition) => transition.version))) {
    for await (const row of boundAccounts(bindingId, { version }, service)) {
      await retryLostRaces(() => reconcileAccount(row.value.name, watch, service));
    }
  }
  await retryLostRaces(() => markReconciled(bindingId, watch.epoch, service));
}

async function reconcileAccount(name: string, watch: Watch, service: Service): Promise<void> {
  const stored = await service.accounts.read(name);
  if (stored?.value.lifecycle !== 'active') return;
  const { record, facts } = catchUp(stored.value, watch);
  if (facts.length > 0) await saveAccount(stored, record, facts, service);
}

async function markReconciled(bindingId: string, epoch: number, service: Service): Promise<void> {
  const stored = await service.bindings.readWatch(bindingId);
  if (stored === undefined || stored.value.reconciledEpoch >= epoch) return;
  const transitions = stored.value.transitions.filter((one) => one.epoch > epoch);
  await saveWatch(stored, { ...stored.value, reconciledEpoch: epoch, transitions }, [], service);
}
