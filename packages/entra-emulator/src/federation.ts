/**
 * Federated identity credentials: the tokens that an application accepts as its proof (Microsoft docs: "Workload
 * identity federation", "Important considerations and restrictions"). Issuer, subject and audience match exactly, case
 * included. The emulator verifies only its own tokens, which covers a managed identity that acts as an application.
 */
import { decodeJwt, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { entraIssuer, type FederatedCredential } from './directory.ts';
import { EntraRefusal } from './entraErrors.ts';
import { kidOf, publicKey } from './signing.ts';

export async function checkAssertion(assertion: string, accepted: FederatedCredential[], now: number): Promise<void> {
  const { kid, claims } = readAssertion(assertion);
  const credential = matching(claims, accepted);
  const isOwnToken = kid === kidOf(String(claims.tid)) && credential.issuer === entraIssuer(String(claims.tid));
  if (!isOwnToken) throw new EntraRefusal(700027);
  try {
    await jwtVerify(assertion, await publicKey(), { algorithms: ['RS256'], currentDate: new Date(now) });
  } catch (error) {
    const isOutOfTime = error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed;
    throw new EntraRefusal(isOutOfTime ? 700024 : 700027);
  }
}

function readAssertion(assertion: string): { kid: string | undefined; claims: JWTPayload } {
  try {
    return { kid: decodeProtectedHeader(assertion).kid, claims: decodeJwt(assertion) };
  } catch {
    throw new EntraRefusal(50027);
  }
}

function matching(claims: JWTPayload, accepted: FederatedCredential[]): FederatedCredential {
  const { iss = '', sub = '' } = claims;
  const audience = String(claims.aud);
  const ofIssuer = accepted.filter(({ issuer }) => issuer === iss);
  if (ofIssuer.length === 0) throw new EntraRefusal(700211, iss);
  const ofSubject = ofIssuer.filter(({ subject }) => subject === sub);
  if (ofSubject.length === 0) throw new EntraRefusal(700213, sub);
  const fitting = ofSubject.find(({ audiences }) => audiences.includes(audience));
  if (fitting === undefined) throw new EntraRefusal(700212, audience);
  return fitting;
}
