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
   * Waits. The work of a message waits far less than a second, because a longer wait is a delayed message. A call waits
   * seconds only when its caller requests that.
   */
  readonly pause: (ms: number) => Promise<void>;
  readonly random: Random;
  readonly log: Log;
  readonly policy: Policy;
}
