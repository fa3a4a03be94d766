/**
 * The due work on the service's own keys: with every sweep, and when an event requests it. One worker at a time. An
 * event can only bring the next reading of the operator's keys forward, and not to sooner than `lookSpacingSeconds`
 * after the last (INV-5).
 */
import { describeError } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import { ringNames } from '../base/vocabulary.ts';
import type { RingsDeps } from './deps.ts';
import { checkOperatorKeys, isCheckDue } from './rewrapRings.ts';
import { nextRotationAt, stepRotation } from './rotateRing.ts';
import type { StoredRings } from './storedRing.ts';

const busyDelayMs = 3_000;

/** Mostly no work is due, and it costs one query. */
export async function maintainRings(service: RingsDeps): Promise<void> {
  if (isAnythingDue(await service.ringStore.read(), service))
    await alone(undefined, service, (stored) => tend(stored, service));
}

function isAnythingDue(stored: StoredRings, service: RingsDeps): boolean {
  const isRotationDue = ringNames.some((ring) => {
    const at = nextRotationAt(stored.rings[ring], service.policy);
    return stored.rings[ring].state?.value.rotation !== undefined || (at !== undefined && service.clock.now() >= at);
  });
  return isRotationDue || isCheckDue(stored, service);
}

/** An event names the operator's keys. */
export const lookAtOperatorKeys = (requestedAt: EpochMs, service: RingsDeps): Promise<void> =>
  alone(requestedAt, service, async (stored) => {
    const checkedAt = stored.check?.checkedAt ?? 0;
    // A later reading has already served this event.
    if (checkedAt >= requestedAt) return;
    const waitMs = checkedAt + service.policy.lookSpacingSeconds * 1000 - service.clock.now();
    if (waitMs > 0) await service.dailyQueue.send({ visit: 'operatorKeys', requestedAt }, waitMs);
    else await checkOperatorKeys(stored, service);
  });

async function alone(
  requestedAt: EpochMs | undefined,
  service: RingsDeps,
  work: (stored: StoredRings) => Promise<void>,
): Promise<void> {
  const { vaults, policy, dailyQueue } = service;
  // No ring exists before its first use, and the lock below needs the rings.
  if (isWithoutRings(await service.ringStore.read())) return;
  const ticket = await vaults.beginWork('rings', policy.workerLeaseSeconds * 1000);
  if (ticket === undefined) {
    if (requestedAt !== undefined) await dailyQueue.send({ visit: 'operatorKeys', requestedAt }, busyDelayMs);
    return;
  }
  try {
    await work(await service.ringStore.read());
  } finally {
    await vaults.endWork('rings', ticket);
  }
}

const isWithoutRings = ({ rings }: StoredRings): boolean => ringNames.every((ring) => rings[ring].rows.length === 0);

async function tend(before: StoredRings, service: RingsDeps): Promise<void> {
  const isDue = isCheckDue(before, service);
  if (isDue) await checkOperatorKeys(before, service);
  const stored = isDue ? await service.ringStore.read() : before;
  for (const ring of ringNames) {
    try {
      await stepRotation(ring, stored.rings[ring], service);
    } catch (error) {
      service.log.error('Work on a ring failed', { ring, error: describeError(error) });
    }
  }
}

/** Wakes the work on the operator's keys if the event names their vault. Returns whether it did. */
export async function wakeRings(
  { vaultHost, keyName }: { readonly vaultHost: string; readonly keyName?: string },
  service: RingsDeps,
): Promise<boolean> {
  const { system, atRest, recovery } = service.operatorKeys;
  const isOurs = [system, atRest, recovery].some(
    (key) => key?.vaultHost === vaultHost && (keyName === undefined || key.keyName === keyName),
  );
  if (isOurs) await service.dailyQueue.send({ visit: 'operatorKeys', requestedAt: service.clock.now() });
  return isOurs;
}
