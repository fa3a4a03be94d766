/**
 * The dependencies of every capability. Effects come in as arguments, so src/core has no clock, randomness or log of
 * its own.
 */
import type { Clock, Random } from './effects.ts';
import type { Log } from './log.ts';
import type { Policy } from './policy.ts';

export interface BaseDeps {
  readonly clock: Clock;
  /**
   * Waits well under a second in the work of a message, where longer waits are delayed messages. It waits seconds when
   * a caller requests it.
   */
  readonly pause: (ms: number) => Promise<void>;
  readonly random: Random;
  readonly log: Log;
  readonly policy: Policy;
}
