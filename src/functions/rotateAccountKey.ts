/** `POST /api/operator/accounts/{accountName}/rotateAccountKey`: a new account key, after a suspected leak. */
import { etagOf } from '../core/account.ts';
import { rotateAccountKey } from '../core/accounts/rotate.ts';
import { parseAccountName } from '../core/names.ts';
import { renderAccount } from './accountJson.ts';
import { conditionsIn } from './asked.ts';
import type { RouteHandler } from './http.ts';

export const rotateAccountKeyRoute: RouteHandler = async ({ request, actor, service }) => {
  const name = parseAccountName(request.params.accountName ?? '');
  const view = await rotateAccountKey(name, conditionsIn(request), actor, service);
  return { status: 202, headers: { ETag: etagOf(view.record) }, jsonBody: renderAccount(view, service.policy) };
};
