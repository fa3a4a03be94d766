/**
 * The timer's part of a sweep: one message for each range of vaults, for any number of vaults, or a single one while
 * there are few. The tables hold the due work, and the workers decide.
 */
import pLimit from 'p-limit';
import { describeError } from '../base/errors.ts';
import { measure } from '../base/metrics.ts';
import type { VaultWorkDeps } from './deps.ts';
import type { SweepWork } from './ports.ts';
import { allRanges, allVaults, type RangeWork, rangeOf } from './ranges.ts';
import { sweepRange } from './sweepRange.ts';

const sendsAtOnce = 32;
const rangesAtOnce = 4;
/**
 * The number of keys that are the work of one message. Each invocation costs a second, and a process that starts sends
 * slowly.
 */
const fewKeys = 64;
/** A handler may run for ten minutes, and the next sweep starts after one. */
const workMs = 45_000;

/** Returns the number of messages. It does the work of a message that cannot be sent itself, while its time lasts. */
export async function sweep(deps: VaultWorkDeps): Promise<number> {
  const { queue, log, policy } = deps;
  const of = policy.sweepRanges;
  const messages: SweepWork[] = (await hasFewVaults(deps)) ? [{ allRanges: of }] : allRanges(of);
  const unsent: SweepWork[] = [];
  let error: unknown;
  await pLimit(sendsAtOnce).map(messages, async (message) => {
    try {
      await queue.send(message);
    } catch (thrown) {
      unsent.push(message);
      error = thrown;
    }
  });
  if (unsent.length === 0) return messages.length;
  log.warn('A wake-up was not sent', { count: unsent.length, error: describeError(error) });
  await workHere(unsent, deps);
  return messages.length;
}

/** The rows of one query, for any number of vaults. */
async function hasFewVaults({ vaults, policy }: VaultWorkDeps): Promise<boolean> {
  if (policy.sweepRanges === 1) return false;
  try {
    return (await vaults.page(allVaults, fewKeys + 1)).next === undefined;
  } catch {
    // The workers of the ranges report tables that do not answer.
    return false;
  }
}

/** The work of a message of a sweep. A range that fails stops no other, and its message is delivered again. */
export async function sweepRanges(work: SweepWork, deps: VaultWorkDeps): Promise<void> {
  if ('range' in work) return sweepRange(work, deps);
  const ranges = await findOccupied(work.allRanges, deps);
  const results = await Promise.allSettled(ranges.map((range) => sweepRange(range, deps)));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** The ranges that hold a vault, held one at the last pass, or had no pass yet. An empty range costs no message. */
async function findOccupied(of: number, { vaults, ranges }: VaultWorkDeps): Promise<RangeWork[]> {
  const [page, states] = await Promise.all([vaults.page(allVaults, fewKeys + 1), ranges.all(of)]);
  if (page.next !== undefined) return allRanges(of);
  return allRanges(of).filter((range, n) => {
    const { from, to } = rangeOf(range);
    return states[n]?.last?.vaults !== 0 || page.vaults.some(({ id }) => id >= from && id < to);
  });
}

async function workHere(messages: readonly SweepWork[], deps: VaultWorkDeps): Promise<void> {
  const until = deps.clock.now() + workMs;
  await pLimit(rangesAtOnce).map(messages, async (message) => {
    if (deps.clock.now() >= until) return;
    try {
      await sweepRanges(message, deps);
    } catch (error) {
      // A failure of one range does not stop the others. The age of its looks shows it.
      deps.log.error('Work on a vault failed', { ...message, error: describeError(error) });
    }
  });
}

/** Two runs of the timer. */
const overdueMs = 120_000;

/**
 * A timer can stop while calls and messages are still served. Each of them that finds the sweep overdue tries to run
 * it, and the conditional write admits one. A mark of the future comes from a wrong clock.
 */
export async function sweepIfOverdue(deps: VaultWorkDeps): Promise<boolean> {
  const { clock, sweepMark, log } = deps;
  const now = clock.now();
  const before = await sweepMark.read();
  if (before !== undefined && Math.abs(now - before) <= overdueMs) return false;
  if (!(await sweepMark.replace(before, now))) return false;
  log.error('The sweep timer is overdue, so another call ran the sweep', {
    count: await sweep(deps),
    ...(before === undefined ? {} : { lateMs: now - before }),
  });
  return true;
}

/** A sweep as the timer runs it: it stores its time, which shows how long ago it was. */
export async function timedSweep(deps: VaultWorkDeps): Promise<number> {
  const before = await deps.sweepMark.read();
  const messages = await sweep(deps);
  const now = deps.clock.now();
  await deps.sweepMark.write(now);
  if (before !== undefined) measure(deps.log, 'keyward.sweeps.ms', now - before, {});
  return messages;
}
