/** A binding: the (key, tenant, identity) that accounts' keys are reached by. One watch is kept for each. */
import type { KeyIdentifier } from './keyIdentifier.ts';
import { fold, indexKey } from './names.ts';

/** The identity that an account's key is reached with, in AMS's property names. */
export type KeyVaultIdentity =
  | { readonly useSystemAssignedIdentity: true }
  | { readonly useSystemAssignedIdentity: false; readonly userAssignedIdentity: string };

export interface Binding {
  /** Hash of everything below, folded: the same key written in another case is the same binding. */
  readonly id: string;
  readonly vaultHost: string;
  readonly vaultName: string;
  readonly keyName: string;
  readonly tenantId: string;
  readonly identity: KeyVaultIdentity;
}

export function bindingOf(key: KeyIdentifier, tenantId: string, identity: KeyVaultIdentity): Binding {
  const { vaultHost, vaultName, keyName } = key;
  const who = identity.useSystemAssignedIdentity ? '' : fold(identity.userAssignedIdentity);
  const id = indexKey('binding', vaultHost, keyName, fold(tenantId), who);
  return { id, vaultHost, vaultName, keyName, tenantId: fold(tenantId), identity };
}

/** The partition of a vault's work. */
export const vaultIdOf = (vaultHost: string): string => indexKey('vault', fold(vaultHost));
