/** The identity with which Keyward calls a vault, as a caller writes it. */

import * as z from 'zod';
import { fold } from '../../../core/base/names.ts';
import { whatItHolds } from '../../../core/base/strangeCharacter.ts';
import type { KeyVaultIdentity } from '../../../core/customerKey/binding.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import { readOnly } from '../secrets/secretJson.ts';
import { contradiction } from './contradiction.ts';

const guid = z.guid('Send a GUID: 8-4-4-4-12 hexadecimal digits, without braces, quotes or spaces.').transform(fold);

export const identity = z.strictObject({
  useSystemAssignedIdentity: z.boolean(),
  userAssignedIdentity: orAbsent(z.string().min(1).max(500)).meta({ description: 'This must be a resource id.' }),
  federatedIdentityClientId: orAbsent(guid),
  tenantId: orAbsent(guid),
  principalId: readOnly,
  clientId: readOnly,
});

/**
 * ARM naming rules: subscription, resource group, and 3 to 128 letters, digits, hyphens and underscores of an identity.
 */
const userAssigned =
  /^\/subscriptions\/[\w-]{1,64}\/resourcegroups\/[-\w.()]{0,89}[-\w()]\/providers\/microsoft\.managedidentity\/userassignedidentities\/[a-z0-9][\w-]{2,127}$/i;

/** @throws Refusal InvalidRequestContent */
export function identityOf(
  input: z.infer<typeof identity> = { useSystemAssignedIdentity: true },
  target = 'properties.encryption.identity',
): KeyVaultIdentity {
  const { useSystemAssignedIdentity, userAssignedIdentity, federatedIdentityClientId, tenantId } = input;
  if (useSystemAssignedIdentity && userAssignedIdentity !== undefined)
    throw contradiction(
      target,
      'useSystemAssignedIdentity and userAssignedIdentity exclude each other. Send one of them.',
    );
  if (useSystemAssignedIdentity && federatedIdentityClientId !== undefined)
    throw contradiction(
      `${target}.federatedIdentityClientId`,
      'Only a user-assigned identity can authenticate an application. Name it in userAssignedIdentity.',
    );
  if (federatedIdentityClientId === undefined && tenantId !== undefined)
    throw contradiction(
      `${target}.tenantId`,
      'Only federatedIdentityClientId has a tenant: without an application, a managed identity reaches vaults of its own tenant only.',
    );
  if (useSystemAssignedIdentity) return { useSystemAssignedIdentity };
  if (userAssignedIdentity === undefined || !userAssigned.test(userAssignedIdentity))
    throw contradiction(
      `${target}.userAssignedIdentity`,
      `This must be the resource id of a user-assigned identity: /subscriptions/{id}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}. A client id or an object id does not name it.${whatItHolds(userAssignedIdentity ?? '', /[^\w\-.()/]/)}`,
    );
  if (federatedIdentityClientId === undefined) return { useSystemAssignedIdentity, userAssignedIdentity };
  if (tenantId === undefined)
    throw contradiction(
      `${target}.tenantId`,
      'federatedIdentityClientId needs tenantId, the tenant of the vault. Add it.',
    );
  return { useSystemAssignedIdentity, userAssignedIdentity, federatedIdentityClientId, tenantId };
}
