/**
 * One storage queue trigger on a real queue: polls with back-off, works on up to batchSize + newBatchThreshold messages
 * at a time, keeps each hidden while its handler runs, deletes it on success, shows it again after a failure and moves
 * it to `<queue>-poison` after the last one (WebJobs SDK, QueueListener and QueueProcessor).
 */
import type { DequeuedMessageItem, QueueClient, QueueServiceClient } from '@azure/storage-queue';
import type { InfoOf, LoadedFunction } from './functionInfo.ts';
import type { QueueSettings } from './hostJson.ts';
import type { Invoker } from './invoke.ts';
import type { Log } from './logs.ts';
import { decodeText, type Fate, fateOf, messageInvocation, pollPause } from './queueMessage.ts';

export type QueueFunction = LoadedFunction<InfoOf<'queueTrigger'>>;

export interface QueueOptions extends QueueSettings {
  /** How long a message is hidden while its handler runs; renewed at half time. Whole seconds, in ms. */
  processingVisibilityMs: number;
}

const statusOf = (error: unknown): number | undefined => (error as { statusCode?: number }).statusCode;
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const seconds = (ms: number): number => Math.ceil(ms / 1000);

/** Keeps one message hidden; `receipt` is the one that the last renewal gave. */
function keepHidden(
  queue: QueueClient,
  message: DequeuedMessageItem,
  ms: number,
  abandoned: AbortSignal,
  log: (text: string) => void,
) {
  let receipt = message.popReceipt;
  let renewal: Promise<void> = Promise.resolve();
  const renew = async () => {
    try {
      receipt = (await queue.updateMessage(message.messageId, receipt, undefined, seconds(ms))).popReceipt ?? receipt;
    } catch (error) {
      log(`message ${message.messageId} could not be kept hidden: ${messageOf(error)}`);
    }
  };
  const timer = setInterval(() => {
    renewal = renewal.then(renew);
  }, ms / 2);
  const giveUp = () => clearInterval(timer);
  abandoned.addEventListener('abort', giveUp);
  return {
    /** Ends the renewals and tells the receipt to delete or release with. */
    async end(): Promise<string> {
      giveUp();
      abandoned.removeEventListener('abort', giveUp);
      await renewal;
      return receipt;
    },
  };
}

export interface QueueListener {
  /** Takes no more messages. */
  stop(): void;
  /** Resolves when the messages in hand are done. */
  ended: Promise<void>;
  abandon(): void;
}

export function startListener(
  target: QueueFunction,
  service: QueueServiceClient,
  options: QueueOptions,
  invoker: Invoker,
  log: Log,
): QueueListener {
  const { name, queueName } = target.info;
  const queue = service.getQueueClient(queueName);
  const poison = service.getQueueClient(`${queueName}-poison`);
  const category = `Function.${name}`;
  const warn = (text: string) => log('warning', category, text);
  const abandoned = new AbortController();
  const abortSignal = abandoned.signal;
  let stopping = false;
  let wake: () => void = () => undefined;
  const working = new Set<Promise<void>>();

  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function carryOut(
    fate: Fate,
    message: DequeuedMessageItem,
    receipt: string,
    delayMs = options.visibilityTimeoutMs,
  ): Promise<void> {
    const { messageId } = message;
    try {
      switch (fate) {
        case 'Delete':
          await queue.deleteMessage(messageId, receipt);
          return;
        case 'Release':
          await queue.updateMessage(messageId, receipt, undefined, seconds(delayMs));
          return;
        case 'Poison':
          await poison.createIfNotExists();
          await poison.sendMessage(message.messageText);
          await queue.deleteMessage(messageId, receipt);
          warn(`message ${messageId} was moved to ${poison.name} after ${message.dequeueCount} attempts`);
      }
    } catch (error) {
      // 404: somebody else has taken or deleted it since, which is what at-least-once allows.
      const gone = statusOf(error) === 404;
      warn(`${fate} of message ${messageId} ${gone ? 'found it gone' : `failed: ${messageOf(error)}`}`);
    }
  }

  async function work(message: DequeuedMessageItem): Promise<void> {
    const { maxDequeueCount } = options;
    const text = decodeText(message.messageText, options.messageEncoding);
    if (text === undefined) {
      log('error', category, `message ${message.messageId} of ${queueName} is not base64, as host.json asks`);
      return carryOut('Poison', message, message.popReceipt);
    }
    // A process that died on its last attempt has left the message: it is not tried once more.
    if (message.dequeueCount > maxDequeueCount && !queueName.endsWith('-poison')) {
      return carryOut('Poison', message, message.popReceipt);
    }
    const hidden = keepHidden(queue, message, options.processingVisibilityMs, abortSignal, warn);
    const outcome = await invoker.invoke(target, messageInvocation(message, text));
    const receipt = await hidden.end();
    const fate = fateOf(outcome.kind === 'Succeeded', message.dequeueCount, { name: queueName, maxDequeueCount });
    return carryOut(fate, message, receipt);
  }

  async function receive(): Promise<DequeuedMessageItem[]> {
    const answer = await queue.receiveMessages({
      numberOfMessages: options.batchSize,
      visibilityTimeout: seconds(options.processingVisibilityMs),
      abortSignal,
    });
    return answer.receivedMessageItems;
  }

  async function listen(): Promise<void> {
    let empty = 0;
    let created = false;
    while (!stopping) {
      let messages: DequeuedMessageItem[] = [];
      try {
        if (!created) await queue.createIfNotExists({ abortSignal });
        created = true;
        messages = await receive();
      } catch (error) {
        created = false;
        if (!stopping) warn(`polling ${queueName} failed: ${messageOf(error)}`);
      }
      for (const message of messages) {
        // Fetched while stopping: not tried, so shown again at once.
        const task = stopping ? carryOut('Release', message, message.popReceipt, 0) : work(message);
        working.add(task);
        void task.finally(() => working.delete(task));
      }
      empty = messages.length > 0 ? 0 : empty + 1;
      if (empty > 0 && !stopping) await pause(pollPause(empty, options.maxPollingIntervalMs, Math.random()));
      while (working.size > options.newBatchThreshold && !stopping) await Promise.race(working);
    }
    await Promise.all(working);
  }

  return {
    stop() {
      stopping = true;
      wake();
    },
    ended: listen(),
    abandon: () => abandoned.abort(),
  };
}
