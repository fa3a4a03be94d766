/** The wake-up for the pass over an account's secrets after its account key has changed. */
import { describeError } from '../base/errors.ts';
import type { AccountsDeps } from './deps.ts';

/**
 * Starts the pass for an account that has an older key. It is only a wake-up: the record says that there are secrets to
 * encrypt again, and the daily pass reads the record. So a failed send fails nothing.
 */
export async function requestRekey(
  account: string,
  { dailyQueue, log }: Pick<AccountsDeps, 'dailyQueue' | 'log'>,
): Promise<void> {
  try {
    await dailyQueue.send({ visit: 'secrets', account });
  } catch (error) {
    log.warn('A wake-up was not sent', { account, error: describeError(error) });
  }
}
