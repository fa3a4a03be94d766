/** Transforms, the parents of jobs. They hold no secret, and Keyward encodes nothing. */

import type { StoredResource } from '../../core/ams/ports.ts';
import { listResources } from '../../core/ams/readResource.ts';
import { existing, putResource } from '../../core/ams/writeResource.ts';
import { defined } from '../../core/base/defined.ts';
import { Refusal } from '../../core/base/errors.ts';
import { iso } from '../../core/base/time.ts';
import type { RouteHandler } from '../pipeline/call.ts';
import { parsed, readJson } from '../pipeline/requestBody.ts';
import { maxPageSize } from '../pipeline/requestParams.ts';
import { encodingVersions } from './arm.ts';
import { transformBody, transformChange } from './jobBody.ts';
import { accepted, get, itemsIn, list, nameIn, type ResourceApi, refIn, remove, render } from './resources.ts';

const api: ResourceApi = {
  type: 'transforms',
  versions: encodingVersions,
  parameter: 'transformName',
  shown: ({ value: { properties, createdAt, updatedAt } }) => ({
    ...properties,
    outputs: itemsIn(properties.outputs).map((output) => ({ ...outputDefaults, ...output })),
    created: iso(createdAt),
    lastModified: iso(updatedAt),
  }),
};

const outputDefaults = { onError: 'StopProcessingJob', relativePriority: 'Normal' } as const;

const createOrUpdate: RouteHandler = async (call) => {
  await accepted(api, call);
  const {
    created: _,
    lastModified: __,
    ...properties
  } = parsed(transformBody, await readJson(call.request)).properties;
  const decide = () => ({ name: nameIn(api, call.request), properties, secrets: [] });
  const { row, created } = await putResource(refIn(api, call.request), decide, call.service);
  return { status: created ? 201 : 200, jsonBody: render(api, row, call) };
};

/** Changes the properties that the body names. */
const update: RouteHandler = async (call) => {
  await accepted(api, call);
  const { description, outputs } = parsed(transformChange, await readJson(call.request)).properties;
  const ref = refIn(api, call.request);
  const decide = (current: StoredResource | undefined) => {
    const { name, properties } = existing(ref, current).value;
    return { name, properties: { ...properties, ...defined({ description, outputs }) } };
  };
  const { row } = await putResource(ref, decide, call.service);
  return { status: 200, jsonBody: render(api, row, call) };
};

/** A transform with jobs is not deleted: no call could reach the jobs without it. */
const removeEmpty: RouteHandler = async (call) => {
  await accepted(api, call);
  const { account, name } = refIn(api, call.request);
  const { rows } = await listResources({ account, type: 'jobs', under: name }, maxPageSize, undefined, call.service);
  if (rows.length === 0) return remove(api)(call);
  throw new Refusal('Conflict', 'The transform has jobs. Delete them first.', { target: 'transformName' });
};

export const transforms = { list: list(api), get: get(api), createOrUpdate, update, remove: removeEmpty };
