/**
 * Delayed writers. A KEK is destroyed after a full pass that began when its generation was retiring, which is
 * `olderKeyWaitMs` after the activation of the next one at the earliest. So the pass finds everything that a writer has
 * sealed with the newest generation of rings that it read at most `freshMs` before its save. A later writer reads the
 * rings again after its save. When its generation is not retiring there, its save came before, and the pass is still to
 * come. Otherwise it seals again.
 *
 * Replacing a record needs none of this: the pass of the retiring phase changes the ETag of every record, also without
 * anything to re-seal, and a writer who reads the record after that seals with rings that are at most `arrivingMs` old.
 * A secret is saved in one batch with the record (secrets/saveSecret.ts).
 */

import type { RingsDeps } from './deps.ts';
import type { Ring, Rings } from './ring.ts';

/** Call it after a save. `used`: the rings as they were read before sealing. @throws Unavailable */
export async function isSealStillValid(used: Rings, { rings }: Pick<RingsDeps, 'rings'>): Promise<boolean> {
  if (used.isFresh()) return true;
  const now = await rings('fresh');
  // A ring that could not seal was not used.
  const keeps = (is: Ring, was: Ring) => was.sealsWith === undefined || is.keeps(was.sealsWith);
  return keeps(now.system, used.system) && keeps(now.atRest, used.atRest);
}
