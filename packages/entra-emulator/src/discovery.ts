/**
 * What clients and verifiers discover: the metadata documents and signing keys of a tenant, the cloud's hosts, and the
 * realm of a user. Addresses name the host that the client called, so that a client behind a proxy stays on it.
 */
import { EntraRefusal } from './entraErrors.ts';
import type { Answer } from './http.ts';
import { jwksOf } from './signing.ts';
import { nowOf, type World } from './world.ts';

/** Tenants in a path that mean any tenant, for clients that do not know the user's. */
const anyTenant = new Set(['common', 'organizations']);

function tenantOr404(world: World, tenant: string): string | Answer {
  if (anyTenant.has(tenant.toLowerCase())) return tenant.toLowerCase();
  return world.directory.findTenant(tenant)?.tenantId ?? new EntraRefusal(90002, tenant).answer(nowOf(world));
}

export function answerMetadata(world: World, tenant: string, version: 1 | 2, authority: string): Answer {
  const found = tenantOr404(world, tenant);
  if (typeof found !== 'string') return found;
  const base = `${authority}/${found}`;
  const v2 = version === 2 ? '/v2.0' : '';
  // The documents of `common` have a placeholder for the tenant.
  const issuer = anyTenant.has(found) ? `${authority}/{tenantid}${v2}` : `${base}${v2}`;
  return {
    status: 200,
    body: {
      issuer: version === 2 ? issuer : `https://sts.windows.net/${found}/`,
      token_endpoint: `${base}/oauth2${v2}/token`,
      jwks_uri: `${base}/discovery${v2}/keys`,
      authorization_endpoint: `${base}/oauth2${v2}/authorize`,
      end_session_endpoint: `${base}/oauth2${v2}/logout`,
      device_authorization_endpoint: `${base}/oauth2${v2}/devicecode`,
      token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
      grant_types_supported: ['authorization_code', 'client_credentials', 'password', 'refresh_token'],
      code_challenge_methods_supported: ['S256'],
      response_types_supported: ['code'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
    },
  };
}

export async function answerKeys(world: World, tenant: string): Promise<Answer> {
  const found = tenantOr404(world, tenant);
  if (typeof found !== 'string') return found;
  const tenantIds = anyTenant.has(found) ? world.directory.tenants().map(({ tenantId }) => tenantId) : [found];
  const sets = await Promise.all(tenantIds.map(jwksOf));
  return { status: 200, body: { keys: sets.flatMap(({ keys }) => keys) } };
}

/** `GET /common/discovery/instance`: one cloud, whose only host is the one that the client called. */
export function answerInstance(authority: string): Answer {
  const { host } = new URL(authority);
  return {
    status: 200,
    body: {
      tenant_discovery_endpoint: `${authority}/common/v2.0/.well-known/openid-configuration`,
      'api-version': '1.1',
      metadata: [{ preferred_network: host, preferred_cache: host, aliases: [host] }],
    },
  };
}

/** `GET /common/userrealm/{user}`: every user is managed, none is federated with another directory. */
export function answerUserRealm(user: string): Answer {
  const [, domain = ''] = user.split('@');
  return {
    status: 200,
    body: { ver: '1.0', account_type: 'Managed', domain_name: domain, cloud_instance_name: 'microsoftonline.com' },
  };
}
