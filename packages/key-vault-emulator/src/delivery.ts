/**
 * Delivers events as Event Grid does. Azure docs, event-grid/delivery-and-retry: at least once, unordered; 200 to 204
 * is success; some statuses are final; after any other result it retries on a schedule, at most 30 attempts.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type GridEvent, wireBody } from './events.ts';
import type { EventSubscription } from './subscriptions.ts';

export const deliveryModes = ['normal', 'drop', 'twice', 'hold'] as const;
export type DeliveryMode = (typeof deliveryModes)[number];

export type DeliveryState = 'held' | 'pending' | 'delivered' | 'failed' | 'dropped';

export type DeliveryRecord = {
  subscription: string;
  endpoint: string;
  state: DeliveryState;
  attempts: number;
  /** The status of the last answer, or the network error. */
  lastOutcome?: number | string;
};

export type EmittedEvent = { event: GridEvent; deliveries: DeliveryRecord[] };

/** The documented schedule; the last wait repeats. */
export const documentedRetryMs: readonly number[] = [
  10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000,
];

const MAX_ATTEMPTS = 30;
const MAX_EVENTS = 10_000;

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 204;
}

/** Statuses after which Event Grid does not retry. */
function isFinal(status: number, destination: EventSubscription['destination']): boolean {
  return status === 400 || status === 403 || status === 413 || (status === 401 && destination === 'webhook');
}

export type Delivery = {
  emit(event: GridEvent, subscriptions: readonly EventSubscription[]): void;
  list(): EmittedEvent[];
  clear(): void;
  setMode(mode: DeliveryMode): void;
  mode(): DeliveryMode;
  /** Sends the held events in this order, each after the answer to the one before. */
  release(order: 'emitted' | 'reverse' | 'shuffled'): Promise<number>;
  /** Sends an event again to every subscription that received it, as Event Grid can at any time. */
  redeliver(id: string): number;
  stop(): void;
};

type Job = { event: GridEvent; subscription: EventSubscription; record: DeliveryRecord };

export function createDelivery(
  settings: () => { eventRetryMs: readonly number[]; eventTimeoutMs: number },
  isSubscribed: (subscription: EventSubscription) => boolean,
): Delivery {
  const stopped = new AbortController();
  let mode: DeliveryMode = 'normal';
  let emitted: { event: GridEvent; jobs: Job[] }[] = [];
  let held: Job[] = [];

  const attempt = async (job: Job): Promise<number | string> => {
    job.record.attempts += 1;
    try {
      const response = await fetch(job.subscription.endpoint, {
        method: 'POST',
        headers: deliveryHeaders(job),
        body: wireBody(job.subscription.schema, job.event),
        redirect: 'manual',
        signal: AbortSignal.any([stopped.signal, AbortSignal.timeout(settings().eventTimeoutMs)]),
      });
      await response.body?.cancel();
      return response.status;
    } catch (error) {
      return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
  };

  /** One attempt. Retries run in the background, so that a caller waits for the first answer only. */
  const send = async (job: Job): Promise<void> => {
    const { record, subscription } = job;
    if (!isSubscribed(subscription)) {
      record.state = 'dropped';
      return;
    }
    record.state = 'pending';
    const outcome = await attempt(job);
    record.lastOutcome = outcome;
    if (typeof outcome === 'number' && isSuccess(outcome)) record.state = 'delivered';
    else if (typeof outcome === 'number' && isFinal(outcome, subscription.destination)) record.state = 'failed';
    else if (record.attempts >= MAX_ATTEMPTS) record.state = 'failed';
    else void retryLater(job);
  };

  const retryLater = async (job: Job): Promise<void> => {
    const waits = settings().eventRetryMs;
    const wait = waits[Math.min(job.record.attempts, waits.length) - 1] ?? 10_000;
    try {
      await sleep(wait, undefined, { signal: stopped.signal });
    } catch {
      return;
    }
    await send(job);
  };

  return {
    emit(event, subscriptions) {
      const ready = subscriptions.filter((subscription) => subscription.state === 'Succeeded');
      const copies = mode === 'twice' ? [...ready, ...ready] : ready;
      const jobs = copies.map((subscription) => newJob(event, subscription));
      emitted.push({ event, jobs });
      if (emitted.length > MAX_EVENTS) emitted = emitted.slice(-MAX_EVENTS / 2);
      for (const job of jobs) {
        if (mode === 'drop') job.record.state = 'dropped';
        else if (mode === 'hold') {
          job.record.state = 'held';
          held.push(job);
        } else void send(job);
      }
    },
    list: () => emitted.map(({ event, jobs }) => ({ event, deliveries: jobs.map((job) => job.record) })),
    clear() {
      emitted = [];
    },
    setMode(next) {
      mode = next;
    },
    mode: () => mode,
    async release(order) {
      const jobs = held;
      held = [];
      if (order === 'reverse') jobs.reverse();
      if (order === 'shuffled') jobs.sort(() => Math.random() - 0.5);
      for (const job of jobs) await send(job);
      return jobs.length;
    },
    redeliver(id) {
      const jobs = emitted.find(({ event }) => event.id === id)?.jobs ?? [];
      for (const job of jobs) void send(job);
      return jobs.length;
    },
    stop: () => stopped.abort(),
  };
}

function newJob(event: GridEvent, subscription: EventSubscription): Job {
  const { name, endpoint } = subscription;
  return { event, subscription, record: { subscription: name, endpoint, state: 'pending', attempts: 0 } };
}

function deliveryHeaders({ event, subscription, record }: Job): Record<string, string> {
  const cloudEvents = subscription.schema === 'cloudEvents';
  return {
    ...subscription.headers,
    'content-type': cloudEvents ? 'application/cloudevents+json; charset=utf-8' : 'application/json; charset=utf-8',
    'aeg-event-type': 'Notification',
    'aeg-subscription-name': subscription.name.toUpperCase(),
    'aeg-delivery-count': String(record.attempts - 1),
    ...(cloudEvents ? {} : { 'aeg-data-version': event.dataVersion, 'aeg-metadata-version': '1' }),
  };
}
