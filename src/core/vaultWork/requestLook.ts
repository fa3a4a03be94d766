/**
 * When a lease, a reveal, a data key or a change meets a denial, it requests a look through the queue. Verdict, audit
 * and announcement follow within the bound, even when no timer runs. The denial itself is not evidence.
 */
import type { AccountsDeps } from '../accounts/deps.ts';
import { describeError } from '../base/errors.ts';
import { rateLimiter } from '../base/rateLimiter.ts';
import { vaultIdOf } from '../customerKey/binding.ts';
import type { VaultWorkDeps } from './deps.ts';

export function createLookRequests({
  queue,
  clock,
  policy,
  log,
}: Pick<VaultWorkDeps, 'queue' | 'clock' | 'policy' | 'log'>): AccountsDeps['requestLook'] {
  const limiter = rateLimiter(clock, policy.lookSpacingSeconds * 1000);
  return async ({ id, vaultHost, keyName }) => {
    if (limiter.admit([id]).length === 0) return;
    const vault = vaultIdOf(vaultHost);
    try {
      await queue.send({ vault, lookNow: { keyName }, requestedBy: 'denial' });
    } catch (error) {
      limiter.release([id]);
      log.warn('A wake-up was not sent', { vault, error: describeError(error) });
    }
  };
}
