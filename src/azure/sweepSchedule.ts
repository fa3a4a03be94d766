/**
 * The published bounds rest on a sweep every minute, and the Functions host alone reads the schedule. Without it the
 * host runs no timer and says so only in its own log.
 */
import { SettingsError } from './settings.ts';

const name = 'KEYWARD_SWEEP_SCHEDULE';
const longestGapMs = 120_000;
/** An hour of runs of the slowest schedule. Hours, days and months that are left out would be longer gaps. */
const runs = 60;
const fieldsOfHoursAndDays = 4;
const eachMinute = '0 * * * * *';
const example = `Set it to ${eachMinute} (each minute).`;

/** @throws SettingsError when the schedule is missing, is no NCRONTAB expression, or has a gap of over two minutes */
export async function checkSweepSchedule(environment: Readonly<Record<string, string | undefined>>): Promise<void> {
  const schedule = environment[name] ?? '';
  // What the templates deploy. To load croner and compute its runs costs each cold start 40 ms of CPU time.
  if (schedule === eachMinute) return;
  if (schedule === '') throw refused('is missing, so no sweep runs and no revocation is found.');
  const { Cron } = await import('./sdk/schedules.ts');
  const next = (() => {
    try {
      return new Cron(schedule, { timezone: 'Etc/UTC', paused: true }).nextRuns(runs);
    } catch {
      throw refused('is no NCRONTAB expression of five or six fields.');
    }
  })();
  const times = [Date.now(), ...next.map((date) => date.getTime())];
  const hasGap = times.length <= runs || times.some((at, index) => at - (times[index - 1] ?? at) > longestGapMs);
  const isAlways = schedule
    .trim()
    .split(/\s+/)
    .slice(-fieldsOfHoursAndDays)
    .every((field) => field === '*');
  if (hasGap || !isAlways) throw refused('has gaps of over two minutes, so the published bounds do not hold.');
}

const refused = (why: string) => new SettingsError([name], `${name} ${why} ${example}`);
