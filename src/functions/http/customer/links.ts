/** The operator's calls on links for a customer's security officer. */
import type { HttpRequest } from '@azure/functions';
import * as z from 'zod';
import { isGuid, parseOwner } from '../../../core/base/names.ts';
import { iso } from '../../../core/base/time.ts';
import { createLink, maxLinkHours, revokeLink } from '../../../core/customerPage/customerLink.ts';
import type { CustomerLink } from '../../../core/customerPage/ports.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { guid, owner, time } from '../../pipeline/contractParts.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import { absoluteUrl } from '../../pipeline/links.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';
import { identity, identityOf } from '../accounts/identityInput.ts';

const defaultHours = 24;

const input = { hours: orAbsent(z.int().min(1).max(maxLinkHours)), identity: orAbsent(identity) };
const body = z.strictObject(input).meta({
  id: 'CustomerLinkInput',
  description: `hours: how long the link works, ${maxLinkHours} at most. Absent: ${defaultHours}. identity: the one through which the customer's first key will be used, as in an account.`,
  examples: [{}, { hours: 48 }],
});

const link = {
  id: guid,
  owner,
  createdAt: time,
  expiresAt: time,
  createdBy: z.string().meta({ description: 'The object id of the caller that created the link.' }),
};
const example = {
  id: '0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff',
  owner: 'contoso',
  createdAt: '2026-11-23T19:40:00.000Z',
  expiresAt: '2026-11-24T19:40:00.000Z',
  createdBy: '55555555-5555-4555-8555-555555555551',
};
const created = z
  .strictObject({
    ...link,
    address: z.string().meta({
      description: 'Send it to the customer. The text after # is the bearer token of the calls below /api/customer.',
    }),
  })
  .meta({
    id: 'CreatedCustomerLink',
    examples: [{ ...example, address: 'https://keyward.example/console/customer#…' }],
  });
const list = z
  .strictObject({ value: z.array(z.strictObject(link)) })
  .meta({ id: 'CustomerLinkList', description: 'Links that work now.', examples: [{ value: [example] }] });

const render = ({ id, owner, createdAt, expiresAt, createdBy }: CustomerLink) => ({
  id,
  owner,
  createdAt: iso(createdAt),
  expiresAt: iso(expiresAt),
  createdBy: createdBy.id,
});

const ownerIn = ({ params }: HttpRequest): string => parseOwner(params.owner ?? '');

const create: RouteHandler = async ({ request, actor, service }) => {
  const owner = ownerIn(request);
  const { hours = defaultHours, identity: named } = parsed(body, await readJson(request));
  const through = named === undefined ? undefined : identityOf(named, 'identity');
  const { link: made, token } = await createLink(owner, hours, actor, service, through);
  const address = absoluteUrl(request, `/console/customer#${token}`);
  return { status: 201, headers: { 'Cache-Control': 'no-store' }, jsonBody: { ...render(made), address } };
};

const listLinks: RouteHandler = async ({ request, service }) => {
  const now = service.clock.now();
  const links = await service.customerLinks.list(ownerIn(request));
  return { status: 200, jsonBody: { value: links.filter(({ expiresAt }) => expiresAt > now).map(render) } };
};

const revoke: RouteHandler = async ({ request, actor, service }) => {
  const id = request.params.linkId ?? '';
  const existed = isGuid(id) && (await revokeLink(ownerIn(request), id, actor, service));
  return { status: existed ? 200 : 204 };
};

const ownerInPath = owner.meta({ examples: ['contoso'] });
const links = { path: 'operator/owners/{owner}/links', scope: 'operator', role: 'Links.Create' } as const;

export const customerLinkRoutes: readonly Route[] = [
  {
    ...links,
    name: 'operatorLinksCreate',
    method: 'POST',
    handler: create,
    contract: {
      summary: 'Creates a link that shows a customer its own keys',
      params: { owner: ownerInPath },
      body,
      answers: { 201: created },
      headers: { 201: ['Cache-Control'] },
    },
  },
  {
    ...links,
    name: 'operatorLinksList',
    method: 'GET',
    handler: listLinks,
    contract: {
      summary: "Lists an owner's links that work now",
      params: { owner: ownerInPath },
      answers: { 200: list },
    },
  },
  {
    ...links,
    name: 'operatorLinksRevoke',
    method: 'DELETE',
    path: `${links.path}/{linkId}`,
    handler: revoke,
    contract: {
      summary: 'Revokes a link at once',
      params: { owner: ownerInPath, linkId: guid.meta({ examples: ['0f1e2d3c-4b5a-4978-8695-a4b3c2d1e0ff'] }) },
      answers: { 200: undefined, 204: undefined },
    },
  },
];
