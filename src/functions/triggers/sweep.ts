/** Timer trigger: it finds all due work, also when every event was lost. */
import type { TimerHandler } from '@azure/functions';
import { purgeDeleted } from '../../core/accounts/purgeDeleted.ts';
import { wakeAnnouncing } from '../../core/announcements/outboxPass.ts';
import { maintainRings } from '../../core/rings/maintainRings.ts';
import type { Service } from '../../core/service.ts';
import { timedSweep } from '../../core/vaultWork/sweep.ts';
import { inInvocation, keyward } from '../pipeline/service.ts';

export const sweep: TimerHandler = (_timer, context) =>
  inInvocation(context, async () => {
    const service = await keyward();
    service.log.info('Swept all vaults', { count: await timedSweep(service) });
    // After the customers' keys: a failure of Keyward's own keys or topic must not delay the checks of customers' keys.
    await Promise.all([maintainRings(service), wakeAnnouncing(service), purgeAndLog(service)]);
  });

async function purgeAndLog(service: Service): Promise<void> {
  const count = await purgeDeleted(service);
  if (count > 0) service.log.info('Purged deleted accounts', { count });
}
