/**
 * The Event Grid webhook, `POST /runtime/webhooks/EventGrid?functionName=NAME&code=KEY`, as the extension serves it
 * (Azure/azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.EventGrid: EventGridExtensionConfigProvider and
 * HttpRequestProcessor): the validation handshake in both schemas, one parallel invocation for each event of a
 * delivery, and 500 for the whole delivery if an invocation failed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type InfoOf, isA, type LoadedFunction } from './functionInfo.ts';
import { answer, header, readBody } from './httpMessage.ts';
import type { Invocation, Invoker } from './invoke.ts';
import { canDeliver, type HostKeys, presentedKey } from './keys.ts';
import type { TypedData } from './rpc.ts';

export type EventGridFunction = LoadedFunction<InfoOf<'eventGridTrigger'>>;

/**
 * A delivery by its header, whose value ignores case. `Broken` is JSON that does not parse, `Refused` everything else.
 */
export type Delivery =
  | { kind: 'Validation'; code: string }
  | { kind: 'Notification'; events: unknown[] }
  | { kind: 'Unsubscribe' }
  | { kind: 'Broken' }
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

function readDelivery(eventType: string | undefined, text: string): Delivery {
  switch (eventType?.toLowerCase()) {
    case 'subscriptionvalidation': {
      const body = parse(text);
      if (body === undefined) return { kind: 'Broken' };
      const code = validationCode(body);
      return code === undefined ? { kind: 'Refused' } : { kind: 'Validation', code };
    }
    case 'notification': {
      const body = parse(text);
      // The extension parses both forms without a check, so any other JSON fails as broken JSON does.
      if (typeof body !== 'object' || body === null) return { kind: 'Broken' };
      return { kind: 'Notification', events: Array.isArray(body) ? body : [body] };
    }
    case 'unsubscribe':
      return { kind: 'Unsubscribe' };
    default:
      return { kind: 'Refused' };
  }
}

/** The event's top-level properties: strings as text, other values as JSON. */
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

/** With cardinality `many` one invocation for a delivery, otherwise one for each event. */
const invocationsFor = (target: EventGridFunction, events: unknown[]): Invocation[] =>
  target.info.many ? [{ data: { json: JSON.stringify(events) } }] : events.map(eventInvocation);

export interface EventGridWebhook {
  handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>;
}

export function createEventGridWebhook(
  functions: readonly LoadedFunction[],
  keys: HostKeys,
  maxBodyBytes: number,
  invoker: Invoker,
): EventGridWebhook {
  const targets = new Map(functions.filter((one) => isA(one, 'eventGridTrigger')).map((one) => [one.info.name, one]));

  return {
    async handle(request, response, url) {
      const presented = presentedKey(header(request, 'x-functions-key'), url.searchParams);
      if (!canDeliver(presented, keys)) return answer(response, 401);
      const query = [...url.searchParams].find(([name]) => name.toLowerCase() === 'functionname');
      // The parameter's name ignores case, the function's does not.
      const target = targets.get(query?.[1] ?? '');
      if (target === undefined) return answer(response, 404);
      const body = await readBody(request, maxBodyBytes);
      if (body === undefined) return;

      const delivery = readDelivery(header(request, 'aeg-event-type'), body.toString('utf8'));
      switch (delivery.kind) {
        case 'Validation':
          return answer(response, 200, { validationResponse: delivery.code });
        case 'Unsubscribe':
          return answer(response, 202);
        case 'Broken':
          return answer(response, 500);
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
