/**
 * The whole app on one page. Registration only: no settings are needed and nothing is called before the first invocation. What
 * handles calls is loaded by the first one, so that a cold start pays for the library of Azure Functions and little more.
 */
import { app, type HttpHandler, type StorageQueueHandler } from '@azure/functions';
import { authLevel } from './pipeline/authLevel.ts';
import type { Route } from './pipeline/route.ts';

type Registered = Omit<Route, 'handler' | 'contract' | 'auditedRefusal'>;

/** What registration needs of the route table, written into the bundle by build.ts; the table itself brings every schema along. */
declare const BUILT_ROUTES: readonly Registered[] | undefined;

const routes = typeof BUILT_ROUTES === 'undefined' ? (await import('./routes.ts')).routes : BUILT_ROUTES;

// Bodies come as streams, so that the process holds none before the caller is known and the body's length is. The price: a handler that
// throws, or returns nothing, never answers. So none may (`answering`, and pipeline/pipeline.ts).
app.setup({ enableHttpStream: true });

for (const { name, method, path, scope, bearerOnly } of routes) {
  app.http(name, {
    // Front doors probe with HEAD.
    methods: method === 'GET' && scope === 'public' ? ['GET', 'HEAD'] : [method],
    route: `api/${path}`,
    // Where no function key will do, none is asked for: the app's own refusal says what is needed.
    authLevel: scope === 'public' || bearerOnly ? 'anonymous' : authLevel(),
    handler: answering(lazy(async () => (await import('./pipeline/handlers.ts')).handlerNamed(name))),
  });
}

// Static files; the prefix `api` of the routes above is theirs and not the host's, so that the page has an address of its own.
app.http('console', {
  methods: ['GET', 'HEAD'],
  route: 'console/{*path}',
  authLevel: 'anonymous',
  handler: answering(lazy(async () => (await import('./console/console.ts')).consoleRoute)),
});

// The host takes the first function by name whose route and method fit: what no other takes comes here.
app.http('zUnknown', {
  methods: ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE', 'OPTIONS', 'TRACE'],
  route: 'api/{*path}',
  authLevel: 'anonymous',
  handler: answering(lazy(async () => (await import('./pipeline/unknownRoute.ts')).unknownRoute)),
});

app.eventGrid('keyEvents', { handler: lazy(async () => (await import('./triggers/keyEvents.ts')).keyEvents) });
app.eventGrid('resourceEvents', {
  handler: lazy(async () => (await import('./triggers/resourceEvents.ts')).resourceEvents),
});
if (process.env.KEYWARD_DIAGNOSTICS_EVENT_HUB) {
  app.eventHub('keyVaultLogs', {
    eventHubName: '%KEYWARD_DIAGNOSTICS_EVENT_HUB%',
    connection: 'KEYWARD_DIAGNOSTICS',
    cardinality: 'many',
    handler: lazy(async () => (await import('./triggers/keyVaultLogs.ts')).keyVaultLogs),
  });
}

app.timer('sweep', {
  schedule: '%KEYWARD_SWEEP_SCHEDULE%',
  handler: lazy(async () => (await import('./triggers/sweep.ts')).sweep),
});
app.timer('startDailyPass', {
  schedule: '0 30 3 * * *',
  handler: lazy(async () => (await import('./triggers/dailyPass.ts')).startDailyPass),
});

const queue = (queueName: string, load: () => Promise<StorageQueueHandler>) => ({
  queueName,
  connection: 'AzureWebJobsStorage',
  handler: lazy(load),
});
app.storageQueue(
  'vaultWork',
  queue('vault-work', async () => (await import('./triggers/vaultWork.ts')).vaultWork),
);
app.storageQueue(
  'vaultWorkPoison',
  queue('vault-work-poison', async () => (await import('./triggers/poison.ts')).vaultWorkPoison),
);
app.storageQueue(
  'dailyPass',
  queue('daily-pass', async () => (await import('./triggers/dailyPass.ts')).dailyPass),
);
app.storageQueue(
  'dailyPassPoison',
  queue('daily-pass-poison', async () => (await import('./triggers/poison.ts')).dailyPassPoison),
);

/** A module that does not load throws before the pipeline can answer. */
function answering(handler: HttpHandler): HttpHandler {
  return async (request, context) => {
    try {
      return await handler(request, context);
    } catch (error) {
      context.error('A call failed', JSON.stringify({ error: error instanceof Error ? error.name : 'unknown' }));
      const message = `An unexpected error occurred. Give the operator the request id ${context.invocationId}.`;
      const headers = { 'x-ms-request-id': context.invocationId };
      return { status: 500, headers, jsonBody: { error: { code: 'InternalError', message } } };
    }
  };
}

/** `import()` gives the same module every time: only the first call of a process waits for it. */
function lazy<A extends unknown[], R>(load: () => Promise<(...args: A) => R>) {
  return async (...args: A): Promise<Awaited<R>> => await (await load())(...args);
}
