/**
 * `POST /api/operator/accounts/{accountName}/repairIdentity`: gives an account another identity for the same key while
 * the key is not accessible.
 */
import * as z from 'zod';
import { repairIdentity } from '../../../core/accounts/repairIdentity.ts';
import { parseAccountName } from '../../../core/base/names.ts';
import { repairRefusal } from '../../pipeline/auditedRefusals.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { parsed, readJson } from '../../pipeline/requestBody.ts';
import type { Route } from '../../pipeline/route.ts';
import { accountAnswer } from './accountContract.ts';
import { renderAccount } from './accountJson.ts';
import { identity, identityOf } from './identityInput.ts';

const body = z.strictObject({ identity }).meta({
  id: 'IdentityRepair',
  examples: [{ identity: { useSystemAssignedIdentity: true } }],
});

const handler: RouteHandler = async ({ request, actor, service }) => {
  const name = parseAccountName(request.params.accountName ?? '');
  const input = identityOf(parsed(body, await readJson(request)).identity, 'identity');
  const view = await repairIdentity(name, input, actor, service);
  const jsonBody = renderAccount(view, service.policy);
  return { status: 200, headers: { ETag: jsonBody.etag }, jsonBody };
};

export const identityRepairRoutes: readonly Route[] = [
  {
    name: 'operatorRepairIdentity',
    method: 'POST',
    path: 'operator/accounts/{accountName}/repairIdentity',
    scope: 'operator',
    role: 'Keys.Operate',
    handler,
    auditedRefusal: repairRefusal,
    contract: {
      summary: 'Gives an account another identity for the same customer key, while the key is not accessible',
      body,
      answers: { 200: accountAnswer },
      headers: { 200: ['ETag'] },
    },
  },
];
