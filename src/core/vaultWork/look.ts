/**
 * A look: one remote unwrap of a real wrapped account key for each version of a binding that still wraps one, for any
 * number of accounts that share it. The result is evidence for the watch, and for nothing else (INV-7).
 */

import { LostRace } from '../base/errors.ts';
import { measure } from '../base/metrics.ts';
import type { Stored } from '../base/stored.ts';
import { isAnyBound } from '../watch/boundAccounts.ts';
import { attributed } from '../watch/judge.ts';
import { afterLook, afterSleep, duringLook } from '../watch/lookSchedule.ts';
import type { LookTime } from '../watch/provenTime.ts';
import { isPlain, type StoredSample, usableSample } from '../watch/sample.ts';
import { updateWatch } from '../watch/updateWatch.ts';
import type { Evidence, Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';
import { logKeyStatus } from './keyStatusLog.ts';
import { lookAtVersion, type Sample } from './lookAtVersion.ts';
import type { LookRound } from './lookRound.ts';

/** What a sweep knows of the sample of a binding. The look uses it, or stores one. */
export interface SampleOfSweep {
  readonly stored: StoredSample | undefined;
}

/** Looks at every version in use, and records the results. Without `sample` it reads the records of accounts. */
export async function lookAtBinding(
  stored: Stored<Watch>,
  round: LookRound,
  deps: VaultWorkDeps,
  sample?: SampleOfSweep,
): Promise<Stored<Watch>> {
  const watch = stored.value;
  const when: LookTime = {
    beganAt: deps.clock.now(),
    plannedAt: watch.nextLookAt,
    process: deps.processId,
    monotonic: deps.clock.monotonic(),
  };
  const evidence: Evidence[] = [];
  const unused: string[] = [];
  const samplesAfter: Record<string, string> = {};
  const usable = usableSample(watch, sample?.stored);
  let opened: Sample | undefined;
  for (const version of Object.keys(watch.versions)) {
    const look = await lookAtVersion(watch, version, when.beganAt, round, deps, usable);
    opened ??= look.opened;
    if (look.samplesAfter !== undefined) samplesAfter[version] = look.samplesAfter;
    if (look.seen === 'unused') unused.push(version);
    else evidence.push(look.seen);
  }
  if (evidence.length === 0) {
    if (sample?.stored !== undefined) await deps.bindings.removeSample(watch.binding.id);
    const asleep = await updateWatch(stored, (before) => afterSleep(before, when, deps.policy), deps);
    return withoutUnused(asleep, unused, deps);
  }
  const observed = await recordLook(stored, evidence, samplesAfter, when, deps);
  if (sample !== undefined && opened !== undefined) await saveSample(observed.value, opened, deps);
  logKeyStatus(stored.value, observed.value, round.used.at(-1)?.record.owner, deps);
  for (const one of evidence) {
    const status = observed.value.versions[one.version]?.status;
    const cause = attributed(one, deps.policy) ?? 'none';
    if (status !== undefined) measure(deps.log, 'keyward.looks', 1, { status, cause });
  }
  return unused.length === 0 ? observed : withoutUnused(observed, unused, deps);
}

/** Each changed verdict has an audit entry. A batch of Table Storage holds 100 rows, and one of them is the watch. */
const maxVerdictsAtOnce = 60;

async function recordLook(
  stored: Stored<Watch>,
  evidence: readonly Evidence[],
  samplesAfter: Readonly<Record<string, string>>,
  when: LookTime,
  deps: VaultWorkDeps,
): Promise<Stored<Watch>> {
  let watch = stored;
  for (let from = 0; ; from += maxVerdictsAtOnce) {
    const slice = evidence.slice(from, from + maxVerdictsAtOnce);
    const isLast = from + slice.length === evidence.length;
    const decide = (before: Watch) =>
      isLast
        ? withSamples(afterLook(before, slice, when, deps.policy), samplesAfter)
        : duringLook(before, slice, when, deps.policy);
    watch = await updateWatch(watch, decide, deps);
    if (isLast) return watch;
  }
}

function withSamples(watch: Watch, samplesAfter: Readonly<Record<string, string>>): Watch {
  const { samplesAfter: _before, ...rest } = watch;
  return Object.keys(samplesAfter).length === 0 ? rest : { ...rest, samplesAfter };
}

/** A copy of what was just read, unless the account changes at this time, or has every look in its own audit. */
async function saveSample(watch: Watch, { record, row }: Sample, { bindings }: VaultWorkDeps): Promise<void> {
  if (!isPlain(watch) || record.auditKeyUse === true) return;
  const { name, instanceId, owner, accountKeyGeneration, wrappedAccountKey } = record;
  const { version } = row.value;
  const sample = { version, name, instanceId, owner, accountKeyGeneration, wrappedAccountKey };
  try {
    await bindings.saveSample(watch.binding.id, sample, row);
  } catch (error) {
    if (!(error instanceof LostRace)) throw error;
  }
}

/**
 * A version without accounts leaves the watch when no row names it. A row is stored before the watch learns its
 * version. So an account that changes to the version at the same time changes the watch, and this write loses the race.
 */
async function withoutUnused(
  stored: Stored<Watch>,
  unused: readonly string[],
  deps: VaultWorkDeps,
): Promise<Stored<Watch>> {
  const { binding, versions } = stored.value;
  const gone: string[] = [];
  for (const version of unused) {
    if (!(await isAnyBound(binding.id, { version }, deps))) gone.push(version);
  }
  const rest = Object.fromEntries(Object.entries(versions).filter(([version]) => !gone.includes(version)));
  if (gone.length === 0 || Object.keys(rest).length === 0) return stored;
  try {
    return await deps.bindings.saveWatch({ value: { ...stored.value, versions: rest }, etag: stored.etag }, []);
  } catch (error) {
    if (error instanceof LostRace) return stored;
    throw error;
  }
}
