/**
 * The managed identity endpoint of App Service and Functions (Microsoft docs: "How to use managed identities for App
 * Service and Azure Functions", REST endpoint reference): GET with the secret header, and 400 for an identity that is
 * not assigned. Every managed identity in the directory counts as assigned to the app.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Principal } from './directory.ts';
import type { Answer } from './http.ts';
import { mintFor, type World } from './world.ts';

export async function answerManagedIdentity(
  world: World,
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
): Promise<Answer> {
  if (headers['x-identity-header'] !== world.identityHeader)
    return refusal(401, 'X-IDENTITY-HEADER is wrong or missing.');
  if (query.get('api-version') !== '2019-08-01') return refusal(400, 'The api-version is not 2019-08-01.');
  const resource = query.get('resource');
  if (!resource) return refusal(400, 'The resource is missing.');
  const identity = requestedIdentity(world, query);
  if (identity === undefined) {
    const message =
      'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.';
    return refusal(400, message);
  }

  const { token, expiresOn } = await mintFor(world, 'msi', { ...identity, audience: resource, proof: '2' });
  const { clientId: client_id } = identity;
  return {
    status: 200,
    body: { access_token: token, expires_on: String(expiresOn), resource, token_type: 'Bearer', client_id },
  };
}

/** The identity that a request names; without an id, the system-assigned one. */
export function requestedIdentity({ directory }: World, query: URLSearchParams): Principal | undefined {
  const parameter = (...names: string[]) => names.map((name) => query.get(name)?.toLowerCase()).find(Boolean);
  const clientId = parameter('client_id');
  const resourceId = parameter('mi_res_id');
  // The docs name principal_id and accept object_id; the SDK for JavaScript sends object_id.
  const objectId = parameter('principal_id', 'object_id');

  return directory.findPrincipal((candidate) => {
    if (candidate.kind === 'application' || candidate.kind === 'user') return false;
    if (clientId !== undefined) return candidate.clientId === clientId;
    if (resourceId !== undefined) return candidate.resourceId?.toLowerCase() === resourceId;
    if (objectId !== undefined) return candidate.objectId === objectId;
    return candidate.kind === 'systemAssigned';
  });
}

const refusal = (statusCode: number, message: string): Answer => ({
  status: statusCode,
  body: { statusCode, message, correlationId: randomUUID() },
});
