/** Keyward's queues. Messages are JSON in base64, as the Functions queue trigger reads them by default. */

import type { TokenCredential } from '@azure/identity';
import { Unavailable } from '../core/base/errors.ts';
import type { WorkQueue } from '../core/base/workQueue.ts';
import { type QueueClient, QueueServiceClient, RestError } from './sdk/queue.ts';
import { queueRetries } from './storageClients.ts';

export type QueueAccess = { readonly deadlineSeconds: number } & (
  | { readonly connectionString: string }
  | { readonly serviceUrl: string; readonly credential: TokenCredential }
);

function clientOf(name: string, access: QueueAccess): QueueClient {
  const options = { retryOptions: queueRetries };
  return 'connectionString' in access
    ? QueueServiceClient.fromConnectionString(access.connectionString, options).getQueueClient(name)
    : new QueueServiceClient(access.serviceUrl, access.credential, options).getQueueClient(name);
}

const deadlineOf = ({ deadlineSeconds }: QueueAccess) => ({ abortSignal: AbortSignal.timeout(deadlineSeconds * 1000) });

/**
 * The approximate number of messages in a queue, 0 before the queue exists. Throws when the service does not answer.
 */
export async function countMessages(name: string, access: QueueAccess): Promise<number> {
  try {
    return (await clientOf(name, access).getProperties(deadlineOf(access))).approximateMessagesCount ?? 0;
  } catch (error) {
    if (error instanceof RestError && error.statusCode === 404) return 0;
    throw error;
  }
}

export function createWorkQueue<Message>(name: string, access: QueueAccess): WorkQueue<Message> {
  let client: QueueClient | undefined;

  return {
    async send(message, delayMs = 0) {
      const text = Buffer.from(JSON.stringify(message)).toString('base64');
      // Whole seconds: rounded up, because a look that comes too early does not count.
      const visibilityTimeout = Math.ceil(delayMs / 1000);
      try {
        client ??= clientOf(name, access);
        await sendOrCreate(text, visibilityTimeout, client, access);
      } catch {
        throw new Unavailable(
          'StorageUnavailable',
          'The work queue of this service does not answer. Retry after a few seconds.',
          5,
        );
      }
    },
  };
}

/** The first message of a service finds no queue. A request for the queue before each process's first one would cost a cold start more. */
async function sendOrCreate(text: string, visibilityTimeout: number, client: QueueClient, access: QueueAccess) {
  try {
    await client.sendMessage(text, { visibilityTimeout, ...deadlineOf(access) });
  } catch (error) {
    if (!(error instanceof RestError) || error.statusCode !== 404) throw error;
    await client.createIfNotExists(deadlineOf(access));
    await client.sendMessage(text, { visibilityTimeout, ...deadlineOf(access) });
  }
}
