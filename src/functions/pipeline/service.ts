/** The core, wired once per process on the first call; and a log that speaks in the invocation that is running. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { InvocationContext } from '@azure/functions';
import { compose } from '../../azure/compose.ts';
import type { Log, LogFields } from '../../core/base/log.ts';
import type { Service } from '../../core/service.ts';

const running = new AsyncLocalStorage<InvocationContext>();

export const inInvocation = <T>(context: InvocationContext, work: () => Promise<T>): Promise<T> =>
  running.run(context, work);

export const log: Log = {
  info: (message, fields) => running.getStore()?.info(message, textOf(fields)),
  warn: (message, fields) => running.getStore()?.warn(message, textOf(fields)),
  error: (message, fields) => running.getStore()?.error(message, textOf(fields)),
};

const textOf = (fields: LogFields | undefined): string => JSON.stringify(fields ?? {});

let composed: Promise<Service> | undefined;

/** @throws SettingsError while a setting is missing or wrong; the next call reads them again. */
export function keyward(): Promise<Service> {
  composed ??= compose(process.env, log).catch((error: unknown) => {
    composed = undefined;
    throw error;
  });
  return composed;
}
