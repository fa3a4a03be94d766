/**
 * The Functions host for development: runs a built function app on this machine as the Azure Functions host runs it,
 * for `npm start` and for tests. It serves HTTP, timer, storage queue, Event Grid and Event Hub triggers, and its stop
 * leaves nothing behind. It has no output bindings, no retry policies and no scaling; a function that needs one is in
 * error.
 */
import { resolve } from 'node:path';
import { createAdminPages } from './admin.ts';
import { createEventGridWebhook } from './eventGrid.ts';
import { createEventHubs } from './eventHubs.ts';
import { createIndexing, describeFunctions, type FunctionInfo, groupOf } from './functionInfo.ts';
import { insideApp, installFunctionsCore } from './functionsCore.ts';
import { readHostJson } from './hostJson.ts';
import { createHttpTriggers } from './http.ts';
import { maxBodyBytesOf } from './httpMessage.ts';
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
  /** Only the functions of this group run (see `groupOf`). Default: all. */
  group?: string;
  /** App settings, over those of local.settings.json. They become `process.env` until the host stops. */
  settings: Settings;
  /** Made up where absent. */
  keys?: Partial<HostKeys>;
  /** Default: warnings and errors to standard error. */
  onLog?: LogSink;
  /** False: timers run only by `invokeTimer`. Of several hosts of one app, one has true. Default true. */
  timers?: boolean;
  /** When each timer last ran. With the map of an earlier host a later one finds missed occurrences. */
  timerStatus?: Map<string, TimerStatus>;
  /** How long a queue message stays hidden while its handler runs, renewed at half time. Default 600 000. */
  queueVisibilityMs?: number;
  /** How long `stop` waits for work in flight. Default 10 000. */
  drainMs?: number;
  /** How long the appTerminate hooks can run. Default 5 000. */
  terminateMs?: number;
  /** The longest time to an HTTP answer; then the caller gets 504. Default 230 000, as Azure's front end has it. */
  answerWithinMs?: number;
}

export interface Host {
  url: string;
  keys: HostKeys;
  functions: FunctionInfo[];
  /** The groups of all functions that are not in error, whichever of them run here. */
  groups: string[];
  /** Runs a timer function now; rejects with the function's error. */
  invokeTimer(name: string): Promise<void>;
  /** Polls the queue of a function now, and resolves when each message that was there is in work. */
  pollQueue(name: string): Promise<void>;
  /** Delivers event bodies to the functions on an event hub; rejects with the first failure. */
  feedEventHub(eventHubName: string, bodies: readonly unknown[]): Promise<void>;
  /**
   * Stops triggers, waits for work in flight, runs the appTerminate hooks, closes. `forced`: as when the platform ends
   * a worker, the hooks run at once, and work in flight ends with them. Can be called again.
   */
  stop(how?: { forced: boolean }): Promise<void>;
}

export type { LogRecord } from './logs.ts';
export type { FunctionInfo, HostKeys, LogSink, TimerStatus };

/** True when the work ends in time. */
const within = (ms: number, work: Promise<unknown>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  return Promise.race([work.then(() => true), expired]).finally(() => clearTimeout(timer));
};

export async function startHost(options: HostOptions): Promise<Host> {
  const appDir = resolve(options.appDir);
  const hostJson = readHostJson(appDir);
  const keys = createKeys(options.keys);
  const log = createLog(options.onLog ?? printWarnings);
  const failed = (error: unknown) => log('error', 'Host', error instanceof Error ? (error.stack ?? '') : String(error));
  const registration: Registration = createRegistration(
    appLog(log, () => registration),
    (level, line) => log(level, 'Host.Function.Console', line),
  );
  const appHookData = {};

  /** The steps that undo the start, in reverse order, also after a failed start. */
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
    const appConsole = captureConsole();
    undo.push(() => appConsole.release());

    const app = await loadApp(appDir, registration);
    undo.push(() => app.unload());
    const indexing = createIndexing(log);
    const indexed = describeFunctions(registration, hostSettings, indexing);
    const functions = indexed.filter(({ info }) => options.group === undefined || groupOf(info) === options.group);
    const maxBodyBytes = maxBodyBytesOf(hostSettings);
    const context = { functionAppDirectory: appDir, hookData: appHookData, appHookData };
    await insideApp(registration, async () => {
      for (const hook of registration.hooks('appStart')) await hook(context);
    });

    const invoker = createInvoker(registration, appHookData, hostJson.functionTimeoutMs, log);
    const httpOptions = { maxBodyBytes, answerWithinMs: options.answerWithinMs ?? 230_000, httpUri: app.httpUri };
    const http = createHttpTriggers(functions, { ...hostJson.http, ...httpOptions }, keys, invoker, indexing);
    const eventGrid = createEventGridWebhook(functions, keys, maxBodyBytes, invoker);
    const timers = createTimers(functions, options.timerStatus ?? new Map(), invoker, indexing, log);
    const queueOptions = { ...hostJson.queues, processingVisibilityMs: options.queueVisibilityMs ?? 600_000 };
    const queues = createQueues(functions, queueOptions, hostSettings, invoker, indexing, log);
    const eventHubs = createEventHubs(functions, hostJson.eventHubs, hostSettings, invoker, indexing);
    const isRunning = ({ info }: { info: FunctionInfo }) => !indexing.isInError(info.name);
    const running = functions.filter(isRunning);
    const admin = createAdminPages(running, keys, invoker, timers, eventHubs);

    const handler: Handler = (request, response, url) => {
      const path = url.pathname.toLowerCase();
      if (path.startsWith('/admin/')) return admin.handle(request, response, url);
      if (path === '/runtime/webhooks/eventgrid') return eventGrid.handle(request, response, url);
      return http.handle(request, response, url);
    };
    const server = await startServer({ port: options.port ?? 0, maxBodyBytes }, handler, failed);
    undo.push(() => server.close());
    // Work begins only now, because no later step of the start can fail.
    undo.push(() => queues.abandon());
    if (options.timers ?? true) timers.start();
    queues.start();
    log('information', 'Host', `${running.length} functions on ${server.url}`);

    const terminate = () =>
      insideApp(registration, async () => {
        for (const hook of registration.hooks('appTerminate')) await hook({ hookData: appHookData, appHookData });
      }).catch(failed);

    const shutDown = async (forced: boolean) => {
      const drainMs = forced ? 0 : (options.drainMs ?? 10_000);
      timers.stop();
      queues.stop();
      const drained = Promise.all([server.drain(), queues.ended(), timers.idle(), eventHubs.idle(), invoker.idle()]);
      if (!forced && !(await within(drainMs, drained))) {
        log('warning', 'Host', `stopped with ${invoker.inFlight} invocations in flight after ${drainMs} ms`);
      }
      if (!(await within(options.terminateMs ?? 5_000, terminate()))) {
        log('warning', 'Host', 'the appTerminate hooks did not end');
      }
      await undoAll();
    };

    let stopped: Promise<void> | undefined;
    return {
      url: server.url,
      keys,
      functions: running.map((one) => one.info),
      groups: [...new Set(indexed.filter(isRunning).map(({ info }) => groupOf(info)))],
      async invokeTimer(name) {
        if (stopped !== undefined) throw new Error('The host has stopped.');
        const outcome = await timers.run(name);
        if (outcome === undefined) throw new Error(`There is no timer function '${name}'.`);
        if (outcome.kind === 'Failed') throw outcome.error;
      },
      async pollQueue(name) {
        if (stopped !== undefined) throw new Error('The host has stopped.');
        const polled = queues.poll(name);
        if (polled === undefined) throw new Error(`There is no queue function '${name}'.`);
        await polled;
      },
      async feedEventHub(eventHubName, bodies) {
        if (stopped !== undefined) throw new Error('The host has stopped.');
        const outcomes = await eventHubs.feed(eventHubName, bodies);
        if (outcomes === undefined) throw new Error(`No function has the event hub '${eventHubName}'.`);
        for (const outcome of outcomes) if (outcome.kind === 'Failed') throw outcome.error;
      },
      stop({ forced } = { forced: false }) {
        stopped ??= shutDown(forced);
        return stopped;
      },
    };
  } catch (error) {
    await undoAll();
    throw error;
  }
}
