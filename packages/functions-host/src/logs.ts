/**
 * Log records of the app and of this host. A record of the app names its function but not its invocation, because the
 * real host exports logs without scopes (host.json `telemetryMode: OpenTelemetry`): a line has an invocation id only if
 * the app writes one into it. While a host runs, each line of `console.*` of app code becomes a record that names no
 * function, because the real host reads it from the output of the worker process. Other code retains its console.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { format } from 'node:util';
import { currentApp, insideApp } from './functionsCore.ts';
import type { Registration } from './registration.ts';
import type { LogLevel } from './rpc.ts';

export interface LogRecord {
  level: LogLevel;
  /**
   * As in Application Insights: `Function.NAME.User` for the app's records, `Host.Function.Console` for its console,
   * `Function.NAME` and `Host.…` for the host's.
   */
  category: string;
  message: string;
  functionName?: string;
  invocationId?: string;
  /** Milliseconds since 1970. */
  at: number;
}

export type LogSink = (record: LogRecord) => void;

export interface InvocationName {
  functionName: string;
  invocationId: string;
}

export type Log = (level: LogLevel, category: string, message: string, invocation?: Partial<InvocationName>) => void;

const severity: Record<LogLevel, number> = {
  trace: 0,
  debug: 1,
  information: 2,
  warning: 3,
  error: 4,
  critical: 5,
  none: 6,
};

export const isAtLeast = (level: LogLevel, floor: LogLevel): boolean => severity[level] >= severity[floor];

/** Warnings and worse, one line each, on standard error. */
export const printWarnings: LogSink = (record) => {
  if (!isAtLeast(record.level, 'warning')) return;
  process.stderr.write(
    `${new Date(record.at).toISOString()} ${record.level} [${record.category}] ${record.message.trimEnd()}\n`,
  );
};

/** A sink can use the console or throw, and neither must reach the app. */
export function createLog(sink: LogSink): Log {
  return (level, category, message, invocation) => {
    const record: LogRecord = { level, category, message, ...invocation, at: Date.now() };
    insideApp(undefined, () =>
      current.run(undefined, () => {
        try {
          sink(record);
        } catch {
          // A failing sink loses its records, and does not fail the invocation.
        }
      }),
    );
  };
}

const current = new AsyncLocalStorage<InvocationName | undefined>();

/** Runs a handler so that its records carry its function's name. */
export const runAs = <T>(invocation: InvocationName, run: () => T): T => current.run(invocation, run);

/** Records of app and library through the core API; the app's log hooks can change level and text first (host 4.34). */
export function appLog(log: Log, registration: () => Registration): Registration['log'] {
  return (level, category, message) => {
    const record = { level, message, category, hookData: {} };
    for (const hook of registration().hooks('log')) hook(record);
    const functionName = current.getStore()?.functionName;
    const source = functionName === undefined ? 'Host.App' : `Function.${functionName}`;
    const name = functionName === undefined ? {} : { functionName };
    log(record.level, category === 'user' ? `${source}.User` : source, record.message, name);
  };
}

const consoleMethods = ['log', 'info', 'debug', 'warn', 'error', 'trace'] as const;
/** The methods that Node writes to standard error. */
const errorMethods: readonly string[] = ['warn', 'error', 'trace'];

/** The real host reads the level of a line on standard error from its words (WorkerProcess.OnErrorDataReceived). */
function consoleLevel(method: string, line: string): LogLevel {
  if (!errorMethods.includes(method)) return 'information';
  if (/warn/i.test(line)) return 'warning';
  return /error|fail|severe|unhandled exception/i.test(line) ? 'error' : 'information';
}

let users = 0;
let restore: (() => void) | undefined;

function patchConsole(): () => void {
  const undo: (() => void)[] = [];
  for (const method of consoleMethods) {
    const original = console[method];
    console[method] = (...args: unknown[]) => {
      const app = currentApp();
      if (app === undefined) return original.apply(console, args);
      for (const line of format(...args).split('\n')) app.logConsole(consoleLevel(method, line), line);
    };
    undo.push(() => {
      console[method] = original;
    });
  }
  return () => {
    for (const one of undo) one();
  };
}

/** Captures the console of app code until `release`, for all hosts of the process. */
export function captureConsole(): { release(): void } {
  if (users++ === 0) restore = patchConsole();
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      if (--users === 0) restore?.();
    },
  };
}
