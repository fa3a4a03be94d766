/** Reads operations for their callers, and deletes those of past days. */
import { isInSubscription } from '../base/armPath.ts';
import { Refusal } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import type { AmsDeps } from './deps.ts';
import { dayOf, isOperationId, type Operation } from './operation.ts';

/** How long after its time an operation may still be processed: a message that failed is tried five more times. */
const graceMs = 120_000;

/**
 * The operation, for callers of its own subscription. One that was given up without a result has failed.
 * @throws Refusal NotFound
 */
export async function findOperation(id: string, subscriptionId: string, deps: AmsDeps): Promise<Operation> {
  const found = isOperationId(fold(id)) ? (await deps.operations.read(fold(id)))?.value : undefined;
  if (found === undefined || !isInSubscription(found.place, { subscriptionId }))
    throw new Refusal('NotFound', 'This subscription has no such operation. Operations are stored for two days.', {
      target: 'operationId',
    });
  const latest = found.startedAt + deps.policy.operationTimeoutSeconds * 1000 + graceMs;
  if (found.status !== 'InProgress' || deps.clock.now() < latest) return found;
  const message = 'The operation was given up before its change. Send the change again.';
  const error = found.pending?.failure ?? { code: 'ServiceUnavailable', message };
  return { ...found, status: 'Failed', endedAt: latest, error };
}

const retainedMs = 2 * 86_400_000;

/** Deletes some operations of past days. Returns whether there are more. */
export async function clearOperations({ operations, clock }: AmsDeps): Promise<boolean> {
  return (await operations.clearBefore(dayOf(clock.now() - retainedMs))) > 0;
}
