/**
 * The time between the looks of one binding that has passed for certain, with any error of the hosts' clocks. Each
 * process knows by its monotonic clock how long ago its own last look was. Nothing else can prove an interval: a wall
 * clock can leap, and that of another host can be hours off. Pure.
 *
 *   process A  look ─────────── 20 s ───────────▶ look        proven: at least 20 s
 *   process B              look ─────────── 20 s ───────────▶ look
 */
import type { EpochMs } from '../base/time.ts';

export interface ProvenTime {
  /** Since the first look. Never more than the time that has really passed. */
  readonly elapsedMs: number;
  /** The last looks of processes, the newest first. */
  readonly marks: readonly ProcessMark[];
}

interface ProcessMark {
  readonly process: string;
  /** The time on that process's monotonic clock. */
  readonly monotonic: number;
  readonly elapsedMs: number;
}

/** The start of a look. */
export interface LookTime {
  readonly beganAt: EpochMs;
  /** The planned time of the look, which may be later than its start. */
  readonly plannedAt: EpochMs;
  readonly process: string;
  readonly monotonic: number;
}

/** More hosts than share the work on one vault. */
const maxMarks = 8;

/**
 * The proven time at a look that began after all recorded ones. The first look of a process uses the wall clock, up to
 * the planned interval: a new process with a wrong clock can bring one look forward at most.
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
