/**
 * Timer triggers (WebJobs SDK extensions, TimerListener): a timer never overlaps itself, a failed run is logged and not
 * repeated before the next occurrence, an occurrence missed while the host was down fires once at the start with
 * `isPastDue`.
 *
 * On several instances of one app the real host fires a timer on one of them, by a blob lease. This host has no lease:
 * start all but one of them with `timers: false`. The real host stores in a blob when each timer last ran. Here the
 * caller passes that as `timerStatus`; without it, a start finds no missed occurrence.
 */
import { type Indexing, type InfoOf, isA, type LoadedFunction } from './functionInfo.ts';
import type { Invoker, Outcome } from './invoke.ts';
import type { Log } from './logs.ts';
import { isFrequent, parseSchedule, type Schedule } from './schedule.ts';

export interface TimerStatus {
  /** ISO times, as the handler sees them. */
  last: string;
  next: string;
  lastUpdated: string;
}

export type TimerFunction = LoadedFunction<InfoOf<'timerTrigger'>>;

export interface Timers {
  start(): void;
  /** Runs a timer now, after a current run of it; undefined when there is no such timer. */
  run(name: string): Promise<Outcome> | undefined;
  /** No more runs by the schedule. */
  stop(): void;
  /** Resolves when all current and requested runs are done. */
  idle(): Promise<void>;
}

/** `Startup` is runOnStartup; a `Manual` run does not change the schedule. */
type Why = 'Scheduled' | 'PastDue' | 'Startup' | 'Manual';

interface Timer {
  run(why: Why): Promise<Outcome>;
  start(): void;
  stop(): void;
  idle(): Promise<unknown>;
}

/** .NET's default DateTime: it has never run. */
const never = '0001-01-01T00:00:00+00:00';
/** A longer wait is split, because setTimeout counts in 32 bits. */
const longestWaitMs = 24 * 24 * 60 * 60 * 1000;
const iso = (ms: number) => new Date(ms).toISOString();

function timerData(status: TimerStatus | undefined, isPastDue: boolean): string {
  const scheduleStatus =
    status === undefined ? null : { Last: status.last, Next: status.next, LastUpdated: status.lastUpdated };
  return JSON.stringify({ Schedule: { AdjustForDST: true }, ScheduleStatus: scheduleStatus, IsPastDue: isPastDue });
}

/** The run that is due at the start: a missed occurrence, runOnStartup, or none. */
function startupRun(
  info: { runOnStartup: boolean },
  known: TimerStatus | undefined,
  now: number,
): 'PastDue' | 'Startup' | undefined {
  if (known !== undefined && Date.parse(known.next) < now) return 'PastDue';
  return info.runOnStartup ? 'Startup' : undefined;
}

function createTimer(
  target: TimerFunction,
  schedule: Schedule,
  statuses: Map<string, TimerStatus>,
  invoker: Invoker,
  log: Log,
): Timer {
  const { info } = target;
  const monitored = info.useMonitor && !isFrequent(schedule, Date.now());
  const known = monitored ? statuses.get(info.name) : undefined;
  let next = schedule.next(Date.now());
  let status = known ?? { last: never, next: next === undefined ? never : iso(next), lastUpdated: never };
  let handle: NodeJS.Timeout | undefined;
  let stopped = false;
  let turn: Promise<unknown> = Promise.resolve();

  async function runNow(why: Why): Promise<Outcome> {
    const began = Date.now();
    const data = { json: timerData(monitored ? status : undefined, why === 'PastDue') };
    const outcome = await invoker.invoke(target, { data });
    if (why === 'Manual') return outcome;
    // Counted from the beginning of this run, so that an occurrence during a long run fires right after it.
    next = schedule.next(began);
    status = { last: iso(began), next: next === undefined ? never : iso(next), lastUpdated: iso(began) };
    if (monitored) statuses.set(info.name, status);
    return outcome;
  }

  function run(why: Why): Promise<Outcome> {
    const mine = turn.then(() => runNow(why));
    turn = mine;
    return mine;
  }

  function wait(): void {
    if (stopped || next === undefined) return;
    const ms = Math.max(0, next - Date.now());
    handle = setTimeout(
      async () => {
        if (next !== undefined && Date.now() >= next) {
          await turn;
          if (!stopped) await run('Scheduled');
        }
        wait();
      },
      Math.min(ms, longestWaitMs),
    );
  }

  return {
    run,
    async start() {
      if (next === undefined)
        log('warning', `Function.${info.name}`, `the schedule '${schedule.text}' has no occurrence`);
      const owed = startupRun(info, known, Date.now());
      if (owed !== undefined) await run(owed);
      wait();
    },
    stop() {
      stopped = true;
      clearTimeout(handle);
    },
    idle: () => turn,
  };
}

export function createTimers(
  functions: readonly LoadedFunction[],
  statuses: Map<string, TimerStatus>,
  invoker: Invoker,
  indexing: Indexing,
  log: Log,
): Timers {
  const targets = functions.filter((one) => isA(one, 'timerTrigger'));
  const timers = new Map(
    indexing.each(targets, (one) => [
      one.info.name,
      createTimer(one, parseSchedule(one.info.schedule), statuses, invoker, log),
    ]),
  );
  return {
    start() {
      for (const timer of timers.values()) timer.start();
    },
    run: (name) => timers.get(name)?.run('Manual'),
    stop() {
      for (const timer of timers.values()) timer.stop();
    },
    async idle() {
      await Promise.all([...timers.values()].map((timer) => timer.idle()));
    },
  };
}
