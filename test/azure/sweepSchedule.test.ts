import { describe, expect, it } from 'vitest';
import { SettingsError } from '../../src/azure/settings.ts';
import { checkSweepSchedule } from '../../src/azure/sweepSchedule.ts';

const refusal = async (schedule: string | undefined): Promise<SettingsError> => {
  const error = await checkSweepSchedule({ KEYWARD_SWEEP_SCHEDULE: schedule }).catch((thrown: unknown) => thrown);
  if (error instanceof SettingsError) return error;
  throw new Error(`The schedule ${schedule} was accepted.`);
};

describe('the schedule of the sweep', () => {
  it.each(['0 * * * * *', '*/30 * * * * *', '0 */2 * * * *', '* * * * *', '15,45 * * * * *'])(
    '%s runs at least every two minutes and is accepted',
    async (schedule) => {
      await expect(checkSweepSchedule({ KEYWARD_SWEEP_SCHEDULE: schedule })).resolves.toBeUndefined();
    },
  );

  it.each([
    ['0 */3 * * * *', 'two minutes'],
    ['0 0-57 * * * *', 'two minutes'],
    ['0 * 8-18 * * *', 'two minutes'],
    ['0 * * * * 1-5', 'two minutes'],
    ['0 0 0 1 1 *', 'two minutes'],
    ['every minute', 'NCRONTAB'],
    ['', 'missing'],
    [undefined, 'missing'],
  ])('%s is refused, and the message names the setting and a schedule that works', async (schedule, why) => {
    const { settings, message } = await refusal(schedule);
    expect(settings).toEqual(['KEYWARD_SWEEP_SCHEDULE']);
    expect(message).toContain(why);
    expect(message).toContain('0 * * * * *');
  });
});
