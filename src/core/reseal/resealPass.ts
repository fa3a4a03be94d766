/**
 * The pass of a ring's rotation: rounds over all accounts, each divided by name into parts with one worker each. The
 * ring's state holds the progress of every part; a message only wakes a worker, which takes the first part that is
 * free. When two work on one part all the same, ETags prevent conflicting writes, and the position counts once.
 */
import { defined } from '../base/defined.ts';
import { LostRace, retryLostRaces, Unavailable } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName } from '../base/vocabulary.ts';
import { busy, withWorkerLock } from '../base/workLock.ts';
import { settleMs } from '../rings/durations.ts';
import { ringIn } from '../rings/ring.ts';
import { destroyOlder, isPassDue, nextRound, save, wakePass } from '../rings/rotateRing.ts';
import type { PassPart, RingPass, RingRotation, StoredRing } from '../rings/storedRing.ts';
import type { ResealDeps } from './deps.ts';
import { renewRows } from './renewRows.ts';
import { messageMs, processPart } from './resealPart.ts';

/** Of 64 bounds: eight workers write a third of what one storage account takes. */
const boundsPerPart = 8;
/** Keyward retries rows that do not open once a day, or when the operator requests it. */
const stuckRetryMs = 24 * 3_600_000;

/** A pass that is due, as it was read. */
interface DuePass {
  readonly stored: StoredRing;
  readonly rotation: RingRotation;
  readonly pass: RingPass;
}

interface Round extends DuePass {
  readonly parts: readonly PassPart[];
}

export async function workOnPass(ring: RingName, deps: ResealDeps): Promise<void> {
  let isMoreDue = false;
  try {
    isMoreDue = await workOnFreePart(ring, deps);
  } catch (error) {
    // Another worker has continued the pass, and the state holds its progress.
    if (!(error instanceof LostRace)) throw error;
    deps.log.info('Another worker continued the pass of a ring', { ring });
  }
  // After the lock is released, because the woken worker would otherwise find the lock taken.
  if (isMoreDue) await wakePass(ring, deps);
}

/** Returns whether more work is due at once. */
async function workOnFreePart(ring: RingName, deps: ResealDeps): Promise<boolean> {
  const due = await duePass(ring, deps);
  if (due === undefined) return false;
  const round = roundIn(due) ?? (await beginRound(ring, due, deps));
  for (const [n, { isOver }] of round.parts.entries()) {
    if (isOver) continue;
    const isMoreDue = await withWorkerLock(`ring-${ring}-${n}`, () => workOnPart(ring, n, deps), deps);
    if (isMoreDue !== busy) return isMoreDue;
  }
  if (!round.parts.every(({ isOver }) => isOver)) return false;
  return (await withWorkerLock(`ring-${ring}`, () => workOnRest(ring, deps), deps)) === true;
}

async function duePass(
  ring: RingName,
  { ringStore, clock }: Pick<ResealDeps, 'ringStore' | 'clock'>,
): Promise<DuePass | undefined> {
  const stored = (await ringStore.read()).rings[ring];
  const rotation = stored.state?.value.rotation;
  if (rotation?.pass === undefined || !isPassDue(rotation, clock.now())) return undefined;
  return { stored, rotation, pass: rotation.pass };
}

/** Undefined: none has begun. */
const roundIn = (due: DuePass): Round | undefined => due.pass.parts && { ...due, parts: due.pass.parts };

/** Undefined: none has begun, or none is due. */
async function dueRound(ring: RingName, deps: ResealDeps): Promise<Round | undefined> {
  const due = await duePass(ring, deps);
  return due && roundIn(due);
}

/** A round that waited for stuck rows starts its counts at zero. @throws LostRace */
async function beginRound(ring: RingName, due: DuePass, deps: ResealDeps): Promise<Round> {
  const parts = partsOf((await deps.dailyPass.read())?.bounds.names ?? []);
  const { rows: _, ...waiting } = due.pass;
  const pass: RingPass = { ...waiting, parts, visited: 0, found: 0, stuck: 0 };
  await save(ring, due.stored, { ...due.rotation, pass }, deps);
  for (const _ of parts.slice(1)) await wakePass(ring, deps);
  return { ...due, pass, parts };
}

/** Any bounds make parts that have every account once. Even bounds make even parts. */
export function partsOf(bounds: readonly string[]): PassPart[] {
  const ends = [...new Set(bounds)].toSorted().filter((_, n) => n % boundsPerPart === boundsPerPart - 1);
  return [...ends, undefined].map((until, n) => defined({ after: ends[n - 1], until }));
}

async function workOnPart(ring: RingName, n: number, deps: ResealDeps): Promise<boolean> {
  const round = await dueRound(ring, deps);
  const part = round?.parts[n];
  // Over since this worker chose it: another part may be free.
  if (round === undefined || part === undefined || part.isOver) return part !== undefined;
  await assertSealing(ring, round.rotation, deps);
  const { reached, ...counts } = await processPart(part, ring, round.rotation, deps);
  const parts = await retryLostRaces(() => savePart(ring, n, round, reached, counts, deps));
  return !reached.isOver || parts.every(({ isOver }) => isOver);
}

async function assertSealing(ring: RingName, rotation: RingRotation, deps: ResealDeps): Promise<void> {
  if (ringIn(await deps.rings('fresh'), ring).newest.generation === rotation.to) return;
  throw new Unavailable('ServiceUnavailable', `This process cannot seal with the newest KEK of the ${ring} ring.`, 10);
}

type Counts = Pick<RingPass, 'visited' | 'found' | 'moved' | 'stuck'>;

/**
 * Adds what one message has done to the round's state, beside the workers of the other parts. Nothing when another
 * worker has continued the part since. Returns the parts. @throws LostRace
 */
async function savePart(
  ring: RingName,
  n: number,
  began: Round,
  reached: PassPart,
  counts: Counts,
  deps: ResealDeps,
): Promise<readonly PassPart[]> {
  const now = await dueRound(ring, deps);
  if (now === undefined || !isSameRound(now, began) || now.parts[n]?.after !== began.parts[n]?.after) return [];
  const parts = now.parts.with(n, reached);
  const { visited, found, moved, stuck } = now.pass;
  const sums = {
    visited: visited + counts.visited,
    found: found + counts.found,
    moved: moved + counts.moved,
    stuck: stuck + counts.stuck,
  };
  await save(ring, now.stored, { ...now.rotation, pass: { ...now.pass, ...sums, parts } }, deps);
  logProgress(ring, now, sums, deps);
  return parts;
}

const isSameRound = (one: Round, other: Round): boolean =>
  one.rotation.phase === other.rotation.phase &&
  one.rotation.to === other.rotation.to &&
  one.pass.round === other.pass.round &&
  one.pass.startAt === other.pass.startAt;

function logProgress(
  ring: RingName,
  { rotation, pass }: Pick<Round, 'rotation' | 'pass'>,
  { visited, found, moved, stuck }: Counts,
  { log }: Pick<ResealDeps, 'log'>,
): void {
  const { phase } = rotation;
  const fields = { ring, phase, round: pass.round, visited, found, moved, stuck };
  log.info('Resealed accounts under the newest ring generation', fields);
}

/** When all accounts are processed: the rows of the tables, and the end of the round. Returns whether more is due. */
async function workOnRest(ring: RingName, deps: ResealDeps): Promise<boolean> {
  const round = await dueRound(ring, deps);
  if (round === undefined || !round.parts.every(({ isOver }) => isOver)) return false;
  const { stored, rotation } = round;
  let { pass } = round;
  if (ring === 'at-rest') {
    await assertSealing(ring, rotation, deps);
    const result = await renewRows(pass, rotation.to, deps.clock.now() + messageMs, deps);
    pass = result.pass;
    logProgress(ring, round, pass, deps);
    if (!result.isOver) {
      await save(ring, stored, { ...rotation, pass }, deps);
      return true;
    }
  }
  if (pass.found === 0 && rotation.phase === 'retiring') {
    await destroyOlder(ring, rotation, deps);
    return false;
  }
  if (pass.stuck > 0)
    deps.log.error('Unreadable rows prevent the destruction of an older ring generation', {
      ring,
      stuck: pass.stuck,
    });
  await save(ring, stored, { ...rotation, pass: afterRound(pass, deps.clock.now()) }, deps);
  return false;
}

/**
 * Stuck rows stay reported until the next round. A round that only found rows under an older KEK is repeated after
 * other writers have finished.
 */
function afterRound({ parts: _done, rows: _all, ...pass }: RingPass, now: EpochMs): RingPass {
  if (pass.found === 0) return { ...pass, isClean: true };
  return pass.stuck === 0 ? nextRound(pass, now + settleMs) : { ...pass, startAt: now + stuckRetryMs };
}
