/**
 * The Functions dev host: runs a built function app on this machine as the Azure Functions host runs it, for
 * `npm start` and for tests. It serves HTTP, timer, storage queue and Event Grid triggers, and one more thing: it
 * stops, leaving nothing behind.
 *
 * Not done here, and not needed by apps that keep to these triggers: output bindings, retry policies,
 * functionTimeout (the real host kills the worker), scaling.
 */
import { resolve } from 'node:path';
import { createAdminPages } from './admin.ts';
import { createEventGridWebhook } from './eventGrid.ts';
import { describeFunctions, type FunctionInfo } from './functionInfo.ts';
import { insideApp, installFunctionsCore } from './functionsCore.ts';
import { readHostJson } from './hostJson.ts';
import { createHttpTriggers } from './http.ts';
import { createInvoker } from './invoke.ts';
import { createKeys, type HostKeys } from './keys.ts';
import { loadApp } from './loadApp.ts';
import { appLog, captureConsole, createLog, type LogSink, printWarnings } from './logs.ts';
import { createQueues } from './queues.ts';
import { createRegistration, type Registration } from './registration.ts';
import { type Handler, startServer } from './server.ts';
import { applyEnvironment, readLocalSettings, type Settings } from './settings.ts';
import { createTimers, type TimerStatus } from './timers.ts';

export interface HostOptions {
  /** The folder with package.json (its `main` names the built app), host.json and, if any, local.settings.json. */
  appDir: string;
  /** Default 0: any free port. */
  port?: number;
  /** App settings, over those of local.settings.json. They become `process.env` until the host stops. */
  settings: Settings;
  /** Made up where absent. */
  keys?: Partial<HostKeys>;
  /** Default: warnings and worse to standard error. */
  onLog?: LogSink;
  /** False: timers run only by `invokeTimer`. On several hosts of one app, true on one of them. Default true. */
  timers?: boolean;
  /** When each timer last ran: give a later host the map of an earlier one and it knows what was missed. */
  timerStatus?: Map<string, TimerStatus>;
  /** How long a queue message stays hidden while its handler runs, renewed at half time. Default 600 000. */
  queueVisibilityMs?: number;
  /** How long `stop` waits for work in flight before it goes on without it. Default 10 000. */
  drainMs?: number;
}

export interface Host {
  url: string;
  keys: HostKeys;
  functions: FunctionInfo[];
  /** Runs a timer function now; rejects with what it throws. */
  invokeTimer(name: string): Promise<void>;
  /** Stops triggers, waits for work in flight, runs the appTerminate hooks, closes. Can be called again. */
  stop(): Promise<void>;
}

export type { LogRecord } from './logs.ts';
export type { FunctionInfo, HostKeys, LogSink, TimerStatus };

/** True when the work ended in time. */
const within = (ms: number, work: Promise<unknown>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  return Promise.race([work.then(() => true), late]).finally(() => clearTimeout(timer));
};

export async function startHost(options: HostOptions): Promise<Host> {
  const appDir = resolve(options.appDir);
  const hostJson = readHostJson(appDir);
  const keys = createKeys(options.keys);
  const log = createLog(options.onLog ?? printWarnings);
  const failed = (error: unknown) => log('error', 'Host', error instanceof Error ? (error.stack ?? '') : String(error));
  const registration: Registration = createRegistration(appLog(log, () => registration));
  const appHookData = {};

  /** What has been started, to be undone in the reverse order, whether the start succeeds or not. */
  const undo: (() => unknown)[] = [];
  const undoAll = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };

  try {
    const hostSettings = {
      FUNCTIONS_WORKER_RUNTIME: 'node',
      AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
      ...readLocalSettings(appDir),
      ...options.settings,
    };
    const environment = applyEnvironment(hostSettings);
    undo.push(() => environment.restore());
    const core = installFunctionsCore();
    undo.push(() => core.release());
    const spoken = captureConsole();
    undo.push(() => spoken.release());

    const app = await loadApp(appDir, registration);
    undo.push(() => app.unload());
    const functions = describeFunctions(registration, hostSettings);
    const context = { functionAppDirectory: appDir, hookData: appHookData, appHookData };
    await insideApp(registration, async () => {
      for (const hook of registration.hooks('appStart')) await hook(context);
    });

    const invoker = createInvoker(registration, appHookData, log);
    const http = createHttpTriggers(functions, hostJson.http, keys, invoker, app.httpStream, failed);
    const eventGrid = createEventGridWebhook(functions, keys, invoker);
    const timers = createTimers(functions, options.timerStatus ?? new Map(), invoker, log);
    const queueOptions = { ...hostJson.queues, processingVisibilityMs: options.queueVisibilityMs ?? 600_000 };
    const queues = createQueues(functions, queueOptions, hostSettings, invoker, log);
    const admin = createAdminPages(functions, keys, invoker, timers);

    const handler: Handler = (request, response, url) => {
      const path = url.pathname.toLowerCase();
      if (path.startsWith('/admin/')) return admin.handle(request, response, url);
      if (path === '/runtime/webhooks/eventgrid') return eventGrid.handle(request, response, url);
      return http.handle(request, response, url);
    };
    const server = await startServer(options.port ?? 0, handler, failed);
    undo.push(() => server.close());
    // Nothing can fail any more: only now does work begin.
    undo.push(() => queues.abandon());
    if (options.timers ?? true) timers.start();
    queues.start();
    log('information', 'Host', `${functions.length} functions on ${server.url}`);

    const terminate = () =>
      insideApp(registration, async () => {
        for (const hook of registration.hooks('appTerminate')) await hook({ hookData: appHookData, appHookData });
      }).catch(failed);

    const shutDown = async () => {
      const drainMs = options.drainMs ?? 10_000;
      timers.stop();
      queues.stop();
      const drained = Promise.all([server.drain(), queues.ended(), timers.idle(), invoker.idle()]);
      if (!(await within(drainMs, drained))) {
        log('warning', 'Host', `stopped with ${invoker.inFlight} invocations in flight after ${drainMs} ms`);
      }
      if (!(await within(drainMs, terminate()))) log('warning', 'Host', 'the appTerminate hooks did not end');
      await undoAll();
    };

    let stopped: Promise<void> | undefined;
    return {
      url: server.url,
      keys,
      functions: functions.map((one) => one.info),
      async invokeTimer(name) {
        if (stopped !== undefined) throw new Error('The host has stopped.');
        const outcome = await timers.run(name);
        if (outcome === undefined) throw new Error(`There is no timer function '${name}'.`);
        if (outcome.kind === 'Failed') throw outcome.error;
      },
      stop() {
        stopped ??= shutDown();
        return stopped;
      },
    };
  } catch (error) {
    await undoAll();
    throw error;
  }
}
