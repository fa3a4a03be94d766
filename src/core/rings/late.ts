/**
 * Writers that are held up. A KEK is destroyed after a full pass that began when its generation was retiring already, and that is
 * `olderKeyWaitMs` after the activation of the next one at the earliest. So what a writer has sealed with the newest generation of
 * rings that it read no longer than `sureMs` before its save is met by that pass. A later writer reads the rings again after its
 * save: when its generation is not retiring there, its save came before, and the pass is still to come; otherwise it seals anew.
 * Replacing needs none of this: the pass changes the row's etag, and the late writer loses.
 */
import type { Rings, Service } from '../service.ts';

/** After a save. `used`: the rings as they were read before anything was sealed. @throws Unavailable */
export async function isLasting(used: Rings, { clock, rings }: Pick<Service, 'clock' | 'rings'>): Promise<boolean> {
  if (clock.monotonic() < used.sureUntil) return true;
  const now = await rings('fresh');
  return now.system.keeps(used.system.newest.generation) && now.atRest.keeps(used.atRest.newest.generation);
}
