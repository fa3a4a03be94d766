/** Timer trigger: the guarantee behind every event. */
import type { TimerHandler } from '@azure/functions';
import { timedSweep } from '../core/work/sweep.ts';
import { inInvocation, keyward } from './service.ts';

export const sweep: TimerHandler = (_timer, context) =>
  inInvocation(context, async () => {
    const service = await keyward();
    service.log.info('Swept', { vaults: await timedSweep(service) });
  });
