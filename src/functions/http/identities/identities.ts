/**
 * `GET /api/operator/identities`: the principals that Keyward calls vaults as, and the owners whose vaults deny them.
 * `POST /api/operator/identities/confirmDenials`: those denials are the customers' own, and count from now on.
 */

import * as z from 'zod';
import { defined } from '../../../core/base/defined.ts';
import { iso, optionalIso } from '../../../core/base/time.ts';
import { confirmDenials, type OwnIdentity, ownIdentities } from '../../../core/vaultWork/ownIdentity.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { identity as identityShape, owner, time } from '../../pipeline/contractParts.ts';
import { orAbsent } from '../../pipeline/lenientInput.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';
import { identity, identityOf } from '../accounts/identityInput.ts';

const example = {
  identity: {
    useSystemAssignedIdentity: true as const,
    principalId: '3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f',
    clientId: '8f0e3c1f-2d4b-4c6a-9f7e-1a2b3c4d5e6f',
  },
  isHeldBack: false,
  denials: [{ owner: 'contoso', since: '2026-11-23T19:41:00.000Z' }],
};

const identityState = z
  .strictObject({
    identity: identityShape,
    isHeldBack: z.boolean().meta({ description: "Denials of several owners began together: Keyward's own fault." }),
    denials: z.array(z.strictObject({ owner, since: time })).meta({
      description: 'Owners whose vaults denied another principal than the granted one, or one that nothing names.',
    }),
    announcedAt: time.optional(),
    confirmedAt: time.optional().meta({ description: 'An operator said that the denials up to then count.' }),
  })
  .meta({ id: 'OwnIdentity', examples: [example] });

const answer = z
  .strictObject({ value: z.array(identityState) })
  .meta({ id: 'OwnIdentityList', examples: [{ value: [example] }] });

const confirmation = z
  .strictObject({ identity: orAbsent(identity) })
  .meta({ id: 'DenialConfirmation', examples: [{}, { identity: { useSystemAssignedIdentity: true } }] });

function render(own: OwnIdentity): z.infer<typeof identityState> {
  const { identity: named, principalId, clientId, denials = [], announced, confirmedAt, isHeldBack } = own;
  return {
    identity: { ...named, ...defined({ principalId }), ...(clientId && { clientId }) },
    isHeldBack,
    denials: denials.map(({ owner, since }) => ({ owner, since: iso(since) })),
    ...defined({ announcedAt: optionalIso(announced?.at), confirmedAt: optionalIso(confirmedAt) }),
  };
}

const list: RouteHandler = async ({ service }) => ({
  status: 200,
  jsonBody: { value: (await ownIdentities(service)).map(render) },
});

const confirm: RouteHandler = async ({ request, actor, service }) => {
  const body = parsed(confirmation, await readJson(request));
  await confirmDenials(identityOf(body.identity, 'identity'), actor, service);
  return { status: 200, jsonBody: { value: (await ownIdentities(service)).map(render) } };
};

export const identityRoutes: readonly Route[] = [
  {
    name: 'operatorIdentities',
    method: 'GET',
    path: 'operator/identities',
    scope: 'operator',
    role: 'Keys.Operate',
    handler: list,
    contract: { summary: 'The principals that vaults are called as, and who denies them', answers: { 200: answer } },
  },
  {
    name: 'operatorConfirmDenials',
    method: 'POST',
    path: 'operator/identities/confirmDenials',
    scope: 'operator',
    role: 'Keys.Operate',
    handler: confirm,
    contract: {
      summary: "Says that denials which are held back are the customers' own",
      body: confirmation,
      answers: { 200: answer },
    },
  },
];
