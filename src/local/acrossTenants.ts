/**
 * A customer in its own tenant: the operator registers an application that trusts a managed identity; the customer
 * installs the application and grants it the vault. Names and tenant id are derived from the customer's name.
 */
import { createHash } from 'node:crypto';
import type { KeyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import type { FederatedIdentity } from '../core/customerKey/binding.ts';
import { homeTenantId } from './operator.ts';

/** The control APIs of the Entra emulator and of the Key Vault emulator. */
export interface Controls {
  readonly identity: KeyVaultControl;
  readonly keyVault: KeyVaultControl;
}

export const tenantOf = (customer: string): string =>
  createHash('sha256')
    .update(customer)
    .digest('hex')
    .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');

/** Names in the Entra emulator's directory. */
export const speakerOf = (customer: string): string => `${customer}-identity`;
export const applicationOf = (customer: string): string => `${customer}-application`;

/** The operator's part: an application, and the managed identity that it trusts. Both can exist already. */
export async function registerApplication(customer: string, { identity }: Controls): Promise<FederatedIdentity> {
  await identity('PUT', `/tenants/${tenantOf(customer)}`, { displayName: customer });
  const [speaker, application] = await Promise.all([
    identity<{ resourceId: string }>('PUT', `/identities/${speakerOf(customer)}`, {
      tenantId: homeTenantId,
      kind: 'userAssigned',
    }),
    identity<{ clientId: string }>('PUT', `/identities/${applicationOf(customer)}`, {
      tenantId: homeTenantId,
      kind: 'application',
    }),
  ]);
  await trust(customer, { identity });
  return {
    useSystemAssignedIdentity: false,
    userAssignedIdentity: speaker.resourceId,
    federatedIdentityClientId: application.clientId,
    tenantId: tenantOf(customer),
  };
}

export const trust = (customer: string, { identity }: Pick<Controls, 'identity'>): Promise<unknown> =>
  identity('PUT', `/identities/${applicationOf(customer)}/federated-credentials/keyward`, {
    identity: speakerOf(customer),
  });

/** The customer's part: installs the application in the tenant, and grants it the vault's keys. */
export async function installApplication(customer: string, vault: string, controls: Controls): Promise<void> {
  const path = `/tenants/${tenantOf(customer)}/apps/${applicationOf(customer)}`;
  const { objectId } = await controls.identity<{ objectId: string }>('PUT', path, {});
  await controls.keyVault('PUT', `/vaults/${vault}/grants/${objectId}`, { permissions: 'cryptoServiceEncryptionUser' });
}

export const removeApplication = (customer: string, { identity }: Controls): Promise<unknown> =>
  identity('DELETE', `/tenants/${tenantOf(customer)}/apps/${applicationOf(customer)}`);
