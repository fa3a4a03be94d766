/**
 * The whole app on one page. This file only registers functions: it needs no settings and calls nothing before the
 * first invocation. The first call loads its handler, so that a cold start loads little more than the library of Azure
 * Functions.
 */
import { app, type HttpHandler, type StorageQueueHandler } from '@azure/functions';
import { live } from './http/health/live.ts';
import { authLevel } from './pipeline/authLevel.ts';
import { withHead } from './pipeline/withHead.ts';
import { registeredRoutes } from './registered.ts';

const loadedApp = () => import('./app.ts');

// Bodies arrive as streams, so that the process holds no body before it knows the caller and the length of the body.
// The price: the caller never gets an answer when a handler throws or returns nothing. `answering` and
// pipeline/pipeline.ts make sure that no handler does so.
app.setup({ enableHttpStream: true });

for (const [family, routes] of Object.entries(registeredRoutes)) {
  for (const { name, method, path, scope, bearerOnly } of routes) {
    app.http(name, {
      methods: withHead(method),
      route: `api/${path}`,
      // The host requests no key for a route that no function key opens: the app's own refusal says what the caller
      // needs.
      authLevel: scope === 'public' || bearerOnly ? 'anonymous' : authLevel(),
      handler: answering(lazy(() => loadHandler(name, family))),
    });
  }
}

async function loadHandler(name: string, family: string): Promise<HttpHandler> {
  return name === 'healthLive' ? live : (await loadedApp()).httpHandler(name, family);
}

// Static files. The host adds no prefix to routes, because the address of this page does not begin with `api`.
app.http('console', {
  methods: ['GET', 'HEAD'],
  route: 'console/{*path}',
  authLevel: 'anonymous',
  handler: answering(lazy(async () => (await loadedApp()).consoleRoute())),
});

// On a development machine the console is what opens at `/`. In Azure the host answers there.
if (process.env.AZURE_FUNCTIONS_ENVIRONMENT === 'Development') {
  app.http('home', {
    methods: ['GET', 'HEAD'],
    route: '/',
    authLevel: 'anonymous',
    handler: async () => ({ status: 302, headers: { Location: '/console/' } }),
  });
}

// The host uses the first function, by name, whose route and method fit. This one is last and receives all other calls.
app.http('zUnknown', {
  // Not TRACE: the library of Azure Functions cannot make a request of it, and the caller would never get an answer.
  methods: ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE', 'OPTIONS'],
  route: 'api/{*path}',
  authLevel: 'anonymous',
  handler: answering(lazy(async () => (await loadedApp()).unknownRoute(registeredRoutes))),
});

app.eventGrid('keyEvents', { handler: lazy(async () => (await loadedApp()).keyEvents()) });
app.eventGrid('resourceEvents', {
  handler: lazy(async () => (await loadedApp()).resourceEvents()),
});
if (process.env.KEYWARD_DIAGNOSTICS_EVENT_HUB) {
  app.eventHub('keyVaultLogs', {
    eventHubName: '%KEYWARD_DIAGNOSTICS_EVENT_HUB%',
    connection: 'KEYWARD_DIAGNOSTICS',
    cardinality: 'many',
    handler: lazy(async () => (await loadedApp()).keyVaultLogs()),
  });
}

app.timer('sweep', {
  schedule: '%KEYWARD_SWEEP_SCHEDULE%',
  handler: lazy(async () => (await loadedApp()).sweep()),
});
if (process.env.KEYWARD_DRILL_KEY) {
  app.timer('drill', {
    schedule: '0 17 * * * *',
    handler: lazy(async () => (await loadedApp()).drill()),
  });
}
app.timer('startDailyPass', {
  schedule: '0 30 3 * * *',
  handler: lazy(async () => (await loadedApp()).startDailyPass()),
});

const queue = (queueName: string, load: () => Promise<StorageQueueHandler>) => ({
  queueName,
  connection: 'AzureWebJobsStorage',
  handler: lazy(load),
});
app.storageQueue(
  'vaultWork',
  queue('vault-work', async () => (await loadedApp()).vaultWork()),
);
app.storageQueue(
  'vaultWorkPoison',
  queue('vault-work-poison', async () => (await loadedApp()).vaultWorkPoison()),
);
app.storageQueue(
  'dailyPass',
  queue('daily-pass', async () => (await loadedApp()).dailyPass()),
);
app.storageQueue(
  'dailyPassPoison',
  queue('daily-pass-poison', async () => (await loadedApp()).dailyPassPoison()),
);

app.hook.appTerminate(async () => (await loadedApp()).endOfProcess());

/** Answers 500 also when the handler's module does not load: that error is thrown before the pipeline can answer. */
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

/** Loads the handler with the first call of a process. When `import()` fails, the next call tries it again. */
function lazy<A extends unknown[], R>(load: () => Promise<(...args: A) => R>) {
  let loaded: ((...args: A) => R) | undefined;
  return async (...args: A): Promise<Awaited<R>> => {
    loaded ??= await load();
    return await loaded(...args);
  };
}
