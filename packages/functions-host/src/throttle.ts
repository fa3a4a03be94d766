/**
 * host.json's two bounds on HTTP: so many requests at a time, the others wait their turn, and beyond so many of both
 * together a request is turned away (Functions host, HttpThrottleMiddleware). -1 means no bound.
 */
export interface Place {
  /** Resolves when it is this request's turn. */
  ready: Promise<void>;
  leave(): void;
}

export interface Throttle {
  /** Undefined: turned away. */
  enter(): Place | undefined;
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
          // The place goes to the next one in line; `running` stays as it is.
          if (next === undefined) running--;
          else next();
        },
      };
    },
  };
}
