/** Event Grid trigger for Key Vault events, in either schema. It queues a check of the vault and returns. */
import type { EventGridHandler } from '@azure/functions';
import { targetOfKeyEvent } from '../../core/vaultWork/events.ts';
import { onEvent } from './onEvent.ts';

export const keyEvents: EventGridHandler = (event, context) => onEvent(event, context, targetOfKeyEvent);
