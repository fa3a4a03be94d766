/** The vault-work queue. Messages are JSON in base64, as the Functions queue trigger reads them by default. */

import type { TokenCredential } from '@azure/identity';
import { QueueClient, QueueServiceClient } from '@azure/storage-queue';
import { Unavailable } from '../core/errors.ts';
import type { WorkQueue } from '../core/ports.ts';

export const workQueueName = 'vault-work';

export type QueueAccess =
  | { readonly connectionString: string }
  | { readonly serviceUrl: string; readonly credential: TokenCredential };

export function createWorkQueue(access: QueueAccess): WorkQueue {
  const client =
    'connectionString' in access
      ? new QueueClient(access.connectionString, workQueueName)
      : new QueueServiceClient(access.serviceUrl, access.credential).getQueueClient(workQueueName);
  let created: Promise<unknown> | undefined;

  return {
    async send(message, delayMs = 0) {
      try {
        created ??= client.createIfNotExists();
        await created;
        const text = Buffer.from(JSON.stringify(message)).toString('base64');
        // Whole seconds: rounded up, because a look that comes too early does not count.
        await client.sendMessage(text, { visibilityTimeout: Math.ceil(delayMs / 1000) });
      } catch {
        created = undefined;
        throw new Unavailable('StorageUnavailable', 'The work queue of this service does not answer. Try again.', 5);
      }
    },
  };
}
