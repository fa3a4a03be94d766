/**
 * The emulator's clock: real time plus an offset that a test can set, so that a key can expire during a test.
 * Short waits, such as the time until a deleted key appears among the deleted keys, end by real time or by this clock,
 * whichever is first. Setting the clock back therefore does not prolong them without end.
 */
export type Clock = {
  /** Milliseconds since 1970. */
  now(): number;
  offsetMs(): number;
  setOffset(ms: number): void;
  after(ms: number): Moment;
  passed(moment: Moment): boolean;
};

export type Moment = { clock: number; real: number };

export function createClock(): Clock {
  let offset = 0;
  const now = () => Date.now() + offset;
  return {
    now,
    offsetMs: () => offset,
    setOffset(ms) {
      offset = ms;
    },
    after: (ms) => ({ clock: now() + ms, real: performance.now() + ms }),
    passed: (moment) => now() >= moment.clock || performance.now() >= moment.real,
  };
}

/** Key Vault's unit on the wire (attributes, deletedDate). */
export function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

export const DAY_MS = 86_400_000;
