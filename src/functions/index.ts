/**
 * The whole app on one page. Registration only: no settings are needed and nothing is called before the first invocation. What
 * handles calls is loaded by the first one, so that a cold start pays for the library of Azure Functions and little more.
 */
import { app, type StorageQueueHandler } from '@azure/functions';
import { authLevel } from './pipeline/authLevel.ts';
import type { Route } from './pipeline/route.ts';

type Registered = Omit<Route, 'handler' | 'contract' | 'auditedRefusal'>;

/** What registration needs of the route table, written into the bundle by build.ts; the table itself brings every schema along. */
declare const BUILT_ROUTES: readonly Registered[] | undefined;

const routes = typeof BUILT_ROUTES === 'undefined' ? (await import('./routes.ts')).routes : BUILT_ROUTES;

for (const { name, method, path, scope, bearerOnly } of routes) {
  app.http(name, {
    methods: [method],
    route: path,
    // Where no function key will do, none is asked for: the app's own refusal says what is needed.
    authLevel: scope === 'public' || bearerOnly ? 'anonymous' : authLevel(),
    handler: lazy(async () => (await import('./pipeline/handlers.ts')).handlerNamed(name)),
  });
}

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

/** Loads with the first call of a process. A call that found `import()` failing does not stop the next one from trying. */
function lazy<A extends unknown[], R>(load: () => Promise<(...args: A) => R>) {
  let loaded: ((...args: A) => R) | undefined;
  return async (...args: A): Promise<Awaited<R>> => {
    loaded ??= await load();
    return await loaded(...args);
  };
}
