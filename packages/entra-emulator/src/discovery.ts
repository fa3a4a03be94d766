/** The metadata document and the signing keys of a tenant, for verifiers of its tokens. */
import { EntraRefusal } from './entraErrors.ts';
import type { Answer } from './http.ts';
import { jwksOf } from './signing.ts';
import { nowOf, type World } from './world.ts';

export function answerMetadata(world: World, tenantId: string): Answer {
  const tenant = world.directory.findTenant(tenantId);
  if (tenant === undefined) return new EntraRefusal(90002, tenantId).answer(nowOf(world));
  const base = `${world.url}/${tenant.tenantId}`;
  return {
    status: 200,
    body: {
      issuer: `${base}/v2.0`,
      token_endpoint: `${base}/oauth2/v2.0/token`,
      jwks_uri: `${base}/discovery/v2.0/keys`,
      authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
      token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
      grant_types_supported: ['client_credentials'],
      response_types_supported: ['token'],
      subject_types_supported: ['pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
    },
  };
}

export async function answerKeys(world: World, tenantId: string): Promise<Answer> {
  const tenant = world.directory.findTenant(tenantId);
  if (tenant === undefined) return new EntraRefusal(90002, tenantId).answer(nowOf(world));
  return { status: 200, body: await jwksOf(tenant.tenantId) };
}
