/**
 * One sweep as the timer and the queue run it: the messages of the ranges, each handled by a worker, some at the same
 * time.
 */
import pLimit from 'p-limit';
import { sweepRanges, timedSweep } from '../../src/core/vaultWork/sweep.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import type { World } from './world.ts';

const workersAtOnce = 4;

/**
 * Handles every message that is due, and those that they send. A delayed message is for the time between two sweeps: it
 * is counted, and not handled. Returns the number of messages.
 */
export async function sweepOnce(world: World, done: (handled: number) => void = () => undefined): Promise<number> {
  await timedSweep(world.service);
  let handled = 0;
  const limit = pLimit(workersAtOnce);
  while (world.messages.length > 0) {
    const sent = world.messages.splice(0);
    const due = sent.filter(({ delayMs }) => delayMs === 0);
    handled += sent.length - due.length;
    await limit.map(due, async ({ work }) => {
      await ('vault' in work ? workOnVault(work, world.service) : sweepRanges(work, world.service));
      handled += 1;
      done(handled);
    });
  }
  return handled;
}
