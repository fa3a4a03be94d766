/**
 * Events of Azure Resource Manager, delivered to subscriptions at the level of an Azure subscription: Event Grid, not
 * Key Vault. Azure docs, event-grid/event-schema-subscriptions. Casing differs between subject and data, as in the
 * documented sample.
 */
import { randomUUID } from 'node:crypto';
import { eventTime } from './eventSchema.ts';
import type { GridEvent } from './events.ts';
import { armId, type RoleAssignment, type Vault } from './model.ts';

export function vaultDeleted(vault: Vault, nowMs: number): GridEvent {
  const type = vault.kind === 'vault' ? 'vaults' : 'managedHSMs';
  return deleteSuccess(vault, armId(vault), `Microsoft.KeyVault/${type}/delete`, 'Microsoft.KeyVault', nowMs);
}

export function roleAssignmentDeleted(vault: Vault, assignment: RoleAssignment, nowMs: number): GridEvent {
  const scope = assignment.key === undefined ? armId(vault) : `${armId(vault)}/keys/${assignment.key}`;
  return deleteSuccess(
    vault,
    `${scope}/providers/Microsoft.Authorization/roleAssignments/${assignment.id}`,
    'Microsoft.Authorization/roleAssignments/delete',
    'Microsoft.Authorization',
    nowMs,
  );
}

function deleteSuccess(
  vault: Vault,
  resourceUri: string,
  operationName: string,
  resourceProvider: string,
  nowMs: number,
): GridEvent {
  const oid = randomUUID();
  return {
    id: randomUUID(),
    type: 'Microsoft.Resources.ResourceDeleteSuccess',
    subject: resourceUri.replace('/resourceGroups/', '/resourcegroups/'),
    topic: `/subscriptions/${vault.subscriptionId}`,
    time: eventTime(nowMs),
    dataVersion: '2',
    data: {
      authorization: {
        scope: resourceUri,
        action: operationName,
        evidence: {
          role: 'Contributor',
          roleAssignmentScope: `/subscriptions/${vault.subscriptionId}`,
          principalId: oid,
          principalType: 'User',
        },
      },
      claims: {
        aud: 'https://management.core.windows.net/',
        'http://schemas.microsoft.com/identity/claims/objectidentifier': oid,
      },
      correlationId: randomUUID(),
      httpRequest: {
        clientRequestId: randomUUID(),
        clientIpAddress: '127.0.0.1',
        method: 'DELETE',
        url: `https://management.azure.com${resourceUri}?api-version=2023-07-01`,
      },
      resourceProvider,
      resourceUri,
      operationName,
      status: 'Succeeded',
      subscriptionId: vault.subscriptionId,
      tenantId: vault.tenantId,
    },
  };
}
