/**
 * Event Hubs trigger for customers' Key Vault diagnostic records; registered only where KEYWARD_DIAGNOSTICS_EVENT_HUB names a hub.
 * A record that is none is passed by; only our own storage trouble is thrown.
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
