/**
 * Event Hubs trigger for customers' Key Vault diagnostic records; registered only where KEYWARD_DIAGNOSTICS_EVENT_HUB names a hub.
 * A record that is none is passed by; only our own storage trouble is thrown.
 */
import type { EventHubHandler } from '@azure/functions';
import { concernsOfDiagnostics } from '../../core/vaultWork/diagnostics.ts';
import { wake } from '../../core/vaultWork/events.ts';
import { inInvocation, keyward } from '../pipeline/service.ts';

export const keyVaultLogs: EventHubHandler = (messages, context) =>
  inInvocation(context, async () => {
    const service = await keyward();
    const concerns = [messages].flat().flatMap((message) => concernsOfDiagnostics(message, service.cloud));
    const distinct = new Map(concerns.map((concern) => [`${concern.vaultHost} ${concern.keyName ?? ''}`, concern]));
    let woken = 0;
    for (const concern of distinct.values()) if (await wake(concern, service)) woken += 1;
    service.log.info('Received diagnostic records', { concerns: distinct.size, woken });
  });
