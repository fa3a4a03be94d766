/** Work that was given up after five tries. The sweep, or the next daily pass, will do it anew; that it came to this is told loudly. */
import type { StorageQueueHandler } from '@azure/functions';
import { inInvocation, keyward } from '../pipeline/service.ts';

export const vaultWorkPoison: StorageQueueHandler = (input, context) =>
  inInvocation(context, async () => {
    const { log } = await keyward();
    log.error('Work on a vault was given up', { vault: textIn(input, 'vault') });
  });

export const dailyPassPoison: StorageQueueHandler = (input, context) =>
  inInvocation(context, async () => {
    const { log } = await keyward();
    log.error('Work of the daily pass was given up', { visit: textIn(input, 'visit') });
  });

/** Somebody else may have written the message. */
const textIn = (input: unknown, name: string): string =>
  String((input as Readonly<Record<string, unknown>> | null)?.[name] ?? '').slice(0, 32);
