/** `GET /api/customer/plan`: how to connect a key, with the ids of this service. */
import type { HttpRequest } from '@azure/functions';
import * as z from 'zod';
import { Refusal } from '../../../core/base/errors.ts';
import { identityParts } from '../../../core/customerKey/binding.ts';
import { connectionPlan } from '../../../core/customerPage/connectionPlan.ts';
import { identityFor, regionFor } from '../../../core/customerPage/ownKeys.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { guid } from '../../pipeline/contractParts.ts';
import type { Route } from '../../pipeline/route.ts';
import { keyIn } from '../overview/overviewParams.ts';
import { customer, linkOf } from './customerCall.ts';

const locationIn = ({ query }: HttpRequest): string | undefined => query.get('location')?.trim() || undefined;

const handler: RouteHandler = async (call) => {
  const { request, service } = call;
  const link = linkOf(call);
  const key = keyIn(request, 'keyIdentifier', service.cloud);
  if (key === undefined)
    throw new Refusal('InvalidParameter', 'Add ?keyIdentifier=, the identifier that the key has or will have.', {
      target: 'keyIdentifier',
    });
  await service.overview.settled();
  const { identity, calledAs } = await identityFor(key, link, service);
  const region = await regionFor(locationIn(request), link.owner, service);
  const principalId = calledAs?.principalId ?? principalOf(identity, service);
  if (principalId === undefined && !('federatedIdentityClientId' in identity))
    throw new Refusal(
      'NotFound',
      'This service does not know the object id of its identity. Its operator sets KEYWARD_IDENTITY_PRINCIPAL_ID or KEYWARD_USER_ASSIGNED_IDENTITIES.',
    );
  const facts = { key, cloud: service.cloud, region, identity };
  return { status: 200, jsonBody: connectionPlan(principalId === undefined ? facts : { ...facts, principalId }) };
};

/** The settings name the app's own identities. */
const principalOf = (
  identity: Parameters<typeof identityParts>[0],
  { ownIdentities }: Parameters<RouteHandler>[0]['service'],
): string | undefined => {
  const parts = identityParts(identity).join(' ');
  return ownIdentities.find((own) => identityParts(own.identity).join(' ') === parts)?.principal?.principalId;
};

const template = z.strictObject({ file: z.string(), text: z.string(), apply: z.string() });
const answer = z
  .strictObject({
    keyIdentifier: z.string(),
    region: z.string(),
    requirements: z.string().meta({ description: 'What the vault must have.' }),
    role: z.string(),
    scope: z.string().meta({ description: 'The role is given on this one key.' }),
    principalId: guid
      .optional()
      .meta({ description: 'Absent across tenants until this service has called the vault.' }),
    application: z.strictObject({ clientId: guid, tenantId: guid, consentAddress: z.string() }).optional().meta({
      description: 'Across tenants: what the customer installs, and the page where an administrator consents.',
    }),
    az: z.array(z.strictObject({ what: z.string(), commands: z.array(z.string()) })),
    bicep: template.optional().meta({ description: 'Absent for a Managed HSM, which has roles of its own.' }),
    terraform: template,
  })
  .meta({
    id: 'ConnectionPlan',
    description: 'The same for the Azure CLI, Bicep and Terraform.',
    examples: [
      connectionPlan({
        key: { vaultHost: 'contoso-keys.vault.azure.net', vaultName: 'contoso-keys', keyName: 'media' },
        cloud: 'public',
        region: 'westeurope',
        identity: { useSystemAssignedIdentity: true },
        principalId: '3c1f8f0e-2d4b-4c6a-9f7e-1a2b3c4d5e6f',
      }),
    ],
  });

export const customerPlanRoute: Route = {
  ...customer,
  name: 'customerPlan',
  method: 'GET',
  path: 'customer/plan',
  handler,
  contract: {
    summary: 'How to connect a key, with the ids of this service',
    query: {
      keyIdentifier: z.string().meta({
        description: 'The identifier that the key has or will have.',
        examples: ['https://contoso-keys.vault.azure.net/keys/media'],
      }),
      location: z
        .string()
        .optional()
        .meta({
          description: "The region of the account. Absent: that of the owner's accounts.",
          examples: ['westeurope'],
        }),
    },
    answers: { 200: answer },
  },
};
