/**
 * A verdict refuses or restores accounts as soon as it is stored. This work adds it to the chain of every affected
 * account. It can stop anywhere and start again, because the watch is marked last.
 */

import { catchUp, catchUpDeleted } from '../accounts/missingVerdictEntries.ts';
import { saveAccount } from '../accounts/writeAccount.ts';
import { retryLostRaces } from '../base/errors.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import { type BoundRow, boundAccounts } from '../watch/boundAccounts.ts';
import { updateWatch } from '../watch/updateWatch.ts';
import type { Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';
import { readIfWhole } from './restoreWatch.ts';

/** Each account takes a few requests to partitions of its own. */
const accountsAtOnce = 8;

/** One pass over the accounts that need the verdicts up to an epoch, batch by batch. */
export interface ReconcileRun {
  readonly epoch: number;
  readonly rows: AsyncGenerator<BoundRow, void>;
}

async function* rowsToReconcile({ transitions, binding }: Watch, deps: VaultWorkDeps): ReconcileRun['rows'] {
  for (const version of new Set(transitions.map((transition) => transition.version)))
    yield* boundAccounts(binding.id, { version }, deps);
}

export interface ReconcileLimits {
  readonly until: EpochMs;
  /** The number of accounts that lack an entry. */
  readonly max: number;
}

/**
 * Continues the binding's run within the limits, or begins one, and finishes the accounts that it has begun. `watch` is
 * absent when accounts are left.
 */
export async function reconcile(
  stored: Stored<Watch>,
  { until, max }: ReconcileLimits,
  runs: Map<string, ReconcileRun>,
  deps: VaultWorkDeps,
): Promise<{ readonly entries: number; readonly watch?: Stored<Watch> }> {
  const watch = stored.value;
  const { id } = watch.binding;
  const { epoch } = watch;
  if (watch.reconciledEpoch === epoch) return { entries: 0, watch: stored };
  const before = runs.get(id);
  const run = before?.epoch === epoch ? before : { epoch, rows: rowsToReconcile(watch, deps) };
  // A run that fails is not continued: another one finds the accounts that it left.
  runs.delete(id);
  const batch: Batch = { entries: 0, underWay: 0, isOver: false };
  const mayBegin = () =>
    !batch.isOver && batch.failed === undefined && deps.clock.now() < until && batch.entries + batch.underWay < max;
  const worker = async () => {
    while (mayBegin()) {
      batch.underWay += 1;
      const { value: row } = await run.rows.next();
      if (row === undefined) batch.isOver = true;
      else if (await retryLostRaces(() => reconcileAccount(row.value.name, watch, deps))) batch.entries += 1;
      batch.underWay -= 1;
    }
  };
  const workers = Array.from({ length: accountsAtOnce }, worker);
  await Promise.all(workers.map((one) => one.catch((error) => (batch.failed ??= { error }))));
  const { entries, isOver, failed } = batch;
  if (failed !== undefined) throw failed.error;
  if (isOver) return { entries, watch: await updateWatch(stored, (now) => reconciledUpTo(now, epoch), deps) };
  runs.set(id, run);
  return { entries };
}

interface Batch {
  entries: number;
  underWay: number;
  /** Every row is processed, or about to be. */
  isOver: boolean;
  failed?: { readonly error: unknown };
}

/** Returns whether there was an entry to write. */
async function reconcileAccount(name: string, watch: Watch, deps: VaultWorkDeps): Promise<boolean> {
  const stored = await readIfWhole(name, deps);
  // A damaged record cannot take an entry. The binding's own chain has it.
  if (stored === undefined || stored === 'damaged') return false;
  const { value } = stored;
  const { record, facts } = value.lifecycle === 'active' ? catchUp(value, watch) : catchUpDeleted(value, watch);
  if (facts.length > 0) await saveAccount(stored, record, facts, deps);
  return facts.length > 0;
}

function reconciledUpTo(watch: Watch, epoch: number): Watch {
  if (watch.reconciledEpoch >= epoch) return watch;
  return { ...watch, reconciledEpoch: epoch, transitions: watch.transitions.filter((one) => one.epoch > epoch) };
}
