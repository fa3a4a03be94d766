/** The HTTP calls on accounts: parse, call the core, render. */
import type { HttpRequest } from '@azure/functions';
import type { AccountView } from '../../../core/accounts/account.ts';
import { deleteAccount, requestDeletion } from '../../../core/accounts/deleteAccount.ts';
import { recoverAccount } from '../../../core/accounts/pendingDeletion.ts';
import type { Permissions } from '../../../core/accounts/planChange.ts';
import { type AccountChange, patchAccount, putAccount } from '../../../core/accounts/putAccount.ts';
import { getAccount, listAccounts } from '../../../core/accounts/readAccount.ts';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { parseAccountName } from '../../../core/base/names.ts';
import type { Service } from '../../../core/service.ts';
import { mayServe } from '../../pipeline/authorize.ts';
import type { Call, RouteHandler } from '../../pipeline/call.ts';
import type { Caller } from '../../pipeline/caller.ts';
import { answerWithEtag } from '../../pipeline/conditionalGet.ts';
import { callUrl } from '../../pipeline/links.ts';
import { positionOf, shownPosition } from '../../pipeline/pagePositions.ts';
import { readJson } from '../../pipeline/requestBody.ts';
import { conditionsIn, pageSizeOf } from '../../pipeline/requestParams.ts';
import { parseAccount } from './accountInput.ts';
import { renderAccount } from './accountJson.ts';

export const listAccountsRoute: RouteHandler = async (call) => {
  const { request, service, ...caller } = call;
  const limit = pageSizeOf(request);
  const after = skipOf(await positionOf(request.query.get('$skipToken'), call));
  const { accounts, damaged, next: end } = await listAccounts(limit, after, service);
  const next = await shownPosition(end, call);
  const link = next === undefined ? undefined : `/api/accounts?$top=${limit}&$skipToken=${encodeURIComponent(next)}`;
  const nextLink = link === undefined ? {} : { nextLink: callUrl(request, link) };
  const served = accounts.filter(({ record }) => mayServe(caller, record.owner));
  const value = served.map((view) => renderAccount(view, service.policy));
  // The owner of a damaged record is unknown, so a caller that is limited to owners does not see its name.
  const shown = damaged.length === 0 || caller.owners !== undefined ? {} : { damaged };
  return { status: 200, jsonBody: { value, ...shown, ...nextLink } };
};

export const getAccountRoute: RouteHandler = async ({ request, service }) => {
  const account = renderAccount(await getAccount(nameIn(request), service), service.policy);
  return answerWithEtag(request, account.etag, account);
};

export const putAccountRoute: RouteHandler = async (call) => {
  const { view, created } = await putAccount(await changeIn(call), call.service);
  return answer(created ? 201 : 200, view, call.service);
};

export const patchAccountRoute: RouteHandler = async (call) =>
  answer(200, await patchAccount(await changeIn(call), call.service), call.service);

/** The change that the call requests. The gate has read the account already. */
const changeIn = async ({ request, actor, known, ...caller }: Call): Promise<AccountChange> => ({
  name: nameIn(request),
  input: parseAccount(await readJson(request)),
  conditions: conditionsIn(request),
  actor,
  permissions: permissionsOf(caller),
  known: await known,
});

export const deleteAccountRoute: RouteHandler = async ({ request, actor, service }) => {
  const [name, conditions] = [nameIn(request), conditionsIn(request)];
  if (isNow(request)) return { status: (await deleteAccount(name, conditions, actor, service)) ? 200 : 204 };
  const deleted = await requestDeletion(name, conditions, actor, service);
  if (typeof deleted === 'object') return answer(202, deleted, service);
  return { status: deleted === 'deleted' ? 200 : 204 };
};

/** @throws Refusal InvalidParameter */
function isNow({ query }: HttpRequest): boolean {
  const now = query.get('now') ?? 'false';
  if (now === 'true' || now === 'false') return now === 'true';
  throw new Refusal('InvalidParameter', "The query parameter 'now' must be true or false.", { target: 'now' });
}

export const recoverAccountRoute: RouteHandler = async ({ request, actor, service }) =>
  answer(200, await recoverAccount(nameIn(request), conditionsIn(request), actor, service), service);

/** What the caller's app roles permit beyond the role that the route requires. */
const permissionsOf = ({ roles, owners }: Pick<Caller, 'roles' | 'owners'>): Permissions => ({
  mayRelease: roles.has('Keys.Release'),
  ...defined({ owners }),
});

const nameIn = (request: HttpRequest): string => request.params.accountName ?? '';

function answer(status: number, view: AccountView, { policy }: Service) {
  const jsonBody = renderAccount(view, policy);
  return { status, headers: { ETag: jsonBody.etag }, jsonBody };
}

function skipOf(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  try {
    return parseAccountName(token);
  } catch {
    throw new Refusal('InvalidParameter', '$skipToken must come from a nextLink of this list.', {
      target: '$skipToken',
    });
  }
}
