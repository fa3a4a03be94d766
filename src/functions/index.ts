/** The whole app on one page. Registration only: no settings are needed and nothing is called before the first invocation. */
import { app, type StorageQueueHandler } from '@azure/functions';
import { authLevel } from './authorize.ts';
import { dailyPass, startDailyPass } from './dailyPass.ts';
import { handlerOf } from './http.ts';
import { keyEvents } from './keyEvents.ts';
import { keyVaultLogs } from './keyVaultLogs.ts';
import { vaultWorkPoison } from './poison.ts';
import { resourceEvents } from './resourceEvents.ts';
import { routes } from './routes.ts';
import { sweep } from './sweep.ts';
import { vaultWork } from './vaultWork.ts';

for (const route of routes) {
  app.http(route.name, {
    methods: [route.method],
    route: route.path,
    authLevel: route.scope === 'public' ? 'anonymous' : authLevel(),
    handler: handlerOf(route),
  });
}

app.eventGrid('keyEvents', { handler: keyEvents });
app.eventGrid('resourceEvents', { handler: resourceEvents });
if (process.env.KEYWARD_DIAGNOSTICS_EVENT_HUB) {
  app.eventHub('keyVaultLogs', {
    eventHubName: '%KEYWARD_DIAGNOSTICS_EVENT_HUB%',
    connection: 'KEYWARD_DIAGNOSTICS',
    cardinality: 'many',
    handler: keyVaultLogs,
  });
}

app.timer('sweep', { schedule: '%KEYWARD_SWEEP_SCHEDULE%', handler: sweep });
app.timer('startDailyPass', { schedule: '0 30 3 * * *', handler: startDailyPass });

const queue = (queueName: string, handler: StorageQueueHandler) => ({
  queueName,
  connection: 'AzureWebJobsStorage',
  handler,
});
app.storageQueue('vaultWork', queue('vault-work', vaultWork));
app.storageQueue('vaultWorkPoison', queue('vault-work-poison', vaultWorkPoison));
app.storageQueue('dailyPass', queue('daily-pass', dailyPass));
