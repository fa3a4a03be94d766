/**
 * NCRONTAB schedules: `{second} {minute} {hour} {day} {month} {day of week}`, or five fields without the seconds, in
 * UTC. The dialect is that of the NCrontab library behind the timer trigger (WebJobs SDK extensions, CronSchedule):
 * day of month AND day of week must match, `5/15` counts from 5, and there is no `L`, `W`, `#`, `?` or `@daily`.
 */
import { Cron } from 'croner';
import { parseTimeSpan } from './hostJson.ts';

export interface Schedule {
  text: string;
  /** The first occurrence after `from`, in ms; undefined when there is none. */
  next(from: number): number | undefined;
}

const field = /^[\d*,/-]+$|^(?:[a-z]{3}[\d*,/-]*)+$/i;
const names = /[a-z]+/gi;
const known = /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)$/i;

export function parseSchedule(text: string): Schedule {
  if (parseTimeSpan(text.trim()) !== undefined || /^\d+$/.test(text.trim())) {
    throw new Error(
      `the schedule '${text}' is a TimeSpan, which the Functions host accepts on a Dedicated plan only; use six NCRONTAB fields`,
    );
  }
  const fields = text.trim().split(/\s+/);
  const foreign = fields.some((one) => !field.test(one) || (one.match(names) ?? []).some((name) => !known.test(name)));
  if (foreign || fields.length < 5 || fields.length > 6) {
    throw new Error(
      `the schedule '${text}' is not an NCRONTAB schedule of six fields: second minute hour day month day-of-week`,
    );
  }
  const options = { paused: true, mode: '5-or-6-parts', timezone: 'UTC', domAndDow: true, sloppyRanges: true } as const;
  let cron: Cron;
  try {
    cron = new Cron(fields.join(' '), options);
  } catch (error) {
    throw new Error(`the schedule '${text}' is not an NCRONTAB schedule: ${(error as Error).message}`);
  }
  return { text, next: (from) => cron.nextRun(new Date(from))?.getTime() };
}

/**
 * With less than a minute between two occurrences the host stores no schedule status, because storing it after every
 * run would cost more than a missed run (WebJobs SDK extensions, TimerTriggerAttributeBindingProvider).
 */
export function isFrequent(schedule: Schedule, now: number): boolean {
  let last = schedule.next(now);
  for (let count = 0; count < 20 && last !== undefined; count++) {
    const following = schedule.next(last);
    if (following !== undefined && following - last < 60_000) return true;
    last = following;
  }
  return false;
}
