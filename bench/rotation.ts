/**
 * `npm run bench -- rotation`: the cost and the speed of a rotation. Calls are counted at the emulator. Speeds are real
 * time, with every part of the stack in a process of its own.
 */
import { inParts } from './inParts.ts';

export default inParts([
  './rotation/calls.ts',
  './rotation/eventCost.ts',
  './rotation/throttleLimit.ts',
  './rotation/eventToRewrapped.ts',
]);
