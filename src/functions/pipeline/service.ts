/** The core, wired once per process on the first call; and a log that speaks in the invocation that is running. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { InvocationContext } from '@azure/functions';
import { compose } from '../../azure/compose.ts';
import type { Log, LogFields } from '../../core/base/log.ts';
import type { Service } from '../../core/service.ts';

const running = new AsyncLocalStorage<InvocationContext>();

export const inInvocation = <T>(context: InvocationContext, work: () => Promise<T>): Promise<T> =>
  running.run(context, work);

const write =
  (level: 'info' | 'warn' | 'error'): Log['info'] =>
  (message, fields) => {
    const context = running.getStore();
    context?.[level](message, textOf(fields, context));
  };

/** The platform does not put the id of the invocation on every line (facts/functions.md, OpenTelemetry), so each line has it. */
export const log: Log = { info: write('info'), warn: write('warn'), error: write('error') };

const textOf = (fields: LogFields | undefined, { invocationId }: InvocationContext): string =>
  JSON.stringify({ ...fields, requestId: invocationId });

let composed: Promise<Service> | undefined;

/** @throws SettingsError while a setting is missing or wrong; the next call reads them again. */
export function keyward(): Promise<Service> {
  composed ??= compose(process.env, log).catch((error: unknown) => {
    composed = undefined;
    throw error;
  });
  return composed;
}
