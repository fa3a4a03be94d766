/**
 * Jobs. The addresses that a job reads from are credentials and become the account's job inputs. The calls here return
 * them without their query strings. The program that runs the job reads them by `resolve`, under the name in the job.
 * Keyward stores jobs and does not run them.
 */

import type { StoredResource } from '../../core/ams/ports.ts';
import { getResource } from '../../core/ams/readResource.ts';
import { type Json, type JsonPath, withAt } from '../../core/ams/resource.ts';
import { revealResource, showAt } from '../../core/ams/revealResource.ts';
import { existing, putResource, refuseExisting } from '../../core/ams/writeResource.ts';
import { type Bytes, wipe } from '../../core/base/bytes.ts';
import { defined } from '../../core/base/defined.ts';
import { iso } from '../../core/base/time.ts';
import { jobInputIn, parseJobInput, withoutQueries } from '../../core/secrets/secretValues.ts';
import type { Call, RouteHandler } from '../pipeline/call.ts';
import { parsed, readJson } from '../pipeline/requestBody.ts';
import { encodingVersions } from './arm.ts';
import { type JobInput, jobBody, jobChange } from './jobBody.ts';
import { accepted, get, itemsIn, list, listIn, nameIn, type ResourceApi, refIn, remove, render } from './resources.ts';

const api: ResourceApi = {
  type: 'jobs',
  versions: encodingVersions,
  parameter: 'jobName',
  shown({ value: { properties, secrets, createdAt, updatedAt } }) {
    // Not in the contract: clients ignore or pass on properties that they do not know.
    const named = secrets.reduce((shown, { at, name }) => withAt(shown, [...at, 'protectedInput'], name), properties);
    const { state = 'Queued' } = named;
    const outputs = itemsIn(named.outputs).map((output) => ({ state, progress: 0, ...output }));
    const input = withDefaults(named.input);
    return { ...named, state, input, outputs, created: iso(createdAt), lastModified: iso(updatedAt) };
  },
  async opened(row, { actor, service }) {
    const properties = await revealResource(row, addressesIn, { actor }, service, {});
    return { ...row, value: { ...row.value, properties } };
  },
};

/** A damaged row has no input. */
const withDefaults = (input: unknown): unknown =>
  (input as Json | undefined)?.['@odata.type'] === '#Microsoft.Media.JobInputAsset'
    ? { files: [], inputDefinitions: [], ...(input as Json) }
    : input;

const addressesIn = (plain: Bytes): Json => ({ ...withoutQueries(jobInputIn(plain)) });

/** The input without addresses, and the addresses. */
function partsOf(input: JobInput): { input: Json; secrets: { at: JsonPath; given: Bytes }[] } {
  const secrets: { at: JsonPath; given: Bytes }[] = [];
  const without = (one: Json, at: JsonPath): Json => {
    if (one['@odata.type'] === '#Microsoft.Media.JobInputHttp') {
      const { baseUri, files, ...shown } = one as Json & { baseUri?: string | null; files?: string[] | null };
      const addresses = typeof baseUri === 'string' ? { baseUri, files: files ?? [] } : { files: files ?? [] };
      secrets.push({ at, given: parseJobInput(addresses, ['properties', ...at].join('.')) });
      return shown;
    }
    if (!Array.isArray(one.inputs)) return one;
    return { ...one, inputs: one.inputs.map((inner: Json, index) => without(inner, [...at, 'inputs', index])) };
  };
  return { input: without({ ...input }, ['input']), secrets };
}

const create: RouteHandler = async (call) => {
  await accepted(api, call);
  const { request, service } = call;
  const { under: transform = '', account } = listIn(api, request);
  await getResource({ account, type: 'transforms', name: transform }, service);
  const { properties } = parsed(jobBody, await readJson(request));
  const { created: _, state: __, lastModified: ___, startTime: ____, endTime: _____, ...kept } = properties;
  const { input, secrets } = partsOf(properties.input);
  try {
    const { row } = await putResource(
      refIn(api, request),
      (current) => {
        refuseExisting(current);
        const named = secrets.map(({ at, given }) => ({ kind: 'jobInputs' as const, at, value: { given } }));
        return { name: nameIn(api, request), properties: { ...kept, input }, secrets: named };
      },
      service,
    );
    const whole = secrets.reduce((all, { at, given }) => showAt(all, at, addressesIn(given)), row.value.properties);
    return { status: 201, jsonBody: render(api, { ...row, value: { ...row.value, properties: whole } }, call) };
  } finally {
    wipe(...secrets.map(({ given }) => given));
  }
};

/** Stores some properties of a job that exists. */
async function changed(change: Json, { request, service }: Call): Promise<StoredResource> {
  const ref = refIn(api, request);
  const decide = (current: StoredResource | undefined) => {
    const { name, properties } = existing(ref, current).value;
    return { name, properties: { ...properties, ...change } };
  };
  return (await putResource(ref, decide, service)).row;
}

const update: RouteHandler = async (call) => {
  await accepted(api, call);
  const { description, priority } = parsed(jobChange, await readJson(call.request)).properties;
  const row = await changed(defined({ description, priority }), call);
  return { status: 200, jsonBody: render(api, (await api.opened?.(row, call)) ?? row, call) };
};

/** Keyward runs no job: the program that does reads the state. */
const cancel: RouteHandler = async (call) => {
  await accepted(api, call);
  await changed({ state: 'Canceled' }, call);
  return { status: 200 };
};

/** An empty list says that the transform has no job; a transform that does not exist is 404. */
const listOfTransform: RouteHandler = async (call) => {
  const page = await list(api)(call);
  const { under: name = '', account } = listIn(api, call.request);
  const isEmpty = (page.jsonBody as { value: readonly object[] }).value.length === 0;
  if (isEmpty) await getResource({ account, type: 'transforms', name }, call.service);
  return page;
};

export const jobs = { list: listOfTransform, get: get(api), create, update, cancel, remove: remove(api) };
