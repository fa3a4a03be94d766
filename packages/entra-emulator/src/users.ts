/** Tokens of users who signed in through an application. */
import type { Principal } from './directory.ts';
import type { Grant } from './tokens.ts';

/** The Azure CLI, a public client that every tenant knows (azure-cli, _constants: AZURE_CLI_CLIENT_ID). */
export const AZURE_CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';

/** A token of a user for `audience`, with the delegated permission that applications request by default. */
export function userGrant(user: Principal, audience: string, clientId = AZURE_CLI): Grant {
  const { tenantId, objectId, roles, name, userPrincipalName = '' } = user;
  return {
    tenantId,
    objectId,
    roles,
    audience,
    clientId,
    proof: '0',
    user: { userPrincipalName, displayName: name, scope: 'user_impersonation' },
  };
}
