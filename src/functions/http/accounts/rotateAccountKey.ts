/**
 * `POST /api/operator/accounts/{accountName}/rotateAccountKey`: makes a new account key, for example after a suspected
 * leak.
 */
import { rotateAccountKey } from '../../../core/accounts/rotateAccountKey.ts';
import { parseAccountName } from '../../../core/base/names.ts';
import type { RouteHandler } from '../../pipeline/call.ts';
import { conditionsIn } from '../../pipeline/requestParams.ts';
import { renderAccount } from './accountJson.ts';

export const rotateAccountKeyRoute: RouteHandler = async ({ request, actor, service }) => {
  const name = parseAccountName(request.params.accountName ?? '');
  const view = await rotateAccountKey(name, conditionsIn(request), actor, service);
  const jsonBody = renderAccount(view, service.policy);
  return { status: 202, headers: { ETag: jsonBody.etag }, jsonBody };
};
