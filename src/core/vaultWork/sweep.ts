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
export async function sweep(service: VaultWorkDeps): Promise<number> {
  const { queue, log, policy } = service;
  const of = policy.sweepRanges;
  const messages: SweepWork[] = (await hasFewVaults(service)) ? [{ allRanges: of }] : allRanges(of);
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
  await workHere(unsent, service);
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
export async function sweepRanges(work: SweepWork, service: VaultWorkDeps): Promise<void> {
  if ('range' in work) return sweepRange(work, service);
  const ranges = await occupied(work.allRanges, service);
  const results = await Promise.allSettled(ranges.map((range) => sweepRange(range, service)));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** The ranges that hold a vault, held one at the last pass, or had no pass yet. An empty range costs no message. */
async function occupied(of: number, { vaults, ranges }: VaultWorkDeps): Promise<RangeWork[]> {
  const [page, states] = await Promise.all([vaults.page(allVaults, fewKeys + 1), ranges.all(of)]);
  if (page.next !== undefined) return allRanges(of);
  return allRanges(of).filter((range, n) => {
    const { from, to } = rangeOf(range);
    return states[n]?.last?.vaults !== 0 || page.vaults.some(({ id }) => id >= from && id < to);
  });
}

async function workHere(messages: readonly SweepWork[], service: VaultWorkDeps): Promise<void> {
  const until = service.clock.now() + workMs;
  await pLimit(rangesAtOnce).map(messages, async (message) => {
    if (service.clock.now() >= until) return;
    try {
      await sweepRanges(message, service);
    } catch (error) {
      // A failure of one range does not stop the others. The age of its looks shows it.
      service.log.error('Work on a vault failed', { ...message, error: describeError(error) });
    }
  });
}

/** Two runs of the timer. */
const overdueMs = 120_000;

/**
 * A timer can stop while calls and messages are still served. Each of them that finds the sweep overdue tries to run
 * it, and the conditional write admits one. A mark of the future comes from a wrong clock.
 */
export async function sweepIfOverdue(service: VaultWorkDeps): Promise<boolean> {
  const { clock, sweepMark, log } = service;
  const now = clock.now();
  const before = await sweepMark.read();
  if (before !== undefined && Math.abs(now - before) <= overdueMs) return false;
  if (!(await sweepMark.replace(before, now))) return false;
  log.error('The sweep timer is overdue, so another call ran the sweep', {
    count: await sweep(service),
    ...(before === undefined ? {} : { lateMs: now - before }),
  });
  return true;
}

/** A sweep as the timer runs it: it stores its time, which shows how long ago it was. */
export async function timedSweep(service: VaultWorkDeps): Promise<number> {
  const before = await service.sweepMark.read();
  const messages = await sweep(service);
  const now = service.clock.now();
  await service.sweepMark.write(now);
  if (before !== undefined) measure(service.log, 'keyward.sweeps.ms', now - before, {});
  return messages;
}
