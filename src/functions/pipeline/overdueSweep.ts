/** Every call and queue message is an occasion to notice that the sweep timer has died. */
import { describeError } from '../../core/base/errors.ts';
import type { Service } from '../../core/service.ts';
import { sweepIfOverdue } from '../../core/vaultWork/sweep.ts';

/** A young process waits: the timer may not have had its time yet. Then the mark is read at most every 30 s. */
const firstMs = 120_000;
const everyMs = 30_000;

let nextAt = performance.now() + firstMs;

/** Never throws. */
export async function noticeOverdueSweep(service: Service): Promise<void> {
  const now = performance.now();
  if (now < nextAt) return;
  nextAt = now + everyMs;
  try {
    await sweepIfOverdue(service);
  } catch (error) {
    service.log.warn('The sweep mark could not be read', { error: describeError(error) });
  }
}
