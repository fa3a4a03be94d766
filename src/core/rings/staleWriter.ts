/**
 * Writers that are held up. A KEK is destroyed after a full pass that began when its generation was retiring already, and that is
 * `olderKeyWaitMs` after the activation of the next one at the earliest. So what a writer has sealed with the newest generation of
 * rings that it read no longer than `sureMs` before its save is met by that pass. A later writer reads the rings again after its
 * save: when its generation is not retiring there, its save came before, and the pass is still to come; otherwise it seals anew.
 *
 * Replacing a record needs none of this: the pass of the retiring phase changes the etag of every record, whether or not there is
 * something to move, and a writer who reads the record after that seals with rings that are no older than `arrivingMs`. A secret is
 * replaced by one that is sealed no older than it was, and one under an older KEK is moved by the pass.
 */

import type { RingsDeps } from './deps.ts';
import type { Ring, Rings } from './ring.ts';

/** After a save. `used`: the rings as they were read before anything was sealed. @throws Unavailable */
export async function isSealStillValid(used: Rings, { rings }: Pick<RingsDeps, 'rings'>): Promise<boolean> {
  if (used.isFresh()) return true;
  const now = await rings('fresh');
  // A ring that could not be sealed with was not sealed with.
  const keeps = (is: Ring, was: Ring) => was.sealsWith === undefined || is.keeps(was.sealsWith);
  return keeps(now.system, used.system) && keeps(now.atRest, used.atRest);
}
