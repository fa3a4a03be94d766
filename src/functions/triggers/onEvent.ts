/**
 * What both event triggers do. Returning acknowledges, throwing asks for redelivery (Event Grid extension of the Functions
 * host): so what is no event, or concerns nobody, is logged and acknowledged, and only our own storage trouble is thrown.
 */
import type { InvocationContext } from '@azure/functions';
import type { Cloud } from '../../core/customerKey/keyIdentifier.ts';
import { wakeRings } from '../../core/rings/maintainRings.ts';
import { type Concern, eventIdOf, type ReceivedEvent, readEvent, wake } from '../../core/vaultWork/events.ts';
import { inInvocation, keyward } from '../pipeline/service.ts';

type ConcernOf = (event: ReceivedEvent, cloud: Cloud) => Concern | undefined;

export function onEvent(input: unknown, context: InvocationContext, concernOf: ConcernOf): Promise<void> {
  return inInvocation(context, async () => {
    const service = await keyward();
    const event = readEvent(input);
    if (event === undefined) return service.log.warn('Acknowledged something that is no event');
    const found = concernOf(event, service.cloud);
    const concern = found === undefined ? undefined : { ...found, ...eventIdOf(event) };
    const isOurs = concern !== undefined && (await wakeRings(concern, service));
    const woken = (concern !== undefined && (await wake(concern, service))) || isOurs;
    service.log.info('Received an event', {
      eventId: event.id.slice(0, 64),
      eventType: event.type.slice(0, 64),
      woken,
    });
  });
}
