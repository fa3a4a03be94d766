/** Faults on demand at the two token endpoints. The first fault that matches a request affects it. */
import type * as z from 'zod';
import type { FaultBody } from './seeds.ts';

export type Fault = z.output<typeof FaultBody> & { id: number; hits: number };
export type Effect = Fault['effect'];
export type Target = { endpoint: Fault['endpoint']; clientId: string | undefined; tenantId: string | undefined };

export type Faults = ReturnType<typeof createFaults>;

export function createFaults() {
  const faults = new Map<number, Fault>();
  let lastId = 0;
  const isSpent = ({ hits, count }: Fault) => count !== undefined && hits >= count;

  return {
    list: () => [...faults.values()],
    add(body: z.output<typeof FaultBody>): Fault {
      lastId += 1;
      const fault = { id: lastId, hits: 0, ...body };
      faults.set(fault.id, fault);
      return fault;
    },
    remove: (id: number) => faults.delete(id),
    clear: () => faults.clear(),
    /** The effect on this request, if any; counts as a hit. */
    take(target: Target): Effect | undefined {
      const fault = [...faults.values()].find((candidate) => fits(candidate, target));
      if (fault === undefined) return undefined;
      fault.hits += 1;
      if (isSpent(fault)) faults.delete(fault.id);
      return fault.effect;
    },
  };
}

function fits(fault: Fault, target: Target): boolean {
  return (
    fault.endpoint === target.endpoint &&
    (fault.clientId === undefined || fault.clientId === target.clientId) &&
    (fault.tenantId === undefined || fault.tenantId === target.tenantId)
  );
}
