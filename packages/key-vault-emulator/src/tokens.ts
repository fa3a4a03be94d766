/**
 * Bearer tokens: RS256 JWTs from the local issuer, which serves a JWKS per tenant. Tokens carry real time, so they
 * expire by real time and not by the emulator's clock.
 */
import { createRemoteJWKSet, decodeJwt, errors, jwtVerify } from 'jose';
import { type Caller, type Refusal, Refused } from './errors.ts';
import { challengeAuthority, tokenResource } from './hosts.ts';
import type { Vault } from './model.ts';
import { expiredToken, missingToken, unreadableToken, wrongAudience, wrongIssuer } from './refusals.ts';

export type TokenVerifier = (vault: Vault, authorization: string | undefined) => Promise<Caller>;

/** The same token comes with thousands of calls, and its verification is a twentieth of a call's cost. */
const maxVerified = 1_000;

export function createTokenVerifier(identityUrl: string): TokenVerifier {
  /** Expiry of each token whose signature is verified. Its issuer, which chooses the keys, is checked on each call. */
  const verified = new Map<string, number>();
  const keySets = new Map<string, ReturnType<typeof createRemoteJWKSet>>();
  const keySet = (tenantId: string) => {
    const known = keySets.get(tenantId);
    if (known) return known;
    // No cooldown, because a restarted local issuer has new keys at the same address.
    const made = createRemoteJWKSet(new URL(`${identityUrl}/${tenantId}/discovery/v2.0/keys`), { cooldownDuration: 0 });
    keySets.set(tenantId, made);
    return made;
  };

  return async (vault, authorization) => {
    const token = /^(?:Bearer|PoP) +(\S+)$/i.exec(authorization ?? '')?.[1];
    if (token === undefined) throw challenged(vault, authorization ? unreadableToken() : missingToken());
    const claims = readable(token);
    if (claims === undefined) throw challenged(vault, unreadableToken());

    const issuer = `https://sts.windows.net/${vault.tenantId}/`;
    if (text(claims.iss).toLowerCase() !== issuer) throw challenged(vault, wrongIssuer(issuer, String(claims.iss)));
    const resource = tokenResource(vault.kind, vault.cloud);
    const audiences = [claims.aud].flat();
    if (!audiences.some((audience) => audience?.replace(/\/$/, '') === resource)) {
      throw challenged(vault, wrongAudience(resource, String(claims.aud)));
    }
    if ((verified.get(token) ?? 0) <= Date.now()) {
      try {
        await jwtVerify(token, keySet(vault.tenantId), { algorithms: ['RS256'] });
      } catch (error) {
        throw signatureRefusal(vault, error);
      }
      if (verified.size === maxVerified) verified.clear();
      if (claims.exp !== undefined) verified.set(token, claims.exp * 1000);
    }
    return { oid: text(claims.oid), appid: text(claims.appid), iss: issuer };
  };
}

function readable(token: string) {
  try {
    return decodeJwt(token);
  } catch {
    return undefined;
  }
}

function text(claim: unknown): string {
  return typeof claim === 'string' ? claim : '';
}

function signatureRefusal(vault: Vault, error: unknown): Refused {
  if (error instanceof errors.JWTExpired) return challenged(vault, expiredToken());
  if (error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout)) {
    return challenged(vault, unreadableToken());
  }
  // The fault is not the caller's: the issuer at the emulator's identityUrl does not answer.
  return new Refused({ status: 503, code: 'ServiceUnavailable', message: 'The token issuer cannot be reached.' });
}

/** Every 401 carries the challenge, from which a client reads tenant and resource. */
function challenged(vault: Vault, refusal: Refusal): Refused {
  const authority = challengeAuthority(vault.cloud, vault.tenantId);
  const resource = tokenResource(vault.kind, vault.cloud);
  return new Refused({
    ...refusal,
    headers: { 'www-authenticate': `Bearer authorization="${authority}", resource="${resource}"` },
  });
}
