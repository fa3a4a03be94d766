/**
 * What the console's page must know before a user signs in: the tenant, the application and the scope of its tokens.
 * All of it is public. On a development machine the addresses of the emulators are added, because the page calls them
 * too.
 */
import { defined } from '../../core/base/defined.ts';
import { authorityOf } from '../pipeline/authority.ts';

export interface ConsoleConfig {
  /** `functionKeys`: no user can sign in, and the page says so. */
  readonly auth: 'entra' | 'functionKeys';
  readonly authority: string;
  /** The application in which users sign in. Absent: it is not configured. */
  readonly clientId?: string;
  readonly scope: string;
  /** Development only: the issuer that answers for the authority, and the emulator of the customers' vaults. */
  readonly local?: { readonly issuer: string; readonly keyVault: string };
}

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function consoleConfig(environment: NodeJS.ProcessEnv): ConsoleConfig {
  const { KEYWARD_TENANT_ID: tenant = '', KEYWARD_AUTH: auth } = environment;
  const [audience = ''] = (environment.KEYWARD_AUTH_AUDIENCE ?? '').split(' ');
  // The application of the API can sign its own users in, and version 2.0 tokens name it by its client id.
  const clientId = environment.KEYWARD_CONSOLE_CLIENT_ID ?? (guid.test(audience) ? audience : undefined);
  const { KEYWARD_ENTRA_EMULATOR: issuer, KEYWARD_KEY_VAULT_EMULATOR: keyVault } = environment;
  const isLocal = environment.AZURE_FUNCTIONS_ENVIRONMENT === 'Development';
  return {
    auth: auth === 'functionKeys' ? 'functionKeys' : 'entra',
    authority: authorityOf(environment, tenant),
    ...defined({ clientId }),
    scope: `${guid.test(audience) ? `api://${audience}` : audience}/user_impersonation`,
    ...(isLocal && issuer !== undefined && keyVault !== undefined ? { local: { issuer, keyVault } } : {}),
  };
}
