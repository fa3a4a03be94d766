/**
 * Destroys the keys of deleted accounts whose waiting window has ended. Each sweep runs it. The schedule only says
 * which records to read: the record decides, and a row that no record names is removed. A row is written before its
 * record, and is read a day later at the earliest, so no writer can still be between the two.
 */
import pLimit from 'p-limit';
import { describeError, retryLostRaces } from '../base/errors.ts';
import { finishDelete, shred } from './deleteAccount.ts';
import type { AccountsDeps } from './deps.ts';
import type { DuePurge } from './ports.ts';
import { findAccount } from './readAccount.ts';

const keyward = { kind: 'keyward', id: 'purge' } as const;
const rowsPerPage = 100;
const purgesAtOnce = 8;
/** A handler may run for ten minutes, and the next sweep starts after one. */
const workMs = 45_000;

/** Returns how many accounts it has purged. A failure of one account stops no other one. */
export async function purgeDeleted(deps: AccountsDeps): Promise<number> {
  const { purgeSchedule, clock } = deps;
  const until = clock.monotonic() + workMs;
  let purged = 0;
  for (let after: string | undefined, isLast = false; !isLast && clock.monotonic() < until; ) {
    const { rows, next } = await purgeSchedule.due(clock.now(), rowsPerPage, after);
    const results = await pLimit(purgesAtOnce).map(rows, (row) => purgeSafely(row, deps));
    purged += results.filter((isPurged) => isPurged).length;
    isLast = next === undefined;
    after = next;
  }
  return purged;
}

async function purgeSafely(row: DuePurge, deps: AccountsDeps): Promise<boolean> {
  try {
    return await purge(row, deps);
  } catch (error) {
    deps.log.error('A deleted account was not purged', { account: row.name, error: describeError(error) });
    return false;
  }
}

/** The clock of this host can be ahead, and a destroyed key does not come back: the tables' clock must agree. */
async function purge(row: DuePurge, deps: AccountsDeps): Promise<boolean> {
  if (row.readAt < row.purgeAt) return false;
  const isPurged = await retryLostRaces(async () => {
    const view = await findAccount(row.name, deps);
    if (view?.record.pendingDeletion?.purgeAt !== row.purgeAt) return false;
    await shred(view, keyward, deps);
    return true;
  });
  await finishDelete(row.name, deps);
  await deps.purgeSchedule.remove(row);
  return isPurged;
}
