/** Long-running operations as clients of Azure Resource Manager follow them, and the list of callable operations. */

import type { HttpRequest } from '@azure/functions';
import { findAccount, getAccount } from '../../core/accounts/readAccount.ts';
import type { Operation } from '../../core/ams/operation.ts';
import { findOperation } from '../../core/ams/storedOperations.ts';
import { isSameArmPath } from '../../core/base/armPath.ts';
import { defined } from '../../core/base/defined.ts';
import { statusOf } from '../../core/base/errorCatalogue.ts';
import { type KeywardError, Refusal, Unavailable } from '../../core/base/errors.ts';
import { foldRegion } from '../../core/base/names.ts';
import { iso, optionalIso } from '../../core/base/time.ts';
import { mayServe } from '../pipeline/authorize.ts';
import type { Call, RouteHandler } from '../pipeline/call.ts';
import { absoluteUrl } from '../pipeline/links.ts';
import { renderAccount, tagOf } from './accountAnswer.ts';
import { accountVersions, placeIn, versionIn } from './arm.ts';

const pathOf = ({ place: { subscriptionId }, id }: Operation, location: string, kind: 'Statuses' | 'Results'): string =>
  `/subscriptions/${subscriptionId}/providers/Microsoft.Media/locations/${encodeURIComponent(foldRegion(location))}/mediaServicesOperation${kind}/${id}`;

/** The addresses of the operation's status and of its result, and the time to wait before the next request. */
export function operationHeaders(
  { operation, location }: { readonly operation: Operation; readonly location: string },
  { request, service }: Pick<Call, 'request' | 'service'>,
): Record<string, string> {
  const link = (kind: 'Statuses' | 'Results') =>
    absoluteUrl(request, `/api${pathOf(operation, location, kind)}?api-version=${request.query.get('api-version')}`);
  const seconds = operation.status === 'InProgress' ? Math.ceil(service.policy.operationRetrySeconds) : 1;
  return { 'Azure-AsyncOperation': link('Statuses'), Location: link('Results'), 'Retry-After': String(seconds) };
}

async function operationIn({ request, service, ...caller }: Call): Promise<Operation> {
  const operation = await findOperation(request.params.operationId ?? '', placeIn(request).subscriptionId, service);
  if (caller.owners === undefined) return operation;
  const view = await findAccount(operation.account, service);
  if (view !== undefined && mayServe(caller, view.record.owner)) return operation;
  throw new Refusal('NotFound', "There is no such operation on an account of the caller's owners.");
}

const locationIn = ({ params }: HttpRequest): string => params.locationName ?? '';

export const status: RouteHandler = async (call) => {
  versionIn(call.request, accountVersions);
  const operation = await operationIn(call);
  const { id: name, startedAt, endedAt, error, status: state } = operation;
  return {
    status: 200,
    ...(state === 'InProgress'
      ? { headers: operationHeaders({ operation, location: locationIn(call.request) }, call) }
      : {}),
    jsonBody: {
      id: pathOf(operation, locationIn(call.request), 'Statuses'),
      name,
      status: state,
      startTime: iso(startedAt),
      ...defined({ endTime: optionalIso(endedAt), error }),
    },
  };
};

/** The account as it is now. */
export const result: RouteHandler = async (call) => {
  const version = versionIn(call.request, accountVersions);
  const operation = await operationIn(call);
  const { account, place, error } = operation;
  if (operation.status === 'InProgress')
    return { status: 202, headers: operationHeaders({ operation, location: locationIn(call.request) }, call) };
  if (error !== undefined) throw failureOf(error, call);
  const view = await getAccount(account, call.service);
  if (!isSameArmPath(view.record.place, place))
    throw new Refusal('NotFound', 'The account of this operation no longer exists.');
  const jsonBody = renderAccount(view, version, call.service);
  return { status: 200, headers: { ETag: tagOf(view, jsonBody) }, jsonBody };
};

/** The stored refusal. It has a Retry-After when the change can succeed later. */
function failureOf(
  { code, message, details }: NonNullable<Operation['error']>,
  { service }: Pick<Call, 'service'>,
): KeywardError {
  const extras = details === undefined ? {} : { details };
  if (statusOf(code) !== 503) return new Refusal(code, message, extras);
  return new Unavailable(code, message, Math.ceil(service.policy.operationRetrySeconds), extras);
}

const provider = 'Microsoft Media Services';
const calls = ['read', 'write', 'delete'].map((action) => `mediaservices/${action}`);
const secretCalls = ['streamingLocators/listContentKeys', 'contentKeyPolicies/getPolicyPropertiesWithSecrets'];

/** The operations that a role of Azure Resource Manager would name. Keyward itself decides by app roles. */
export const list: RouteHandler = async ({ request }) => {
  versionIn(request, accountVersions);
  const names = [...calls, ...secretCalls.map((name) => `mediaservices/${name}/action`)];
  const value = names.map((name) => {
    const [resource = '', operation = ''] = [
      name.slice(0, name.lastIndexOf('/')),
      name.slice(name.lastIndexOf('/') + 1),
    ];
    return {
      name: `Microsoft.Media/${name}`,
      isDataAction: false,
      display: { provider, resource, operation, description: name },
    };
  });
  return { status: 200, jsonBody: { value } };
};
