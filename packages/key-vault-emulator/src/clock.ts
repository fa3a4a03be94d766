/**
 * The emulator's clock: real time plus an offset that can be set, so that a key can expire during a test.
 * Short waits (how long a deleted key takes to appear among the deleted ones) end when real time or this clock says so,
 * whichever comes first: setting the clock back does not make them last for ever.
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
