/**
 * Log records: what the app and this host say, with the function and the invocation that said it. While a host runs,
 * `console.*` called by app code becomes a record too; everybody else's console is left alone.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { format } from 'node:util';
import { currentApp, insideApp } from './functionsCore.ts';
import type { Registration } from './registration.ts';
import type { LogLevel } from './rpc.ts';

export interface LogRecord {
  level: LogLevel;
  /** As Application Insights shows it: `Function.NAME.User` for the app's words, `Function.NAME`, `Host.…`. */
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

export type Log = (level: LogLevel, category: string, message: string, invocation?: InvocationName) => void;

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

/** A sink may itself use the console or throw: neither may come back into the app. */
export function createLog(sink: LogSink): Log {
  return (level, category, message, invocation) => {
    const record: LogRecord = { level, category, message, ...invocation, at: Date.now() };
    insideApp(undefined, () =>
      speaking.run(undefined, () => {
        try {
          sink(record);
        } catch {
          // A broken sink loses its records; it does not fail the invocation that spoke.
        }
      }),
    );
  };
}

const speaking = new AsyncLocalStorage<InvocationName | undefined>();

/** Runs a handler so that what it prints carries its name. */
export const speakingAs = <T>(invocation: InvocationName, run: () => T): T => speaking.run(invocation, run);
const speaker = (): InvocationName | undefined => speaking.getStore();

/** What app and library log by the core API: the app's log hooks may change level and text first (host 4.34 and later). */
export function appLog(log: Log, registration: () => Registration): Registration['log'] {
  return (level, category, message) => {
    const said = { level, message, category, hookData: {} };
    for (const hook of registration().hooks('log')) hook(said);
    const name = speaker();
    const place = name === undefined ? 'Host.App' : `Function.${name.functionName}`;
    log(said.level, category === 'user' ? `${place}.User` : place, said.message, name);
  };
}

const consoleLevels = {
  log: 'information',
  info: 'information',
  warn: 'warning',
  error: 'error',
  debug: 'debug',
  trace: 'trace',
} as const satisfies Record<string, LogLevel>;

let users = 0;
let restore: (() => void) | undefined;

function patchConsole(): () => void {
  const undo: (() => void)[] = [];
  for (const method of Object.keys(consoleLevels) as (keyof typeof consoleLevels)[]) {
    const original = console[method];
    console[method] = (...args: unknown[]) => {
      const app = currentApp();
      if (app === undefined) original.apply(console, args);
      else app.log(consoleLevels[method], 'user', format(...args));
    };
    undo.push(() => {
      console[method] = original;
    });
  }
  return () => {
    for (const one of undo) one();
  };
}

/** Captures the console of app code until `release`; shared by all hosts of the process. */
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
