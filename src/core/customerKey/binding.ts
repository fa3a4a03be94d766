/** A binding: the (key, tenant, identity) through which accounts' keys are unwrapped. Each has one watch. */

import { fold, indexKey } from '../base/names.ts';
import type { KeyIdentifier } from './keyIdentifier.ts';

/** The identity through which an account's key is unwrapped, in AMS's property names. */
export type KeyVaultIdentity =
  | { readonly useSystemAssignedIdentity: true }
  | { readonly useSystemAssignedIdentity: false; readonly userAssignedIdentity: string }
  | FederatedIdentity;

/**
 * For a vault in another tenant: the managed identity speaks for a multi-tenant application, and the customer grants
 * the key to that application. Only a user-assigned identity can (Microsoft Entra docs, "Configure an application to
 * trust a managed identity").
 */
export interface FederatedIdentity {
  readonly useSystemAssignedIdentity: false;
  readonly userAssignedIdentity: string;
  /** Client id of the application, in lower case; Azure Storage's name for it (`EncryptionIdentity`). */
  readonly federatedIdentityClientId: string;
  /** The tenant of the vault, in lower case; Key Vault's own name for it (`VaultProperties`). */
  readonly tenantId: string;
}

export const isFederated = (identity: KeyVaultIdentity): identity is FederatedIdentity =>
  'federatedIdentityClientId' in identity;

export interface Binding {
  /** Hash of everything below, folded: the same key in another case is the same binding. */
  readonly id: string;
  readonly vaultHost: string;
  readonly vaultName: string;
  readonly keyName: string;
  readonly tenantId: string;
  readonly identity: KeyVaultIdentity;
}

export function bindingOf(key: KeyIdentifier, homeTenantId: string, identity: KeyVaultIdentity): Binding {
  const { vaultHost, vaultName, keyName } = key;
  const tenantId = fold(isFederated(identity) ? identity.tenantId : homeTenantId);
  const id = indexKey('binding', vaultHost, keyName, tenantId, ...identityParts(identity));
  return { id, vaultHost, vaultName, keyName, tenantId, identity };
}

/** The properties that distinguish identities, folded. */
export function identityParts(identity: KeyVaultIdentity): string[] {
  if (identity.useSystemAssignedIdentity) return [''];
  const managed = fold(identity.userAssignedIdentity);
  return isFederated(identity) ? [managed, fold(identity.federatedIdentityClientId)] : [managed];
}

/** The partition of a vault's work. */
export const vaultIdOf = (vaultHost: string): string => indexKey('vault', fold(vaultHost));
