/**
 * The part of a sweep for one vault: it looks at each binding, and checks the latest version of its key when that is
 * due. It takes no lock, because looks of two workers do no harm: a counter decides which evidence is newer. A message
 * leaves the work that needs the vault's only worker (audit of accounts, re-wraps) to that worker.
 */
import { describeError } from '../base/errors.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import { checkVersion, isFollowDue } from '../rotation/followLatestVersion.ts';
import { isLookDue, isUnreachable, isVersionCheckDue } from '../watch/lookSchedule.ts';
import { createPacedKeyVault } from '../watch/pacedKeyVault.ts';
import type { VaultBindings } from '../watch/ports.ts';
import type { Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';
import { lookAtBinding } from './look.ts';
import { auditLooks, type LookRound } from './lookRound.ts';
import { openWatch, restoringOlderWatch } from './restoreWatch.ts';
import { isBeforeNextSweep, logPlans, nextWakeOf } from './wake.ts';

export interface SweptVault {
  readonly watches: readonly Watch[];
  /** Bindings whose work failed. */
  readonly failed: number;
}

/** @param isInTime false: the time is over, and the vault's worker does the rest. */
export async function sweepVault(
  { id: vault, bindings }: VaultBindings,
  isInTime: () => Promise<boolean>,
  deps: VaultWorkDeps,
): Promise<SweptVault> {
  const round: LookRound = { used: [] };
  const watches: Watch[] = [];
  let failed = 0;
  let wakeAt = Number.POSITIVE_INFINITY;
  for (const bindingId of bindings) {
    if (!(await isInTime())) {
      wakeAt = 0;
      break;
    }
    try {
      const stored = await restoringOlderWatch(bindingId, deps, () => sweepBinding(bindingId, round, deps));
      if (stored === undefined) continue;
      watches.push(stored.value);
      wakeAt = Math.min(wakeAt, (await needsWorker(stored.value, deps)) ? 0 : nextWakeOf(stored.value));
    } catch (error) {
      // A failure of one binding does not stop the others.
      failed += 1;
      deps.log.error('Work on a binding failed', { bindingId, error: describeError(error) });
    }
  }
  await auditLooks(round, deps);
  await wakeWorker(vault, wakeAt, deps);
  return { watches, failed };
}

/** A queue that does not answer stops no look. The tables hold the due work, and the next sweep finds it. */
async function wakeWorker(vault: string, wakeAt: EpochMs, { clock, policy, queue, log }: VaultWorkDeps): Promise<void> {
  const now = clock.now();
  if (!isBeforeNextSweep(wakeAt, now, policy)) return;
  try {
    await queue.send({ vault, requestedBy: wakeAt === 0 ? 'sweep' : 'wake' }, Math.max(0, wakeAt - now));
  } catch (error) {
    log.warn('A wake-up was not sent', { vault, error: describeError(error) });
  }
}

async function sweepBinding(
  bindingId: string,
  round: LookRound,
  deps: VaultWorkDeps,
): Promise<Stored<Watch> | undefined> {
  const { watch, sample } = await deps.bindings.readWatchWithSample(bindingId);
  const stored = watch ?? (await openWatch(bindingId, deps));
  if (stored === undefined) return undefined;
  logPlans(stored.value, deps);
  const isDue = isLookDue(stored.value, deps.clock.now(), true, deps.policy);
  const seen = isDue ? await lookAtBinding(stored, round, deps, { stored: sample }) : stored;
  return isCheckedHere(seen.value, deps) ? checkLatest(seen, deps) : seen;
}

/** When one version is in use, and it is the latest known one, a check only finds a new version. */
const isCheckedHere = (watch: Watch, { clock, policy }: VaultWorkDeps): boolean =>
  !isUnreachable(watch) &&
  isVersionCheckDue(watch, clock.now(), true, policy) &&
  watch.rotation === undefined &&
  Object.keys(watch.versions).every((version) => version === watch.targetVersion);

function checkLatest(stored: Stored<Watch>, deps: VaultWorkDeps): Promise<Stored<Watch>> {
  const pacedVault = createPacedKeyVault(async () => undefined, deps);
  return checkVersion(stored, { pacedVault, runs: new Map(), left: 0 }, deps);
}

/** Whether the vault's only worker has work to do. */
const needsWorker = async (watch: Watch, deps: VaultWorkDeps): Promise<boolean> =>
  watch.reconciledEpoch !== watch.epoch || (await isFollowDue(watch, true, deps));
