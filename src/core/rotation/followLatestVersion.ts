/**
 * Checks the latest version of a key: finds a newer one, tests whether Keyward can use it, and re-wraps the accounts
 * that use the latest version, batch by batch. A version that cannot be used is audited, and all accounts stay on their
 * version.
 */

import { measure } from '../base/metrics.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import { brokenRules } from '../customerKey/keyRequirements.ts';
import { isAnyBound } from '../watch/boundAccounts.ts';
import { isUnreachable, isVersionCheckDue } from '../watch/lookSchedule.ts';
import { withExpiry } from '../watch/newestVersion.ts';
import type { PacedKeyVault } from '../watch/pacedKeyVault.ts';
import { updateWatch } from '../watch/updateWatch.ts';
import { costOf } from '../watch/vaultBudget.ts';
import type { Watch } from '../watch/watch.ts';
import type { RotationDeps } from './deps.ts';
import { unreadExpiries, versionFacts, withLatest } from './latestVersion.ts';
import { beginRun, openOutdatedVersions, outdatedVersions, type RewrapRun, rewrapBatch } from './rewrapBatch.ts';
import { batchFacts, withBatch } from './rotationProgress.ts';

export interface Followed {
  readonly watch: Stored<Watch>;
  /** More accounts must be re-wrapped, and nothing prevents it. */
  readonly unfinished: boolean;
}

/** What one message of work keeps from batch to batch. */
export interface VersionCheck {
  readonly pacedVault: PacedKeyVault;
  /** By binding, so that the newest version is read once in a message. */
  readonly runs: Map<string, RewrapRun>;
  /** Accounts that this message may still re-wrap. */
  left: number;
}

/** The number of parallel accounts that uses the vault's budget, when each takes this long. */
const accountSeconds = 0.2;
const maxAtOnce = 16;

/** Makes one GET, or none when the message has made it already, and re-wraps until the given time. */
export async function followLatest(
  stored: Stored<Watch>,
  until: EpochMs,
  isSweep: boolean,
  check: VersionCheck,
  deps: RotationDeps,
): Promise<Followed> {
  const { runs, pacedVault } = check;
  const bindingId = stored.value.binding.id;
  let watch = stored;
  if (!runs.has(bindingId) || isVersionCheckDue(stored.value, deps.clock.now(), isSweep, deps.policy)) {
    runs.delete(bindingId);
    watch = await checkVersion(stored, check, deps);
  }
  const run = runs.get(bindingId);
  if (run === undefined) return { watch, unfinished: false };

  await pacedVault.open();
  const cost = costOf(run.target);
  const atOnce = Math.min(maxAtOnce, Math.ceil(pacedVault.perSecond(cost) * accountSeconds));
  const paced = { ...deps, keyVault: pacedVault.paced(cost) };
  const failedBefore = run.failed;
  const batch = await rewrapBatch(run, { until, atOnce, max: check.left }, paced);
  check.left -= batch.rewrapped;
  if (batch.rewrapped > 0) measure(deps.log, 'keyward.rewraps', batch.rewrapped, { result: 'done' });
  if (run.failed > failedBefore) measure(deps.log, 'keyward.rewraps', run.failed - failedBefore, { result: 'failed' });
  const isComplete = run.isOver && run.failed === 0 && !(await leavesAccounts(run, deps));
  const current = (batch.rewrapped > 0 ? await deps.bindings.readWatch(bindingId) : undefined) ?? watch;
  const decide = (before: Watch) => withBatch(before, run, batch, isComplete);
  const facts = (before: Watch) => batchFacts(before, run, batch, isComplete);
  watch = await updateWatch(current, decide, deps, facts);
  if (batch.error !== undefined) throw batch.error;
  if (run.isOver) watch = await readExpiries(watch, run, check, deps);
  const isStopped = run.isOver || (batch.stop !== undefined && batch.stop.cause !== 'Throttled');
  if (isStopped) runs.delete(bindingId);
  return { watch, unfinished: !isStopped };
}

/** Reads the newest version. A run begins when it can be used and an account may be outdated. */
export async function checkVersion(
  stored: Stored<Watch>,
  check: VersionCheck,
  deps: RotationDeps,
): Promise<Stored<Watch>> {
  const beganAt = deps.clock.now();
  const { binding, latest } = stored.value;
  const when = { beganAt, plannedAt: stored.value.nextVersionCheckAt };
  const answer = await check.pacedVault.counted(costOf(latest)).describe(binding);
  measure(deps.log, 'keyward.newest.reads', 1, { cause: answer.ok ? 'none' : answer.cause });
  const decide = (watch: Watch) => withLatest(watch, answer, when, deps.policy);
  const found = await updateWatch(stored, decide, deps, versionFacts);
  // A version that has become unusable wraps nothing new, also when it already wraps an account key.
  const isUsable = answer.ok && brokenRules(answer.value, beganAt).length === 0;
  // A version that denies its accounts is no target: its next look restores them first, then the others are re-wrapped.
  const isRefused = answer.ok && found.value.versions[answer.value.version]?.status === 'Inaccessible';
  if (isUsable && !isRefused && found.value.targetVersion === answer.value.version)
    check.runs.set(binding.id, beginRun(found.value, answer.value, deps));
  return found;
}

/** Due by time, or because an account is still on an older version. A denied key gets no check. */
export async function isFollowDue(watch: Watch, isSweep: boolean, deps: RotationDeps): Promise<boolean> {
  if (isUnreachable(watch)) return false;
  if (isVersionCheckDue(watch, deps.clock.now(), isSweep, deps.policy)) return true;
  const { targetVersion, unusableVersion, rotation, forced } = watch;
  // A failed account is tried again with the next version check, and not with every message.
  const hasFailed =
    unusableVersion?.version === targetVersion || (rotation?.to === targetVersion && rotation?.isWaiting);
  if (targetVersion === undefined || hasFailed) return false;
  if (forced !== undefined) return true;
  for (const version of openOutdatedVersions(watch)) {
    if (await isAnyBound(watch.binding.id, { version, onlyFollowing: true }, deps)) return true;
  }
  return false;
}

/** Accounts on versions that do not unwrap now: they wait until these do. */
async function leavesAccounts(run: RewrapRun, deps: RotationDeps): Promise<boolean> {
  for (const version of outdatedVersions(run.watch)) {
    if (run.watch.versions[version]?.status === 'Accessible' && !run.blocked.has(version)) continue;
    if (await isAnyBound(run.watch.binding.id, { version, onlyFollowing: true }, deps)) return true;
  }
  return false;
}

/** Older versions of pinned accounts have expiry dates too. Checked once a day, and not during a rotation. */
async function readExpiries(
  stored: Stored<Watch>,
  run: RewrapRun,
  check: VersionCheck,
  deps: RotationDeps,
): Promise<Stored<Watch>> {
  let watch = stored;
  const keyVault = check.pacedVault.counted(costOf(run.target));
  for (const version of run.moved === 0 ? unreadExpiries(stored.value, deps.clock.now()) : []) {
    const answer = await keyVault.describe(stored.value.binding, version);
    if (!answer.ok) break;
    const read = (before: Watch) => withExpiry(before, answer.value, deps.clock.now(), deps.policy);
    watch = await updateWatch(watch, read, deps);
  }
  return watch;
}
