/**
 * Who calls, and what the caller may do. The setting KEYWARD_AUTH selects one of two ways. `entra`: bearer tokens with
 * app roles, verified here. `functionKeys`: for development and small set-ups, verified by the Functions host. When the
 * setting is missing or incomplete, no caller is authenticated.
 */
import type { HttpRequest } from '@azure/functions';
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import type * as z from 'zod';
import { defined } from '../../core/base/defined.ts';
import { Refusal, Unavailable } from '../../core/base/errors.ts';
import { fold } from '../../core/base/names.ts';
import { clientOfAccessToken, isFilled } from './accessToken.ts';
import { authorityOf } from './authority.ts';
import { entraSettings, wrongAuthSettings } from './authSettings.ts';
import { type Caller, roles } from './caller.ts';
import type { Route } from './route.ts';

const anonymous = { kind: 'principal', id: 'anonymous' } as const;

/** Returns the caller. @throws Refusal AuthenticationFailed */
export async function authenticate(request: HttpRequest, route: Route): Promise<Caller> {
  // The pipeline opens the link of a customer's call (customerCall.ts).
  if (route.scope === 'public' || route.scope === 'customer') return { actor: anonymous, roles: new Set() };
  // Readiness then answers only which settings are at fault: with them wrong, no caller could ask for that.
  if (route.namesSettings && wrongAuthSettings().length > 0) return { actor: anonymous, roles: new Set([route.role]) };
  switch (process.env.KEYWARD_AUTH) {
    case 'functionKeys':
      if (route.bearerOnly)
        throw unauthenticated(
          'This service accepts function keys, but clients of Azure Media Services need bearer tokens. Its operator can set KEYWARD_AUTH to entra.',
        );
      // The host has compared the key already, because this function is registered with authLevel `function`.
      return { actor: { kind: 'functionKey', id: 'functionKey' }, roles: new Set(roles) };
    case 'entra':
      return authenticateBearer(request, route);
    default:
      throw unauthenticated(
        'KEYWARD_AUTH is neither entra nor functionKeys, so no caller is authenticated. The operator must set it. GET /api/health/ready answers without a token until then.',
      );
  }
}

/** @throws Refusal AuthorizationFailed */
export function authorize({ actor, roles: given, owners }: Caller, { scope, role }: Route): void {
  if (scope === 'public' || scope === 'customer') return;
  if (!given.has(role)) throw new Refusal('AuthorizationFailed', `The caller ${actor.id} lacks the app role ${role}.`);
  if (scope === 'operator' && owners !== undefined)
    throw new Refusal(
      'AuthorizationFailed',
      `The caller ${actor.id} is limited to the owners ${[...owners].join(', ')}, and this call is about all accounts.`,
    );
}

/** Whether the caller may see and use accounts of this owner. */
export const mayServe = ({ owners }: Pick<Caller, 'owners'>, owner: string): boolean => owners?.has(owner) ?? true;

async function authenticateBearer(request: HttpRequest, { scope }: Route): Promise<Caller> {
  const settings = entraSettings.safeParse(process.env);
  if (!settings.success)
    throw unauthenticated(
      'The settings for bearer tokens are incomplete, so no caller is authenticated. GET /api/health/ready names them, without a token.',
    );
  const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
  if (token === undefined)
    throw unauthenticated('The request has no bearer token. Send the header Authorization: Bearer <token>.');
  const claims = await verify(token, settings.data);
  const given: readonly unknown[] = Array.isArray(claims.roles) ? claims.roles : [];
  // The issuer names the tenant too, but KEYWARD_AUTH_ISSUER can be an issuer of several tenants.
  if (claims.tid !== fold(settings.data.KEYWARD_TENANT_ID)) throw unauthenticated('The token is from another tenant.');
  const id = claims.oid;
  if (!isFilled(id)) throw unauthenticated('The token names no principal (oid).');
  const application = clientOfAccessToken(claims);
  if (application === undefined)
    throw unauthenticated('The token is not an access token: it names no client (azp or appid), or is an ID token.');
  // The events route checks Event Grid's application itself.
  const { KEYWARD_AUTH_CLIENTS: clients } = settings.data;
  if (scope !== 'events' && clients !== undefined && !clients.has(fold(application)))
    throw unauthenticated(`The setting KEYWARD_AUTH_CLIENTS does not list the application ${application}.`);
  const has = new Set(roles.filter((role) => given.includes(role)));
  return { actor: { kind: 'principal', id }, roles: has, application, ...defined({ owners: ownersIn(given) }) };
}

const ownerRole = 'Owner:';

/** App roles that an operator defines and assigns. Each one limits its holder to its owner; several add up. */
function ownersIn(given: readonly unknown[]): ReadonlySet<string> | undefined {
  const owners = given.flatMap((role) =>
    typeof role === 'string' && role.startsWith(ownerRole) ? [role.slice(ownerRole.length)] : [],
  );
  return owners.length === 0 ? undefined : new Set(owners);
}

/** The challenge of a 401 (RFC 9110, 15.5.2; RFC 6750, 3; `authorization_uri` as Azure Resource Manager sends it). */
export function challengeFor(request: HttpRequest): string {
  const tenant = process.env.KEYWARD_TENANT_ID;
  const parts = [
    'realm="keyward"',
    ...(tenant === undefined ? [] : [`authorization_uri="${authorityOf(process.env, tenant)}"`]),
    ...(request.headers.has('authorization') ? ['error="invalid_token"'] : []),
  ];
  return `Bearer ${parts.join(', ')}`;
}

type KeySet = ReturnType<typeof createRemoteJWKSet>;
const keySets = new Map<string, KeySet>();

async function verify(token: string, settings: z.infer<typeof entraSettings>): Promise<JWTPayload> {
  const authority = authorityOf(process.env, settings.KEYWARD_TENANT_ID);
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
    throw new Unavailable('ServiceUnavailable', 'Keyward could not read the keys that verify tokens. Retry later.', 5);
  }
}

/**
 * Errors that say that the token is wrong. Every other failure is one of reading the keys and says nothing about the
 * caller.
 */
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

export const unauthenticated = (message: string): Refusal => new Refusal('AuthenticationFailed', message);
