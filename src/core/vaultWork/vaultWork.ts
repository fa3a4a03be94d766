/**
 * The work of one vault: look at each due binding, re-wrap due accounts, and add verdicts to the accounts' audit. Every
 * trigger ends here.
 *
 *   event, admin ─▶ requestLooks: marks the watch due, now or as soon as a look can count
 *   sweep, wake  ─┐        │ only the call that marked it continues, so a storm of events is one look
 *                 └────────┴─▶ one worker a vault ─▶ each due binding: look ─▶ reconcile ─▶ follow the latest version
 */

import { describeError } from '../base/errors.ts';
import type { Policy } from '../base/policy.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import { type HeldLock, renewLock } from '../base/workLock.ts';
import { followLatest, isFollowDue, type VersionCheck } from '../rotation/followLatestVersion.ts';
import { logFutureTime } from '../watch/futureTime.ts';
import { isLookDue, soonest } from '../watch/lookSchedule.ts';
import { createPacedKeyVault } from '../watch/pacedKeyVault.ts';
import type { VaultWork } from '../watch/ports.ts';
import { updateWatch } from '../watch/updateWatch.ts';
import { type Budget, costOf } from '../watch/vaultBudget.ts';
import type { Watch } from '../watch/watch.ts';
import type { VaultWorkDeps } from './deps.ts';
import { lookAtBinding } from './look.ts';
import { auditLooks, type LookRound } from './lookRound.ts';
import { type ReconcileRun, reconcile } from './reconcile.ts';
import { openWatch, restoringOlderWatch } from './restoreWatch.ts';
import { isBeforeNextSweep, logPlans, nextWakeOf } from './wake.ts';

/** How long the work of one message lasts; functionTimeout in host.json is far longer. */
const budgetMs = 120_000;
/** How much of that time changes of accounts may take, and how long they run before due looks come first. */
const accountsMs = 60_000;
const maxWorkMs = 3_000;
const minWorkMs = 500;
/** When a vault already has a worker, its due looks wait this long. */
const busyDelayMs = 3_000;

export async function workOnVault(message: VaultWork, given: VaultWorkDeps): Promise<void> {
  const { vault, lookNow, requestedBy: trigger } = message;
  const event = message.eventId === undefined ? {} : { eventId: message.eventId };
  const deps = { ...given, trigger: { trigger, ...event } };
  const ids = await deps.vaults.bindings(vault);
  if (lookNow === undefined) return workOnDue(vault, ids, message.requestedBy === 'sweep', deps);
  const now = deps.clock.now();
  const starts = await requestLooks(ids, lookNow, now, deps);
  for (const startAt of starts) {
    if (startAt > now) await deps.queue.send({ vault, requestedBy: 'wake', ...event }, startAt - now);
  }
  if ([...starts].some((startAt) => startAt <= now)) await workOnDue(vault, ids, false, deps);
}

/** The times that this request brought forward, and now where work is due; none when earlier requests have done so. */
async function requestLooks(
  ids: readonly string[],
  wanted: { readonly keyName?: string },
  now: EpochMs,
  deps: VaultWorkDeps,
): Promise<Set<EpochMs>> {
  const starts = new Set<EpochMs>();
  for (const id of ids) {
    const stored = await openWatch(id, deps);
    if (stored === undefined) continue;
    if (wanted.keyName !== undefined && stored.value.binding.keyName !== wanted.keyName) continue;
    const planned = await updateWatch(stored, (watch) => broughtForward(watch, now, deps.policy), deps);
    if (planned !== stored) starts.add(planned.value.nextLookAt).add(planned.value.nextVersionCheckAt);
    // A watch that was just restored, or that no sweep has reached.
    else if (nextWakeOf(stored.value) <= now) starts.add(now);
  }
  return starts;
}

/** The same watch when no look comes sooner. */
function broughtForward(watch: Watch, now: EpochMs, policy: Policy): Watch {
  const nextLookAt = Math.min(watch.nextLookAt, soonest(now, watch.lastLookAt, policy));
  const nextVersionCheckAt = Math.min(watch.nextVersionCheckAt, soonest(now, watch.lastVersionCheckAt, policy));
  const isSooner = nextLookAt < watch.nextLookAt || nextVersionCheckAt < watch.nextVersionCheckAt;
  return isSooner ? { ...watch, nextLookAt, nextVersionCheckAt } : watch;
}

/** The state of one message, round by round. */
interface Message extends VersionCheck, HeldLock {
  readonly vault: string;
  readonly ids: readonly string[];
  readonly began: EpochMs;
  readonly deps: VaultWorkDeps;
  /** By binding: when its vault needs a worker again. */
  readonly wakes: Map<string, EpochMs>;
  /** By binding. */
  readonly reconciling: Map<string, ReconcileRun>;
}

async function workOnDue(vault: string, ids: readonly string[], isSweep: boolean, deps: VaultWorkDeps): Promise<void> {
  const { clock, queue, vaults, policy } = deps;
  const began = clock.now();
  const eventId = deps.trigger?.eventId;
  const event = eventId === undefined ? {} : { eventId };
  const ticket = await vaults.beginWork(vault, policy.workerLeaseSeconds * 1000);
  if (ticket === undefined) {
    if (await vaults.mayWait(vault, busyDelayMs))
      await queue.send({ vault, requestedBy: isSweep ? 'sweep' : 'wake', ...event }, busyDelayMs);
    return;
  }
  const pacedVault = createPacedKeyVault(() => readBudget(vault, deps), deps);
  const about = { vault, ids, began, deps, ticket, renewedAt: began, left: policy.accountsPerMessage };
  const message: Message = { ...about, pacedVault, runs: new Map(), wakes: new Map(), reconciling: new Map() };
  try {
    let isUnfinished = await workOneRound(isSweep, message);
    while (isUnfinished) isUnfinished = await workOneRound(false, message);
    if (pacedVault.isOpen && message.ticket !== undefined) await vaults.saveBudget(vault, pacedVault.budget);
  } finally {
    if (message.ticket !== undefined) await vaults.endWork(vault, message.ticket);
  }
  if (message.ticket === undefined) return;
  const wakeAt = Math.min(...message.wakes.values());
  if (isBeforeNextSweep(wakeAt, clock.now(), policy))
    await queue.send({ vault, requestedBy: 'wake' }, Math.max(0, wakeAt - clock.now()));
}

async function readBudget(vault: string, { vaults, clock, log }: VaultWorkDeps): Promise<Budget | undefined> {
  const budget = await vaults.readBudget(vault);
  if (budget !== undefined) logFutureTime(`vaults/${vault}/budget`, budget.at, clock.now(), log);
  return budget;
}

/**
 * Looks at every binding first. Then it adds verdicts to the audit of accounts and re-wraps, for a few seconds, or
 * until the next look is due. So no look waits for the accounts of a key, however many there are. Returns whether this
 * message continues with another round.
 */
async function workOneRound(isSweep: boolean, message: Message): Promise<boolean> {
  const { began, pacedVault, deps } = message;
  const { clock } = deps;
  const round: LookRound = { used: [] };
  const watches = await lookAtAll(isSweep, round, message);
  await auditLooks(round, deps, () => renewWork(message));
  if (watches === undefined) return false;

  const nextLookAt = Math.min(...watches.map(({ value }) => value.nextLookAt));
  let isUnfinished = false;
  for (const watch of watches) {
    if (!(await renewWork(message))) return false;
    const now = clock.now();
    const until = Math.min(now + maxWorkMs, Math.max(now + minWorkMs, nextLookAt));
    const work = async () => {
      const reconciled = await reconcileUntil(until, watch, isSweep, message);
      if (reconciled === undefined) return true;
      return round.unreachableCause === undefined && followIfDue(reconciled, until, isSweep, message);
    };
    isUnfinished = (await onBinding(watch.value.binding.id, deps, work, false)) || isUnfinished;
  }
  return isUnfinished && pacedVault.resumeAt === undefined && message.left > 0 && clock.now() - began < accountsMs;
}

/** The watches afterwards; undefined: another worker has the vault now. */
async function lookAtAll(isSweep: boolean, round: LookRound, message: Message): Promise<Stored<Watch>[] | undefined> {
  const { began, wakes, deps } = message;
  const { clock } = deps;
  const watches: Stored<Watch>[] = [];
  for (const id of message.ids) {
    if (!(await renewWork(message))) return undefined;
    // The tables hold the remaining work. The next message continues there, well inside the function's own time limit.
    if (clock.now() - began > budgetMs) wakes.set(id, clock.now());
    else watches.push(...(await onBinding(id, deps, () => lookIfDue(id, isSweep, round, message), [])));
  }
  return watches;
}

/** A failure of one binding does not stop the others. */
async function onBinding<T>(bindingId: string, deps: VaultWorkDeps, work: () => Promise<T>, otherwise: T): Promise<T> {
  try {
    return await restoringOlderWatch(bindingId, deps, work);
  } catch (error) {
    deps.log.error('Work on a binding failed', { bindingId, error: describeError(error) });
    return otherwise;
  }
}

const renewWork = (message: Message): Promise<boolean> =>
  renewLock(message, message.vault, message.deps.policy.workerLeaseSeconds * 1000, message.deps);

async function lookIfDue(id: string, isSweep: boolean, round: LookRound, message: Message): Promise<Stored<Watch>[]> {
  const { deps, pacedVault, wakes } = message;
  const watch = await openWatch(id, deps);
  if (watch === undefined) return [];
  logPlans(watch.value, deps);
  if (!isLookDue(watch.value, deps.clock.now(), isSweep, deps.policy)) return [watch];
  const keyVault = pacedVault.counted(costOf(watch.value.latest));
  const seen = await lookAtBinding(watch, round, { ...deps, keyVault });
  wakes.set(id, nextWakeOf(seen.value));
  return [seen];
}

/** The watch whose accounts have every verdict in their audit; undefined: there are accounts left. */
async function reconcileUntil(
  until: EpochMs,
  watch: Stored<Watch>,
  isSweep: boolean,
  message: Message,
): Promise<Stored<Watch> | undefined> {
  const { deps, reconciling, wakes } = message;
  const { id } = watch.value.binding;
  const isOutdated = watch.value.reconciledEpoch !== watch.value.epoch;
  const { entries, watch: reconciled } = await reconcile(watch, { until, max: message.left }, reconciling, deps);
  message.left -= entries;
  if (reconciled === undefined) wakes.set(id, deps.clock.now());
  // The message for the next look may be lost, or it had no time to finish.
  else if (isOutdated || isSweep) wakes.set(id, nextWakeOf(reconciled.value));
  return reconciled;
}

/** Returns whether there is more to re-wrap. */
async function followIfDue(watch: Stored<Watch>, until: EpochMs, isSweep: boolean, message: Message): Promise<boolean> {
  const { deps, runs, pacedVault, wakes } = message;
  const { id } = watch.value.binding;
  if (!runs.has(id) && !(await isFollowDue(watch.value, isSweep, deps))) return false;
  const followed = await followLatest(watch, until, isSweep, message, deps);
  const { unfinished } = followed;
  wakes.set(id, unfinished ? (pacedVault.resumeAt ?? deps.clock.now()) : nextWakeOf(followed.watch.value));
  return unfinished;
}
