/**
 * Event Hub triggers (Azure/azure-sdk-for-net, Microsoft.Azure.WebJobs.Extensions.EventHubs: EventHubListener). There
 * is no event hub on this machine: `feed` acts as its single partition. It splits events into batches of at most
 * maxEventBatchSize and runs one batch after the other, as for one partition. A failed batch is not repeated, because
 * the extension stores its checkpoint after a failure too.
 */
import { type Indexing, type InfoOf, isA, type LoadedFunction } from './functionInfo.ts';
import type { EventHubSettings } from './hostJson.ts';
import type { Invocation, Invoker, Outcome } from './invoke.ts';
import type { TypedData } from './rpc.ts';
import { lookUp, type Settings } from './settings.ts';

export type EventHubFunction = LoadedFunction<InfoOf<'eventHubTrigger'>>;

export interface EventHubs {
  /**
   * Delivers event bodies to every function on this event hub, in order; text as it is, other values as JSON. Resolves
   * after the last invocation; undefined when no function has this event hub.
   */
  feed(eventHubName: string, bodies: readonly unknown[]): Promise<Outcome[]> | undefined;
  /** Resolves when every fed batch is done. */
  idle(): Promise<unknown>;
}

interface EventData {
  text: string;
  sequenceNumber: number;
  enqueuedTimeUtc: string;
}

const partitionContext = (eventHubName: string): TypedData => ({
  json: JSON.stringify({ EventHubName: eventHubName, ConsumerGroup: '$Default', PartitionId: '0' }),
});

const json = (value: unknown): TypedData => ({ json: JSON.stringify(value) });

/** The worker parses text that is JSON, in both cardinalities. */
function invocationsFor(target: EventHubFunction, events: readonly EventData[]): Invocation[] {
  const { many, eventHubName } = target.info;
  const context = { PartitionContext: partitionContext(eventHubName) };
  if (many) {
    const metadata = {
      ...context,
      SequenceNumberArray: json(events.map(({ sequenceNumber }) => sequenceNumber)),
      EnqueuedTimeUtcArray: json(events.map(({ enqueuedTimeUtc }) => enqueuedTimeUtc)),
    };
    return [{ data: json(events.map(({ text }) => parsed(text))), triggerMetadata: metadata }];
  }
  return events.map(({ text, sequenceNumber, enqueuedTimeUtc }) => ({
    data: { string: text },
    triggerMetadata: {
      ...context,
      SequenceNumber: json(sequenceNumber),
      EnqueuedTimeUtc: { string: enqueuedTimeUtc },
    },
  }));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The setting holds a connection string, or its prefix names an identity-based connection. */
function hasConnection(settings: Settings, name: string): boolean {
  const names = [name, `${name}__fullyQualifiedNamespace`, `AzureWebJobs${name}`];
  return names.some((one) => (lookUp(settings, one) ?? '') !== '');
}

export function createEventHubs(
  functions: readonly LoadedFunction[],
  { maxEventBatchSize }: EventHubSettings,
  settings: Settings,
  invoker: Invoker,
  indexing: Indexing,
): EventHubs {
  const candidates = functions.filter((one) => isA(one, 'eventHubTrigger'));
  const targets = indexing.each(candidates, (target) => {
    const { connection } = target.info;
    if (hasConnection(settings, connection)) return target;
    throw new Error(`connection names the setting ${connection}, which holds no connection`);
  });
  let sequenceNumber = 0;
  let turn: Promise<unknown> = Promise.resolve();

  async function deliver(target: EventHubFunction, events: readonly EventData[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    for (let from = 0; from < events.length; from += maxEventBatchSize) {
      const batch = invocationsFor(target, events.slice(from, from + maxEventBatchSize));
      outcomes.push(...(await Promise.all(batch.map((one) => invoker.invoke(target, one)))));
    }
    return outcomes;
  }

  return {
    feed(eventHubName, bodies) {
      const fitting = targets.filter(({ info }) => info.eventHubName.toLowerCase() === eventHubName.toLowerCase());
      if (fitting.length === 0) return undefined;
      const enqueuedTimeUtc = new Date().toISOString();
      const events = bodies.map((body) => ({
        text: typeof body === 'string' ? body : JSON.stringify(body),
        sequenceNumber: sequenceNumber++,
        enqueuedTimeUtc,
      }));
      const fed = turn.then(() => Promise.all(fitting.map((target) => deliver(target, events))));
      turn = fed;
      return fed.then((all) => all.flat());
    },
    idle: () => turn,
  };
}
