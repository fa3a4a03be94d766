/** The core, composed once per process on the first call, and the log of the current invocation. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { InvocationContext } from '@azure/functions';
import { compose, type MetricExport, openMetricExport } from '../../azure/compose.ts';
import type { Log, LogFields } from '../../core/base/log.ts';
import { isOfGoodKeyCheck } from '../../core/base/metrics.ts';
import type { Service } from '../../core/service.ts';

const running = new AsyncLocalStorage<InvocationContext>();

const inFlight = new Set<Promise<unknown>>();

export function inInvocation<T>(context: InvocationContext, work: () => Promise<T>): Promise<T> {
  const invocation = running.run(context, work);
  inFlight.add(invocation);
  const ended = () => inFlight.delete(invocation);
  invocation.then(ended, ended);
  return invocation;
}

/** The invocations that run now. */
export const invocationsInFlight = (): readonly Promise<unknown>[] => [...inFlight];

let metricExport: MetricExport | undefined;
let isQuiet = false;

export const log: Log = {
  info: (message, fields) => {
    if (!isQuiet || fields === undefined || !isOfGoodKeyCheck(message, fields))
      running.getStore()?.info(message, textOf(message, fields));
    if (message !== 'Metric' || fields === undefined || metricExport === undefined) return;
    metricExport.record(fields);
    const error = metricExport.takeFailure();
    if (error !== undefined) log.warn('The collector did not accept the metrics', { error });
  },
  warn: (message, fields) => running.getStore()?.warn(message, textOf(message, fields)),
  error: (message, fields) => running.getStore()?.error(message, textOf(message, fields)),
};

/**
 * The platform exports a line without its invocation (host.json, `telemetryMode`), so each line has the request id. A
 * metric has none, because its fields are labels.
 */
const textOf = (message: string, fields: LogFields | undefined): string =>
  JSON.stringify(message === 'Metric' ? fields : { ...fields, requestId: running.getStore()?.invocationId });

let composed: Promise<Service> | undefined;

/** @throws SettingsError while a setting is missing or wrong; the next call reads them again. */
export function keyward(): Promise<Service> {
  composed ??= start().catch((error: unknown) => {
    composed = undefined;
    throw error;
  });
  return composed;
}

async function start(): Promise<Service> {
  const service = await compose(process.env, log);
  isQuiet = !service.policy.logGoodKeyChecks;
  metricExport ??= await openMetricExport(process.env);
  return service;
}

/** Sends the metrics since the last push, where they are exported. A collector that does not answer is not an error. */
export const flushMetrics = async (): Promise<void> => metricExport?.flush().catch(() => undefined);

/** The core, if a call has wired it. */
export const keywardIfWired = (): Promise<Service> | undefined => composed;
