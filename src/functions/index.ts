/** The whole app on one page. Registration only: no settings are needed and nothing is called before the first invocation. */
import { app } from '@azure/functions';
import { authLevel } from './authorize.ts';
import { handlerOf } from './http.ts';
import { keyEvents } from './keyEvents.ts';
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
app.timer('sweep', { schedule: '%KEYWARD_SWEEP_SCHEDULE%', handler: sweep });
app.storageQueue('vaultWork', { queueName: 'vault-work', connection: 'AzureWebJobsStorage', handler: vaultWork });
