/** An account as JSON: what a caller may write, checked by one schema, and what a caller reads. Property names are AMS's. */

import * as z from 'zod';
import {
  type AccountView,
  type CustomerKeyEncryption,
  currentKeyIdentifier,
  etagOf,
  leasePolicyOf,
  type OlderAccountKeys,
  stateOf,
  verdictOn,
} from '../../../core/accounts/account.ts';
import type { AccountInput } from '../../../core/accounts/putAccount.ts';
import { type Served, servedOf } from '../../../core/accounts/served.ts';
import { parseArmPath } from '../../../core/base/armPath.ts';
import { meaningOf, remedyOf } from '../../../core/base/causes.ts';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { ownerPattern } from '../../../core/base/names.ts';
import { leastLeaseSeconds, longestLeaseSeconds, type Policy } from '../../../core/base/policy.ts';
import { iso } from '../../../core/base/time.ts';
import type { KeyVaultIdentity } from '../../../core/customerKey/binding.ts';
import { keyIdentifierTarget } from '../../../core/customerKey/keyIdentifier.ts';
import { unreadableNewest } from '../../../core/watch/newestVersion.ts';
import { currentStatus, keyReleasedBy } from '../../../core/watch/verdictTimes.ts';
import type { Verdict, Watch } from '../../../core/watch/watch.ts';
import { parsed } from '../../pipeline/http.ts';
import { readOnly } from '../secrets/secretJson.ts';

const anyTags = z
  .record(
    z
      .string()
      .min(1)
      .max(512)
      .regex(/^[^<>%&\\?/]*$/),
    z.string().max(256),
  )
  .refine((value) => Object.keys(value).length <= 50, 'At most 50 tags.')
  // A table property holds 32 Ki characters, and the whole account stands in one.
  .refine((value) => JSON.stringify(value).length <= 8192, 'All tags together have at most 8,192 characters.');

/** A record passes this one name over without a word, so it is looked for before. */
export const tags = z
  .unknown()
  .refine(
    (value) => typeof value !== 'object' || value === null || !Object.hasOwn(value, '__proto__'),
    "No tag can be named '__proto__'.",
  )
  .pipe(anyTags);

const guid = z.guid().transform((text) => text.toLowerCase());
const keyExample = 'https://contoso-keys.vault.azure.net/keys/media';

export const identity = z.strictObject({
  useSystemAssignedIdentity: z.boolean(),
  userAssignedIdentity: z.string().min(1).max(500).optional().meta({ description: 'A resource id.' }),
  federatedIdentityClientId: guid.optional(),
  tenantId: guid.optional(),
  principalId: readOnly,
  clientId: readOnly,
});

const encryption = z.strictObject({
  type: z.enum(['SystemKey', 'CustomerKey']),
  keyVaultProperties: z
    .strictObject({
      keyIdentifier: z
        .string()
        .min(1)
        .max(300)
        .meta({ examples: [keyExample] }),
      currentKeyIdentifier: readOnly,
    })
    .optional(),
  identity: identity.optional(),
  status: readOnly,
  served: readOnly,
  servedUntil: readOnly,
  lastCheckedAt: readOnly,
  cause: readOnly,
  since: readOnly,
  lastAccessibleAt: readOnly,
  nextLookAt: readOnly,
  keyReleasedBy: readOnly,
  meaning: readOnly,
  remedy: readOnly,
  accountKeyGeneration: readOnly,
  warnings: readOnly,
  olderAccountKeys: readOnly,
});

/** The body of PUT and PATCH. */
export const accountBody = z
  .strictObject({
    location: z
      .string()
      .min(1)
      .max(90)
      .optional()
      .meta({ description: "The region of the account's vaults.", examples: ['westeurope'] }),
    tags: tags.optional(),
    properties: z
      .strictObject({
        owner: z
          .string()
          .min(1)
          .max(128)
          .optional()
          .meta({ pattern: ownerPattern.source, examples: ['contoso'] }),
        subscriptionId: z.guid().optional(),
        resourceGroupName: z
          .string()
          .min(1)
          .max(90)
          .optional()
          .meta({ description: 'With subscriptionId: the path of the account on the routes of Azure Media Services.' }),
        encryption: encryption.optional(),
        auditKeyUse: z
          .boolean()
          .optional()
          .meta({ description: "Every use of the account's key, and every reveal, stands in its audit." }),
        leaseSeconds: z
          .union([z.literal(0), z.int().min(leastLeaseSeconds).max(longestLeaseSeconds)])
          .optional()
          .meta({
            description: `Shortens the time for which a process or a client may hold a key of the account: ${leastLeaseSeconds} to ${longestLeaseSeconds} seconds, or 0 when every use must ask the vault. Absent: ${longestLeaseSeconds}.`,
          }),
        accountId: readOnly,
        state: readOnly,
        provisioningState: readOnly,
      })
      .optional(),
    id: readOnly,
    name: readOnly,
    type: readOnly,
    etag: readOnly,
    systemData: readOnly,
  })
  .meta({
    id: 'AccountInput',
    description: 'A new account needs location and owner, which never change. What is absent stays as it is.',
    examples: [
      { location: 'westeurope', tags: { team: 'media' }, properties: { owner: 'contoso' } },
      { properties: { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier: keyExample } } } },
    ],
  });

/** @throws Refusal InvalidRequestContent that names every field at fault. */
export const parseAccount = (body: unknown): AccountInput => inputIn(parsed(accountBody, body));

/** @throws Refusal InvalidRequestContent when the encryption contradicts itself. */
export function inputIn({ location, tags: newTags, properties }: z.infer<typeof accountBody>): AccountInput {
  return {
    ...defined({ location, tags: newTags, owner: properties?.owner }),
    ...placeIn(properties),
    ...defined({ auditKeyUse: properties?.auditKeyUse, leaseSeconds: properties?.leaseSeconds }),
    ...(properties?.encryption === undefined ? {} : { encryption: encryptionInput(properties.encryption) }),
  };
}

const placeTargets = {
  subscriptionId: 'properties.subscriptionId',
  resourceGroup: 'properties.resourceGroupName',
};

function placeIn(properties: z.infer<typeof accountBody>['properties']): Pick<AccountInput, 'place'> {
  const { subscriptionId, resourceGroupName: resourceGroup } = properties ?? {};
  if (subscriptionId === undefined && resourceGroup === undefined) return {};
  if (subscriptionId === undefined || resourceGroup === undefined)
    throw contradiction(
      subscriptionId === undefined ? placeTargets.subscriptionId : placeTargets.resourceGroup,
      'subscriptionId and resourceGroupName come together: they are the path of the account.',
    );
  return { place: parseArmPath({ subscriptionId, resourceGroup }, placeTargets) };
}

function encryptionInput(input: z.infer<typeof encryption>): NonNullable<AccountInput['encryption']> {
  if (input.type === 'SystemKey') {
    if (input.keyVaultProperties !== undefined)
      throw contradiction(keyIdentifierTarget, 'A key identifier goes with type CustomerKey only.');
    return { type: 'SystemKey' };
  }
  if (input.keyVaultProperties === undefined)
    throw contradiction(keyIdentifierTarget, 'Type CustomerKey needs keyVaultProperties.keyIdentifier.');
  return {
    type: 'CustomerKey',
    keyIdentifier: input.keyVaultProperties.keyIdentifier,
    identity: identityOf(input.identity),
  };
}

const userAssigned =
  /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+\/providers\/microsoft\.managedidentity\/userassignedidentities\/[^/]+$/i;

/** @throws Refusal InvalidRequestContent */
export function identityOf(
  input: z.infer<typeof identity> = { useSystemAssignedIdentity: true },
  target = 'properties.encryption.identity',
): KeyVaultIdentity {
  const { useSystemAssignedIdentity, userAssignedIdentity, federatedIdentityClientId, tenantId } = input;
  if (useSystemAssignedIdentity && userAssignedIdentity !== undefined)
    throw contradiction(target, 'useSystemAssignedIdentity and userAssignedIdentity exclude each other.');
  if (useSystemAssignedIdentity && federatedIdentityClientId !== undefined)
    throw contradiction(
      `${target}.federatedIdentityClientId`,
      'Only a user-assigned identity can speak for an application: name it in userAssignedIdentity.',
    );
  if (federatedIdentityClientId === undefined && tenantId !== undefined)
    throw contradiction(
      `${target}.tenantId`,
      'A tenant goes with federatedIdentityClientId only: a managed identity alone reaches vaults of its own tenant.',
    );
  if (useSystemAssignedIdentity) return { useSystemAssignedIdentity };
  if (userAssignedIdentity === undefined || !userAssigned.test(userAssignedIdentity))
    throw contradiction(`${target}.userAssignedIdentity`, 'This must be the resource id of a user-assigned identity.');
  if (federatedIdentityClientId === undefined) return { useSystemAssignedIdentity, userAssignedIdentity };
  if (tenantId === undefined)
    throw contradiction(`${target}.tenantId`, 'federatedIdentityClientId needs the tenant that the vault belongs to.');
  return { useSystemAssignedIdentity, userAssignedIdentity, federatedIdentityClientId, tenantId };
}

const contradiction = (target: string, message: string): Refusal =>
  new Refusal('InvalidRequestContent', message, { target });

export function renderAccount(view: AccountView, policy: Policy) {
  const { record } = view;
  return {
    id: `/accounts/${record.name}`,
    name: record.name,
    type: 'Keyward/accounts',
    location: record.location,
    tags: record.tags,
    properties: {
      accountId: record.instanceId,
      owner: record.owner,
      state: stateOf(view),
      provisioningState: 'Succeeded',
      ...(record.place === undefined
        ? {}
        : { subscriptionId: record.place.subscriptionId, resourceGroupName: record.place.resourceGroup }),
      ...(record.auditKeyUse === true ? { auditKeyUse: true } : {}),
      ...(record.leaseSeconds === undefined ? {} : { leaseSeconds: record.leaseSeconds }),
      encryption: renderEncryption(view, policy),
    },
    systemData: { createdAt: iso(record.createdAt), lastModifiedAt: iso(record.updatedAt) },
    etag: etagOf(record),
  };
}

function renderEncryption(view: AccountView, policy: Policy) {
  const { encryption: current, accountKeyGeneration, olderAccountKeys } = view.record;
  const older = olderAccountKeys === undefined ? {} : { olderAccountKeys: renderOlder(olderAccountKeys) };
  if (current.type === 'SystemKey') return { type: 'SystemKey', accountKeyGeneration, ...older };
  const verdict = verdictOn(view);
  const { cause } = verdict ?? {};
  return {
    type: 'CustomerKey',
    keyVaultProperties: {
      keyIdentifier: current.keyIdentifier,
      currentKeyIdentifier: currentKeyIdentifier(current),
    },
    identity: { ...current.binding.identity, ...view.watch?.calledAs },
    accountKeyGeneration,
    ...older,
    status: verdict === undefined ? 'Unknown' : currentStatus(verdict, view.readAt ?? verdict.evidenceAt, policy),
    ...renderServed(servedOf(view, policy)),
    ...(verdict === undefined ? {} : renderVerdict(verdict, leasePolicyOf(view.record, policy))),
    ...(cause === undefined ? {} : { cause, meaning: meaningOf(cause), remedy: remedyOf(cause, targetOf(view)) }),
    ...(view.watch === undefined ? {} : { nextLookAt: iso(view.watch.nextLookAt) }),
    warnings: warningsOf(view),
  };
}

const renderServed = (one: Served) =>
  one.served === 'untilLeaseEnd' ? { served: one.served, servedUntil: iso(one.until) } : one;

/** The key, and the principal to grant it to. */
function targetOf({ record, watch }: AccountView) {
  const { encryption } = record;
  if (encryption.type === 'SystemKey') return { vaultName: '', keyName: '' };
  return { ...encryption.binding, ...defined({ principalId: watch?.calledAs?.principalId }) };
}

/** How far the account is from resting on its newest key alone. */
const renderOlder = ({ phase, since, keys }: OlderAccountKeys) => ({
  phase,
  since: iso(since),
  generations: keys.map(({ generation }) => generation),
});

function renderVerdict(verdict: Verdict, policy: Policy) {
  const releasedBy = keyReleasedBy(verdict, policy);
  return {
    since: iso(verdict.since),
    lastCheckedAt: iso(verdict.evidenceAt),
    lastAccessibleAt: iso(verdict.lastAccessibleAt),
    ...(releasedBy === undefined ? {} : { keyReleasedBy: iso(releasedBy) }),
  };
}

function warningsOf(view: AccountView) {
  const { record, watch } = view;
  if (record.encryption.type !== 'CustomerKey' || watch === undefined) return [];
  const unread = record.encryption.follows ? unreadableNewest(watch) : undefined;
  if (unread === undefined) return versionWarningsOf(watch, record.encryption);
  const { since, cause } = unread;
  const notReadable = { code: 'KeyNotReadable', cause, since: iso(since), remedy: remedyOf(cause, targetOf(view)) };
  return [notReadable, ...versionWarningsOf(watch, record.encryption)];
}

function versionWarningsOf(watch: Watch, { follows, version }: CustomerKeyEncryption) {
  const { unusableVersion, targetVersion, rotation, binding } = watch;
  const { expiresOn, warning } = watch.expiries?.[version] ?? {};
  const expiry = warning === undefined || expiresOn === undefined ? [] : [{ code: warning, expiresOn: iso(expiresOn) }];
  if (unusableVersion !== undefined && unusableVersion.version !== version) {
    if (!follows) return expiry;
    const { cause } = unusableVersion;
    const newest = { keyVersion: unusableVersion.version, cause, since: iso(unusableVersion.since) };
    return [{ code: 'NewVersionUnusable', ...newest, remedy: remedyOf(cause, binding) }, ...expiry];
  }
  if (targetVersion === undefined || targetVersion === version) return expiry;
  // Who follows is being re-wrapped; who is pinned has to be moved by its owner.
  const { since, done, failed } = rotation ?? {};
  const progress = !follows || since === undefined ? {} : { rotation: { since: iso(since), done, failed } };
  return [{ code: 'NewerVersionAvailable', keyVersion: targetVersion, ...progress }, ...expiry];
}
