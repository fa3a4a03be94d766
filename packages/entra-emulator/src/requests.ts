/** Routes a request to its endpoint, unless a fault affects it first. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerControl } from './control/control.ts';
import { answerKeys, answerMetadata } from './discovery.ts';
import type { Target } from './faults.ts';
import { type Answer, readBody, send } from './http.ts';
import { answerManagedIdentity, requestedIdentity } from './managedIdentity.ts';
import { answerTokenRequest } from './tokenEndpoint.ts';
import type { World } from './world.ts';

const TENANT_PATH =
  /^\/([^/]+)\/(oauth2\/v2\.0\/token|discovery\/v2\.0\/keys|v2\.0\/\.well-known\/openid-configuration)$/;

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
  const [, tenant = '', endpoint] = TENANT_PATH.exec(pathname) ?? [];
  switch (`${method} ${endpoint}`) {
    case 'POST oauth2/v2.0/token': {
      const form = new URLSearchParams(text);
      const target = { clientId: form.get('client_id')?.toLowerCase(), tenantId: tenant.toLowerCase() };
      if (await playFault(world, response, { endpoint: 'token', ...target })) return;
      return send(response, await answerTokenRequest(world, tenant, form));
    }
    case 'GET discovery/v2.0/keys':
      return send(response, await answerKeys(world, tenant));
    case 'GET v2.0/.well-known/openid-configuration':
      return send(response, answerMetadata(world, tenant));
    default:
      return send(response, notFound(method, pathname));
  }
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
