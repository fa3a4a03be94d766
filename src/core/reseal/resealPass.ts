/**
 * The pass of a ring's rotation: it processes all accounts in batches, in the order of the accounts table. The ring's
 * state holds the progress; a message only wakes a worker. One worker runs at a time. When two run all the same, ETags
 * prevent conflicting writes.
 */
import { describeError, LostRace, Unavailable } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName } from '../base/vocabulary.ts';
import { settleMs } from '../rings/durations.ts';
import { type RingPass, type RingRotation, ringIn, type StoredRing } from '../rings/ring.ts';
import { destroyOlder, isPassDue, nextRound, save, wakePass } from '../rings/rotateRing.ts';
import type { ResealDeps } from './deps.ts';
import { renewRows } from './renewRows.ts';
import { processAccount } from './resealAccount.ts';

/** How long the work of one message lasts: far less than the lease that keeps other workers away. */
const sliceMs = 20_000;
const namesAPage = 48;
const accountsAtOnce = 8;
/** Keyward retries rows that do not open once a day, or when the operator requests it. */
const stuckRetryMs = 24 * 3_600_000;

export async function workOnPass(ring: RingName, service: ResealDeps): Promise<void> {
  const { vaults, clock, policy, log } = service;
  const ticket = await vaults.beginWork(`ring-${ring}`, policy.workerLeaseSeconds * 1000);
  if (ticket === undefined) return;
  let isMoreDue = false;
  try {
    const stored = (await service.ringStore.read()).rings[ring];
    const rotation = stored.state?.value.rotation;
    if (rotation?.pass === undefined || !isPassDue(rotation, clock.now())) return;
    isMoreDue = await workOneSlice(ring, stored, rotation, rotation.pass, service);
  } catch (error) {
    // Another worker has continued the pass, and the state holds its progress.
    if (!(error instanceof LostRace)) throw error;
    log.info('Another worker continued the pass of a ring', { ring });
  } finally {
    await vaults.endWork(`ring-${ring}`, ticket);
  }
  // After the lock is released, because the woken worker would otherwise find the lock taken.
  if (isMoreDue) await wakePass(ring, service);
}

/** Returns whether more work is due at once. */
async function workOneSlice(
  ring: RingName,
  stored: StoredRing,
  rotation: RingRotation,
  began: RingPass,
  service: ResealDeps,
): Promise<boolean> {
  const { newest } = ringIn(await service.rings('fresh'), ring);
  if (newest.generation !== rotation.to)
    throw new Unavailable(
      'ServiceUnavailable',
      `This process cannot seal with the newest KEK of the ${ring} ring.`,
      10,
    );
  const { pass, isOver } = await processAccounts(ring, rotation, began, service);
  const { round, visited, found, moved, stuck } = pass;
  service.log.info('Resealed accounts under the newest ring generation', {
    ring,
    phase: rotation.phase,
    round,
    visited,
    found,
    moved,
    stuck,
  });
  if (!isOver) {
    await save(ring, stored, { ...rotation, pass }, service);
    return true;
  }
  if (found === 0 && rotation.phase === 'retiring') {
    await destroyOlder(ring, rotation, service);
    return false;
  }
  if (stuck > 0)
    service.log.error('Unreadable rows prevent the destruction of an older ring generation', { ring, stuck });
  await save(ring, stored, { ...rotation, pass: afterRound(pass, service.clock.now()) }, service);
  return false;
}

/**
 * Stuck rows stay reported until the next round. A round that only found rows under an older KEK is repeated after
 * other writers have finished.
 */
function afterRound({ after: _done, rows: _all, ...pass }: RingPass, now: EpochMs): RingPass {
  if (pass.found === 0) return { ...pass, isClean: true };
  return pass.stuck === 0 ? nextRound(pass, now + settleMs) : { ...pass, startAt: now + stuckRetryMs };
}

async function processAccounts(
  ring: RingName,
  rotation: RingRotation,
  began: RingPass,
  service: ResealDeps,
): Promise<{ pass: RingPass; isOver: boolean }> {
  const until = service.clock.now() + sliceMs;
  // A round that waited for stuck rows starts its counts at zero.
  let pass =
    began.after === undefined && began.rows === undefined ? { ...began, visited: 0, found: 0, stuck: 0 } : began;
  if (pass.rows !== undefined) return renewRows(pass, rotation.to, until, service);
  for (;;) {
    const names = await service.accounts.names(namesAPage, pass.after);
    for (let next = 0; next < names.length; next += accountsAtOnce) {
      if (service.clock.now() >= until) return { pass, isOver: false };
      const some = names.slice(next, next + accountsAtOnce);
      const results = await Promise.all(some.map((name) => processOne(name, ring, rotation, service)));
      const sum = (of: 'found' | 'moved' | 'stuck') => results.reduce((total, one) => total + one[of], pass[of]);
      const counts = { found: sum('found'), moved: sum('moved'), stuck: sum('stuck') };
      pass = { ...pass, ...counts, visited: pass.visited + some.length, after: some.at(-1) ?? '' };
    }
    if (names.length >= namesAPage) continue;
    const [table] = service.rowRenewal.tables;
    if (ring !== 'at-rest' || table === undefined) return { pass, isOver: true };
    return renewRows({ ...pass, rows: { table } }, rotation.to, until, service);
  }
}

/**
 * A failure of one account does not stop the others, and Keyward retains the older generation. Without storage the pass
 * stops.
 */
async function processOne(name: string, ring: RingName, rotation: RingRotation, service: ResealDeps) {
  try {
    return await processAccount(name, ring, rotation, service);
  } catch (error) {
    if (error instanceof Unavailable && error.code === 'StorageUnavailable') throw error;
    service.log.error('An account could not be resealed under the newest ring generation', {
      account: name,
      ring,
      error: describeError(error),
    });
    // A later round processes an account that other writers change all the time. An account that is damaged stays
    // damaged.
    return { found: 1, moved: 0, stuck: error instanceof Unavailable ? 0 : 1 };
  }
}
