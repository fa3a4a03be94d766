/**
 * `npm run bench -- rotation`: the cost and the speed of a rotation. Calls are counted at the emulator. Speeds are real
 * time, with every part of the stack in a process of its own. One part after the other, so that none slows another
 * down.
 */
import type { Bench } from './report.ts';

const parts = [
  './rotation/calls.ts',
  './rotation/eventCost.ts',
  './rotation/throttleLimit.ts',
  './rotation/eventToRewrapped.ts',
];

const rotation: Bench = async (report) => {
  const failed: string[] = [];
  for (const part of parts) {
    await report.inOwnProcess(new URL(part, import.meta.url)).catch((error: Error) => failed.push(error.message));
  }
  if (failed.length > 0) throw new Error(failed.join('; '));
};

export default rotation;
