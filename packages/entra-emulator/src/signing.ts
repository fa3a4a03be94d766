/**
 * Signing keys. Each tenant has a key id of its own, so that the JWKS of one tenant does not verify another's tokens.
 */
import { createHash } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

// One RSA pair for the whole process, because generating one takes up to 100 ms and verifiers select by key id.
let pair: Promise<{ publicKey: CryptoKey; privateKey: CryptoKey }> | undefined;

function keys() {
  pair ??= generateKeyPair('RS256', { modulusLength: 2048 });
  return pair;
}

export const kidOf = (tenantId: string) => createHash('sha256').update(tenantId).digest('base64url').slice(0, 27);

export async function jwksOf(tenantId: string): Promise<{ keys: JWK[] }> {
  const jwk = await exportJWK((await keys()).publicKey);
  return { keys: [{ ...jwk, kid: kidOf(tenantId), use: 'sig', alg: 'RS256' }] };
}

export async function sign(tenantId: string, claims: JWTPayload): Promise<string> {
  const header = { alg: 'RS256', typ: 'JWT', kid: kidOf(tenantId) };
  return new SignJWT(claims).setProtectedHeader(header).sign((await keys()).privateKey);
}

export const publicKey = async () => (await keys()).publicKey;
