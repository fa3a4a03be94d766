/** A request to a token endpoint: the form, and what differs between the endpoints of version 1.0 and 2.0. */
import { EntraRefusal } from './entraErrors.ts';
import type { Answer } from './http.ts';
import type { Minted } from './tokens.ts';
import { nowOf, resourceOf, type World } from './world.ts';

export type TokenRequest = {
  /** A tenant's id, or `common` or `organizations` for users. */
  tenant: string;
  version: 1 | 2;
  form: URLSearchParams;
  /** The issuer in ID tokens, which names the host that the client called. */
  authority: string;
};

/** @throws EntraRefusal AADSTS900144 */
export function required({ form }: TokenRequest, parameter: string): string {
  const value = form.get(parameter);
  if (!value) throw new EntraRefusal(900144, parameter);
  return value;
}

const openIdScopes = new Set(['openid', 'profile', 'email', 'offline_access']);

/** Version 1.0 names the resource, version 2.0 a scope of it. @throws EntraRefusal */
export function audienceOf(request: TokenRequest): string {
  if (request.version === 1) return required(request, 'resource');
  const scopes = required(request, 'scope')
    .split(' ')
    .filter((scope) => scope !== '' && !openIdScopes.has(scope));
  const [scope = ''] = scopes;
  if (request.form.get('grant_type') === 'client_credentials') {
    if (scopes.length !== 1 || !scope.endsWith('/.default')) throw new EntraRefusal(1002012, scopes.join(' '));
    return resourceOf(scope);
  }
  // Delegated permissions: the name after the last slash belongs to the resource before it.
  return scope.endsWith('/.default') ? resourceOf(scope) : scope.replace(/\/[^/]+$/, '');
}

/** The answer of either version. Version 1.0 has its numbers as text, with the resource and the time of expiry. */
export function tokenAnswer(
  world: World,
  request: TokenRequest,
  { token, lifetimeSeconds, expiresOn }: Minted,
  audience: string,
  more: Record<string, unknown> = {},
): Answer {
  const common = { token_type: 'Bearer', access_token: token, ...more };
  const lifetime = { expires_in: lifetimeSeconds, ext_expires_in: lifetimeSeconds };
  if (request.version === 2) return { status: 200, body: { ...common, ...lifetime } };
  const times = { expires_on: String(expiresOn), not_before: String(Math.floor(nowOf(world) / 1000)) };
  const asText = { expires_in: String(lifetimeSeconds), ext_expires_in: String(lifetimeSeconds) };
  return { status: 200, body: { ...common, ...asText, ...times, resource: audience } };
}
