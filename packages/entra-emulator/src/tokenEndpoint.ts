/**
 * `POST /{tenant}/oauth2/v2.0/token` for the client credentials flow (Microsoft docs: "OAuth 2.0 client credentials flow
 * on the Microsoft identity platform"), with a client secret or an assertion that a federated credential accepts.
 */
import type { Installation, Principal } from './directory.ts';
import { EntraRefusal } from './entraErrors.ts';
import { checkAssertion } from './federation.ts';
import type { Answer } from './http.ts';
import { mintFor, nowOf, resourceOf, type World } from './world.ts';

export async function answerTokenRequest(world: World, tenantId: string, form: URLSearchParams): Promise<Answer> {
  try {
    return await grant(world, tenantId, form);
  } catch (error) {
    if (error instanceof EntraRefusal) return error.answer(nowOf(world));
    throw error;
  }
}

async function grant(world: World, tenantId: string, form: URLSearchParams): Promise<Answer> {
  const tenant = world.directory.findTenant(tenantId);
  if (tenant === undefined) throw new EntraRefusal(90002, tenantId);
  const grantType = required(form, 'grant_type');
  if (grantType !== 'client_credentials') throw new EntraRefusal(70003, grantType);
  const clientId = required(form, 'client_id').toLowerCase();
  const scope = required(form, 'scope');
  if (!scope.endsWith('/.default') || scope.includes(' ')) throw new EntraRefusal(1002012, scope);

  const { app, installation } = installedApp(world, tenant.tenantId, clientId);
  const proof = await prove(world, app, form);
  const { objectId } = installation;
  const { roles } = app;
  const audience = resourceOf(scope);
  const granted = { tenantId: tenant.tenantId, clientId, objectId, roles, audience, proof };
  const { token, lifetimeSeconds } = await mintFor(world, 'token', granted);
  return {
    status: 200,
    body: {
      token_type: 'Bearer',
      expires_in: lifetimeSeconds,
      ext_expires_in: lifetimeSeconds,
      access_token: token,
    },
  };
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

async function prove(world: World, app: Principal, form: URLSearchParams): Promise<'1' | '2'> {
  const secret = form.get('client_secret');
  if (secret !== null) {
    if (secret !== app.secret) throw new EntraRefusal(7000215, app.clientId);
    return '1';
  }
  const assertion = form.get('client_assertion');
  if (assertion === null) throw new EntraRefusal(7000216);
  if (required(form, 'client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') {
    throw new EntraRefusal(7000216);
  }
  await checkAssertion(assertion, world.directory.federatedCredentials(app.name), nowOf(world));
  return '2';
}

function required(form: URLSearchParams, parameter: string): string {
  const value = form.get(parameter);
  if (!value) throw new EntraRefusal(900144, parameter);
  return value;
}
