/**
 * The timer's part of a sweep: one message for each range of vaults, for any number of vaults. The tables hold the due
 * work, and the workers decide.
 */
import pLimit from 'p-limit';
import { describeError } from '../base/errors.ts';
import { measure } from '../base/metrics.ts';
import type { VaultWorkDeps } from './deps.ts';
import { allRanges, type RangeWork } from './ranges.ts';
import { sweepRange } from './sweepRange.ts';

const sendsAtOnce = 32;
const rangesAtOnce = 4;
/** A handler may run for ten minutes, and the next sweep starts after one. */
const workMs = 45_000;

/** Returns the number of ranges. It works itself on a range whose message cannot be sent, while its time lasts. */
export async function sweep(service: VaultWorkDeps): Promise<number> {
  const { queue, log, policy } = service;
  const ranges = allRanges(policy.sweepRanges);
  const unsent: RangeWork[] = [];
  let error: unknown;
  await pLimit(sendsAtOnce).map(ranges, async (range) => {
    try {
      await queue.send(range);
    } catch (thrown) {
      unsent.push(range);
      error = thrown;
    }
  });
  if (unsent.length === 0) return ranges.length;
  log.warn('A wake-up was not sent', { count: unsent.length, error: describeError(error) });
  await workHere(unsent, service);
  return ranges.length;
}

async function workHere(ranges: readonly RangeWork[], service: VaultWorkDeps): Promise<void> {
  const until = service.clock.now() + workMs;
  await pLimit(rangesAtOnce).map(ranges, async (range) => {
    if (service.clock.now() >= until) return;
    try {
      await sweepRange(range, service);
    } catch (error) {
      // A failure of one range does not stop the others. The age of its looks shows it.
      service.log.error('Work on a vault failed', { range: range.range, error: describeError(error) });
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
    ranges: await sweep(service),
    ...(before === undefined ? {} : { lateMs: now - before }),
  });
  return true;
}

/** A sweep as the timer runs it: it stores its time, which shows how long ago it was. */
export async function timedSweep(service: VaultWorkDeps): Promise<number> {
  const before = await service.sweepMark.read();
  const ranges = await sweep(service);
  const now = service.clock.now();
  await service.sweepMark.write(now);
  if (before !== undefined) measure(service.log, 'keyward.sweeps.ms', now - before, {});
  return ranges;
}
