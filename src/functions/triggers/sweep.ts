/** Timer trigger: the guarantee behind every event. */
import type { TimerHandler } from '@azure/functions';
import { wakeAnnouncing } from '../../core/announcements/outboxPass.ts';
import { maintainRings } from '../../core/rings/maintainRings.ts';
import { timedSweep } from '../../core/vaultWork/sweep.ts';
import { inInvocation, keyward } from '../pipeline/service.ts';

export const sweep: TimerHandler = (_timer, context) =>
  inInvocation(context, async () => {
    const service = await keyward();
    service.log.info('Swept all vaults', { ranges: await timedSweep(service) });
    // After the customers': trouble with our own keys, or our topic, is no reason to look at theirs late.
    await Promise.all([maintainRings(service), wakeAnnouncing(service)]);
  });
