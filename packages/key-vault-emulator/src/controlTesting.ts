/** Control calls: time, faults, and the log of requests. */
import * as z from 'zod';
import type { Clock } from './clock.ts';
import { DAY_MS } from './clock.ts';
import { type ControlRoute, notFound, param, read } from './controlCall.ts';
import { operations } from './routes.ts';

const clockSetting = z
  .strictObject({ offsetMs: z.number().optional(), now: z.iso.datetime({ offset: true }).optional() })
  .refine(({ offsetMs, now }) => (offsetMs === undefined) !== (now === undefined), {
    path: ['now'],
    message: 'give now (ISO 8601) or offsetMs',
  });

const clockAdvance = z
  .strictObject({ ms: z.number().default(0), seconds: z.number().default(0), days: z.number().default(0) })
  .transform(({ ms, seconds, days }) => ms + seconds * 1000 + days * DAY_MS);

const timings = z.strictObject({
  deleteDelayMs: z.number().nonnegative().optional(),
  recoverDelayMs: z.number().nonnegative().optional(),
  grantDelayMs: z.number().nonnegative().optional(),
  eventRetryMs: z.array(z.number().nonnegative()).nonempty().optional(),
  eventTimeoutMs: z.number().positive().optional(),
});

const target = {
  vault: z.string().optional(),
  key: z.string().optional(),
  operation: z.preprocess(
    (value) => (typeof value === 'string' ? value.toLowerCase() : value),
    z.enum(operations).optional(),
  ),
  count: z.number().int().positive().optional(),
  delayMs: z.number().nonnegative().optional(),
};

const retryAfter = z.union([z.number(), z.string()]).optional();

const fault = z.discriminatedUnion('action', [
  z.strictObject({
    ...target,
    action: z.literal('status'),
    status: z.number().int().min(200).max(599),
    body: z.enum(['json', 'html', 'empty']).default('json'),
    code: z.string().optional(),
    message: z.string().optional(),
    retryAfter,
    headers: z.record(z.string(), z.string()).optional(),
  }),
  z.strictObject({ ...target, action: z.literal('throttled'), retryAfter }),
  z.strictObject({
    ...target,
    action: z.literal('forbidden'),
    inner: z.string().optional(),
    message: z.string().optional(),
  }),
  z.strictObject({ ...target, action: z.enum(['reset', 'hang', 'wrongUnwrap']) }),
  z.strictObject({ ...target, action: z.literal('network'), code: z.string().min(1) }),
  z.strictObject({ ...target, action: z.enum(['delay', 'lateAnswer']), delayMs: z.number().nonnegative() }),
]);

export const testingRoutes: ControlRoute[] = [
  { method: 'GET', path: '/control/clock', about: "the emulator's time", run: ({ world }) => viewClock(world.clock) },
  {
    method: 'PUT',
    path: '/control/clock',
    about: 'set the time ("now"), or its distance from real time ("offsetMs")',
    example: () => ({ offsetMs: 0 }),
    async run({ world, body }) {
      const { offsetMs, now } = read(clockSetting, body);
      world.clock.setOffset(now === undefined ? (offsetMs ?? 0) : Date.parse(now) - Date.now());
      await world.catchUp();
      return viewClock(world.clock);
    },
  },
  {
    method: 'POST',
    path: '/control/clock/advance',
    about: 'advance the time by ms, seconds or days',
    example: () => ({ days: 60 }),
    async run({ world, body }) {
      world.clock.setOffset(world.clock.offsetMs() + read(clockAdvance, body));
      await world.catchUp();
      return viewClock(world.clock);
    },
  },
  { method: 'GET', path: '/control/timings', about: 'the delays', run: ({ world }) => world.timings },
  {
    method: 'PUT',
    path: '/control/timings',
    about: 'change deleteDelayMs, recoverDelayMs, grantDelayMs, eventRetryMs (list), eventTimeoutMs',
    example: () => ({ deleteDelayMs: 8000, recoverDelayMs: 10000 }),
    run({ world, body }) {
      const given = Object.entries(read(timings, body)).filter(([, value]) => value !== undefined);
      Object.assign(world.timings, Object.fromEntries(given));
      return world.timings;
    },
  },
  { method: 'GET', path: '/control/faults', about: 'the faults in force', run: ({ world }) => world.faults.list() },
  {
    method: 'POST',
    path: '/control/faults',
    about:
      'add a fault for vault, key, operation (each optional), "count" times or until cleared, optionally after delayMs; ' +
      'action: status {status, body: json|html|empty, retryAfter, headers}, throttled {retryAfter}, forbidden {inner}, ' +
      'reset, hang, network {code}, wrongUnwrap, delay, lateAnswer (decided at once, sent after delayMs)',
    example: ({ vault }) => ({ vault, operation: 'unwrapkey', action: 'status', status: 503, body: 'empty', count: 3 }),
    run: ({ world, body }) => world.faults.add(read(fault, body)),
  },
  { method: 'DELETE', path: '/control/faults', about: 'clear all faults', run: ({ world }) => world.faults.clear() },
  {
    method: 'DELETE',
    path: '/control/faults/:fault',
    about: 'clear one fault',
    run(call) {
      if (!call.world.faults.remove(param(call, 'fault'))) throw notFound(`fault ${param(call, 'fault')}`);
    },
  },
  {
    method: 'GET',
    path: '/control/requests',
    about: 'counts and the latest requests to the data plane; ?vault= &operation= &key= narrow the list',
    run: ({ world, query }) => world.requests.read(query),
  },
  {
    method: 'DELETE',
    path: '/control/requests',
    about: 'clear the counts and the list',
    run: ({ world }) => world.requests.clear(),
  },
  {
    method: 'POST',
    path: '/control/reset',
    about: 'delete all vaults, faults, event subscriptions and logged requests, and return to real time',
    run({ world }) {
      world.vaults.clear();
      world.resourceSubscriptions.clear();
      world.faults.clear();
      world.network.privateEndpoints.clear();
      world.network.privateZones.clear();
      world.requests.clear();
      world.delivery.clear();
      world.delivery.setMode('normal');
      world.clock.setOffset(0);
    },
  },
];

function viewClock(clock: Clock) {
  return { now: new Date(clock.now()).toISOString(), offsetMs: clock.offsetMs() };
}
