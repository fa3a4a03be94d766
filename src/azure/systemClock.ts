/** The clock of this machine. */
import type { Clock } from '../core/base/effects.ts';

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
