/** Our queues. Messages are JSON in base64, as the Functions queue trigger reads them by default. */

import type { TokenCredential } from '@azure/identity';
import { QueueClient, QueueServiceClient, RestError } from '@azure/storage-queue';
import { Unavailable } from '../core/errors.ts';
import type { WorkQueue } from '../core/ports.ts';

export type QueueAccess =
  | { readonly connectionString: string }
  | { readonly serviceUrl: string; readonly credential: TokenCredential };

const clientOf = (name: string, access: QueueAccess): QueueClient =>
  'connectionString' in access
    ? new QueueClient(access.connectionString, name)
    : new QueueServiceClient(access.serviceUrl, access.credential).getQueueClient(name);

/** About how many messages are in a queue; none where there is no queue yet. Throws when the service does not answer. */
export async function countMessages(name: string, access: QueueAccess): Promise<number> {
  try {
    return (await clientOf(name, access).getProperties()).approximateMessagesCount ?? 0;
  } catch (error) {
    if (error instanceof RestError && error.statusCode === 404) return 0;
    throw error;
  }
}

export function createWorkQueue<Message>(name: string, access: QueueAccess): WorkQueue<Message> {
  const client = clientOf(name, access);
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
