/**
 * Streaming locators. Their content keys belong to the account: the caller supplies them, or Keyward generates them
 * when the streaming policy encrypts.
 */

import * as z from 'zod';
import type { StoredResource } from '../../core/ams/ports.ts';
import { getResource } from '../../core/ams/readResource.ts';
import type { Json } from '../../core/ams/resource.ts';
import type { ResourceSecretInput } from '../../core/ams/resourceSecrets.ts';
import { revealResource } from '../../core/ams/revealResource.ts';
import { putResource, refuseExisting } from '../../core/ams/writeResource.ts';
import { base64, wipe } from '../../core/base/bytes.ts';
import { defined } from '../../core/base/defined.ts';
import { iso } from '../../core/base/time.ts';
import { parseContentKey } from '../../core/secrets/secretValues.ts';
import { label, readOnly } from '../http/secrets/secretJson.ts';
import type { RouteHandler } from '../pipeline/call.ts';
import { parsed, readJson } from '../pipeline/requestBody.ts';
import { metadataVersions, noStore } from './arm.ts';
import { accepted, get, list, nameIn, type ResourceApi, refIn, remove, render } from './resources.ts';
import { keysOfPolicy } from './streamingPolicies.ts';

const text = z.string().min(1).max(260);
const time = z.iso.datetime({ offset: true });

const contentKey = z.strictObject({
  id: z.guid().transform((id) => id.toLowerCase()),
  labelReferenceInStreamingPolicy: label.nullish(),
  value: z.string().max(100).nullish(),
  type: readOnly,
  policyName: readOnly,
  tracks: readOnly,
});

const locator = z.strictObject({
  properties: z.strictObject({
    assetName: text,
    streamingPolicyName: text,
    startTime: time.nullish(),
    endTime: time.nullish(),
    streamingLocatorId: z.guid().nullish(),
    defaultContentKeyPolicyName: text.nullish(),
    contentKeys: z
      .array(contentKey)
      .max(50)
      .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, 'Each id must be unique.')
      .nullish(),
    alternativeMediaId: text.nullish(),
    filters: z.array(text).max(50).nullish(),
    created: readOnly,
  }),
  id: readOnly,
  name: readOnly,
  type: readOnly,
  systemData: readOnly,
});

/** The end time that AMS gives a locator without one. */
const never = '9999-12-31T23:59:59.9999999Z';

const api: ResourceApi = {
  type: 'streamingLocators',
  versions: metadataVersions,
  parameter: 'streamingLocatorName',
  shown: (row) => ({
    filters: [],
    ...row.value.properties,
    contentKeys: keysIn(row).map(({ policyName: _, ...key }: Json) => key),
    created: iso(row.value.createdAt),
  }),
};

/** The content keys without values. A generated key takes its id from the secret that the row names. */
const keysIn = ({ value: { properties, secrets } }: StoredResource, contentKeys = properties.contentKeys) =>
  ((contentKeys ?? []) as readonly Json[]).map((key, index) => ({ id: secrets[index]?.name, ...key }));

type LocatorInput = z.infer<typeof locator>['properties'];

/** The keys as they are shown, and their values. */
function keysOf({ contentKeys, streamingPolicyName, defaultContentKeyPolicyName }: LocatorInput) {
  const policy = keysOfPolicy(streamingPolicyName);
  const policyName = defaultContentKeyPolicyName ?? null;
  const about = (type: string | undefined, key: string | undefined) => ({
    ...defined({ type }),
    policyName,
    tracks: [],
    ...defined({ labelReferenceInStreamingPolicy: key }),
  });
  const at = (index: number) => ['contentKeys', index, 'value'] as const;
  if (contentKeys === undefined || contentKeys === null)
    return policy.map((one, index) => ({
      shown: about(one.type, one.label),
      secret: {
        kind: 'contentKeys',
        at: at(index),
        value: { ofLength: 16 },
        ...labelled(one.label),
      } as ResourceSecretInput,
    }));
  return contentKeys.map(({ id, value, labelReferenceInStreamingPolicy: given }, index) => {
    const ofPolicy = policy.find((one) => one.label === given) ?? policy[0];
    const target = `properties.contentKeys.${index}.value`;
    const known = typeof value === 'string' ? { given: parseContentKey(value, target) } : { ofLength: 16 };
    const secret: ResourceSecretInput = {
      kind: 'contentKeys',
      id,
      at: at(index),
      value: known,
      ...labelled(given ?? undefined),
    };
    return { shown: { id, ...about(ofPolicy?.type, given ?? undefined) }, secret };
  });
}

const labelled = (key: string | undefined) => (key === undefined ? {} : { label: key });

const create: RouteHandler = async (call) => {
  await accepted(api, call);
  const { properties } = parsed(locator, await readJson(call.request));
  const keys = keysOf(properties);
  const { service } = call;
  const { contentKeys: _, startTime, endTime, streamingLocatorId, ...kept } = properties;
  const about = {
    ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined && value !== null)),
    streamingLocatorId: streamingLocatorId ?? service.random.uuid(),
    ...(typeof startTime === 'string' ? { startTime } : {}),
    endTime: endTime ?? never,
    contentKeys: keys.map(({ shown }) => shown),
  };
  try {
    const { row } = await putResource(
      refIn(api, call.request),
      (current) => {
        refuseExisting(current);
        return { name: nameIn(api, call.request), properties: about, secrets: keys.map(({ secret }) => secret) };
      },
      service,
    );
    return { status: 201, jsonBody: render(api, row, call) };
  } finally {
    for (const { secret } of keys) if ('given' in secret.value) wipe(secret.value.given);
  }
};

const listContentKeys: RouteHandler = async (call) => {
  await accepted(api, call);
  const { service, actor } = call;
  const row = await getResource(refIn(api, call.request), service);
  const { contentKeys } = await revealResource(row, base64, { actor }, service);
  return { status: 200, headers: noStore, jsonBody: { contentKeys: keysIn(row, contentKeys) } };
};

/** Keyward streams nothing, so a locator has no path. */
const listPaths: RouteHandler = async (call) => {
  await accepted(api, call);
  await getResource(refIn(api, call.request), call.service);
  return { status: 200, jsonBody: { streamingPaths: [], downloadPaths: [] } };
};

export const streamingLocators = {
  list: list(api),
  get: get(api),
  create,
  remove: remove(api),
  listContentKeys,
  listPaths,
};
