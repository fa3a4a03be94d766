/**
 * Whether verified claims are those of an access token. ID tokens have the same issuer, audience and app roles, but
 * they are not for authorization (Microsoft docs, "ID tokens"): they name no client, and they say who signed in and for
 * which browser session. Source of the claims: Microsoft docs, "Access token claims reference".
 */
import type { JWTPayload } from 'jose';

/** Claims of a sign-in (OpenID Connect Core, 2 and 3.1.3.6). No access token of Entra has one. */
const ofIdTokens = ['nonce', 'at_hash', 'c_hash', 's_hash'] as const;
/** A token that is bound to a key (RFC 7800) proves nothing when it is sent as a bearer token, without that key. */
const ofBoundTokens = ['cnf'] as const;
/**
 * Claims of a person: an access token with one of these is a user's token, and `scp` then names what the user has
 * delegated.
 */
const ofPeople = ['name', 'preferred_username', 'email', 'upn', 'unique_name', 'given_name', 'family_name'] as const;

/** The client id of the application that the token was issued to; undefined when it is not an access token. */
export function clientOfAccessToken(claims: JWTPayload): string | undefined {
  const client = claims.azp ?? claims.appid;
  if (!isFilled(client) || has(claims, ofIdTokens) || has(claims, ofBoundTokens)) return undefined;
  const { scp, idtyp } = claims;
  if (isFilled(scp)) return client;
  if (idtyp !== undefined) return idtyp === 'app' ? client : undefined;
  // `idtyp` is an optional claim. Without it, a token that names no person is an app's token.
  return has(claims, ofPeople) ? undefined : client;
}

export const isFilled = (claim: unknown): claim is string => typeof claim === 'string' && claim.trim() !== '';

const has = (claims: JWTPayload, names: readonly string[]): boolean =>
  names.some((name) => Object.hasOwn(claims, name));
