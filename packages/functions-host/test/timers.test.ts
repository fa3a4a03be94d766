import { describe, expect, test } from 'vitest';
import type { TimerStatus } from '../src/host.ts';
import { isFrequent, parseSchedule } from '../src/schedule.ts';
import { eventually, gate, startApp } from './app.ts';

const at = (text: string) => Date.parse(text);
const never = '0 0 0 1 1 *';

describe('an NCRONTAB schedule', () => {
  test.each([
    ['*/5 * * * * *', '2026-11-23T10:00:04Z', '2026-11-23T10:00:05.000Z'],
    ['*/5 * * * * *', '2026-11-23T10:00:05Z', '2026-11-23T10:00:10.000Z'],
    ['0 */5 * * * *', '2026-11-23T10:00:00Z', '2026-11-23T10:05:00.000Z'],
    ['*/5 * * * *', '2026-11-23T10:00:00Z', '2026-11-23T10:05:00.000Z'],
    ['0 30 9 * * mon-fri', '2026-11-21T00:00:00Z', '2026-11-23T09:30:00.000Z'],
    ['0 30 9 * Jan Mon', '2026-11-21T00:00:00Z', '2027-01-04T09:30:00.000Z'],
    ['5/20 * * * * *', '2026-11-23T10:00:25Z', '2026-11-23T10:00:45.000Z'],
    ['0 30 2 * * *', '2026-03-29T00:00:00Z', '2026-03-29T02:30:00.000Z'],
  ])('the schedule %s after %s has its next occurrence at %s in UTC', (text, from, next) => {
    expect(parseSchedule(text).next(at(from))).toBe(at(next));
  });

  test('a schedule needs both day of month and day of week to match', () => {
    expect(parseSchedule('0 0 0 13 * 5').next(at('2026-11-23T00:00:00Z'))).toBe(at('2027-08-13T00:00:00Z'));
  });

  test('a schedule can have no occurrence', () => {
    expect(parseSchedule('0 0 0 30 2 *').next(at('2026-11-23T00:00:00Z'))).toBeUndefined();
  });

  test.each(['', 'daily', '@daily', '* * * *', '61 * * * * *', '0 0 0 L * *', '0 0 0 ? * *', '0 0 0 * * 5#2'])(
    'the schedule %j is refused',
    (text) => {
      expect(() => parseSchedule(text)).toThrow('is not an NCRONTAB schedule');
    },
  );

  test.each(['00:05:00', '60', '1.00:00:00'])('the TimeSpan %s is refused with the reason', (text) => {
    expect(() => parseSchedule(text)).toThrow(
      'is a TimeSpan, which the Functions host accepts on a Dedicated plan only',
    );
  });

  test('a schedule is frequent when two occurrences are less than a minute apart', () => {
    const frequent = (text: string) => isFrequent(parseSchedule(text), at('2026-11-23T00:00:00Z'));
    expect(['*/30 * * * * *', '0,50 0 * * * *', '0 * * * * *', never].map(frequent)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe.concurrent('a timer', () => {
  test('a timer fires on its schedule also after a failure, and has no schedule status below a minute', async ({
    onTestFinished: finished,
  }) => {
    const { probe, logged } = await startApp({
      finished,
      source: `app.timer('tick', { schedule: '* * * * * *', handler(timer) {
        probe.seen.push({ timer, at: Date.now() });
        throw new Error('no luck');
      } });`,
    });
    await eventually(() => probe.seen.length).toBe(2);
    const [first, second] = probe.seen as { timer: unknown; at: number }[];
    expect(first?.timer).toEqual({ isPastDue: false, schedule: { adjustForDST: true }, scheduleStatus: null });
    // A different second for each run, also on a busy machine.
    const [firstSecond = 0, nextSecond = 0] = [first, second].map((run) => Math.floor((run?.at ?? 0) / 1000));
    expect(nextSecond).toBeGreaterThan(firstSecond);
    expect(logged('error')[0]).toContain('no luck');
  });

  test('a timer never overlaps itself, and fires again right after a long run', async ({
    onTestFinished: finished,
  }) => {
    const { opened, open } = gate();
    const { probe } = await startApp({
      finished,
      source: `app.timer('slow', { schedule: '* * * * * *', async handler() {
        probe.seen.push('in'); await probe.opened; probe.seen.push('out');
      } });`,
      probe: { opened },
    });
    await eventually(() => probe.seen).toEqual(['in']);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(probe.seen).toEqual(['in']);
    open();
    await eventually(() => probe.seen.slice(0, 4), 600).toEqual(['in', 'out', 'in', 'out']);
  });

  test('invokeTimer runs a timer also when timers are off, and rejects with its failure', async ({
    onTestFinished: finished,
  }) => {
    const { host, probe } = await startApp({
      finished,
      source: `app.timer('tick', { schedule: '* * * * * *', handler() { probe.seen.push('tick'); } });
        app.timer('bad', { schedule: '${never}', handler() { throw new Error('no luck'); } });`,
      timers: false,
    });
    await host.invokeTimer('tick');
    await expect(host.invokeTimer('bad')).rejects.toThrow('no luck');
    await expect(host.invokeTimer('missing')).rejects.toThrow("There is no timer function 'missing'.");
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(probe.seen).toEqual(['tick']);
  });

  test('a manual run of a timer waits for the current run', async ({ onTestFinished: finished }) => {
    const { opened, open } = gate();
    const { host, probe } = await startApp({
      finished,
      source: `app.timer('one', { schedule: '${never}', async handler() { probe.seen.push('in'); await probe.opened; probe.seen.push('out'); } });`,
      probe: { opened },
    });
    const both = [host.invokeTimer('one'), host.invokeTimer('one')];
    await eventually(() => probe.seen).toEqual(['in']);
    open();
    await Promise.all(both);
    expect(probe.seen).toEqual(['in', 'out', 'in', 'out']);
  });

  test('a timer with runOnStartup runs at the start and is not past due', async ({ onTestFinished: finished }) => {
    const { probe } = await startApp({
      finished,
      source: `app.timer('first', { schedule: '${never}', runOnStartup: true, handler(timer) { probe.seen.push(timer); } });`,
    });
    await eventually(() => probe.seen.length).toBe(1);
    expect(probe.seen[0]).toMatchObject({ isPastDue: false, scheduleStatus: { last: '0001-01-01T00:00:00+00:00' } });
  });

  test('an occurrence missed while no host ran fires once at the next start as past due', async ({
    onTestFinished: finished,
  }) => {
    const missed = {
      last: '2026-01-01T00:00:00.000Z',
      next: '2026-01-01T00:01:00.000Z',
      lastUpdated: '2026-01-01T00:00:00.000Z',
    };
    const timerStatus = new Map<string, TimerStatus>([['sweep', missed]]);
    const source = `app.timer('sweep', { schedule: '${never}', handler(timer) { probe.seen.push(timer); } });`;
    const first = await startApp({ finished, source, timerStatus });
    await eventually(() => first.probe.seen).toEqual([
      { isPastDue: true, schedule: { adjustForDST: true }, scheduleStatus: missed },
    ]);
    await first.host.stop();
    expect(at(timerStatus.get('sweep')?.next ?? '')).toBeGreaterThan(Date.now());

    const second = await startApp({ finished, source, timerStatus });
    await second.host.stop();
    expect(second.probe.seen).toEqual([]);
  });
});
