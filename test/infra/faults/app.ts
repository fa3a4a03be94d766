/**
 * Faults that the pipeline of calls and messages logs. They need no laboratory: the tables of this app do not answer.
 */
import { HttpRequest, InvocationContext } from '@azure/functions';
import { startIdentity } from '../../../packages/entra-emulator/src/issuer.ts';
import { handlerOf } from '../../../src/functions/pipeline/pipeline.ts';
import { routes } from '../../../src/functions/routes.ts';
import { dailyPass } from '../../../src/functions/triggers/dailyPass.ts';
import { dailyPassPoison, vaultWorkPoison } from '../../../src/functions/triggers/poison.ts';
import { vaultWork } from '../../../src/functions/triggers/vaultWork.ts';
import type { LogLine } from '../../../src/local/lab/lab.ts';
import { createVirtualClock } from '../../../src/local/lab/virtualTime.ts';
import { apiAudience, directory, operatorSettings } from '../../../src/local/operator.ts';
import { type Replay, replayOf } from '../replay.ts';

/** The app in this process, as the platform calls it. */
export interface App {
  readonly replay: Replay;
  /** Sets the app's settings to these, and the environment back at the end of the test. */
  configure(settings: Readonly<Record<string, string>>): void;
  readonly context: InvocationContext;
  /** Calls the route, and logs the request as the platform does. */
  call(method: string, path: string, token?: string): Promise<number>;
}

export interface AppFault {
  readonly rules: readonly string[];
  play(app: App): Promise<unknown>;
}

const isOfApp = (name: string) => name.startsWith('KEYWARD_') || name === 'AzureWebJobsStorage';

export function startApp(): App {
  const log: LogLine[] = [];
  const replay = replayOf({ clock: createVirtualClock(Date.now()), log }, async () => undefined);
  const logHandler = (level: string, message: unknown, fields: unknown) => {
    const at = level === 'error' ? 'error' : level === 'warning' ? 'warn' : 'info';
    log.push({ level: at, message: String(message), fields: JSON.parse(String(fields)) });
  };
  const context = new InvocationContext({ invocationId: '1', functionName: 'replayed', logHandler });
  return {
    replay,
    context,
    configure(settings) {
      for (const name of Object.keys(process.env).filter(isOfApp)) delete process.env[name];
      Object.assign(process.env, settings);
    },
    async call(method, path, token) {
      const parts = path.split('/');
      const route = routes.find(
        (one) =>
          one.method === method &&
          one.path.split('/').length === parts.length &&
          one.path.split('/').every((part, n) => part.startsWith('{') || part === parts[n]),
      );
      if (route === undefined) throw new Error(`There is no route ${method} ${path}.`);
      const params = Object.fromEntries(
        route.path.split('/').flatMap((part, n) => (part.startsWith('{') ? [[part.slice(1, -1), parts[n] ?? '']] : [])),
      );
      const url = `https://keyward.example/api/${path}`;
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const answer = await handlerOf(route)(new HttpRequest({ method, url, params, headers }), context);
      const status = answer instanceof Response ? answer.status : (answer?.status ?? 200);
      replay.request(url, status);
      return status;
    },
  };
}

const nowhere = 'http://127.0.0.1:9';
const deadStorage = `TableEndpoint=${nowhere}/t;QueueEndpoint=${nowhere}/q;SharedAccessSignature=sv=2019-02-02&sig=x`;

/** In this order: the app logs wrong settings once in a process, and reads them again until they are right. */
export const appFaults: Readonly<Record<string, AppFault>> = {
  'the setting that selects the authentication is missing': {
    rules: ['settings-of-authentication'],
    async play(app) {
      app.configure({});
      await app.call('GET', 'health/ready');
    },
  },
  'the setting that names the storage is missing': {
    rules: ['calls-fail'],
    async play(app) {
      app.configure({ KEYWARD_AUTH: 'functionKeys' });
      await app.call('GET', 'accounts/acme');
    },
  },
  'another program writes to the queues of the app': {
    rules: ['message-dropped'],
    async play({ context }) {
      await vaultWork('nonsense', context);
      await dailyPass({ visit: 'nothing' }, context);
    },
  },
  'a message of each queue fails five times': {
    rules: ['vault-work-given-up', 'daily-work-given-up'],
    async play({ context }) {
      await vaultWorkPoison({ vault: '0'.repeat(32), requestedBy: 'sweep' }, context);
      await dailyPassPoison({ visit: 'accounts' }, context);
    },
  },
  'the tables do not answer, and a caller without the role tries to repair an identity': {
    rules: ['storage-unavailable', 'not-ready', 'refusal-not-audited'],
    async play(app) {
      const identity = await startIdentity(directory);
      try {
        app.configure({ ...operatorSettings(deadStorage, identity, nowhere), KEYWARD_AUTH: 'entra' });
        const tokenOf = async (name: string): Promise<string> => {
          const body = JSON.stringify({ identity: name, resource: apiAudience });
          const response = await fetch(`${identity.url}/control/token`, { method: 'POST', body });
          return ((await response.json()) as { access_token: string }).access_token;
        };
        const operator = await tokenOf('operator');
        await Promise.all(Array.from({ length: 11 }, () => app.call('GET', 'accounts/acme', operator)));
        for (let probe = 0; probe < 2; probe++) await app.call('GET', 'health/ready', operator);
        await app.call('POST', 'operator/accounts/acme/repairIdentity', await tokenOf('auditor'));
      } finally {
        await identity.stop();
      }
    },
  },
};
