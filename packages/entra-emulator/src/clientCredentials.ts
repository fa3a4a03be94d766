/**
 * The client credentials flow (Microsoft docs: "OAuth 2.0 client credentials flow on the Microsoft identity platform"),
 * with a client secret or an assertion that a federated credential accepts.
 */
import type { Installation, Principal } from './directory.ts';
import { EntraRefusal } from './entraErrors.ts';
import { checkAssertion } from './federation.ts';
import type { Answer } from './http.ts';
import { audienceOf, required, type TokenRequest, tokenAnswer } from './tokenRequest.ts';
import { mintFor, nowOf, type World } from './world.ts';

export async function grantClient(world: World, request: TokenRequest): Promise<Answer> {
  const tenant = world.directory.findTenant(request.tenant);
  if (tenant === undefined) throw new EntraRefusal(90002, request.tenant);
  const clientId = required(request, 'client_id').toLowerCase();
  const audience = audienceOf(request);
  const { app, installation } = installedApp(world, tenant.tenantId, clientId);
  const proof = await prove(world, app, request);
  const { objectId } = installation;
  const { roles } = app;
  const minted = await mintFor(world, 'token', {
    tenantId: tenant.tenantId,
    clientId,
    objectId,
    roles,
    audience,
    proof,
  });
  return tokenAnswer(world, request, minted, audience);
}

type Installed = { app: Principal; installation: Installation };

function installedApp({ directory }: World, tenantId: string, clientId: string): Installed {
  const isApp = (candidate: Principal) => candidate.kind === 'application' && candidate.clientId === clientId;
  const app = directory.findPrincipal(isApp);
  if (app === undefined) throw new EntraRefusal(700016, clientId, tenantId);
  const installation = directory.findInstallation(tenantId, clientId);
  if (installation === undefined) {
    const code = directory.tenant(tenantId).missingApp === 'AADSTS700016' ? 700016 : 7000229;
    throw new EntraRefusal(code, clientId, tenantId);
  }
  if (!installation.enabled) throw new EntraRefusal(7000112, clientId, app.name);
  return { app, installation };
}

async function prove(world: World, app: Principal, request: TokenRequest): Promise<'1' | '2'> {
  const secret = request.form.get('client_secret');
  if (secret !== null) {
    if (secret !== app.secret) throw new EntraRefusal(7000215, app.clientId);
    return '1';
  }
  const assertion = request.form.get('client_assertion');
  if (assertion === null) throw new EntraRefusal(7000216);
  if (required(request, 'client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') {
    throw new EntraRefusal(7000216);
  }
  await checkAssertion(assertion, world.directory.federatedCredentials(app.name), nowOf(world));
  return '2';
}
