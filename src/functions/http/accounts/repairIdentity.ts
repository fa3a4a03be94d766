/** `POST /api/operator/accounts/{accountName}/repairIdentity`: another identity for the same key, while it is not accessible. */
import * as z from 'zod';
import { etagOf } from '../../../core/accounts/account.ts';
import { repairIdentity } from '../../../core/accounts/repairIdentity.ts';
import { parseAccountName } from '../../../core/base/names.ts';
import { repairRefusal } from '../../pipeline/auditedRefusals.ts';
import { parsed, type RouteHandler, readJson } from '../../pipeline/http.ts';
import type { Route } from '../../pipeline/route.ts';
import { accountAnswer } from './accountContract.ts';
import { identity, identityOf, renderAccount } from './accountJson.ts';

const body = z.strictObject({ identity }).meta({
  id: 'IdentityRepair',
  examples: [{ identity: { useSystemAssignedIdentity: true } }],
});

const handler: RouteHandler = async ({ request, actor, service }) => {
  const name = parseAccountName(request.params.accountName ?? '');
  const input = identityOf(parsed(body, await readJson(request)).identity, 'identity');
  const view = await repairIdentity(name, input, actor, service);
  return { status: 200, headers: { ETag: etagOf(view.record) }, jsonBody: renderAccount(view, service.policy) };
};

export const repairIdentityApi: Route = {
  name: 'operatorRepairIdentity',
  method: 'POST',
  path: 'operator/accounts/{accountName}/repairIdentity',
  scope: 'operator',
  role: 'Keys.Operate',
  handler,
  auditedRefusal: repairRefusal,
  contract: {
    summary: "KeyRef an account's customer key by another identity, while it is not accessible",
    body,
    answers: { 200: accountAnswer },
    headers: { 200: ['ETag'] },
  },
};
