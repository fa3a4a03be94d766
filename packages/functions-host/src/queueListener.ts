/**
 * One storage queue trigger on a real queue: polls with back-off, runs up to batchSize + newBatchThreshold messages at
 * a time, renews the invisibility of each while its handler runs, deletes it on success, releases it after a failure
 * and moves it to `<queue>-poison` after the last attempt (WebJobs SDK, QueueListener and QueueProcessor).
 */
import type { DequeuedMessageItem, QueueClient, QueueServiceClient } from '@azure/storage-queue';
import type { InfoOf, LoadedFunction } from './functionInfo.ts';
import type { QueueSettings } from './hostJson.ts';
import type { Invoker } from './invoke.ts';
import type { Log } from './logs.ts';
import {
  decodeText,
  messageInvocation,
  type NextStep,
  pollPause,
  stepAfterRun,
  stepBeforeRun,
} from './queueMessage.ts';

export type QueueFunction = LoadedFunction<InfoOf<'queueTrigger'>>;

export interface QueueOptions extends QueueSettings {
  /** How long a message is hidden while its handler runs, renewed at half time. Whole seconds, in ms. */
  processingVisibilityMs: number;
}

const statusOf = (error: unknown): number | undefined => (error as { statusCode?: number }).statusCode;
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const seconds = (ms: number): number => Math.ceil(ms / 1000);

/** Renews the invisibility of one message; `receipt` is that of the last renewal. */
function renewInvisibility(
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
      log(`message ${message.messageId} could not stay hidden: ${messageOf(error)}`);
    }
  };
  const timer = setInterval(() => {
    renewal = renewal.then(renew);
  }, ms / 2);
  const stopRenewing = () => clearInterval(timer);
  abandoned.addEventListener('abort', stopRenewing);
  return {
    /** Ends the renewals and returns the receipt for the deletion or release. */
    async end(): Promise<string> {
      stopRenewing();
      abandoned.removeEventListener('abort', stopRenewing);
      await renewal;
      return receipt;
    },
  };
}

export interface QueueListener {
  /** Polls now. Resolves when a poll finds no message, so that each that was there is in work. */
  poll(): Promise<void>;
  /** Takes no more messages. */
  stop(): void;
  /** Resolves when the current messages are done. */
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
  const { queueName } = target.info;
  const queue = service.getQueueClient(queueName);
  const poison = service.getQueueClient(`${queueName}-poison`);
  // Of all queue functions (QueueProcessorOptions).
  const warn = (text: string) => log('warning', 'Host.Triggers.Queue', text);
  const abandoned = new AbortController();
  const abortSignal = abandoned.signal;
  let stopping = false;
  let wake: () => void = () => undefined;
  /** Callers of `poll` that no poll has served yet. */
  const waiting: (() => void)[] = [];
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
    step: NextStep,
    message: DequeuedMessageItem,
    receipt: string,
    delayMs = options.visibilityTimeoutMs,
  ): Promise<void> {
    const { messageId } = message;
    try {
      switch (step) {
        case 'Leave':
          return;
        case 'Delete':
          await queue.deleteMessage(messageId, receipt);
          return;
        case 'Release':
          await queue.updateMessage(messageId, receipt, undefined, seconds(delayMs));
          return;
        case 'Poison':
          // The SDK's words, which it also logs for a message that is not base64, at its first delivery.
          warn(
            `Message has reached MaxDequeueCount of ${options.maxDequeueCount}. Moving message to queue '${poison.name}'.`,
          );
          await poison.createIfNotExists();
          await poison.sendMessage(message.messageText);
          await queue.deleteMessage(messageId, receipt);
      }
    } catch (error) {
      // 404: another instance has received or deleted it since, as at-least-once delivery permits.
      const gone = statusOf(error) === 404;
      warn(`${step} of message ${messageId} ${gone ? 'did not find it' : `failed: ${messageOf(error)}`}`);
    }
  }

  async function work(message: DequeuedMessageItem): Promise<void> {
    const rules = { name: queueName, maxDequeueCount: options.maxDequeueCount };
    const decoded = decodeText(message.messageText, options.messageEncoding);
    const unrun = stepBeforeRun(decoded, message.dequeueCount, rules);
    if (unrun !== undefined) return carryOut(unrun, message, message.popReceipt);
    const hidden = renewInvisibility(queue, message, options.processingVisibilityMs, abortSignal, warn);
    const outcome =
      decoded.kind === 'Text'
        ? await invoker.invoke(target, messageInvocation(message, decoded.text))
        : invoker.fail(target, new Error('Exception binding parameter: the message is not UTF-8'));
    const receipt = await hidden.end();
    return carryOut(stepAfterRun(outcome.kind === 'Succeeded', message.dequeueCount, rules), message, receipt);
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
      const callers = waiting.length;
      try {
        if (!created) await queue.createIfNotExists({ abortSignal });
        created = true;
        messages = await receive();
        if (messages.length === 0) for (const resolve of waiting.splice(0, callers)) resolve();
      } catch (error) {
        created = false;
        if (!stopping) warn(`polling ${queueName} failed: ${messageOf(error)}`);
      }
      for (const message of messages) {
        // Received while stopping, so it is not run but shown again at once.
        const task = stopping ? carryOut('Release', message, message.popReceipt, 0) : work(message);
        working.add(task);
        void task.finally(() => working.delete(task));
      }
      empty = messages.length > 0 ? 0 : empty + 1;
      // After a failed poll `created` is false.
      const isUrgent = created && waiting.length > 0;
      if (empty > 0 && !stopping && !isUrgent)
        await pause(pollPause(empty, options.maxPollingIntervalMs, Math.random()));
      while (working.size > options.newBatchThreshold && !stopping) await Promise.race(working);
    }
    for (const resolve of waiting.splice(0)) resolve();
    await Promise.all(working);
  }

  return {
    poll: () =>
      new Promise((resolve) => {
        if (stopping) return resolve();
        waiting.push(resolve);
        wake();
      }),
    stop() {
      stopping = true;
      wake();
    },
    ended: listen(),
    abandon: () => abandoned.abort(),
  };
}
