/**
 * Event Hubs trigger for customers' Key Vault diagnostic records. It is registered only when
 * KEYWARD_DIAGNOSTICS_EVENT_HUB names a hub. It ignores a message that is not such a record, and fails only when
 * Keyward's own storage fails.
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
    let woken = 0;
    for (const target of distinct.values()) if (await wake(target, service)) woken += 1;
    service.log.info('Received diagnostic records', { targets: distinct.size, woken });
  });
