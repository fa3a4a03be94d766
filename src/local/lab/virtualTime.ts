/** Time that passes on request: ten minutes of looks in a moment, and always the same. */
import type { Clock } from '../../core/base/effects.ts';
import type { EpochMs } from '../../core/base/time.ts';
import type { WorkQueue } from '../../core/base/workQueue.ts';
import type { QueuedWork } from '../../core/vaultWork/ports.ts';

export interface VirtualClock extends Clock {
  set(to: EpochMs): void;
}

export function createVirtualClock(startAt: EpochMs): VirtualClock {
  let current = startAt;
  return {
    now: () => current,
    monotonic: () => current - startAt,
    set(to) {
      current = to;
    },
  };
}

interface Waiting<Message> {
  readonly message: Message;
  visibleAt: EpochMs;
  dequeued: number;
}

/**
 * A queue over virtual time with the guarantees of the real one: delays in whole seconds, at least once, poison
 * messages.
 */
export interface VirtualQueue<Message = QueuedWork> extends WorkQueue<Message> {
  /** The time when the next message becomes visible; undefined when there is none. */
  nextAt(): EpochMs | undefined;
  /**
   * Passes the next visible message to the handler. When the handler throws, it gets the message again later, at most
   * five times.
   */
  deliver(handler: (message: Message) => Promise<void>): Promise<void>;
  /** The messages that failed five times. */
  readonly poison: readonly Message[];
  readonly length: number;
}

const maxDequeueCount = 5;
const visibilityAfterFailureMs = 10_000;

export function createVirtualQueue<Message = QueuedWork>(clock: Clock): VirtualQueue<Message> {
  const waiting: Waiting<Message>[] = [];
  const poison: Message[] = [];
  const first = () => waiting.toSorted((a, b) => a.visibleAt - b.visibleAt)[0];

  return {
    poison,
    get length() {
      return waiting.length;
    },
    async send(message, delayMs = 0) {
      const visibleAt = clock.now() + Math.ceil(delayMs / 1000) * 1000;
      // As in the real queue, the handler receives a copy that went through JSON.
      waiting.push({ message: JSON.parse(JSON.stringify(message)), visibleAt, dequeued: 0 });
    },
    nextAt: () => first()?.visibleAt,
    async deliver(handler) {
      const next = first();
      if (next === undefined || next.visibleAt > clock.now()) return;
      next.dequeued += 1;
      try {
        await handler(next.message);
        waiting.splice(waiting.indexOf(next), 1);
      } catch {
        next.visibleAt = clock.now() + visibilityAfterFailureMs;
        if (next.dequeued < maxDequeueCount) return;
        waiting.splice(waiting.indexOf(next), 1);
        poison.push(next.message);
      }
    },
  };
}
