/** The timer's story: wake every vault that has a key. What is due there stands in the tables, and the worker decides. */

import { measure } from '../base/metrics.ts';
import type { VaultWorkDeps } from './deps.ts';

/** Answers with the number of vaults woken. One send that fails stops the sweep; the next tick begins anew. */
export async function sweep(service: Pick<VaultWorkDeps, 'vaults' | 'queue'>): Promise<number> {
  let vaults = 0;
  for await (const vault of service.vaults.list()) {
    await service.queue.send({ vault, requestedBy: 'sweep' });
    vaults += 1;
  }
  return vaults;
}

/** The sweep as the timer makes it: it leaves a mark, so that everybody can see how long ago it was. */
export async function timedSweep(
  service: Pick<VaultWorkDeps, 'vaults' | 'queue' | 'sweepMark' | 'clock' | 'log'>,
): Promise<number> {
  const before = await service.sweepMark.read();
  const vaults = await sweep(service);
  const now = service.clock.now();
  await service.sweepMark.write(now);
  if (before !== undefined) measure(service.log, 'keyward.sweeps.ms', now - before, {});
  return vaults;
}
