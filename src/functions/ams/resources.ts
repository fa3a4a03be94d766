/**
 * The parts that all kinds of resources share: GET, LIST, DELETE and rendering. The file of a kind defines its
 * properties.
 */
import type { HttpRequest } from '@azure/functions';
import type { ResourceList, StoredResource } from '../../core/ams/ports.ts';
import { getResource, listResources } from '../../core/ams/readResource.ts';
import { type Json, parseResourceName, type ResourceRef, type ResourceType } from '../../core/ams/resource.ts';
import { removeResource } from '../../core/ams/writeResource.ts';
import { Refusal } from '../../core/base/errors.ts';
import { parseAccountName } from '../../core/base/names.ts';
import type { Call, RouteHandler } from '../pipeline/call.ts';
import { maxPageSize } from '../pipeline/requestParams.ts';
import { accountAt, accountId, accountType, nextLink, placeIn, refuseOptions, systemData, versionIn } from './arm.ts';

export interface ResourceApi {
  readonly type: ResourceType;
  readonly versions: readonly string[];
  /** The parameter in the path that names the resource. */
  readonly parameter: string;
  /** The part that can be returned without decrypting a secret. */
  shown(row: StoredResource): Json;
  /** Adds what GET and LIST show of a secret. Absent: nothing. */
  opened?(row: StoredResource, call: Call): Promise<StoredResource>;
}

export const nameIn = ({ parameter }: ResourceApi, { params }: HttpRequest): string => params[parameter] ?? '';

/** The items of a stored array. */
export const itemsIn = (value: unknown): readonly Json[] => (Array.isArray(value) ? value : []);

/** A job belongs to its transform. */
export function listIn({ type }: Pick<ResourceApi, 'type'>, { params }: HttpRequest): ResourceList {
  const account = parseAccountName(params.accountName ?? '');
  if (type !== 'jobs') return { account, type };
  return { account, type, under: parseResourceName(params.transformName ?? '', 'transformName') };
}

export const refIn = (api: ResourceApi, request: HttpRequest): ResourceRef => ({
  ...listIn(api, request),
  name: parseResourceName(nameIn(api, request), api.parameter),
});

/** The first step of each handler: it checks the API version, and that the account exists at this path. */
export async function accepted({ versions }: Pick<ResourceApi, 'versions'>, call: Call): Promise<void> {
  versionIn(call.request, versions);
  await accountAt(call);
}

export function render(api: ResourceApi, row: StoredResource, { request }: Pick<Call, 'request'>) {
  const { type } = api;
  const { name } = row.value;
  const { transformName = '', accountName = '' } = request.params;
  const [path, kind] =
    type === 'jobs' ? [`transforms/${transformName}/jobs`, 'transforms/jobs'] : ([type, type] as const);
  return {
    id: `${accountId(placeIn(request), accountName)}/${path}/${name}`,
    name,
    type: `${accountType}/${kind}`,
    properties: api.shown(row),
    ...systemData(row.value, request.query.get('api-version')),
  };
}

export const get =
  (api: ResourceApi): RouteHandler =>
  async (call) => {
    await accepted(api, call);
    const row = await getResource(refIn(api, call.request), call.service);
    return { status: 200, jsonBody: render(api, (await api.opened?.(row, call)) ?? row, call) };
  };

/** Sorted by name. `$top` is the total number of items, as in OData. */
export const list =
  (api: ResourceApi): RouteHandler =>
  async (call) => {
    await accepted(api, call);
    const { request, service } = call;
    refuseOptions(request, ['$top', '$skipToken']);
    const top = topIn(request);
    const limit = Math.min(maxPageSize, top ?? maxPageSize);
    const token = request.query.get('$skipToken');
    const after = token === null ? undefined : parseResourceName(token, '$skipToken');
    const { rows, next } = await listResources(listIn(api, request), limit, after, service);
    const left = top === undefined ? undefined : top - limit;
    const link = left === 0 ? {} : nextLink(request, next, left === undefined ? {} : { $top: String(left) });
    const value: object[] = [];
    for (const row of rows) value.push(render(api, (await api.opened?.(row, call)) ?? row, call));
    return { status: 200, jsonBody: { value, ...link } };
  };

export function topIn(request: HttpRequest): number | undefined {
  const top = request.query.get('$top');
  if (top === null) return undefined;
  if (/^[1-9]\d{0,5}$/.test(top)) return Number(top);
  throw new Refusal('InvalidParameter', '$top must be a whole number from 1 to 999999.', { target: '$top' });
}

export const remove =
  (api: ResourceApi): RouteHandler =>
  async (call) => {
    await accepted(api, call);
    return { status: (await removeResource(refIn(api, call.request), call.service)) ? 200 : 204 };
  };
