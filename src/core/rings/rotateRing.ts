/**
 * Creates a new KEK for a ring, on request or by age, phase by phase (ring.ts). Each step is one conditional write of
 * the ring's state, and can be repeated. Its entry in the service's chain comes before it, at least once.
 *
 *   begin ─▶ arriving ─▶ moving ─▶ retiring ─▶ older generations destroyed
 *                 └─ the audit ring ends here: chains stay to be verified, so it keeps every generation
 */
import type { Actor, AuditFacts } from '../audit/auditFacts.ts';
import { recordForService } from '../audit/serviceAudit.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import { type RingName, ringNames } from '../base/vocabulary.ts';
import { withWorkerLock } from '../base/workLock.ts';
import type { Kek } from '../crypto/accountKeyEnvelope.ts';
import type { RingsDeps } from './deps.ts';
import { arrivingMs, olderKeyWaitMs, settleMs } from './durations.ts';
import { linkOf, vouchers } from './kek.ts';
import { makeKek } from './makeKek.ts';
import { checkOperatorKeys, isFullyWrapped } from './rewrapRings.ts';
import { type Ring, ringIn } from './ring.ts';
import {
  createdAtOf,
  generationsOf,
  nextGeneration,
  type RingPass,
  type RingRotation,
  type RingState,
  type StoredRing,
  sealingOf,
} from './storedRing.ts';

const dayMs = 86_400_000;
const keyward = { kind: 'keyward', id: 'rings' } as const;

/** The state says which rotations are in progress. For a stuck pass, the operator's request means: try again now. */
export async function requestRotation(ring: RingName, actor: Actor, deps: RingsDeps): Promise<void> {
  // Creates the rings when no process has needed them yet.
  await deps.rings();
  // Of two simultaneous requests, the later one gets the rotation that the other has begun.
  await retryLostRaces(async () => {
    const stored = (await deps.ringStore.read()).rings[ring];
    const rotation = stored.state?.value.rotation;
    if (rotation === undefined) return beginRotation(ring, stored, actor, deps);
    if (rotation.pass === undefined || rotation.pass.stuck === 0)
      throw new Refusal('Conflict', `A rotation of the ${ring} ring is already in progress.`, { target: 'ring' });
    await save(ring, stored, { ...rotation, pass: nextRound(rotation.pass, deps.clock.now()) }, deps);
    await wakePass(ring, deps);
  });
}

export const wakePass = (ring: RingName, { dailyQueue }: Pick<RingsDeps, 'dailyQueue'>): Promise<void> =>
  dailyQueue.send({ visit: 'ring', ring });

async function beginRotation(ring: RingName, stored: StoredRing, actor: Actor, deps: RingsDeps): Promise<void> {
  const rings = await deps.rings('fresh');
  // Its creator died before the entry. It decrypts and proves its origin, and nothing is under it.
  const isKnown = (generation: number) => isOpen(ringIn(rings, ring), generation);
  const orphan = generationsOf(stored).find((one) => one > sealingOf(stored) && isKnown(one));
  const before = ringIn(rings, ring).kek(sealingOf(stored));
  const to = orphan ?? nextGeneration(stored, isKnown);
  if (orphan === undefined && !(await makeKek(ring, to, { ring, kek: before }, deps)))
    throw new Refusal('Conflict', `Another caller has just started a rotation of the ${ring} ring.`);
  await auditStep('RingGenerationCreated', ring, to, actor, deps);
  await save(ring, stored, { phase: 'arriving', to, since: deps.clock.now(), by: actor }, deps);
  deps.log.info('Started a ring rotation', { ring, generation: to });
}

function isOpen(ring: Ring, generation: number): boolean {
  try {
    return ring.kek(generation) !== undefined;
  } catch {
    return false;
  }
}

/** The work that is due for the ring now. */
export async function stepRotation(ring: RingName, stored: StoredRing, deps: RingsDeps): Promise<void> {
  const now = deps.clock.now();
  const rotation = stored.state?.value.rotation;
  if (rotation === undefined) {
    const dueAt = nextRotationAt(stored, deps.policy);
    if (dueAt !== undefined && now >= dueAt) await beginRotation(ring, stored, keyward, deps);
    return;
  }
  switch (rotation.phase) {
    case 'arriving':
      if (now - rotation.since >= arrivingMs) await activate(ring, stored, rotation, deps);
      return;
    case 'moving':
      if (rotation.pass?.isClean && now - rotation.since >= olderKeyWaitMs) await retire(ring, stored, rotation, deps);
      else if (isPassDue(rotation, now)) await wakePass(ring, deps);
      return;
    case 'retiring':
      if (isPassDue(rotation, now)) await wakePass(ring, deps);
  }
}

/** When a newer KEK is due by age; undefined when none is. */
export function nextRotationAt(stored: StoredRing, policy: { readonly ringRotationDays: number }): EpochMs | undefined {
  const since = stored.state?.value.since ?? createdAtOf(stored, sealingOf(stored));
  const isOff = policy.ringRotationDays === 0 || stored.state?.value.rotation !== undefined;
  return since === undefined || isOff ? undefined : since + policy.ringRotationDays * dayMs;
}

export const isPassDue = ({ pass }: RingRotation, now: EpochMs): boolean =>
  pass !== undefined && !pass.isClean && now >= pass.startAt;

async function activate(ring: RingName, stored: StoredRing, rotation: RingRotation, deps: RingsDeps): Promise<void> {
  const { to, by } = rotation;
  if (!isFullyWrapped(ring, to, stored, deps.operatorKeys)) {
    const about = { ring, generation: to };
    deps.log.warn('A new ring generation waits until every key wraps it', about);
    return checkOperatorKeys(await deps.ringStore.read(), deps);
  }
  // Throws when this process cannot decrypt it: then other processes may not either.
  ringIn(await deps.rings('fresh'), ring).kek(to);
  await auditStep('RingGenerationActivated', ring, to, by, deps);
  const now = deps.clock.now();
  const state: RingState = { sealing: to, since: now };
  const pass: RingPass = { ...firstRound, startAt: now + settleMs };
  const moving: RingState = { ...state, rotation: { phase: 'moving', to, since: now, by, pass } };
  await deps.ringStore.saveState(ring, ring === 'audit' ? state : moving, stored.state?.etag);
  deps.log.info('A ring encrypts with its new generation', { ring, generation: to });
}

const firstRound: Omit<RingPass, 'startAt'> = { round: 1, isClean: false, visited: 0, found: 0, stuck: 0, moved: 0 };

export const nextRound = ({ round, moved }: RingPass, startAt: EpochMs): RingPass => ({
  ...firstRound,
  round: round + 1,
  moved,
  startAt,
});

async function retire(ring: RingName, stored: StoredRing, rotation: RingRotation, deps: RingsDeps): Promise<void> {
  for (const generation of generationsOf(stored).filter((one) => one < rotation.to))
    await auditStep('RingGenerationRetiring', ring, generation, rotation.by, deps);
  const now = deps.clock.now();
  const pass = { ...firstRound, moved: rotation.pass?.moved ?? 0, startAt: now };
  await save(ring, stored, { ...rotation, phase: 'retiring', since: now, pass }, deps);
  await wakePass(ring, deps);
}

/**
 * A pass that began while they were retiring has found nothing under them. Rows first: a crash begins that pass again.
 * Never beside a check of the operator's keys, which could wrap again what is being deleted: then the last part of the
 * pass comes again.
 */
export async function destroyOlder(ring: RingName, rotation: RingRotation, deps: RingsDeps): Promise<void> {
  await withWorkerLock('rings', () => destroy(ring, rotation, deps), deps);
}

async function destroy(ring: RingName, rotation: RingRotation, deps: RingsDeps): Promise<void> {
  const stored = (await deps.ringStore.read()).rings[ring];
  const { state } = stored;
  if (state?.value.rotation?.phase !== 'retiring' || state.value.rotation.to !== rotation.to) return;
  const older = stored.rows.filter(({ generation }) => generation < rotation.to);
  for (const generation of new Set(older.map((row) => row.generation)))
    await auditStep('RingGenerationDestroyed', ring, generation, rotation.by, deps);
  await linkAgain(ring, rotation.to, deps);
  for (const row of older) await deps.ringStore.remove(row);
  const { rotation: _over, ...resting } = state.value;
  await deps.ringStore.saveState(ring, resting, state.etag);
  deps.log.info('Destroyed the older generations of a ring', { ring, sealing: resting.sealing });
}

/**
 * Before the older KEKs are destroyed. They prove the origin of the remaining KEK, and of the oldest ones of other
 * rings. From then on the remaining KEKs prove the origin of all of these.
 */
async function linkAgain(ring: RingName, to: number, deps: RingsDeps): Promise<void> {
  const rings = await deps.rings('fresh');
  const stored = (await deps.ringStore.read()).rings;
  const [oldestAudit = 1] = generationsOf(stored.audit);
  const voucher = (by: RingName): Kek => {
    const { kek, newest } = ringIn(rings, by);
    if (by === 'audit') return kek(oldestAudit);
    return by === ring ? kek(to) : newest;
  };
  for (const one of ringNames.filter((name) => name === ring || vouchers[name].includes(ring))) {
    const generation = one === ring ? to : generationsOf(stored[one])[0];
    if (generation === undefined) continue;
    const kek = ringIn(rings, one).kek(generation);
    const links = vouchers[one].map((by) => linkOf(one, kek, by, voucher(by)));
    await deps.ringStore.saveRoot(one, { generation, links });
  }
}

/** @throws LostRace */
export async function save(
  ring: RingName,
  stored: StoredRing,
  rotation: RingRotation,
  { ringStore }: Pick<RingsDeps, 'ringStore'>,
): Promise<void> {
  const { sealing, since } = stored.state?.value ?? {
    sealing: sealingOf(stored),
    since: createdAtOf(stored, sealingOf(stored)) ?? rotation.since,
  };
  await ringStore.saveState(ring, { sealing, since, rotation }, stored.state?.etag);
}

function auditStep(
  type: AuditFacts['type'],
  ring: RingName,
  generation: number,
  actor: Actor,
  deps: RingsDeps,
): Promise<void> {
  return recordForService([{ type, actor, ring: `${ring}/${generation}` }], deps);
}
