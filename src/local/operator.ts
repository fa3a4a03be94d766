/** The operator of the embedded stack: tenant, identities, vault and app settings. Ids are fixed, so that data on disk stays theirs. */
import type { Azurite } from './azurite.ts';
import type { Identity, IdentityOptions } from './identity/issuer.ts';
import type { KeyVaultControl } from './keyvault/controlClient.ts';

export const homeTenantId = '11111111-1111-4111-8111-111111111111';
export const subscriptionId = '00000000-0000-4000-8000-000000000001';
export const location = 'westeurope';
/** The object id of the app's system-assigned identity: what grants name. */
export const appPrincipalId = '22222222-2222-4222-8222-222222222222';
export const apiAudience = 'api://keyward';

const application = { tenantId: homeTenantId, kind: 'application', secret: 'local-only' } as const;

/** What the token issuer knows from the start. */
export const directory: IdentityOptions = {
  apiAudience,
  tenants: [{ tenantId: homeTenantId, displayName: 'Operator' }],
  identities: [
    { name: 'keyward-app', tenantId: homeTenantId, kind: 'systemAssigned', objectId: appPrincipalId },
    { name: 'operator', ...application, roles: ['Accounts.Read', 'Accounts.Write'] },
    { name: 'auditor', ...application, roles: ['Accounts.Read'] },
  ],
};

const operatorVault = 'keyward-operator';

/** Idempotent: the emulator may have read it from disk. */
export async function createOperatorVault(keyVault: KeyVaultControl): Promise<void> {
  const vaults = await keyVault<{ name: string }[]>('GET', '/vaults');
  if (vaults.some(({ name }) => name === operatorVault)) return;
  await keyVault('POST', '/vaults', { name: operatorVault, tenantId: homeTenantId, location });
  await keyVault('PUT', `/vaults/${operatorVault}/grants/${appPrincipalId}`, {
    permissions: 'cryptoServiceEncryptionUser',
  });
  for (const key of ['system', 'at-rest']) {
    await keyVault('POST', `/vaults/${operatorVault}/keys/${key}`, { kty: 'RSA', size: 2048 });
  }
}

export function operatorSettings(azurite: Azurite, identity: Identity, keyVaultUrl: string): Record<string, string> {
  return {
    AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
    AzureWebJobsStorage: azurite.connectionString,
    ...identity.environment,
    KEYWARD_TENANT_ID: homeTenantId,
    KEYWARD_SYSTEM_KEY: `https://${operatorVault}.vault.azure.net/keys/system`,
    KEYWARD_AT_REST_KEY: `https://${operatorVault}.vault.azure.net/keys/at-rest`,
    KEYWARD_KEY_VAULT_EMULATOR: keyVaultUrl,
    KEYWARD_SWEEP_SCHEDULE: '0 * * * * *',
    KEYWARD_AUTH: 'functionKeys',
    KEYWARD_AUTH_AUDIENCE: apiAudience,
    KEYWARD_AUTH_ISSUER: `${identity.url}/${homeTenantId}/v2.0`,
    KEYWARD_AUTH_JWKS_URL: `${identity.url}/${homeTenantId}/discovery/v2.0/keys`,
  };
}
