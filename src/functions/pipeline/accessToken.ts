/**
 * Whether verified claims are those of an access token. ID tokens have the same issuer, audience and app roles, and are not for
 * authorization (Microsoft docs, "ID tokens"): they name no client, and say who signed in and for which browser session.
 * Source of the claims: Microsoft docs, "Access token claims reference"; facts/key-vault.md, 5.5.
 */
import type { JWTPayload } from 'jose';

/** Of a sign-in (OpenID Connect Core, 2 and 3.1.3.6). No access token of Entra has one. */
const ofIdTokens = ['nonce', 'at_hash', 'c_hash', 's_hash'] as const;
/** Of a person: an access token with one of these is a user's, and then `scp` names what the user has delegated. */
const ofPeople = ['name', 'preferred_username', 'email', 'upn', 'unique_name', 'given_name', 'family_name'] as const;

/** The client id of the application that the token was issued to; undefined: it is no access token. */
export function clientOfAccessToken(claims: JWTPayload): string | undefined {
  const client = claims.azp ?? claims.appid;
  if (typeof client !== 'string' || client === '' || has(claims, ofIdTokens)) return undefined;
  const { scp, idtyp } = claims;
  if (typeof scp === 'string' && scp !== '') return client;
  if (idtyp !== undefined) return idtyp === 'app' ? client : undefined;
  // `idtyp` is an optional claim. Without it an app's token is one that names no person.
  return has(claims, ofPeople) ? undefined : client;
}

const has = (claims: JWTPayload, names: readonly string[]): boolean =>
  names.some((name) => Object.hasOwn(claims, name));
