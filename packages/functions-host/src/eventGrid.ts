/**
 * The Event Grid webhook, `POST /runtime/webhooks/EventGrid?functionName=NAME&code=KEY`, as the extension serves it
 * (Azure/azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.EventGrid: EventGridExtensionConfigProvider and
 * HttpRequestProcessor): the validation handshake in both schemas, one invocation for each event of a delivery, all at
 * once, and 500 for the whole delivery when any of them failed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type InfoOf, isA, type LoadedFunction } from './functionInfo.ts';
import { answer, header, maxBodyBytes, readBody } from './httpMessage.ts';
import type { Invocation, Invoker } from './invoke.ts';
import { type HostKeys, mayDeliver, presentedKey } from './keys.ts';
import type { TypedData } from './rpc.ts';

export type EventGridFunction = LoadedFunction<InfoOf<'eventGridTrigger'>>;

/** What a delivery asks for. The header's value ignores case; everything else is `Refused`. */
export type Delivery =
  | { kind: 'Validation'; code: string }
  | { kind: 'Notification'; events: unknown[] }
  | { kind: 'Unsubscribe' }
  | { kind: 'Refused' };

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Event Grid schema: an array whose first event has `data`. CloudEvents: one object whose `data` is JSON as text. */
function validationCode(body: unknown): string | undefined {
  const data = field(Array.isArray(body) ? body[0] : body, 'data');
  const code = field(typeof data === 'string' ? parse(data) : data, 'validationCode');
  return typeof code === 'string' ? code : undefined;
}

export function readDelivery(eventType: string | undefined, text: string): Delivery {
  switch (eventType?.toLowerCase()) {
    case 'subscriptionvalidation': {
      const code = validationCode(parse(text));
      return code === undefined ? { kind: 'Refused' } : { kind: 'Validation', code };
    }
    case 'notification': {
      const body = parse(text);
      if (typeof body !== 'object' || body === null) return { kind: 'Refused' };
      return { kind: 'Notification', events: Array.isArray(body) ? body : [body] };
    }
    case 'unsubscribe':
      return { kind: 'Unsubscribe' };
    default:
      return { kind: 'Refused' };
  }
}

/** The event's own top-level properties: text as text, the rest as JSON. */
function metadataOf(event: unknown): Record<string, TypedData> {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) return {};
  const entries = Object.entries(event).map(([name, value]) => [
    name,
    typeof value === 'string' ? { string: value } : { json: JSON.stringify(value) },
  ]);
  return Object.fromEntries(entries);
}

export const eventInvocation = (event: unknown): Invocation => ({
  data: { json: JSON.stringify(event) },
  triggerMetadata: metadataOf(event),
});

/** With cardinality `many` a delivery is one invocation, else each event is one. */
export const invocationsFor = (target: EventGridFunction, events: unknown[]): Invocation[] =>
  target.info.many ? [{ data: { json: JSON.stringify(events) } }] : events.map(eventInvocation);

export interface EventGridWebhook {
  handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>;
}

export function createEventGridWebhook(
  functions: readonly LoadedFunction[],
  keys: HostKeys,
  invoker: Invoker,
): EventGridWebhook {
  const targets = new Map(functions.filter((one) => isA(one, 'eventGridTrigger')).map((one) => [one.info.name, one]));

  return {
    async handle(request, response, url) {
      const presented = presentedKey(header(request, 'x-functions-key'), url.searchParams);
      if (!mayDeliver(presented, keys)) return answer(response, 401);
      const query = [...url.searchParams].find(([name]) => name.toLowerCase() === 'functionname');
      // The parameter's name ignores case, the function's does not.
      const target = targets.get(query?.[1] ?? '');
      if (target === undefined) return answer(response, 404);
      if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return answer(response, 413);
      const body = await readBody(request);
      if (body === undefined) return;

      const delivery = readDelivery(header(request, 'aeg-event-type'), body.toString('utf8'));
      switch (delivery.kind) {
        case 'Validation':
          return answer(response, 200, { validationResponse: delivery.code });
        case 'Unsubscribe':
          return answer(response, 202);
        case 'Refused':
          return answer(response, 400);
        case 'Notification': {
          const invocations = invocationsFor(target, delivery.events);
          const outcomes = await Promise.all(invocations.map((one) => invoker.invoke(target, one)));
          return answer(response, outcomes.every((one) => one.kind === 'Succeeded') ? 202 : 500);
        }
      }
    },
  };
}
