/** Control calls on tokens: issue, lifetime, format and clock, and faults of the endpoints. */
import type * as z from 'zod';
import { DirectoryRefusal } from '../directory.ts';
import { AudiencesBody, ClockBody, FaultBody, LifetimeBody, MintBody } from '../seeds.ts';
import { userGrant } from '../userGrants.ts';
import { mintFor, resourceOf, type World } from '../world.ts';
import { type ControlCall, gone, ok, type Params, withBody } from './call.ts';

export const issuingCalls: ControlCall[] = [
  {
    method: 'POST',
    path: '/control/token',
    does: 'Issues a token for an identity without a proof; tenant: where the application is installed; clientId: the application that a user signed in to.',
    example: ({ name, apiAudience }) => ({ identity: name, resource: apiAudience }),
    answer: withBody(MintBody, mintDirectly),
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
    does: 'Sets how many seconds new tokens are valid: of managed identities (msi), of the token endpoint (token).',
    example: () => ({ msi: 60, token: 60 }),
    answer: withBody(LifetimeBody, (world, _params, body) => {
      Object.assign(world.lifetimeSeconds, body);
      return settingsOf(world);
    }),
  },
  {
    method: 'PUT',
    path: '/control/api-audiences',
    does: 'Sets the resources whose tokens have version 2.0 and roles; all others get version 1.0.',
    example: ({ apiAudience }) => ({ audiences: [apiAudience] }),
    answer: withBody(AudiencesBody, (world, _params, { audiences }) => {
      world.apiAudiences = new Set(audiences);
      return settingsOf(world);
    }),
  },
  {
    method: 'PUT',
    path: '/control/clock',
    does: 'Sets the distance of the clock of new tokens from real time.',
    example: () => ({ offsetSeconds: 3600 }),
    answer: withBody(ClockBody, (world, _params, { offsetSeconds }) => {
      world.clockOffsetMs = offsetSeconds * 1000;
      return settingsOf(world);
    }),
  },
  {
    method: 'GET',
    path: '/control/faults',
    does: 'The faults in force, and how many requests each has affected.',
    answer: (world) => ok(world.faults.list()),
  },
  {
    method: 'POST',
    path: '/control/faults',
    does: 'Makes requests to msi or token fail: effect answer (status, body, headers), reset, hang or delay (ms).',
    example: () => ({ endpoint: 'msi', count: 2, effect: { kind: 'answer', status: 503, body: 'try later' } }),
    answer: withBody(FaultBody, (world, _params, body) => world.faults.add(body)),
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
