/**
 * A pass of a ring's rotation: every account there is, in the order of the accounts' own table, slice by slice. How far it is stands in
 * the ring's state; a message only says go on. One worker at a time, and where there are two all the same, etags keep them from harm.
 */
import pLimit from 'p-limit';
import { describeError, LostRace, Unavailable } from '../errors.ts';
import type { Service } from '../service.ts';
import { visitAccount } from './reseal.ts';
import type { RingName, RingPass, RingRotation, StoredRing } from './ring.ts';
import { destroyOlder, isPassDue, nextRound, save, wakePass } from './rotate.ts';

/** How long one message goes on; far below what a worker that died keeps others off for. */
const sliceMs = 20_000;
const namesAPage = 50;
const accountsAtOnce = 8;
/** Rows that do not open are tried again once a day, or when the operator asks. */
const stuckRetryMs = 24 * 3_600_000;

export async function workOnPass(ring: RingName, service: Service): Promise<void> {
  const { vaults, clock, policy, log } = service;
  const ticket = await vaults.beginWork(`ring-${ring}`, clock.now(), clock.now() + policy.workerLeaseSeconds * 1000);
  if (ticket === undefined) return;
  try {
    const stored = (await service.ringStore.read()).rings[ring];
    const rotation = stored.state?.value.rotation;
    if (rotation?.pass === undefined || !isPassDue(rotation, clock.now())) return;
    await workOneSlice(ring, stored, rotation, rotation.pass, service);
  } catch (error) {
    // Another worker has gone on: what it did stands in the state.
    if (!(error instanceof LostRace)) throw error;
    log.info('A pass of a ring went on elsewhere', { ring });
  } finally {
    await vaults.endWork(`ring-${ring}`, ticket);
  }
}

async function workOneSlice(
  ring: RingName,
  stored: StoredRing,
  rotation: RingRotation,
  began: RingPass,
  service: Service,
): Promise<void> {
  const rings = await service.rings('fresh');
  const { newest } = ring === 'system' ? rings.system : rings.atRest;
  if (newest.generation !== rotation.to)
    throw new Unavailable(
      'ServiceUnavailable',
      `This process cannot seal with the newest KEK of the ${ring} ring.`,
      10,
    );
  const { pass, isOver } = await visitAccounts(ring, began, service);
  const { round, visited, found, moved, stuck } = pass;
  service.log.info('Moved accounts under the newest generation of a ring', {
    ...{ ring, phase: rotation.phase, round, visited, found, moved, stuck },
  });
  if (!isOver) {
    await save(ring, stored, { ...rotation, pass }, service);
    return wakePass(ring, service);
  }
  if (found === 0 && rotation.phase === 'retiring') return destroyOlder(ring, rotation, service);
  if (stuck > 0)
    service.log.error('Rows that do not open keep an older generation of a ring from being destroyed', { ring, stuck });
  const now = service.clock.now();
  const { after: _done, ...whole } = pass;
  // What is stuck stays told until the next round.
  const next =
    found === 0
      ? { ...whole, isClean: true }
      : stuck === 0
        ? nextRound(pass, now)
        : { ...whole, startAt: now + stuckRetryMs };
  await save(ring, stored, { ...rotation, pass: next }, service);
  if (found > 0 && stuck === 0) await wakePass(ring, service);
}

async function visitAccounts(
  ring: RingName,
  began: RingPass,
  service: Service,
): Promise<{ pass: RingPass; isOver: boolean }> {
  const until = service.clock.now() + sliceMs;
  const limit = pLimit(accountsAtOnce);
  // A round that had to wait for stuck rows is counted anew.
  let pass = began.after === undefined ? { ...began, visited: 0, found: 0, stuck: 0 } : began;
  do {
    const names = await service.accounts.names(namesAPage, pass.after);
    const visits = await Promise.all(names.map((name) => limit(() => visit(name, ring, service))));
    const sum = (of: 'found' | 'moved' | 'stuck') => visits.reduce((total, one) => total + one[of], pass[of]);
    const counts = { found: sum('found'), moved: sum('moved'), stuck: sum('stuck') };
    pass = { ...pass, ...counts, visited: pass.visited + names.length };
    const last = names.at(-1);
    if (last === undefined || names.length < namesAPage) return { pass, isOver: true };
    pass = { ...pass, after: last };
  } while (service.clock.now() < until);
  return { pass, isOver: false };
}

/** One account's failure stops no other, and keeps the older generation. Without storage, or a KEK, there is no going on. */
async function visit(name: string, ring: RingName, service: Service) {
  try {
    return await visitAccount(name, ring, service);
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    service.log.error('An account could not be moved to the newest generation of a ring', {
      ...{ account: name, ring, error: describeError(error) },
    });
    return { found: 1, moved: 0, stuck: 1 };
  }
}
