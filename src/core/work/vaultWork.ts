/**
 * One vault's work: look at each due binding, re-wrap what is due, catch the accounts' audit up. Every trigger ends here.
 *
 *   event, admin ─▶ requestLooks: marks the watch due, now or as soon as a look can count
 *   sweep, wake  ─┐        │ only the call that marked it goes on, so a storm of events is one look
 *                 └────────┴─▶ one worker a vault ─▶ each due binding: look ─▶ reconcile ─▶ follow the latest version
 */

import { describeError, LostRace } from '../errors.ts';
import type { Stored, VaultWork } from '../ports.ts';
import type { Service } from '../service.ts';
import type { EpochMs } from '../time.ts';
import { soonest, type Watch } from '../watch.ts';
import { followLatest } from './follow.ts';
import { lookAtBinding } from './look.ts';
import { reconcile } from './reconcile.ts';

/** How long a worker that died keeps others off its vault. */
const workerLeaseMs = 60_000;
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
  if (starts.has(now)) await workOnDue(vault, ids, false, service);
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
    const watch = stored.value;
    if (wanted.keyName !== undefined && watch.binding.keyName !== wanted.keyName) continue;
    const lookAt = soonest(now, watch.lastLookAt, service.policy);
    const checkAt = soonest(now, watch.lastVersionCheckAt, service.policy);
    const isSooner = lookAt < watch.nextLookAt || checkAt < watch.nextVersionCheckAt;
    const next = {
      ...watch,
      nextLookAt: Math.min(watch.nextLookAt, lookAt),
      nextVersionCheckAt: Math.min(watch.nextVersionCheckAt, checkAt),
    };
    if (isSooner && (await saved({ value: next, etag: stored.etag }, service))) starts.add(lookAt).add(checkAt);
  }
  return starts;
}

/** A worker that saves at the same moment is looking right now: the wake-up of the faster writer serves us too. */
async function saved(watch: Stored<Watch>, service: Service): Promise<boolean> {
  try {
    await service.bindings.saveWatch(watch, []);
    return true;
  } catch (error) {
    if (error instanceof LostRace) return false;
    throw error;
  }
}

async function workOnDue(vault: string, ids: readonly string[], isSweep: boolean, service: Service): Promise<void> {
  const now = service.clock.now();
  const worker = service.random.uuid();
  if (!(await service.vaults.beginWork(vault, worker, now, now + workerLeaseMs)))
    return service.queue.send({ vault, askedBy: isSweep ? 'sweep' : 'wake' }, busyDelayMs);
  let wakeAt: number | undefined;
  try {
    for (const id of ids) {
      const next = await workOnBinding(id, isSweep, service);
      if (next !== undefined) wakeAt = Math.min(wakeAt ?? next, next);
    }
  } finally {
    await service.vaults.endWork(vault, worker);
  }
  if (wakeAt !== undefined)
    await service.queue.send({ vault, askedBy: 'wake' }, Math.max(0, wakeAt - service.clock.now()));
}

/** When this binding needs its vault awake again before the next sweep comes round; one binding's failure stops no other. */
async function workOnBinding(id: string, isSweep: boolean, service: Service): Promise<number | undefined> {
  try {
    const looked = await lookAtBinding(id, isSweep, service);
    await reconcile(id, service);
    const followed = await followLatest(id, isSweep, service);
    if (followed === 'unfinished') return service.clock.now();
    const watch = await service.bindings.readWatch(id);
    if (watch === undefined || !(looked || followed === 'checked')) return undefined;
    const { nextLookAt, nextVersionCheckAt } = watch.value;
    const sweepAt = service.clock.now() + service.policy.lookIntervalHealthySeconds * 1000;
    const wakeAt = Math.min(nextLookAt, nextVersionCheckAt);
    return wakeAt < sweepAt ? wakeAt : undefined;
  } catch (error) {
    service.log.error('Work on a binding failed', { bindingId: id, error: describeError(error) });
    return undefined;
  }
}
