/**
 * The module `@azure/functions-core`, through which `@azure/functions` finds its runtime. There is no npm package of
 * that name: the real worker replaces `Module.prototype.require` (azure-functions-nodejs-worker, setupCoreModule), and
 * so does this host. Bundled ES modules use it too, by `createRequire(import.meta.url)`.
 *
 * The API is one object for the whole process. The asynchronous context of a call determines its host, so several hosts
 * can run in one process, and the right one refuses a late registration.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Module } from 'node:module';
import type { HookCallback, Registration } from './registration.ts';
import type { FunctionCallback, FunctionMetadata, LogCategory, LogLevel, ProgrammingModel } from './rpc.ts';

const coreModule = '@azure/functions-core';
const current = new AsyncLocalStorage<Registration | undefined>();

/** Runs app code (its load, its hooks, its handlers) as part of one host. */
export const insideApp = <T>(registration: Registration | undefined, run: () => T): T => current.run(registration, run);

/** The host whose app code is running now, if any. */
export const currentApp = (): Registration | undefined => current.getStore();

function app(): Registration {
  const registration = current.getStore();
  if (registration === undefined) throw new Error('No Functions host is loading or running this code.');
  return registration;
}

class Disposable {
  readonly dispose: () => unknown;
  constructor(dispose: () => unknown) {
    this.dispose = dispose;
  }
  static from(...all: { dispose: () => unknown }[]): Disposable {
    return new Disposable(() => {
      for (const one of all) one.dispose();
    });
  }
}

const coreApi = {
  // The version of the emulated worker; log hooks require a host of at least 4.34.
  version: '3.9.1',
  hostVersion: '4.1045.0',
  Disposable,
  registerFunction: (metadata: FunctionMetadata, callback: FunctionCallback) => app().register(metadata, callback),
  registerHook: (name: string, callback: HookCallback) => app().addHook(name, callback),
  setProgrammingModel: (model: ProgrammingModel) => app().setModel(model),
  getProgrammingModel: () => app().model,
  log: (level: LogLevel, category: LogCategory, message: string) => current.getStore()?.log(level, category, message),
};

let users = 0;
const originalRequire = Module.prototype.require;

function requireWithCore(this: NodeJS.Module, id: string): unknown {
  if (id !== coreModule) return originalRequire.call(this, id);
  const registration = current.getStore();
  if (registration !== undefined) registration.coreRequired = true;
  return coreApi;
}

/** Installs the module once for all hosts of the process; the last `release` removes it. */
export function installFunctionsCore(): { release(): void } {
  if (users++ === 0) Module.prototype.require = requireWithCore as typeof originalRequire;
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      if (--users === 0) Module.prototype.require = originalRequire;
    },
  };
}
