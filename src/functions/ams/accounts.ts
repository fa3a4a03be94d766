/** The calls on accounts for clients of Azure Media Services: parse, call the core, render. */
import type { HttpRequest, HttpResponseInit } from '@azure/functions';
import { type AccountView, etagOf } from '../../core/accounts/account.ts';
import { deleteAccount } from '../../core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../core/accounts/putAccount.ts';
import { accountNotFound, findAccount, listAccountsOf } from '../../core/accounts/readAccount.ts';
import type { Preconditions } from '../../core/accounts/writeAccount.ts';
import { awaitedCreation, awaitedCreations } from '../../core/ams/awaitedCreation.ts';
import type { RequestedChange } from '../../core/ams/operation.ts';
import { beginOperation, cancelCreation } from '../../core/ams/runOperation.ts';
import { isAt, isSameArmPath, parseArmPath } from '../../core/base/armPath.ts';
import { KeywardError, LostRace, Refusal, retryLostRaces } from '../../core/base/errors.ts';
import { fold, isGuid, parseAccountName, parseAmsName } from '../../core/base/names.ts';
import { mayServe } from '../pipeline/authorize.ts';
import type { Call, RouteHandler } from '../pipeline/call.ts';
import { answerWithEtag } from '../pipeline/conditionalGet.ts';
import { positionOf, shownPosition } from '../pipeline/pagePositions.ts';
import { readJson } from '../pipeline/requestBody.ts';
import { conditionsIn, maxPageSize } from '../pipeline/requestParams.ts';
import { renderAccount, renderAwaited, tagOf } from './accountAnswer.ts';
import { parseBody } from './accountBody.ts';
import {
  type AccountVersion,
  accountAt,
  accountIn,
  accountVersions,
  nextLink,
  pathIn,
  placeIn,
  refuseOptions,
  versionIn,
} from './arm.ts';
import { operationHeaders } from './operations.ts';

const nameIn = ({ params }: HttpRequest): string => params.accountName ?? '';

export const list: RouteHandler = async (call) => {
  const { request, service, ...caller } = call;
  const version = versionIn(request, accountVersions);
  refuseOptions(request, ['$skipToken']);
  const { subscriptionId, resourceGroup } = placeIn(request);
  const filter = { subscriptionId, ...(resourceGroup === '' ? {} : { resourceGroup }) };
  const after = skipIn(await positionOf(request.query.get('$skipToken'), call));
  const { accounts, next } = await listAccountsOf(filter, maxPageSize, after, service);
  const served = accounts.filter(({ record }) => mayServe(caller, record.owner));
  const value: object[] = served.map((view) => renderAccount(view, version, service));
  // The last page has the accounts that are still awaited. They are few, and no order holds for them.
  const awaited = next === undefined ? await awaitedCreations(service) : [];
  for (const one of awaited) {
    const isHere = isAt(one.place, pathIn(request)) && mayServe(caller, one.input.owner ?? '');
    if (isHere && !served.some(({ record }) => record.name === fold(one.name)))
      value.push(renderAwaited(one, version, service));
  }
  return { status: 200, jsonBody: { value, ...nextLink(request, await shownPosition(next, call)) } };
};

/** @throws Refusal InvalidParameter */
function skipIn(token: string | undefined): string | undefined {
  // A resource group and an account name.
  if (token === undefined || /^[-\w.()\p{L}\p{M}\p{Nd}]{1,200}:[a-z0-9-]{1,24}$/u.test(token)) return token;
  throw new Refusal('InvalidParameter', '$skipToken must come from a nextLink of this list.', { target: '$skipToken' });
}

export const get: RouteHandler = async (call) => {
  const version = versionIn(call.request, accountVersions);
  const view = await accountIn(call);
  const { request, service, ...caller } = call;
  if (view !== undefined) {
    const body = renderAccount(view, version, service);
    return answerWithEtag(request, tagOf(view, body), body);
  }
  const awaited = await awaitedCreation(nameIn(request), service);
  const isServed = awaited !== undefined && mayServe(caller, awaited.input.owner ?? '');
  if (!isServed || !isAt(awaited.place, pathIn(request))) throw accountNotFound(nameIn(request));
  return { status: 200, jsonBody: renderAwaited(awaited, version, service) };
};

export const createOrUpdate: RouteHandler = async (call) => {
  const version = versionIn(call.request, accountVersions);
  const place = parseArmPath(placeIn(call.request));
  return answerChange(call, version, accountToPut, (body, current) => {
    const input = parseBody(body, version, current);
    // Several accounts of one customer share a subscription, and a subscription has one customer.
    const owned = current === undefined ? { owner: fold(place.subscriptionId) } : {};
    return { ...changeOf(call), method: 'put', input: { ...input, ...owned, place } };
  });
};

export const update: RouteHandler = async (call) => {
  const version = versionIn(call.request, accountVersions);
  return answerChange(call, version, accountAt, (body, current) => {
    const input = parseBody(body, version, current);
    return { ...changeOf(call), method: 'patch', input: { ...input, place: placeIn(call.request) } };
  });
};

const changeOf = ({ request, actor, roles }: Call) => ({
  account: nameIn(request),
  actor,
  mayRelease: roles.has('Keys.Release'),
});

/** Account names are unique in the whole service. @throws Refusal Conflict | AuthorizationFailed */
async function accountToPut({ request, service, known, ...caller }: Call): Promise<AccountView | undefined> {
  if (!mayServe(caller, fold(placeIn(request).subscriptionId)))
    throw new Refusal(
      'AuthorizationFailed',
      'The caller may use accounts of its own owners only, and this subscription is not one of them.',
    );
  const name = parseAccountName(nameIn(request));
  const view = known === undefined ? await findAccount(name, service) : (await known).view;
  const place = view === undefined ? (await awaitedCreation(name, service))?.place : view.record.place;
  if ((view === undefined && place === undefined) || isSameArmPath(place, placeIn(request))) return view;
  throw new Refusal(
    'Conflict',
    'Another account of this name exists at another path. Choose another name: names are unique in the whole service.',
    { target: 'accountName' },
  );
}

/**
 * Encryption properties that the body omits keep the account's values. Keyward reads an account again when it has
 * changed in between.
 */
async function answerChange(
  call: Call,
  version: AccountVersion,
  look: (call: Call) => Promise<AccountView | undefined>,
  changeFrom: (body: unknown, current: AccountView | undefined) => RequestedChange,
): Promise<HttpResponseInit> {
  const conditions = conditionsIn(call.request);
  let current = await look(call);
  const body = await readJson(call.request);
  return retryLostRaces(async () => {
    const change = changeFrom(body, current);
    const isKeyChange = change.input.encryption?.type === 'CustomerKey' && Object.keys(conditions).length === 0;
    const seen = isKeyChange && current !== undefined ? { ifMatch: etagOf(current.record) } : undefined;
    try {
      return await answerOf(change, { current, conditions, now: seen ?? conditions }, version, call);
    } catch (error) {
      if (seen === undefined || !(error instanceof KeywardError) || error.code !== 'PreconditionFailed') throw error;
      const { known: _, ...fresh } = call;
      current = await look(fresh);
      throw new LostRace('The account has changed.');
    }
  });
}

/** The account as the call has read it, the caller's conditions, and the conditions of the change that is made now. */
interface Basis {
  readonly current: AccountView | undefined;
  readonly conditions: Preconditions;
  readonly now: Preconditions;
}

/** The change is complete when the call returns. API versions with long-running operations return an operation. */
async function answerOf(
  change: RequestedChange,
  { current, conditions, now }: Basis,
  version: AccountVersion,
  call: Call,
): Promise<HttpResponseInit> {
  const { service } = call;
  const { account, method, input, actor, mayRelease } = change;
  if (version < '2021-11-01') {
    const known = { view: current, isRemembered: false };
    const whole = { name: account, input, conditions: now, actor, permissions: { mayRelease }, known };
    if (method === 'patch') return answer(200, await patchAccount(whole, service), version, call);
    const { view, created } = await putAccount(whole, service);
    return answer(created ? 201 : 200, view, version, call);
  }
  const { operation, view, created } = await beginOperation(change, conditions, service, now);
  const location = view?.record.location ?? input.location ?? '';
  const headers = operationHeaders({ operation, location }, call);
  const { place } = input;
  const state = operation.status === 'InProgress' ? 'InProgress' : 'Succeeded';
  const status = method === 'patch' ? 202 : created ? 201 : 200;
  if (view === undefined)
    return { status, headers, jsonBody: renderAwaited({ name: account, place, input }, version, service) };
  const jsonBody = renderAccount(view, version, service, state);
  return { status, headers: { ...headers, ETag: tagOf(view, jsonBody) }, jsonBody };
}

export const remove: RouteHandler = async (call) => {
  const { request, service, actor } = call;
  versionIn(request, accountVersions);
  const conditions = conditionsIn(request);
  const name = parseAccountName(nameIn(request));
  const existed = await retryLostRaces(async () => {
    const view = await findAccount(name, service);
    // An account that waits has the subscription as its owner.
    if (view === undefined && !mayServe(call, fold(placeIn(request).subscriptionId))) return false;
    // No account exists at this path, so there is nothing to delete.
    if (view !== undefined && !isSameArmPath(view.record.place, placeIn(request))) return false;
    // If-Match without an account: nothing happens, and a pending creation goes ahead.
    if (view !== undefined || conditions.ifMatch === undefined) await cancelCreation(name, placeIn(request), service);
    // Deletes only the account that was read here: another account of the name may be created in between.
    const seen = view === undefined || conditions.ifMatch !== undefined ? conditions : { ifMatch: etagOf(view.record) };
    return deleteAccount(name, seen, actor, service).catch((error: unknown) => {
      const isOurs = conditions.ifMatch === undefined && error instanceof KeywardError;
      if (isOurs && error.code === 'PreconditionFailed') throw new LostRace('The account has changed.');
      throw error;
    });
  });
  return { status: existed ? 200 : 204 };
};

function answer(status: number, view: AccountView, version: AccountVersion, { service }: Call): HttpResponseInit {
  const jsonBody = renderAccount(view, version, service);
  return { status, headers: { ETag: tagOf(view, jsonBody) }, jsonBody };
}

export const checkNameAvailability: RouteHandler = async ({ request, service }) => {
  versionIn(request, accountVersions);
  if (!isGuid(fold(placeIn(request).subscriptionId)))
    throw new Refusal('InvalidParameter', 'A subscription id must be a GUID.', { target: 'subscriptionId' });
  const body = await readJson(request);
  const name = typeof body === 'object' && body !== null && 'name' in body ? body.name : undefined;
  if (typeof name !== 'string')
    throw new Refusal('InvalidRequestContent', "The body needs a 'name'. Add it.", { target: 'name' });
  const taken = {
    nameAvailable: false,
    reason: 'AlreadyExists',
    message: 'An account of this name exists in this service. Choose another name.',
  };
  try {
    const parsed = parseAmsName(name);
    const isTaken = ((await findAccount(parsed, service)) ?? (await awaitedCreation(parsed, service))) !== undefined;
    return { status: 200, jsonBody: isTaken ? taken : { nameAvailable: true } };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { status: 200, jsonBody: { nameAvailable: false, reason: 'Invalid', message: error.message } };
  }
};
