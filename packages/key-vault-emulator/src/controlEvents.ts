/** Control calls: event subscriptions and the delivery of events. */
import * as z from 'zod';
import { type ControlCall, type ControlRoute, notFound, param, read, vaultOf } from './controlCall.ts';
import { deliveryModes } from './delivery.ts';
import { wireBody } from './events.ts';
import { armId } from './model.ts';
import { confirmManually, type EventSubscription, makeSubscription } from './subscriptions.ts';
import { allSubscriptions } from './world.ts';

const subscription = z.strictObject({
  endpoint: z.url({ protocol: /^https?$/ }),
  schema: z.enum(['eventGrid', 'cloudEvents']).default('eventGrid'),
  destination: z.enum(['webhook', 'azureFunction']).default('webhook'),
  headers: z.record(z.string(), z.string()).default({}),
});

const mode = z.strictObject({ mode: z.enum(deliveryModes) });
const release = z.strictObject({ order: z.enum(['emitted', 'reverse', 'shuffled']).default('reverse') });

const example = {
  endpoint: 'http://127.0.0.1:7071/runtime/webhooks/eventgrid?functionName=keyEvents',
  destination: 'azureFunction',
};

export const eventRoutes: ControlRoute[] = [
  {
    method: 'PUT',
    path: '/control/vaults/:vault/eventSubscriptions/:name',
    about: "subscribe to a vault's events; schema eventGrid or cloudEvents; a webhook has to pass the handshake",
    example: () => example,
    async run(call) {
      const vault = vaultOf(call);
      // A subscription that is put again, for example with another endpoint, still covers the versions it covered
      // before.
      const before = vault.subscriptions.find(({ name }) => name === param(call, 'name'));
      const made = await subscribed(call, before?.since ?? vault.changes, armId(vault));
      vault.subscriptions = replaced(vault.subscriptions, made);
      return made;
    },
  },
  {
    method: 'DELETE',
    path: '/control/vaults/:vault/eventSubscriptions/:name',
    about: 'unsubscribe',
    run(call) {
      const vault = vaultOf(call);
      vault.subscriptions = without(vault.subscriptions, param(call, 'name'));
    },
  },
  {
    method: 'PUT',
    path: '/control/subscriptions/:subscription/eventSubscriptions/:name',
    about: 'subscribe to the deletes of vaults and role assignments in an Azure subscription',
    example: () => ({ ...example, endpoint: example.endpoint.replace('keyEvents', 'resourceEvents') }),
    async run(call) {
      const id = param(call, 'subscription').toLowerCase();
      const made = await subscribed(call, 0, `/subscriptions/${id}`);
      const all = call.world.resourceSubscriptions;
      all.set(id, replaced(all.get(id) ?? [], made));
      return made;
    },
  },
  {
    method: 'DELETE',
    path: '/control/subscriptions/:subscription/eventSubscriptions/:name',
    about: 'unsubscribe',
    run(call) {
      const id = param(call, 'subscription').toLowerCase();
      const all = call.world.resourceSubscriptions;
      all.set(id, without(all.get(id) ?? [], param(call, 'name')));
    },
  },
  {
    method: 'GET',
    path: '/control/validate',
    about: 'the validation URL of a handshake, ?code=CODE',
    run({ world, query }) {
      if (!confirmManually(allSubscriptions(world), query.code ?? ''))
        throw notFound('subscription awaiting this code');
      return { validated: true };
    },
  },
  {
    method: 'GET',
    path: '/control/events',
    about: 'all emitted events, with the state of each delivery',
    run: ({ world }) =>
      world.delivery.list().map(({ event, deliveries }) => ({
        id: event.id,
        type: event.type,
        subject: event.subject,
        time: event.time,
        event: JSON.parse(wireBody('eventGrid', event))[0],
        deliveries,
      })),
  },
  {
    method: 'DELETE',
    path: '/control/events',
    about: 'clear the list of events; deliveries continue',
    run: ({ world }) => world.delivery.clear(),
  },
  {
    method: 'PUT',
    path: '/control/events/mode',
    about: `set how events are delivered from now on: ${deliveryModes.join(', ')}`,
    example: () => ({ mode: 'hold' }),
    run({ world, body }) {
      world.delivery.setMode(read(mode, body).mode);
      return { mode: world.delivery.mode() };
    },
  },
  {
    method: 'POST',
    path: '/control/events/release',
    about: 'send the held events in the order emitted, reverse (the default) or shuffled',
    example: () => ({ order: 'reverse' }),
    run: async ({ world, body }) => ({ released: await world.delivery.release(read(release, body).order) }),
  },
  {
    method: 'POST',
    path: '/control/events/:event/redeliver',
    about: 'send an event again, with the same id',
    run: (call) => ({ sent: call.world.delivery.redeliver(param(call, 'event')) }),
  },
];

function subscribed(call: ControlCall, since: number, topic: string): Promise<EventSubscription> {
  const { world } = call;
  return makeSubscription({ name: param(call, 'name'), ...read(subscription, call.body) }, since, {
    topic,
    nowMs: world.clock.now(),
    controlUrl: world.url,
    timeoutMs: world.timings.eventTimeoutMs,
  });
}

function replaced(subscriptions: EventSubscription[], made: EventSubscription): EventSubscription[] {
  return [...subscriptions.filter(({ name }) => name !== made.name), made];
}

function without(subscriptions: EventSubscription[], name: string): EventSubscription[] {
  const others = subscriptions.filter((one) => one.name !== name);
  if (others.length === subscriptions.length) throw notFound(`event subscription ${name}`);
  return others;
}
