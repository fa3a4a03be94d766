/**
 * The part that both event triggers share. A trigger acknowledges an event by returning and requests redelivery by
 * throwing (Event Grid extension of the Functions host). Keyward logs and acknowledges a message that is not an event
 * or that concerns no key, and throws only when its own storage fails.
 */
import type { InvocationContext } from '@azure/functions';
import type { Cloud } from '../../core/customerKey/keyIdentifier.ts';
import { wakeRings } from '../../core/rings/maintainRings.ts';
import { type EventTarget, eventIdOf, type ReceivedEvent, readEvent, wake } from '../../core/vaultWork/events.ts';
import { inInvocation, keyward } from '../pipeline/service.ts';

type ConcernOf = (event: ReceivedEvent, cloud: Cloud) => EventTarget | undefined;

export function onEvent(input: unknown, context: InvocationContext, targetOf: ConcernOf): Promise<void> {
  return inInvocation(context, async () => {
    const service = await keyward();
    const event = readEvent(input);
    if (event === undefined) return service.log.warn('Ignored a message that is not an event');
    const found = targetOf(event, service.cloud);
    const target = found === undefined ? undefined : { ...found, ...eventIdOf(event) };
    const isOurs = target !== undefined && (await wakeRings(target, service));
    const woken = (target !== undefined && (await wake(target, service))) || isOurs;
    service.log.info('Received an event', {
      eventId: event.id.slice(0, 64),
      eventType: event.type.slice(0, 64),
      woken,
    });
  });
}
