/** Control calls on what is issued: tokens, their lifetime, format and clock, and faults of the endpoints. */
import type * as z from 'zod';
import { DirectoryRefusal } from '../directory.ts';
import { AudiencesBody, ClockBody, FaultBody, LifetimeBody, MintBody } from '../seeds.ts';
import { userGrant } from '../users.ts';
import { mintFor, resourceOf, type World } from '../world.ts';
import { type ControlCall, gone, ok, type Params, taking } from './call.ts';

export const issuingCalls: ControlCall[] = [
  {
    method: 'POST',
    path: '/control/token',
    does: 'Mints a token for an identity without asking it to prove anything; tenant: where the app is installed.',
    example: ({ name, apiAudience }) => ({ identity: name, resource: apiAudience }),
    answer: taking(MintBody, mintDirectly),
  },
  {
    method: 'GET',
    path: '/control/settings',
    does: 'Lifetimes, audiences, clock.',
    answer: (world) => ok(settingsOf(world)),
  },
  {
    method: 'PUT',
    path: '/control/lifetime',
    does: 'Seconds that new tokens live: of managed identities (msi), of the token endpoint (token).',
    example: () => ({ msi: 60, token: 60 }),
    answer: taking(LifetimeBody, (world, _params, body) => {
      Object.assign(world.lifetimeSeconds, body);
      return settingsOf(world);
    }),
  },
  {
    method: 'PUT',
    path: '/control/api-audiences',
    does: 'The resources whose tokens are of version 2.0 and carry roles; all others get version 1.0.',
    example: ({ apiAudience }) => ({ audiences: [apiAudience] }),
    answer: taking(AudiencesBody, (world, _params, { audiences }) => {
      world.apiAudiences = new Set(audiences);
      return settingsOf(world);
    }),
  },
  {
    method: 'PUT',
    path: '/control/clock',
    does: 'Sets the clock of new tokens apart from real time.',
    example: () => ({ offsetSeconds: 3600 }),
    answer: taking(ClockBody, (world, _params, { offsetSeconds }) => {
      world.clockOffsetMs = offsetSeconds * 1000;
      return settingsOf(world);
    }),
  },
  {
    method: 'GET',
    path: '/control/faults',
    does: 'Faults that are still to come, and how often each has hit.',
    answer: (world) => ok(world.faults.list()),
  },
  {
    method: 'POST',
    path: '/control/faults',
    does: 'Makes requests to msi or token fail: effect answer (status, body, headers), reset, hang or delay (ms).',
    example: () => ({ endpoint: 'msi', count: 2, effect: { kind: 'answer', status: 503, body: 'try later' } }),
    answer: taking(FaultBody, (world, _params, body) => world.faults.add(body)),
  },
  {
    method: 'DELETE',
    path: '/control/faults',
    does: 'Ends all faults.',
    answer: (world) => {
      world.faults.clear();
      return gone;
    },
  },
  {
    method: 'DELETE',
    path: '/control/faults/:id',
    does: 'Ends one fault.',
    answer: (world, params) => {
      if (!world.faults.remove(Number(params.id)))
        throw new DirectoryRefusal('NotFound', 'id', `no fault ${params.id}`);
      return gone;
    },
  },
];

async function mintDirectly(world: World, _params: Params, body: z.output<typeof MintBody>) {
  const { identity, resource, tenant } = body;
  const principal = world.directory.principal(identity);
  const tenantId = tenant ?? principal.tenantId;
  const audience = resourceOf(resource);
  const isApp = principal.kind === 'application';
  const here = isApp ? world.directory.findInstallation(tenantId, principal.clientId) : principal;
  if (here === undefined || here.tenantId !== tenantId) {
    throw new DirectoryRefusal('BadRequest', 'tenant', `${identity} is not in the tenant ${tenantId}`);
  }
  const { objectId } = here;
  const granted =
    principal.kind === 'user'
      ? userGrant(principal, audience, body.clientId)
      : { ...principal, tenantId, objectId, audience, proof: '2' as const };
  const isManaged = principal.kind === 'systemAssigned' || principal.kind === 'userAssigned';
  const { token, expiresOn } = await mintFor(world, isManaged ? 'msi' : 'token', granted);
  return { access_token: token, token_type: 'Bearer', expires_on: expiresOn, resource: audience, tenantId, objectId };
}

function settingsOf({ lifetimeSeconds, apiAudiences, clockOffsetMs }: World) {
  return { lifetimeSeconds, apiAudiences: [...apiAudiences], clockOffsetSeconds: clockOffsetMs / 1000 };
}
