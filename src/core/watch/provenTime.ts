/**
 * Time that has passed for sure between the looks of one binding, whatever the clocks of the hosts show. Each process knows by its
 * monotonic clock how long ago its own last look was, and nothing else can prove an interval: a wall clock can leap, and that of
 * another host can be hours off. Pure.
 *
 *   process A  look ─────────── 20 s ───────────▶ look        proven: at least 20 s
 *   process B              look ─────────── 20 s ───────────▶ look
 */
import type { EpochMs } from '../base/time.ts';

export interface ProvenTime {
  /** From the first look on. Never more than has passed. */
  readonly elapsedMs: number;
  /** The last looks of processes, the newest first. */
  readonly marks: readonly ProcessMark[];
}

interface ProcessMark {
  readonly process: string;
  /** Of that process's monotonic clock. */
  readonly monotonic: number;
  readonly elapsedMs: number;
}

/** When a look began. */
export interface LookTime {
  readonly beganAt: EpochMs;
  /** The planned time of the look, which it may be ahead of. */
  readonly plannedAt: EpochMs;
  readonly process: string;
  readonly monotonic: number;
}

/** More hosts than take turns at one vault. */
const maxMarks = 8;

/**
 * The proven time at a look that began after all others that are recorded. For the first look of a process the wall clock speaks,
 * up to the planned interval: a fresh process with a wrong clock cannot bring more than one look ahead of its time.
 */
export function provenTimeAt(
  before: ProvenTime | undefined,
  { beganAt, process, monotonic }: LookTime,
  last: { readonly at: EpochMs; readonly plannedIntervalMs: number },
): ProvenTime {
  const { elapsedMs, marks } = before ?? { elapsedMs: 0, marks: [] };
  const own = marks.find((mark) => mark.process === process);
  const now =
    own === undefined
      ? elapsedMs + Math.min(Math.max(beganAt - last.at, 0), last.plannedIntervalMs)
      : Math.max(elapsedMs, own.elapsedMs + Math.max(monotonic - own.monotonic, 0));
  const others = marks.filter((mark) => mark !== own).slice(0, maxMarks - 1);
  return { elapsedMs: now, marks: [{ process, monotonic, elapsedMs: now }, ...others] };
}
