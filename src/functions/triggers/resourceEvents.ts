/** Event Grid trigger for Azure Resource Manager events: deleted vaults, removed role assignments, changed vaults. */
import type { EventGridHandler } from '@azure/functions';
import { targetOfResourceEvent } from '../../core/vaultWork/events.ts';
import { onEvent } from './onEvent.ts';

export const resourceEvents: EventGridHandler = (event, context) => onEvent(event, context, targetOfResourceEvent);
