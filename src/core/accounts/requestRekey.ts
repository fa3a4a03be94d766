/** The wake-up that begins the pass over an account's secrets after its account key has changed. */
import { describeError } from '../base/errors.ts';
import type { AccountsDeps } from './deps.ts';

/**
 * Begins the pass for an account that has an older key. Only a wake-up: the record says that there are secrets to move, and the daily
 * pass reads it. So nothing fails for it.
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
