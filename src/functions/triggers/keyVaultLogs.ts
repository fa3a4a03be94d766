/**
 * Event Hubs trigger for customers' Key Vault diagnostic records. It is registered only when
 * KEYWARD_DIAGNOSTICS_EVENT_HUB names a hub. It ignores a message that is not such a record, and fails only when
 * Keyward's own storage fails, after it has tried each target: Event Hubs does not repeat the others.
 */
import type { EventHubHandler } from '@azure/functions';
import { targetsOfDiagnostics } from '../../core/vaultWork/diagnostics.ts';
import { wake } from '../../core/vaultWork/events.ts';
import { inInvocation, keyward } from '../pipeline/service.ts';

export const keyVaultLogs: EventHubHandler = (messages, context) =>
  inInvocation(context, async () => {
    const service = await keyward();
    const targets = [messages].flat().flatMap((message) => targetsOfDiagnostics(message, service.cloud));
    const distinct = new Map(targets.map((target) => [`${target.vaultHost} ${target.keyName ?? ''}`, target]));
    const results = await Promise.allSettled([...distinct.values()].map((target) => wake(target, service)));
    const woken = results.filter((result) => result.status === 'fulfilled' && result.value).length;
    service.log.info('Received diagnostic records', { targets: distinct.size, woken });
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  });
