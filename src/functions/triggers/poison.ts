/**
 * Work that a worker gave up after five attempts. The sweep, or the next daily pass, does it again. The log line is an
 * error, so that an alert fires.
 */
import type { StorageQueueHandler } from '@azure/functions';
import { inInvocation, log } from '../pipeline/service.ts';

export const vaultWorkPoison: StorageQueueHandler = (input, context) =>
  inInvocation(context, async () => {
    log.error('Work on a vault was given up', { vault: textIn(input, 'vault') });
  });

export const dailyPassPoison: StorageQueueHandler = (input, context) =>
  inInvocation(context, async () => {
    log.error('Work of the daily pass was given up', { visit: textIn(input, 'visit') });
  });

/** Another writer may have put the message into the queue. */
function textIn(input: unknown, name: string): string {
  const value = (input as Readonly<Record<string, unknown>> | null)?.[name];
  return typeof value === 'string' ? value.slice(0, 32) : '';
}
