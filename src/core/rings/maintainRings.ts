/**
 * The due work on the service's own keys: with every sweep, and when an event requests it. One worker at a time. An
 * event can only bring the next reading of the operator's keys forward, and not to sooner than `lookSpacingSeconds`
 * after the last (INV-5).
 */
import { describeError } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import { ringNames } from '../base/vocabulary.ts';
import { busy, withWorkerLock } from '../base/workLock.ts';
import type { RingsDeps } from './deps.ts';
import { checkOperatorKeys, isCheckDue } from './rewrapRings.ts';
import { nextRotationAt, stepRotation } from './rotateRing.ts';
import type { StoredRings } from './storedRing.ts';

const busyDelayMs = 3_000;

/** Mostly no work is due, and it costs one query. */
export async function maintainRings(deps: RingsDeps): Promise<void> {
  const stored = await deps.ringStore.read();
  if (isAnythingDue(stored, deps)) await withRingsLock(stored, (locked) => maintain(locked, deps), deps);
}

function isAnythingDue(stored: StoredRings, deps: RingsDeps): boolean {
  const isRotationDue = ringNames.some((ring) => {
    const at = nextRotationAt(stored.rings[ring], deps.policy);
    return stored.rings[ring].state?.value.rotation !== undefined || (at !== undefined && deps.clock.now() >= at);
  });
  return isRotationDue || isCheckDue(stored, deps);
}

/** An event names the operator's keys. */
export async function lookAtOperatorKeys(requestedAt: EpochMs, deps: RingsDeps): Promise<void> {
  const { ringStore, dailyQueue, policy, clock } = deps;
  const lookAgain = (delayMs: number) => dailyQueue.send({ visit: 'operatorKeys', requestedAt }, delayMs);
  const look = async (stored: StoredRings) => {
    const checkedAt = stored.check?.checkedAt ?? 0;
    // A later reading has already served this event.
    if (checkedAt >= requestedAt) return;
    const waitMs = checkedAt + policy.lookSpacingSeconds * 1000 - clock.now();
    if (waitMs > 0) await lookAgain(waitMs);
    else await checkOperatorKeys(stored, deps);
  };
  const isBusy = await withRingsLock(await ringStore.read(), look, deps);
  if (isBusy) await lookAgain(busyDelayMs);
}

/**
 * Work as the only worker on the rings, which it gets as they are under the lock. Returns whether another worker has the
 * lock.
 */
async function withRingsLock(
  stored: StoredRings,
  work: (locked: StoredRings) => Promise<void>,
  deps: RingsDeps,
): Promise<boolean> {
  // No ring exists before its first use, and the lock needs the rings.
  if (isWithoutRings(stored)) return false;
  const workOnLocked = async () => work(await deps.ringStore.read());
  return (await withWorkerLock('rings', workOnLocked, deps)) === busy;
}

const isWithoutRings = ({ rings }: StoredRings): boolean => ringNames.every((ring) => rings[ring].rows.length === 0);

async function maintain(before: StoredRings, deps: RingsDeps): Promise<void> {
  const isDue = isCheckDue(before, deps);
  if (isDue) await checkOperatorKeys(before, deps);
  const stored = isDue ? await deps.ringStore.read() : before;
  for (const ring of ringNames) {
    try {
      await stepRotation(ring, stored.rings[ring], deps);
    } catch (error) {
      deps.log.error('Work on a ring failed', { ring, error: describeError(error) });
    }
  }
}

/** Wakes the work on the operator's keys if the event names their vault. Returns whether it did. */
export async function wakeRings(
  { vaultHost, keyName }: { readonly vaultHost: string; readonly keyName?: string },
  deps: RingsDeps,
): Promise<boolean> {
  const { system, atRest, recovery } = deps.operatorKeys;
  const isOurs = [system, atRest, recovery].some(
    (key) => key?.vaultHost === vaultHost && (keyName === undefined || key.keyName === keyName),
  );
  if (isOurs) await deps.dailyQueue.send({ visit: 'operatorKeys', requestedAt: deps.clock.now() });
  return isOurs;
}
