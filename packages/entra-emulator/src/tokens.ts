/**
 * The claims of an access token. Entra issues two formats, and the resource decides which one (Microsoft docs: "Access
 * token claims reference", `ver`): Key Vault accepts version 1.0, an API of the emulator's options version 2.0. Tokens
 * for `api://AzureADTokenExchange`, which serve as assertions, have version 2.0 too, because a federated credential for
 * a managed identity names the v2.0 issuer.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { entraIssuer } from './directory.ts';
import { sign } from './signing.ts';

export type Grant = {
  tenantId: string;
  /** The client id of the application that gets the token. */
  clientId: string;
  objectId: string;
  roles: string[];
  audience: string;
  /** How the client proved itself: `0` not at all (a public client), `1` by secret, `2` by assertion or certificate. */
  proof: '0' | '1' | '2';
  resourceId?: string | undefined;
  /** Present: the token is a user's, for the delegated permission `scope`. */
  user?: { userPrincipalName: string; displayName: string; scope: string } | undefined;
};

export type TokenSettings = { url: string; now: number; lifetimeSeconds: number; apiAudiences: ReadonlySet<string> };
export type Minted = { token: string; expiresOn: number; lifetimeSeconds: number };

const TOKEN_EXCHANGE = /^api:\/\/AzureADTokenExchange(USGov|China)?$/;

export async function mint(grant: Grant, settings: TokenSettings): Promise<Minted> {
  const issuedAt = Math.floor(settings.now / 1000);
  const expiresOn = issuedAt + settings.lifetimeSeconds;
  const times = { iat: issuedAt, nbf: issuedAt, exp: expiresOn };
  const token = await sign(grant.tenantId, { ...claimsOf(grant, settings), ...times, uti: randomUUID() });
  return { token, expiresOn, lifetimeSeconds: settings.lifetimeSeconds };
}

function claimsOf(grant: Grant, { url, apiAudiences }: TokenSettings): JWTPayload {
  if (apiAudiences.has(grant.audience)) return version2(grant, `${url}/${grant.tenantId}/v2.0`);
  if (TOKEN_EXCHANGE.test(grant.audience)) return version2(grant, entraIssuer(grant.tenantId));
  return version1(grant);
}

function version1(grant: Grant): JWTPayload {
  const issuer = `https://sts.windows.net/${grant.tenantId}/`;
  const { user } = grant;
  const names = user === undefined ? {} : { upn: user.userPrincipalName, unique_name: user.userPrincipalName };
  return { ...common(grant, issuer), appid: grant.clientId, appidacr: grant.proof, idp: issuer, ...names, ver: '1.0' };
}

function version2(grant: Grant, issuer: string): JWTPayload {
  const roles = grant.roles.length === 0 ? {} : { roles: grant.roles };
  const { user } = grant;
  const names = user === undefined ? {} : { preferred_username: user.userPrincipalName };
  return { ...common(grant, issuer), azp: grant.clientId, azpacr: grant.proof, ...names, ...roles, ver: '2.0' };
}

/** In a user's token `sub` differs for each resource, and `scp` names the delegated permission. */
function common({ audience, objectId, tenantId, resourceId, user }: Grant, issuer: string): JWTPayload {
  const who =
    user === undefined
      ? { sub: objectId, idtyp: 'app' }
      : { sub: pairwise(objectId, audience), name: user.displayName, scp: user.scope };
  const mirid = resourceId === undefined ? {} : { xms_mirid: resourceId };
  return { aud: audience, iss: issuer, oid: objectId, tid: tenantId, ...who, ...mirid };
}

const pairwise = (objectId: string, audience: string) =>
  createHash('sha256').update(`${objectId} ${audience}`).digest('base64url');
