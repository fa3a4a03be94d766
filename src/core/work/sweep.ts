/** The timer's story: wake every vault that has a key. What is due there stands in the tables, and the worker decides. */
import type { Service } from '../service.ts';

/** Answers with the number of vaults woken. One send that fails stops the sweep; the next tick begins anew. */
export async function sweep(service: Pick<Service, 'vaults' | 'queue'>): Promise<number> {
  let vaults = 0;
  for await (const vault of service.vaults.list()) {
    await service.queue.send({ vault, askedBy: 'sweep' });
    vaults += 1;
  }
  return vaults;
}
