/** Routes a request to its endpoint, unless a fault affects it first. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerAuthorize, answerLogout } from './authorizationCode.ts';
import { answerControl } from './control/control.ts';
import { answerInstance, answerKeys, answerMetadata, answerUserRealm } from './discovery.ts';
import type { Target } from './faults.ts';
import { type Answer, readBody, send } from './http.ts';
import { answerManagedIdentity, requestedIdentity } from './managedIdentity.ts';
import { answerTokenRequest } from './tokenEndpoint.ts';
import type { World } from './world.ts';

const TENANT_PATH =
  /^\/([^/]+)\/(oauth2(?:\/v2\.0)?\/(?:token|authorize|logout)|discovery(?:\/v2\.0)?\/keys|(?:v2\.0\/)?\.well-known\/openid-configuration)$/;
const USER_REALM = /^\/common\/userrealm\/([^/]+)$/i;

export async function answer(world: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', world.url);
  const method = request.method ?? 'GET';
  const text = await readBody(request);

  if (/^\/control(\/|$)/.test(pathname)) return send(response, await answerControl(world, method, pathname, text));
  if (pathname === '/msi/token' && method === 'GET') {
    const identity = requestedIdentity(world, query);
    const clientId = identity?.clientId ?? query.get('client_id')?.toLowerCase();
    if (await playFault(world, response, { endpoint: 'msi', clientId, tenantId: identity?.tenantId })) return;
    return send(response, await answerManagedIdentity(world, query, request.headers));
  }
  const authority = authorityOf(world, request);
  const [, user] = USER_REALM.exec(pathname) ?? [];
  if (method === 'GET' && user !== undefined) return send(response, answerUserRealm(decodeURIComponent(user)));
  if (method === 'GET' && pathname === '/common/discovery/instance') return send(response, answerInstance(authority));

  const [, tenant = '', endpoint = ''] = TENANT_PATH.exec(pathname) ?? [];
  const version = endpoint.includes('v2.0/') ? 2 : 1;
  switch (`${method} ${endpoint.replace('v2.0/', '')}`) {
    case 'POST oauth2/token': {
      const form = new URLSearchParams(text);
      const target = { clientId: form.get('client_id')?.toLowerCase(), tenantId: tenant.toLowerCase() };
      if (await playFault(world, response, { endpoint: 'token', ...target })) return;
      const tokenRequest = { tenant: tenant.toLowerCase(), version, form, authority } as const;
      return send(response, crossOrigin(request, await answerTokenRequest(world, tokenRequest)));
    }
    case 'GET oauth2/authorize':
    case 'POST oauth2/authorize':
      return send(response, answerAuthorize(world, tenant.toLowerCase(), query, new URLSearchParams(text)));
    case 'GET oauth2/logout':
      return send(response, answerLogout(world, query));
    case 'GET discovery/keys':
      return send(response, await answerKeys(world, tenant));
    case 'GET .well-known/openid-configuration':
      return send(response, answerMetadata(world, tenant, version, authority));
    default:
      return send(response, notFound(method, pathname));
  }
}

/** The origin that the client called: the public one behind a proxy with TLS, otherwise the emulator's own. */
function authorityOf({ url }: World, { headers }: IncomingMessage): string {
  return headers['x-forwarded-proto'] === 'https' ? `https://${headers.host}` : url;
}

/** A page of another origin can read the answer, as Entra has it for single-page applications. */
function crossOrigin({ headers: { origin } }: IncomingMessage, reply: Answer): Answer {
  return origin === undefined
    ? reply
    : { ...reply, headers: { ...reply.headers, 'access-control-allow-origin': origin } };
}

/** Applies the matching fault, if any. False: the request still needs its answer. */
async function playFault(world: World, response: ServerResponse, target: Target): Promise<boolean> {
  const effect = world.faults.take(target);
  switch (effect?.kind) {
    case undefined:
      return false;
    case 'answer':
      send(response, effect);
      return true;
    case 'reset':
      response.socket?.resetAndDestroy();
      return true;
    case 'hang':
      return true;
    case 'delay':
      await sleep(effect.ms, undefined, { ref: false });
      return false;
  }
}

function notFound(method: string, path: string): Answer {
  const message = `There is no route ${method} ${path}. GET /control lists the control calls.`;
  return { status: 404, body: { error: { code: 'NotFound', message } } };
}
