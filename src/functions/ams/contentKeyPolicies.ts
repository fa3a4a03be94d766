/**
 * Content key policies. Their symmetric token validation keys become the account's token keys; Keyward stores the rest
 * unchanged.
 */

import type { StoredResource } from '../../core/ams/ports.ts';
import { getResource } from '../../core/ams/readResource.ts';
import { type Json, withAt } from '../../core/ams/resource.ts';
import type { ResourceSecretInput } from '../../core/ams/resourceSecrets.ts';
import { revealResource } from '../../core/ams/revealResource.ts';
import { existing, putResource } from '../../core/ams/writeResource.ts';
import { base64, wipe } from '../../core/base/bytes.ts';
import { defined } from '../../core/base/defined.ts';
import { iso } from '../../core/base/time.ts';
import { parseTokenKey } from '../../core/secrets/secretValues.ts';
import type { Call, RouteHandler } from '../pipeline/call.ts';
import { parsed, readJson } from '../pipeline/requestBody.ts';
import { metadataVersions, noStore } from './arm.ts';
import { type PolicyOption, policyChange, wholePolicy } from './policyBody.ts';
import { accepted, get, list, nameIn, type ResourceApi, refIn, remove, render } from './resources.ts';

const api: ResourceApi = {
  type: 'contentKeyPolicies',
  versions: metadataVersions,
  parameter: 'contentKeyPolicyName',
  shown: (row) =>
    withTimes(
      row,
      withoutCertificates(row.value.secrets.reduce((shown, { at }) => withAt(shown, at, null), row.value.properties)),
    ),
};

/** A certificate is no secret, but Azure Media Services showed it with the secrets only. */
const withoutCertificates = (properties: Json): Json =>
  JSON.parse(JSON.stringify(properties), (name, value) => (name === 'rawBody' ? null : value));

const withTimes = ({ value: { createdAt, updatedAt } }: StoredResource, properties: Json): Json => ({
  ...properties,
  created: iso(createdAt),
  lastModified: iso(updatedAt),
});

interface Parts {
  readonly options: readonly Json[];
  readonly secrets: readonly ResourceSecretInput[];
}

/** The options with a placeholder for each symmetric key, and the keys. */
function partsOf(options: readonly PolicyOption[], newId: () => string): Parts {
  const secrets: ResourceSecretInput[] = [];
  const withoutKey = (key: unknown, at: readonly (string | number)[]): unknown => {
    if (typeof key !== 'object' || key === null || !('keyValue' in key)) return key;
    const { keyValue, ...shown } = key;
    const given = parseTokenKey(String(keyValue), ['properties', ...at, 'keyValue'].join('.'));
    secrets.push({ kind: 'tokenKeys', at: [...at, 'keyValue'], value: { given } });
    return shown;
  };
  const bare = options.map(({ policyOptionId: _, name, configuration, restriction }, index) => {
    const at = ['options', index, 'restriction'];
    const { primaryVerificationKey: primary, alternateVerificationKeys: others, ...about } = keysIn(restriction);
    const keys = {
      ...(primary === undefined
        ? {}
        : { primaryVerificationKey: withoutKey(primary, [...at, 'primaryVerificationKey']) }),
      ...(others === undefined || others === null
        ? {}
        : {
            alternateVerificationKeys: others.map((key, n) => withoutKey(key, [...at, 'alternateVerificationKeys', n])),
          }),
    };
    return { policyOptionId: newId(), ...(name ? { name } : {}), configuration, restriction: { ...about, ...keys } };
  });
  return { options: bare, secrets };
}

interface Keys {
  readonly primaryVerificationKey?: unknown;
  readonly alternateVerificationKeys?: readonly unknown[] | null | undefined;
}
const keysIn = (restriction: PolicyOption['restriction']): Json & Keys => ({ ...restriction });

const put = (method: 'PUT' | 'PATCH'): RouteHandler => {
  return async (call) => {
    await accepted(api, call);
    const { request, service } = call;
    const body = parsed(method === 'PUT' ? wholePolicy : policyChange, await readJson(request));
    const { description, options } = body.properties;
    const parts = options === undefined ? undefined : partsOf(options, () => service.random.uuid());
    try {
      const { row } = await putResource(
        refIn(api, request),
        (current) => {
          const before = method === 'PATCH' ? existing(refIn(api, request), current) : current;
          const { policyId = service.random.uuid(), description: old, options: kept } = before?.value.properties ?? {};
          // PUT replaces all properties. PATCH keeps the properties that it does not name.
          const said = description ?? (method === 'PATCH' && description === undefined ? old : undefined);
          return {
            name: before?.value.name ?? nameIn(api, request),
            properties: {
              policyId,
              ...defined({ description: said }),
              options: parts?.options ?? kept,
            },
            ...defined({ secrets: parts?.secrets }),
          };
        },
        service,
      );
      // Azure Media Services answered 200 for a new policy too.
      return { status: 200, jsonBody: render(api, row, call) };
    } finally {
      for (const { value } of parts?.secrets ?? []) if ('given' in value) wipe(value.given);
    }
  };
};

async function withSecrets(call: Call) {
  await accepted(api, call);
  const { service, actor } = call;
  const row = await getResource(refIn(api, call.request), service);
  const properties = await revealResource(row, base64, { actor }, service);
  return { status: 200, headers: noStore, jsonBody: withTimes(row, properties) };
}

export const contentKeyPolicies = {
  list: list(api),
  get: get(api),
  createOrUpdate: put('PUT'),
  update: put('PATCH'),
  remove: remove(api),
  getPolicyPropertiesWithSecrets: withSecrets,
};
