/**
 * The claims of an access token. Entra issues two formats, and the resource decides which one (Microsoft docs: "Access
 * token claims reference", `ver`): Key Vault takes version 1.0, our API is registered for version 2.0. The resource
 * `api://AzureADTokenExchange`, whose tokens serve as assertions, is of version 2.0 too, since a federated credential for a
 * managed identity names the v2.0 issuer.
 */
import { randomUUID } from 'node:crypto';
import type { JWTPayload } from 'jose';
import { entraIssuer } from './directory.ts';
import { sign } from './signing.ts';

export type Grant = {
  tenantId: string;
  clientId: string;
  objectId: string;
  roles: string[];
  audience: string;
  /** How the client proved itself: `1` by secret, `2` by assertion or certificate; managed identities show `2`. */
  proof: '1' | '2';
  resourceId?: string | undefined;
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
  return { ...common(grant, issuer), appid: grant.clientId, appidacr: grant.proof, idp: issuer, ver: '1.0' };
}

function version2(grant: Grant, issuer: string): JWTPayload {
  const roles = grant.roles.length === 0 ? {} : { roles: grant.roles };
  return { ...common(grant, issuer), azp: grant.clientId, azpacr: grant.proof, ...roles, ver: '2.0' };
}

function common({ audience, objectId, tenantId, resourceId }: Grant, issuer: string): JWTPayload {
  const mirid = resourceId === undefined ? {} : { xms_mirid: resourceId };
  return { aud: audience, iss: issuer, oid: objectId, sub: objectId, tid: tenantId, idtyp: 'app', ...mirid };
}
