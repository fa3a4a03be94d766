/**
 * One vault's work: look at each due binding, re-wrap what is due, catch the accounts' audit up. Every trigger ends here.
 *
 *   event, admin ─▶ requestLooks: marks the watch due, now or as soon as a look can count
 *   sweep, wake  ─┐        │ only the call that marked it goes on, so a storm of events is one look
 *                 └────────┴─▶ one worker a vault ─▶ each due binding: look ─▶ reconcile ─▶ follow the latest version
 */

import { describeError } from '../errors.ts';
import type { Policy } from '../policy.ts';
import type { VaultWork } from '../ports.ts';
import type { Service } from '../service.ts';
import type { EpochMs } from '../time.ts';
import { isLookDue, soonest, type Watch } from '../watch.ts';
import { updateWatch } from '../watching.ts';
import { followLatest, isFollowDue } from './follow.ts';
import { lookAtBinding, type Round } from './look.ts';
import { reconcile } from './reconcile.ts';

/** How long a worker that died keeps others off its vault. */
const workerLeaseMs = 60_000;
/** How long one message of work goes on; functionTimeout in host.json is far above it. */
const budgetMs = 120_000;
/** When a vault has a worker already, its due looks wait this long. */
const busyDelayMs = 3_000;

export async function workOnVault(message: VaultWork, service: Service): Promise<void> {
  const { vault, lookNow } = message;
  const ids = await service.vaults.bindings(vault);
  if (lookNow === undefined) return workOnDue(vault, ids, message.askedBy === 'sweep', service);
  const now = service.clock.now();
  const starts = await requestLooks(ids, lookNow, now, service);
  for (const startAt of starts) {
    if (startAt > now) await service.queue.send({ vault, askedBy: 'wake' }, startAt - now);
  }
  if ([...starts].some((startAt) => startAt <= now)) await workOnDue(vault, ids, false, service);
}

/** The times that this request brought forward; none when others have asked for the same already. */
async function requestLooks(
  ids: readonly string[],
  wanted: { readonly keyName?: string },
  now: EpochMs,
  service: Service,
): Promise<Set<EpochMs>> {
  const starts = new Set<EpochMs>();
  for (const id of ids) {
    const stored = await service.bindings.readWatch(id);
    if (stored === undefined) continue;
    if (wanted.keyName !== undefined && stored.value.binding.keyName !== wanted.keyName) continue;
    const asked = await updateWatch(stored, (watch) => broughtForward(watch, now, service.policy), service);
    if (asked !== stored) starts.add(asked.value.nextLookAt).add(asked.value.nextVersionCheckAt);
  }
  return starts;
}

/** The same watch when nothing comes sooner. */
function broughtForward(watch: Watch, now: EpochMs, policy: Policy): Watch {
  const nextLookAt = Math.min(watch.nextLookAt, soonest(now, watch.lastLookAt, policy));
  const nextVersionCheckAt = Math.min(watch.nextVersionCheckAt, soonest(now, watch.lastVersionCheckAt, policy));
  const isSooner = nextLookAt < watch.nextLookAt || nextVersionCheckAt < watch.nextVersionCheckAt;
  return isSooner ? { ...watch, nextLookAt, nextVersionCheckAt } : watch;
}

async function workOnDue(vault: string, ids: readonly string[], isSweep: boolean, service: Service): Promise<void> {
  const { clock, queue, vaults } = service;
  const began = clock.now();
  let keptAt = began;
  let ticket = await vaults.beginWork(vault, began, began + workerLeaseMs);
  if (ticket === undefined) return queue.send({ vault, askedBy: isSweep ? 'sweep' : 'wake' }, busyDelayMs);
  const round: Round = {};
  let wakeAt = never;
  try {
    for (const id of ids) {
      if (clock.now() - keptAt > workerLeaseMs / 3) {
        keptAt = clock.now();
        ticket = await vaults.keepWork(vault, ticket, keptAt + workerLeaseMs);
        if (ticket === undefined) return;
      }
      // What is left stands in the tables: the next message goes on there, well inside the function's own time limit.
      wakeAt =
        clock.now() - began > budgetMs
          ? clock.now()
          : Math.min(wakeAt, await workOnBinding(id, isSweep, round, service));
    }
  } finally {
    if (ticket !== undefined) await vaults.endWork(vault, ticket);
  }
  // Sooner than the sweep comes round anyway.
  if (wakeAt < clock.now() + service.policy.lookIntervalHealthySeconds * 1000)
    await queue.send({ vault, askedBy: 'wake' }, Math.max(0, wakeAt - clock.now()));
}

const never = Number.POSITIVE_INFINITY;

/** When this binding needs its vault awake again; one binding's failure stops no other. */
async function workOnBinding(id: string, isSweep: boolean, round: Round, service: Service): Promise<EpochMs> {
  try {
    let watch = await service.bindings.readWatch(id);
    if (watch === undefined) return never;
    noteLateness(watch.value, service);
    const isLooking = isLookDue(watch.value, service.clock.now(), isSweep, service.policy);
    if (isLooking) watch = await lookAtBinding(watch, round, service);
    const reconciled = await reconcile(watch, service);
    watch = reconciled.watch;
    if (!reconciled.done) return service.clock.now();
    const isFollowing = round.silence === undefined && (await isFollowDue(watch.value, isSweep, service));
    if (!isFollowing) return isLooking ? nextWakeOf(watch.value) : never;
    const followed = await followLatest(watch, service);
    return followed.unfinished ? service.clock.now() : nextWakeOf(followed.watch.value);
  } catch (error) {
    service.log.error('Work on a binding failed', { bindingId: id, error: describeError(error) });
    return never;
  }
}

const nextWakeOf = (watch: Watch): EpochMs => Math.min(watch.nextLookAt, watch.nextVersionCheckAt);

/** A look that comes a whole interval late says that sweeps, or workers, do not keep up: docs/operations.md has the alert. */
function noteLateness(watch: Watch, { clock, policy, log }: Service): void {
  const lateMs = clock.now() - watch.nextLookAt;
  if (lateMs > policy.lookIntervalHealthySeconds * 1000)
    log.warn('A look came late', { bindingId: watch.binding.id, lateMs });
}
