/**
 * Who calls, and whether they may. Two ways, chosen by the setting KEYWARD_AUTH: `entra`, bearer tokens with app roles, verified
 * here; `functionKeys`, for development and small set-ups, verified by the Functions host. Anything missing or half configured
 * lets nobody in.
 */
import type { HttpRequest } from '@azure/functions';
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import * as z from 'zod';
import type { Actor } from '../../core/audit/auditEntry.ts';
import { Refusal, Unavailable } from '../../core/base/errors.ts';
import { type Role, type Route, roles } from './route.ts';

const entraSettings = z.object({
  KEYWARD_TENANT_ID: z.guid(),
  /**
   * What tokens must be meant for; several are separated by spaces. Of version 2.0 the client id of the application, of version 1.0 the
   * application id URI that the caller asked for (Microsoft docs, "Access token claims reference", `aud`).
   */
  KEYWARD_AUTH_AUDIENCE: z
    .string()
    .transform((text) => text.split(' ').filter(Boolean))
    .refine((audiences) => audiences.length > 0),
  /**
   * Default: Microsoft Entra ID's for the tenant, of version 2.0 tokens. An application whose manifest does not ask for those
   * (`requestedAccessTokenVersion`: 2) gets version 1.0, with the issuer https://sts.windows.net/<tenant>/.
   */
  KEYWARD_AUTH_ISSUER: z.url().optional(),
  KEYWARD_AUTH_JWKS_URL: signingKeysUrl().optional(),
});

/** Keys that come over an open line could be anybody's: https, but for the local issuer of a development machine. */
function signingKeysUrl() {
  return z
    .url()
    .refine(
      (url) => url.startsWith('https://') || process.env.AZURE_FUNCTIONS_ENVIRONMENT === 'Development',
      'https only',
    );
}

/** Who calls, and which roles they have: a call can need one more than its route names, for what it asks for. */
export interface Caller {
  readonly actor: Actor;
  readonly roles: ReadonlySet<Role>;
  /** The client id of the application that the token was issued to. Absent: a function key. */
  readonly application?: string;
}

/** Who calls. @throws Refusal AuthenticationFailed */
export async function authenticate(request: HttpRequest, route: Route): Promise<Caller> {
  if (route.scope === 'public') return { actor: { kind: 'principal', id: 'anonymous' }, roles: new Set() };
  switch (process.env.KEYWARD_AUTH) {
    case 'functionKeys':
      if (route.bearerOnly)
        throw unauthenticated(
          'Clients of Azure Media Services are let in by bearer tokens only, and this service is set to function keys: its operator sets KEYWARD_AUTH to entra.',
        );
      // The host has compared the key already: this function is registered with authLevel `function`.
      return { actor: { kind: 'functionKey', id: 'functionKey' }, roles: new Set(roles) };
    case 'entra':
      return authenticateBearer(request);
    default:
      throw unauthenticated('KEYWARD_AUTH is neither entra nor functionKeys: nobody is let in.');
  }
}

/** Whether they may. @throws Refusal AuthorizationFailed */
export function authorize({ actor, roles: given }: Caller, { scope, role }: Route): void {
  if (scope !== 'public' && !given.has(role))
    throw new Refusal('AuthorizationFailed', `The caller ${actor.id} lacks the app role ${role}.`);
}

async function authenticateBearer(request: HttpRequest): Promise<Caller> {
  const settings = entraSettings.safeParse(process.env);
  if (!settings.success) throw unauthenticated('The settings for bearer tokens are incomplete: nobody is let in.');
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
  if (token === undefined) throw unauthenticated('A bearer token is needed: Authorization: Bearer <token>.');
  const claims = await verify(token, settings.data);
  const given: readonly unknown[] = Array.isArray(claims.roles) ? claims.roles : [];
  // The issuer names the tenant too, but KEYWARD_AUTH_ISSUER can be one that speaks for several.
  if (claims.tid !== settings.data.KEYWARD_TENANT_ID.toLowerCase())
    throw unauthenticated('The token is of another tenant.');
  const id = claims.oid;
  if (typeof id !== 'string') throw unauthenticated('The token names no principal (oid).');
  const application = String(claims.azp ?? claims.appid ?? '');
  const has = new Set(roles.filter((role) => given.includes(role)));
  return { actor: { kind: 'principal', id }, roles: has, application };
}

type KeySet = ReturnType<typeof createRemoteJWKSet>;
const keySets = new Map<string, KeySet>();

async function verify(token: string, settings: z.infer<typeof entraSettings>): Promise<JWTPayload> {
  const authority = `https://login.microsoftonline.com/${settings.KEYWARD_TENANT_ID}`;
  const url = settings.KEYWARD_AUTH_JWKS_URL ?? `${authority}/discovery/v2.0/keys`;
  const keys = keySets.get(url) ?? createRemoteJWKSet(new URL(url));
  keySets.set(url, keys);
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: settings.KEYWARD_AUTH_ISSUER ?? `${authority}/v2.0`,
      audience: settings.KEYWARD_AUTH_AUDIENCE,
      algorithms: ['RS256'],
      clockTolerance: 60,
      requiredClaims: ['exp'],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError && tokenFaults.has(error.code))
      throw unauthenticated(`The token is not valid: ${error.code}.`);
    throw new Unavailable('ServiceUnavailable', 'The keys that tokens are verified with could not be read.', 5);
  }
}

/** What is wrong with a token; any other failure is one of reading the keys, and says nothing about the caller. */
const tokenFaults: ReadonlySet<string> = new Set([
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_EXPIRED',
  'ERR_JWT_INVALID',
  'ERR_JWS_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWKS_NO_MATCHING_KEY',
  'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
]);

const unauthenticated = (message: string): Refusal => new Refusal('AuthenticationFailed', message);
