/**
 * `/api/operator/claims?kind=&value=`: GET returns the owner that holds a vault, tenant or identity; DELETE releases
 * the claim.
 */
import type { HttpRequest } from '@azure/functions';
import * as z from 'zod';
import { Refusal } from '../../../core/base/errors.ts';
import { fold } from '../../../core/base/names.ts';
import { iso } from '../../../core/base/time.ts';
import type { Claim, ClaimKind } from '../../../core/customerKey/ports.ts';
import { type ClaimName, getClaim, releaseClaim } from '../../../core/vaultWork/releaseClaim.ts';
import type { AuditedRefusal, RouteHandler } from '../../pipeline/call.ts';
import { owner } from '../../pipeline/contractParts.ts';
import { anyCase } from '../../pipeline/lenientInput.ts';
import type { Contract, Route } from '../../pipeline/route.ts';

const kinds = ['vault', 'tenant', 'userAssignedIdentity'] as const satisfies readonly ClaimKind[];
const query = {
  kind: z.enum(kinds).meta({ examples: ['vault'] }),
  value: z
    .string()
    .min(1)
    .max(500)
    .meta({ examples: ['contoso-keys.vault.azure.net'] }),
};

/** A host, a GUID, or a resource id. */
const valuePattern = /^[\w./() -]+$/;

const answer = z.strictObject({ ...query, owner, claimedAt: z.iso.datetime() }).meta({
  id: 'Claim',
  examples: [
    {
      kind: 'vault',
      value: 'contoso-keys.vault.azure.net',
      owner: 'contoso',
      claimedAt: '2026-11-23T19:41:00.000Z',
    },
  ],
});
const render = ({ kind, value, owner, at }: Claim): z.infer<typeof answer> => ({
  kind,
  value,
  owner,
  claimedAt: iso(at),
});

/** @throws Refusal InvalidParameter */
function nameIn(request: HttpRequest): ClaimName {
  const kind = anyCase(kinds).safeParse(request.query.get('kind'));
  if (!kind.success)
    throw new Refusal('InvalidParameter', `kind must be one of ${kinds.join(', ')}.`, { target: 'kind' });
  const value = query.value.safeParse(request.query.get('value'));
  if (!value.success)
    throw new Refusal(
      'InvalidParameter',
      'value must be the host of a vault, a tenant id, or the resource id of an identity.',
      {
        target: 'value',
      },
    );
  return { kind: kind.data, value: value.data };
}

const getRoute: RouteHandler = async ({ request, service }) => ({
  status: 200,
  jsonBody: render(await getClaim(nameIn(request), service)),
});

const releaseRoute: RouteHandler = async ({ request, actor, service }) => ({
  status: 200,
  jsonBody: render(await releaseClaim(nameIn(request), actor, service)),
});

/** Audits a refusal to release a claim: an account needs the claim, or the caller lacks the role. */
const releaseRefusal: AuditedRefusal = async ({ code }, request) => {
  if (code !== 'AuthorizationFailed' && code !== 'Conflict') return undefined;
  const { kind, value } = nameIn(request);
  // The audit holds only text that can be the value of a claim.
  if (!valuePattern.test(value)) return undefined;
  return { asked: 'ReleaseClaim', claim: `${kind}/${fold(value)}` };
};

const contract = (summary: string): Contract => ({ summary, query, answers: { 200: answer } });
const claims = { path: 'operator/claims', scope: 'operator' } as const;

export const claimRoutes: readonly Route[] = [
  {
    name: 'operatorClaimsGet',
    method: 'GET',
    ...claims,
    role: 'Keys.Operate',
    handler: getRoute,
    contract: contract('Returns the owner that holds a vault, tenant or identity'),
  },
  {
    name: 'operatorClaimsRelease',
    method: 'DELETE',
    ...claims,
    role: 'Keys.Release',
    handler: releaseRoute,
    auditedRefusal: releaseRefusal,
    contract: contract('Releases a claim that no account uses'),
  },
];
