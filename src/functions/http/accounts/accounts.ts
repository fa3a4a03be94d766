/** The accounts' HTTP calls: parse, call the core, render. */
import type { HttpRequest } from '@azure/functions';
import { type AccountView, etagOf } from '../../../core/accounts/account.ts';
import { deleteAccount } from '../../../core/accounts/deleteAccount.ts';
import { type Permitted, patchAccount, putAccount } from '../../../core/accounts/putAccount.ts';
import { getAccount, listAccounts } from '../../../core/accounts/readAccount.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { parseAccountName } from '../../../core/base/names.ts';
import type { Service } from '../../../core/service.ts';
import { absoluteUrl, type RouteHandler, readJson } from '../../pipeline/http.ts';
import { conditionsIn, pageSizeOf } from '../../pipeline/requestParams.ts';
import type { Role } from '../../pipeline/route.ts';
import { parseAccount, renderAccount } from './accountJson.ts';

export const listAccountsRoute: RouteHandler = async ({ request, service }) => {
  const limit = pageSizeOf(request);
  const { accounts, damaged, next } = await listAccounts(limit, skipOf(request.query.get('$skipToken')), service);
  const link = next === undefined ? undefined : `/api/accounts?$top=${limit}&$skipToken=${encodeURIComponent(next)}`;
  const nextLink = link === undefined ? {} : { nextLink: absoluteUrl(request, link) };
  const value = accounts.map((view) => renderAccount(view, service.policy));
  return { status: 200, jsonBody: { value, ...(damaged.length === 0 ? {} : { damaged }), ...nextLink } };
};

export const getAccountRoute: RouteHandler = async ({ request, service }) =>
  answer(200, await getAccount(nameIn(request), service), service);

export const putAccountRoute: RouteHandler = async ({ request, actor, roles, service }) => {
  const input = parseAccount(await readJson(request));
  const permitted = permittedTo(roles);
  const { view, created } = await putAccount(nameIn(request), input, conditionsIn(request), actor, service, permitted);
  return answer(created ? 201 : 200, view, service);
};

export const patchAccountRoute: RouteHandler = async ({ request, actor, roles, service }) => {
  const input = parseAccount(await readJson(request));
  const permitted = permittedTo(roles);
  const view = await patchAccount(nameIn(request), input, conditionsIn(request), actor, service, permitted);
  return answer(200, view, service);
};

export const deleteAccountRoute: RouteHandler = async ({ request, actor, service }) => {
  const existed = await deleteAccount(nameIn(request), conditionsIn(request), actor, service);
  return { status: existed ? 200 : 204 };
};

/** What a caller's app roles permit beyond the one that the route asks for. */
const permittedTo = (roles: ReadonlySet<Role>): Permitted => ({ mayRelease: roles.has('Keys.Release') });

const nameIn = (request: HttpRequest): string => request.params.accountName ?? '';

function answer(status: number, view: AccountView, { policy }: Service) {
  return { status, headers: { ETag: etagOf(view.record) }, jsonBody: renderAccount(view, policy) };
}

function skipOf(token: string | null): string | undefined {
  if (token === null) return undefined;
  try {
    return parseAccountName(token);
  } catch {
    throw new Refusal('InvalidParameter', '$skipToken is not one that a nextLink carried.', { target: '$skipToken' });
  }
}
