/**
 * host.json's two bounds on HTTP: maxConcurrentRequests run and the others wait; above maxOutstandingRequests, running
 * and waiting, a request is refused (Functions host, HttpThrottleMiddleware). -1 means unbounded.
 */
export interface Slot {
  /** Resolves when this request can run. */
  ready: Promise<void>;
  leave(): void;
}

export interface Throttle {
  /** Undefined: refused. */
  enter(): Slot | undefined;
}

export function createThrottle(maxConcurrent: number, maxOutstanding: number): Throttle {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    enter() {
      if (maxOutstanding >= 0 && running + waiting.length >= maxOutstanding) return undefined;
      const free = maxConcurrent < 0 || running < maxConcurrent;
      const ready = free ? Promise.resolve() : new Promise<void>((resolve) => waiting.push(resolve));
      if (free) running++;
      return {
        ready,
        leave() {
          const next = waiting.shift();
          // The next request gets the slot, so `running` does not change.
          if (next === undefined) running--;
          else next();
        },
      };
    },
  };
}
