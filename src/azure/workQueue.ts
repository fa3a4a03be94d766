/** Keyward's queues. Messages are JSON in base64, as the Functions queue trigger reads them by default. */
import { Unavailable } from '../core/base/errors.ts';
import type { WorkQueue } from '../core/base/workQueue.ts';
import type { CallQueues } from './queueService.ts';

/**
 * The approximate number of messages in a queue, 0 before the queue exists. Throws when the service does not answer.
 */
export async function countMessages(name: string, call: CallQueues): Promise<number> {
  const { status, headers } = await call('GET', `${name}?comp=metadata`);
  if (status === 404) return 0;
  if (status !== 200) throw new QueueRefused(status);
  return Number(headers.get('x-ms-approximate-messages-count'));
}

export function createWorkQueue<Message>(name: string, call: CallQueues): WorkQueue<Message> {
  return {
    async send(message, delayMs = 0) {
      const text = Buffer.from(JSON.stringify(message)).toString('base64');
      // Whole seconds: rounded up, because a look that comes too early does not count.
      const path = `${name}/messages?visibilitytimeout=${Math.ceil(delayMs / 1000)}`;
      try {
        await sendOrCreate(
          name,
          () => call('POST', path, `<QueueMessage><MessageText>${text}</MessageText></QueueMessage>`),
          call,
        );
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

class QueueRefused extends Error {
  override readonly name = 'QueueRefused';

  constructor(status: number) {
    super(`The queue service answered ${status}.`);
  }
}

/**
 * The first message of a service finds no queue. A request for the queue before each process's first one would cost a
 * cold start more.
 */
async function sendOrCreate(name: string, send: () => ReturnType<CallQueues>, call: CallQueues): Promise<void> {
  let { status } = await send();
  if (status === 404) {
    await call('PUT', name);
    ({ status } = await send());
  }
  if (status !== 201) throw new QueueRefused(status);
}
