/** Work that was given up after five tries. The sweep will do it anew; that it came to this is told loudly. */
import type { StorageQueueHandler } from '@azure/functions';
import { inInvocation, keyward } from './service.ts';

export const vaultWorkPoison: StorageQueueHandler = (input, context) =>
  inInvocation(context, async () => {
    const { log } = await keyward();
    const vault =
      typeof input === 'object' && input !== null && 'vault' in input ? String(input.vault).slice(0, 32) : '';
    log.error('Work on a vault was given up', { vault });
  });
