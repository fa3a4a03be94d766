/**
 * Jobs. The addresses that a job reads from are credentials and become the account's job inputs, which no call here
 * returns. The program that runs the job reads them by `resolve`, under the name in the job. Keyward stores jobs and
 * does not run them.
 */

import { getResource } from '../../core/ams/readResource.ts';
import { type Json, type JsonPath, withAt } from '../../core/ams/resource.ts';
import { putResource, type ResourceSecretInput, refuseExisting } from '../../core/ams/writeResource.ts';
import { wipe } from '../../core/base/bytes.ts';
import { iso } from '../../core/base/time.ts';
import { parseJobInput } from '../../core/secrets/secretValues.ts';
import type { RouteHandler } from '../pipeline/call.ts';
import { parsed, readJson } from '../pipeline/requestBody.ts';
import { encodingVersions } from './arm.ts';
import { type JobInput, jobBody } from './jobBody.ts';
import { accepted, get, list, listIn, nameIn, type ResourceApi, refIn, remove, render } from './resources.ts';

const api: ResourceApi = {
  type: 'jobs',
  versions: encodingVersions,
  parameter: 'jobName',
  shown({ value: { properties, secrets, createdAt, updatedAt } }) {
    // Not in the contract: clients ignore or pass on properties that they do not know.
    const named = secrets.reduce((shown, { at, name }) => withAt(shown, [...at, 'protectedInput'], name), properties);
    return { ...named, state: 'Queued', created: iso(createdAt), lastModified: iso(updatedAt) };
  },
};

/** The input without addresses, and the addresses. */
function partsOf(input: JobInput): { input: Json; secrets: ResourceSecretInput[] } {
  const secrets: ResourceSecretInput[] = [];
  const without = (one: Json, at: JsonPath): Json => {
    if (one['@odata.type'] === '#Microsoft.Media.JobInputHttp') {
      const { baseUri, files, ...shown } = one as Json & { baseUri?: string | null; files?: string[] | null };
      const addresses = typeof baseUri === 'string' ? { baseUri, files: files ?? [] } : { files: files ?? [] };
      const given = parseJobInput(addresses, ['properties', ...at].join('.'));
      secrets.push({ kind: 'jobInputs', at, value: { given } });
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
        return { name: nameIn(api, request), properties: { ...kept, input }, secrets };
      },
      service,
    );
    return { status: 201, jsonBody: render(api, row, call) };
  } finally {
    for (const { value } of secrets) if ('given' in value) wipe(value.given);
  }
};

export const jobs = { list: list(api), get: get(api), create, remove: remove(api) };
