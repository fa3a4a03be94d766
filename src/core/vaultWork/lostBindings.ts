/**
 * A sweep finds bindings by rows under their vaults. A binding that the last pass found and this one did not has lost
 * its row: Keyward deletes none. Its own partition has the watch and the bound accounts, and these name the vault. So
 * the sweep that finds the loss restores the row and has the key checked, at a cost for each lost row, and none for the
 * number of accounts.
 */
import pLimit from 'p-limit';
import { describeError } from '../base/errors.ts';
import { vaultIdOf } from '../customerKey/binding.ts';
import type { VaultWorkDeps } from './deps.ts';
import { openWatch } from './restoreWatch.ts';

const restoresAtOnce = 16;

/** @param lost the first digits of the bindings' ids */
export async function restoreLost(lost: readonly string[], deps: VaultWorkDeps): Promise<void> {
  const { log, queue, dailyQueue } = deps;
  log.error('Keys are missing in the sweep', { count: lost.length });
  const restored = await pLimit(restoresAtOnce).map([...lost], (digits) => restoreRows(digits, deps));
  for (const vault of new Set(restored.flat())) {
    try {
      await queue.send({ vault, lookNow: {}, requestedBy: 'sweep' });
    } catch (error) {
      // The next sweep finds the row.
      log.warn('A wake-up was not sent', { vault, error: describeError(error) });
    }
  }
  // Nothing is left in the binding's partition. The records of the accounts name the binding.
  if (restored.some((vaults) => vaults.length === 0)) await dailyQueue.send({ visit: 'accounts' });
}

/** The vaults whose rows exist again. */
async function restoreRows(digits: string, deps: VaultWorkDeps): Promise<string[]> {
  const restored: string[] = [];
  for (const id of await deps.bindings.beginningWith(digits)) {
    const watch = await openWatch(id, deps);
    if (watch === undefined) continue;
    const { vaultHost } = watch.value.binding;
    await deps.vaults.addBinding(vaultHost, id);
    restored.push(vaultIdOf(vaultHost));
  }
  return restored;
}
