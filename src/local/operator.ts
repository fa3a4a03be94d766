/**
 * The operator of the embedded stack: tenant, identities, vault and app settings. Fixed ids keep the data on disk
 * usable.
 */
import type { Identity, IdentityOptions } from '../../packages/entra-emulator/src/issuer.ts';
import type { HostKeys } from '../../packages/functions-host/src/host.ts';
import type { KeyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';

export const homeTenantId = '11111111-1111-4111-8111-111111111111';
export const subscriptionId = '00000000-0000-4000-8000-000000000001';
export const location = 'westeurope';
/** The object id of the app's system-assigned identity, which grants name. */
export const appPrincipalId = '22222222-2222-4222-8222-222222222222';
export const apiAudience = 'api://keyward';

/**
 * LOCAL ONLY: these keys are public. They are fixed, so that a line copied from one run works in the next. Azure
 * creates the keys of a deployed app.
 */
export const localHostKeys: HostKeys = {
  master: 'local-only-master-key',
  function: 'local-only-function-key',
  eventgrid_extension: 'local-only-eventgrid-key',
};

/** LOCAL ONLY, like the keys above. */
const secret = 'local-only';
const application = { tenantId: homeTenantId, kind: 'application', secret } as const;
const operatorIds = {
  clientId: '33333333-3333-4333-8333-333333333331',
  objectId: '33333333-3333-4333-8333-333333333332',
};
export const operatorPrincipalId = operatorIds.objectId;
const auditorIds = {
  clientId: '44444444-4444-4444-8444-444444444441',
  objectId: '44444444-4444-4444-8444-444444444442',
};

/** LOCAL ONLY: the application in which users of the console sign in. */
const consoleClientId = '66666666-6666-4666-8666-666666666661';

const operatorRoles = [
  'Accounts.Read',
  'Accounts.Write',
  'Accounts.Delete',
  'Keys.Operate',
  'Keys.Release',
  'Audit.Read',
  'Links.Create',
  'Secrets.Read',
  'Secrets.Write',
  'Secrets.Reveal',
  'Secrets.Resolve',
  'DataKeys.Use',
];

/** For clients that sign in as the operator's application. */
export const operatorCredentials = { clientId: operatorIds.clientId, secret };

/** A person who signs in to diagnose a failure. */
const onCallIds = {
  userPrincipalName: 'on-call@operator.example',
  objectId: '55555555-5555-4555-8555-555555555552',
};
const onCallRoles = ['Accounts.Read', 'Keys.Operate', 'Audit.Read'];

/** A person who has every role of the operator. */
const administratorIds = {
  userPrincipalName: 'administrator@operator.example',
  objectId: '55555555-5555-4555-8555-555555555553',
};

/** The initial directory of the Entra emulator. */
export const directory: IdentityOptions = {
  apiAudience,
  tenants: [{ tenantId: homeTenantId, displayName: 'Operator' }],
  identities: [
    { name: 'keyward-app', tenantId: homeTenantId, kind: 'systemAssigned', objectId: appPrincipalId },
    { name: 'operator', ...application, ...operatorIds, roles: operatorRoles },
    { name: 'auditor', ...application, ...auditorIds, roles: ['Accounts.Read'] },
    { name: 'administrator', tenantId: homeTenantId, kind: 'user', ...administratorIds, roles: operatorRoles },
    { name: 'on-call', tenantId: homeTenantId, kind: 'user', secret, ...onCallIds, roles: onCallRoles },
  ],
};

export const operatorVault = 'keyward-operator';

/** A customer's vault in the home tenant, whose keys the app may use. */
export async function createGrantedVault(
  name: string,
  keyVault: KeyVaultControl,
  more: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await keyVault('POST', '/vaults', { name, tenantId: homeTenantId, location, ...more });
  await keyVault('PUT', `/vaults/${name}/grants/${appPrincipalId}`, { permissions: 'cryptoServiceEncryptionUser' });
}

/** Creates what is missing. The emulator may have read all or a part of it from disk. */
export async function createOperatorVault(keyVault: KeyVaultControl): Promise<void> {
  const vaults = await keyVault<{ name: string; keys: string[] }[]>('GET', '/vaults');
  const known = vaults.find(({ name }) => name === operatorVault);
  if (known === undefined) {
    await keyVault('POST', '/vaults', { name: operatorVault, tenantId: homeTenantId, location });
  }
  await keyVault('PUT', `/vaults/${operatorVault}/grants/${appPrincipalId}`, {
    permissions: 'cryptoServiceEncryptionUser',
  });
  for (const key of ['system', 'at-rest']) {
    if (known?.keys.includes(key)) continue;
    await keyVault('POST', `/vaults/${operatorVault}/keys/${key}`, { kty: 'RSA', size: 2048 });
  }
}

export function operatorSettings(storage: string, identity: Identity, keyVaultUrl: string): Record<string, string> {
  return {
    AZURE_FUNCTIONS_ENVIRONMENT: 'Development',
    AzureWebJobsStorage: storage,
    ...identity.environment,
    KEYWARD_TENANT_ID: homeTenantId,
    KEYWARD_IDENTITY_PRINCIPAL_ID: appPrincipalId,
    KEYWARD_SYSTEM_KEY: `https://${operatorVault}.vault.azure.net/keys/system`,
    KEYWARD_AT_REST_KEY: `https://${operatorVault}.vault.azure.net/keys/at-rest`,
    KEYWARD_KEY_VAULT_EMULATOR: keyVaultUrl,
    KEYWARD_ENTRA_EMULATOR: identity.url,
    KEYWARD_SWEEP_SCHEDULE: '0 * * * * *',
    KEYWARD_SWEEP_RANGES: '4',
    KEYWARD_AUTH: 'functionKeys',
    KEYWARD_AUTH_AUDIENCE: apiAudience,
    KEYWARD_CONSOLE_CLIENT_ID: consoleClientId,
    KEYWARD_AUTH_ISSUER: `${identity.url}/${homeTenantId}/v2.0`,
    KEYWARD_AUTH_JWKS_URL: `${identity.url}/${homeTenantId}/discovery/v2.0/keys`,
  };
}

/** Registers the application in which users of the console sign in. Its redirect URI has the port of the host. */
export async function registerConsole(identity: Identity, hostUrl: string): Promise<void> {
  const app = { tenantId: homeTenantId, kind: 'application', clientId: consoleClientId };
  const response = await fetch(`${identity.url}/control/identities/console`, {
    method: 'PUT',
    body: JSON.stringify({ ...app, redirectUris: [`${hostUrl}/console/`] }),
  });
  if (!response.ok) throw new Error(`The token issuer answered ${response.status} ${await response.text()}`);
}

/** The topic of the app's announcements, to which only the app's identity can publish. */
export const topicOf = (identity: Identity) => ({
  identityUrl: identity.url,
  tenantId: homeTenantId,
  senders: [appPrincipalId],
});

/** A bearer token of the operator's application, by client credentials. */
export async function operatorToken(identity: Identity, scope = `${apiAudience}/.default`): Promise<string> {
  const response = await fetch(`${identity.url}/${homeTenantId}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: operatorIds.clientId,
      client_secret: application.secret,
      scope,
    }),
  });
  const answer = (await response.json()) as { access_token?: string };
  if (answer.access_token === undefined) throw new Error(`The token issuer answered ${JSON.stringify(answer)}`);
  return answer.access_token;
}
