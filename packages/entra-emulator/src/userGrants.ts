/**
 * Users, who sign in to an application with their password (Microsoft docs: "OAuth 2.0 Resource Owner Password
 * Credentials") or in a browser (authorizationCode.ts), and whose refresh token gets tokens for other resources.
 */
import { randomUUID } from 'node:crypto';
import type { Principal } from './directory.ts';
import { EntraRefusal } from './entraErrors.ts';
import type { Answer } from './http.ts';
import { sign } from './signing.ts';
import { audienceOf, required, type TokenRequest, tokenAnswer } from './tokenRequest.ts';
import type { Grant } from './tokens.ts';
import { mintFor, nowOf, type World } from './world.ts';

/** The Azure CLI, a public client that every tenant knows (azure-cli, _constants: AZURE_CLI_CLIENT_ID). */
const AZURE_CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';

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

export async function grantByPassword(world: World, request: TokenRequest): Promise<Answer> {
  const clientId = knownClient(world, request);
  const username = required(request, 'username').toLowerCase();
  const user = world.directory.findPrincipal(
    (one) => one.kind === 'user' && one.userPrincipalName === username && isHome(one, request.tenant),
  );
  if (user === undefined) throw new EntraRefusal(50034, username, request.tenant);
  if (user.secret === undefined || required(request, 'password') !== user.secret) throw new EntraRefusal(50126);
  return userAnswer(world, request, user, clientId);
}

export async function grantByRefreshToken(world: World, request: TokenRequest): Promise<Answer> {
  const clientId = knownClient(world, request);
  const issued = world.refreshTokens.get(required(request, 'refresh_token'));
  const user = world.directory.findPrincipal(({ objectId }) => objectId === issued?.objectId);
  // A user who was deleted, and created again since, has another object id.
  if (user === undefined || issued?.clientId !== clientId) throw new EntraRefusal(70000);
  return userAnswer(world, request, user, clientId);
}

/** `common` and `organizations` find the user's home tenant. */
const isHome = ({ tenantId }: Principal, tenant: string) =>
  tenant === tenantId || tenant === 'common' || tenant === 'organizations';

function knownClient({ directory }: World, request: TokenRequest): string {
  const clientId = required(request, 'client_id').toLowerCase();
  const isApp = (one: Principal) => one.kind === 'application' && one.clientId === clientId;
  if (clientId !== AZURE_CLI && directory.findPrincipal(isApp) === undefined) {
    throw new EntraRefusal(700016, clientId, request.tenant);
  }
  return clientId;
}

/** `nonce`: what the application sent with its authorization request, for the ID token. */
export async function userAnswer(
  world: World,
  request: TokenRequest,
  user: Principal,
  clientId: string,
  nonce?: string,
): Promise<Answer> {
  const audience = audienceOf(request);
  const minted = await mintFor(world, 'token', userGrant(user, audience, clientId));
  const refreshToken = randomUUID();
  world.refreshTokens.set(refreshToken, { objectId: user.objectId, clientId });
  return tokenAnswer(world, request, minted, audience, {
    scope: request.form.get('scope') ?? 'user_impersonation',
    refresh_token: refreshToken,
    id_token: await idToken(world, request, user, clientId, nonce),
    client_info: clientInfo(user),
  });
}

/** What MSAL makes its account of. */
export const clientInfo = ({ objectId, tenantId }: Principal): string =>
  Buffer.from(JSON.stringify({ uid: objectId, utid: tenantId })).toString('base64url');

/** For the client only. A resource must not accept it, although it has the user's app roles for the client. */
function idToken(
  world: World,
  request: TokenRequest,
  user: Principal,
  clientId: string,
  nonce: string | undefined,
): Promise<string> {
  const { tenantId, objectId, name, userPrincipalName } = user;
  const issuedAt = Math.floor(nowOf(world) / 1000);
  return sign(tenantId, {
    iss: `${request.authority}/${tenantId}/v2.0`,
    aud: clientId,
    tid: tenantId,
    oid: objectId,
    sub: objectId,
    name,
    preferred_username: userPrincipalName,
    ver: '2.0',
    ...(nonce === undefined ? {} : { nonce }),
    iat: issuedAt,
    nbf: issuedAt,
    exp: issuedAt + world.lifetimeSeconds.token,
  });
}
