/** The queue triggers of an app: one listener for each function, on the storage account of its connection. */
import { QueueServiceClient } from '@azure/storage-queue';
import { type Indexing, isA, type LoadedFunction } from './functionInfo.ts';
import type { Invoker } from './invoke.ts';
import type { Log } from './logs.ts';
import { type QueueFunction, type QueueListener, type QueueOptions, startListener } from './queueListener.ts';
import { lookUp, type Settings } from './settings.ts';

export interface Queues {
  start(): void;
  /** Polls the queue of a function now (`QueueListener.poll`); undefined when no queue function has the name. */
  poll(functionName: string): Promise<void> | undefined;
  /** Ends the listeners after their current messages. */
  stop(): void;
  /** Resolves when every listener has ended. */
  ended(): Promise<void>;
  /** Stops renewing the current messages, which show again when their time is over, as after a crash. */
  abandon(): void;
}

function serviceOf(target: QueueFunction, settings: Settings): QueueServiceClient {
  const { connection } = target.info;
  const value = lookUp(settings, connection) ?? lookUp(settings, `AzureWebJobs${connection}`);
  if (value === undefined || value === '') {
    throw new Error(`connection names the setting ${connection}, which holds no connection string`);
  }
  try {
    return QueueServiceClient.fromConnectionString(value, { retryOptions: { maxTries: 2 } });
  } catch {
    // Not the SDK's message, which can quote the account key.
    throw new Error(`the setting ${connection} is not a storage connection string`);
  }
}

export function createQueues(
  functions: readonly LoadedFunction[],
  options: QueueOptions,
  settings: Settings,
  invoker: Invoker,
  indexing: Indexing,
  log: Log,
): Queues {
  const targets = functions.filter((one) => isA(one, 'queueTrigger'));
  const services = indexing.each(targets, (target) => ({ target, service: serviceOf(target, settings) }));
  const byName = new Map<string, QueueListener>();
  return {
    start() {
      for (const { target, service } of services)
        byName.set(target.info.name, startListener(target, service, options, invoker, log));
    },
    poll: (functionName) => byName.get(functionName)?.poll(),
    stop() {
      for (const one of byName.values()) one.stop();
    },
    async ended() {
      await Promise.all([...byName.values()].map((one) => one.ended));
    },
    abandon() {
      for (const one of byName.values()) one.abandon();
    },
  };
}
