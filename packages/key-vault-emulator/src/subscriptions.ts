/**
 * Event subscriptions and the handshake by which an endpoint accepts the events. Azure docs,
 * event-grid/end-point-validation-event-grid-events-schema and -cloud-events-schema. A destination of type Azure
 * Function needs no handshake.
 */
import { randomUUID } from 'node:crypto';
import { Refused } from './errors.ts';
import { type EventSchema, eventTime } from './eventSchema.ts';

export type Destination = 'webhook' | 'azureFunction';

export type EventSubscription = {
  name: string;
  endpoint: string;
  schema: EventSchema;
  destination: Destination;
  /** Sent with each delivery: Event Grid's delivery properties. */
  headers: Record<string, string>;
  /** A webhook that did not return the code in the handshake can still be confirmed through the validation URL. */
  state: 'Succeeded' | 'AwaitingManualAction';
  validationCode?: string;
  /** The vault's count of changes when the subscription was created. */
  since: number;
};

export type SubscriptionInput = Pick<EventSubscription, 'name' | 'endpoint' | 'schema' | 'destination' | 'headers'>;

/** For the handshake, the emulator's own time and address. */
export type HandshakeContext = { topic: string; nowMs: number; controlUrl: string; timeoutMs: number };

export async function makeSubscription(
  input: SubscriptionInput,
  since: number,
  context: HandshakeContext,
): Promise<EventSubscription> {
  if (input.destination === 'azureFunction') return { ...input, since, state: 'Succeeded' };
  if (input.schema === 'cloudEvents') {
    await allowedByOptions(input, context);
    return { ...input, since, state: 'Succeeded' };
  }
  const validationCode = randomUUID();
  const echoed = await validationResponse(input, validationCode, context);
  return echoed === validationCode
    ? { ...input, since, state: 'Succeeded' }
    : { ...input, since, state: 'AwaitingManualAction', validationCode };
}

async function validationResponse(input: SubscriptionInput, code: string, context: HandshakeContext): Promise<unknown> {
  const validation = {
    id: randomUUID(),
    topic: context.topic,
    subject: '',
    data: { validationCode: code, validationUrl: `${context.controlUrl}/control/validate?code=${code}` },
    eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent',
    eventTime: eventTime(context.nowMs),
    metadataVersion: '1',
    dataVersion: '2',
  };
  const response = await call(input, context, {
    method: 'POST',
    headers: {
      ...input.headers,
      'content-type': 'application/json; charset=utf-8',
      'aeg-event-type': 'SubscriptionValidation',
      'aeg-subscription-name': input.name.toUpperCase(),
      'aeg-delivery-count': '0',
      'aeg-data-version': '2',
      'aeg-metadata-version': '1',
    },
    body: JSON.stringify([validation]),
  });
  if (response.status !== 200) throw failed(input, `the endpoint answered ${response.status}, not 200`);
  const body: unknown = await response.json().catch(() => undefined);
  return typeof body === 'object' && body !== null && 'validationResponse' in body
    ? body.validationResponse
    : undefined;
}

async function allowedByOptions(input: SubscriptionInput, context: HandshakeContext): Promise<void> {
  const response = await call(input, context, {
    method: 'OPTIONS',
    headers: { ...input.headers, 'webhook-request-origin': 'eventgrid.azure.net' },
  });
  const origin = response.headers.get('webhook-allowed-origin');
  if (response.status !== 200) throw failed(input, `the endpoint answered ${response.status}, not 200`);
  if (origin !== 'eventgrid.azure.net' && origin !== '*') {
    throw failed(input, `WebHook-Allowed-Origin is ${origin ?? 'missing'}, not eventgrid.azure.net`);
  }
}

async function call(input: SubscriptionInput, context: HandshakeContext, init: RequestInit): Promise<Response> {
  try {
    return await fetch(input.endpoint, { ...init, signal: AbortSignal.timeout(context.timeoutMs), redirect: 'manual' });
  } catch (error) {
    throw failed(input, String(error));
  }
}

function failed(input: SubscriptionInput, why: string): Refused {
  return new Refused({
    status: 400,
    code: 'WebhookValidationFailed',
    message: `endpoint: the validation handshake with ${input.endpoint} failed: ${why}`,
  });
}

/** The second half of a manual handshake: the code activates the subscription. */
export function confirmManually(subscriptions: Iterable<EventSubscription>, code: string): boolean {
  for (const subscription of subscriptions) {
    if (subscription.state !== 'AwaitingManualAction' || subscription.validationCode !== code) continue;
    subscription.state = 'Succeeded';
    delete subscription.validationCode;
    return true;
  }
  return false;
}
