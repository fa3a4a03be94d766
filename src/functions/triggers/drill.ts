/** Timer trigger: an hourly revocation drill, where a canary key is set. */
import type { TimerHandler } from '@azure/functions';
import { runDrill } from '../../core/drill.ts';
import { inInvocation, keyward } from '../pipeline/service.ts';

export const drill: TimerHandler = (_timer, context) =>
  inInvocation(context, async () => {
    await runDrill(await keyward());
  });
