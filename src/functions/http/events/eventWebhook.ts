/**
 * The webhook for events of vaults in other tenants: `POST /api/events`. It starts the same work as the Event Grid
 * triggers.
 *
 * Event Grid sends a token of Microsoft Entra ID with every message, including the validation event. The token is
 * issued in the operator's tenant, for Keyward's application, to Event Grid's own application (Azure docs,
 * event-grid/secure-webhook-delivery). Keyward verifies it like any other token, and then requires that it was issued
 * to Event Grid itself. The reason: by those docs the customer's application that writes the subscription holds the
 * same role. With function keys, the key in the subscription's URL is enough.
 *
 * The CloudEvents handshake (OPTIONS) is open: it "doesn't aim to establish an authentication or authorization context"
 * (Azure docs, event-grid/end-point-validation-cloud-events-schema), and no document says that it carries a token. It
 * reads and changes nothing, and it gives consent to Event Grid alone. The deliveries that follow still need a token.
 */
import * as z from 'zod';
import { Refusal } from '../../../core/base/errors.ts';
import { fold } from '../../../core/base/names.ts';
import type { Cloud } from '../../../core/customerKey/keyIdentifier.ts';
import { type ReceivedEvent, readEvent, targetsByVault, wake } from '../../../core/vaultWork/events.ts';
import type { BareHandler, RouteHandler } from '../../pipeline/call.ts';
import type { Caller } from '../../pipeline/caller.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';

/**
 * Event Grid's application, which is the same in every tenant of a cloud (the scripts in secure-webhook-delivery). That
 * of China is not published.
 */
const eventGridApps: Readonly<Partial<Record<Cloud, string>>> = {
  public: '4962773b-9cdb-44cf-a8bf-237846a00ab7',
  usgov: '54316b56-3481-47f9-8f30-0300f5542a7b',
};

/**
 * Event Grid's own limits of a batch: 1 MiB, 5,000 events (Azure docs, event-grid/delivery-and-retry, "Output
 * batching").
 */
const maxDeliveryBytes = 1024 * 1024;
const maxEvents = 5000;
/**
 * Each vault costs a read and a queue message, and Event Grid waits for 30 s. One subscription is for one vault, or for
 * the vaults of one resource group.
 */
const maxVaults = 100;

const event = z.looseObject({});
const example = {
  specversion: '1.0',
  id: '1',
  type: 'Microsoft.KeyVault.KeyNewVersionCreated',
  subject: 'media',
  source: '/subscriptions/<id>/resourceGroups/keys/providers/Microsoft.KeyVault/vaults/contoso-keys',
  data: { VaultName: 'contoso-keys', ObjectType: 'Key', ObjectName: 'media' },
};
/** An element of another form is only counted: a refusal would withhold the events beside it. */
const element = z.unknown().describe('An event. An element of another form is ignored.');
const delivery = z
  .union([z.array(element).min(1).max(maxEvents), event], 'Send an event, or an array of events.')
  .meta({ id: 'Delivery', examples: [example, [example]] });

const validation = z.strictObject({ validationResponse: z.string() }).meta({
  id: 'WebhookValidation',
  description: 'The answer to the validation event of the Event Grid schema.',
  examples: [{ validationResponse: '512d38b6-c7b8-40c8-89fe-f46f9e9622b6' }],
});

const receiveRoute: RouteHandler = async ({ request, service, ...caller }) => {
  refuseOthers(caller, service.cloud);
  const bodies = [parsed(delivery, await readJson(request, maxDeliveryBytes))].flat();
  const events = bodies.flatMap((body) => readEvent(body) ?? []);
  const code = validationCodeIn(events[0]);
  if (code !== undefined) return { status: 200, jsonBody: { validationResponse: code } };
  const targets = targetsByVault(events, service.cloud);
  const woken = await Promise.all(targets.slice(0, maxVaults).map((target) => wake(target, service)));
  // Event Grid would deliver the rest, and messages that are no events, again unchanged. Keyward acknowledges them and
  // leaves the work to the sweep.
  service.log.info('Received events of another tenant', {
    events: events.length,
    strange: bodies.length - events.length,
    woken: woken.filter(Boolean).length,
    left: Math.max(0, targets.length - maxVaults),
  });
  return { status: 202 };
};

/** @throws Refusal AuthorizationFailed */
function refuseOthers({ actor, application }: Caller, cloud: Cloud): void {
  if (actor.kind === 'functionKey') return;
  const expected = process.env.KEYWARD_EVENT_GRID_APPLICATION || eventGridApps[cloud];
  if (expected !== undefined && application !== undefined && fold(application) === fold(expected)) return;
  throw new Refusal('AuthorizationFailed', `The application ${application} is not Event Grid.`);
}

/** Azure docs, event-grid/end-point-validation-event-grid-events-schema: the answer returns the code unchanged. */
function validationCodeIn(first: ReceivedEvent | undefined): string | undefined {
  if (fold(first?.type ?? '') !== 'microsoft.eventgrid.subscriptionvalidationevent') return undefined;
  const code = first?.data.validationcode;
  if (typeof code === 'string' && code.length <= 256) return code;
  throw new Refusal('InvalidRequestContent', 'The validation event has no validationCode.', { target: 'data' });
}

/**
 * The abuse protection of CloudEvents (HTTP 1.1 Web Hooks for Event Delivery, 4). A request without these headers
 * receives no consent.
 */
const handshakeRoute: BareHandler = async ({ request }) => {
  const origin = request.headers.get('webhook-request-origin') ?? '';
  const isEventGrid = /^eventgrid\.azure\.(net|us|cn)$/i.test(origin);
  const consent = isEventGrid ? { 'WebHook-Allowed-Origin': origin, 'WebHook-Allowed-Rate': '*' } : {};
  return { status: 200, headers: { Allow: 'POST, OPTIONS', ...consent } };
};

const role = 'AzureEventGridSecureWebhookSubscriber';

export const eventRoutes: readonly Route[] = [
  {
    name: 'eventsReceive',
    method: 'POST',
    path: 'events',
    scope: 'events',
    role,
    handler: receiveRoute,
    contract: {
      summary: 'Receives events of Event Grid, in either schema',
      body: delivery,
      answers: { 200: validation, 202: undefined },
    },
  },
  {
    name: 'eventsHandshake',
    method: 'OPTIONS',
    path: 'events',
    scope: 'public',
    role,
    bare: handshakeRoute,
    contract: {
      summary: 'Consents to deliveries of Event Grid in the CloudEvents schema',
      answers: { 200: undefined },
    },
  },
];
