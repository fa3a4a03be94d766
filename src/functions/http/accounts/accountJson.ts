/**
 * An account as JSON. One schema checks what a caller writes; the functions below render what a caller reads. Property
 * names are AMS's.
 */

import * as z from 'zod';
import {
  type AccountView,
  type CustomerKeyEncryption,
  currentKeyIdentifier,
  etagOf,
  leasePolicyOf,
  type OlderAccountKeys,
  type PendingDeletion,
  stateOf,
  verdictOn,
} from '../../../core/accounts/account.ts';
import { remedyTargetOf } from '../../../core/accounts/gate.ts';
import type { AccountInput } from '../../../core/accounts/planChange.ts';
import { type Served, servedOf, statusOf } from '../../../core/accounts/served.ts';
import { parseArmPath } from '../../../core/base/armPath.ts';
import { remedyOf } from '../../../core/base/causes.ts';
import { defined } from '../../../core/base/defined.ts';
import { Refusal } from '../../../core/base/errors.ts';
import { fold, ownerPattern } from '../../../core/base/names.ts';
import { leastLeaseSeconds, longestLeaseSeconds, type Policy } from '../../../core/base/policy.ts';
import { iso } from '../../../core/base/time.ts';
import type { KeyVaultIdentity } from '../../../core/customerKey/binding.ts';
import { keyIdentifierTarget } from '../../../core/customerKey/keyIdentifier.ts';
import { unreadableNewest } from '../../../core/watch/newestVersion.ts';
import { keyReleasedBy } from '../../../core/watch/verdictTimes.ts';
import type { Verdict, Watch } from '../../../core/watch/watch.ts';
import { representationTag } from '../../pipeline/conditionalGet.ts';
import { anyCase, orAbsent } from '../../pipeline/lenientInput.ts';
import { parsed } from '../../pipeline/requestBody.ts';
import { readOnly } from '../secrets/secretJson.ts';
import { renderCause } from './causeJson.ts';

const anyTags = z
  .record(
    z
      .string()
      .min(1)
      .max(512)
      .regex(/^[^<>%&\\?/]*$/),
    z.string().max(256),
  )
  .refine((value) => Object.keys(value).length <= 50, 'An account has at most 50 tags.')
  // A table property holds 32 Ki characters, and one property holds the whole account.
  .refine((value) => JSON.stringify(value).length <= 8192, 'All tags together have at most 8,192 characters.');

/** z.record drops this one name silently, so the schema looks for it first. */
export const tags = z
  .unknown()
  .refine(
    (value) => typeof value !== 'object' || value === null || !Object.hasOwn(value, '__proto__'),
    "No tag can have the name '__proto__'.",
  )
  .pipe(anyTags);

const guid = z.guid().transform(fold);
const keyExample = 'https://contoso-keys.vault.azure.net/keys/media';

export const identity = z.strictObject({
  useSystemAssignedIdentity: z.boolean(),
  userAssignedIdentity: orAbsent(z.string().min(1).max(500)).meta({ description: 'This must be a resource id.' }),
  federatedIdentityClientId: orAbsent(guid),
  tenantId: orAbsent(guid),
  principalId: readOnly,
  clientId: readOnly,
});

const encryption = z.strictObject({
  type: anyCase(['SystemKey', 'CustomerKey']),
  keyVaultProperties: orAbsent(
    z.strictObject({
      keyIdentifier: z
        .string()
        .min(1)
        .max(300)
        .meta({ examples: [keyExample] }),
      currentKeyIdentifier: readOnly,
    }),
  ),
  identity: orAbsent(identity),
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
  whoActs: readOnly,
  remedy: readOnly,
  accountKeyGeneration: readOnly,
  warnings: readOnly,
  olderAccountKeys: readOnly,
});

/** The body of PUT and PATCH. */
export const accountBody = z
  .strictObject({
    location: orAbsent(z.string().min(1).max(90)).meta({
      description: "The region of the account's vaults.",
      examples: ['westeurope'],
    }),
    tags: orAbsent(tags),
    properties: orAbsent(
      z.strictObject({
        owner: orAbsent(z.string().min(1).max(128)).meta({ pattern: ownerPattern.source, examples: ['contoso'] }),
        subscriptionId: orAbsent(z.guid()),
        resourceGroupName: orAbsent(z.string().min(1).max(90)).meta({
          description: 'With subscriptionId: the path of the account on the routes of Azure Media Services.',
        }),
        encryption: orAbsent(encryption),
        auditKeyUse: orAbsent(z.boolean()).meta({
          description: "Keyward audits every use of the account's key and every reveal.",
        }),
        leaseSeconds: orAbsent(z.union([z.literal(0), z.int().min(leastLeaseSeconds).max(longestLeaseSeconds)])).meta({
          description: `Shortens the time for which a process or a client may hold a key of the account: ${leastLeaseSeconds} to ${longestLeaseSeconds} seconds, or 0 when every use must call the vault. Absent: ${longestLeaseSeconds}.`,
        }),
        accountId: readOnly,
        state: readOnly,
        deletedAt: readOnly,
        scheduledPurgeAt: readOnly,
        provisioningState: readOnly,
      }),
    ),
    id: readOnly,
    name: readOnly,
    type: readOnly,
    etag: readOnly,
    systemData: readOnly,
  })
  .meta({
    id: 'AccountInput',
    description: 'A new account needs location and owner, which never change. Absent properties keep their values.',
    examples: [
      { location: 'westeurope', tags: { team: 'media' }, properties: { owner: 'contoso' } },
      { properties: { encryption: { type: 'CustomerKey', keyVaultProperties: { keyIdentifier: keyExample } } } },
    ],
  });

/** @throws Refusal InvalidRequestContent that names every invalid field. */
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
      'subscriptionId and resourceGroupName belong together: they are the path of the account. Send both.',
    );
  return { place: parseArmPath({ subscriptionId, resourceGroup }, placeTargets) };
}

function encryptionInput(input: z.infer<typeof encryption>): NonNullable<AccountInput['encryption']> {
  if (input.type === 'SystemKey') {
    if (input.keyVaultProperties !== undefined)
      throw contradiction(
        keyIdentifierTarget,
        'Only type CustomerKey has a key identifier. Remove keyVaultProperties, or set type to CustomerKey.',
      );
    return { type: 'SystemKey' };
  }
  if (input.keyVaultProperties === undefined)
    throw contradiction(keyIdentifierTarget, 'Type CustomerKey needs keyVaultProperties.keyIdentifier. Add it.');
  return {
    type: 'CustomerKey',
    keyIdentifier: input.keyVaultProperties.keyIdentifier,
    identity: identityOf(input.identity),
  };
}

/** ARM naming rules: subscription, resource group, and 3 to 128 letters, digits, hyphens and underscores of an identity. */
const userAssigned =
  /^\/subscriptions\/[\w-]{1,64}\/resourcegroups\/[-\w.()]{0,89}[-\w()]\/providers\/microsoft\.managedidentity\/userassignedidentities\/[a-z0-9][\w-]{2,127}$/i;

/** @throws Refusal InvalidRequestContent */
export function identityOf(
  input: z.infer<typeof identity> = { useSystemAssignedIdentity: true },
  target = 'properties.encryption.identity',
): KeyVaultIdentity {
  const { useSystemAssignedIdentity, userAssignedIdentity, federatedIdentityClientId, tenantId } = input;
  if (useSystemAssignedIdentity && userAssignedIdentity !== undefined)
    throw contradiction(
      target,
      'useSystemAssignedIdentity and userAssignedIdentity exclude each other. Send one of them.',
    );
  if (useSystemAssignedIdentity && federatedIdentityClientId !== undefined)
    throw contradiction(
      `${target}.federatedIdentityClientId`,
      'Only a user-assigned identity can authenticate an application. Name it in userAssignedIdentity.',
    );
  if (federatedIdentityClientId === undefined && tenantId !== undefined)
    throw contradiction(
      `${target}.tenantId`,
      'Only federatedIdentityClientId has a tenant: without an application, a managed identity reaches vaults of its own tenant only.',
    );
  if (useSystemAssignedIdentity) return { useSystemAssignedIdentity };
  if (userAssignedIdentity === undefined || !userAssigned.test(userAssignedIdentity))
    throw contradiction(
      `${target}.userAssignedIdentity`,
      'This must be the resource id of a user-assigned identity: /subscriptions/{id}/resourceGroups/{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}. A client id or an object id does not name it.',
    );
  if (federatedIdentityClientId === undefined) return { useSystemAssignedIdentity, userAssignedIdentity };
  if (tenantId === undefined)
    throw contradiction(
      `${target}.tenantId`,
      'federatedIdentityClientId needs tenantId, the tenant of the vault. Add it.',
    );
  return { useSystemAssignedIdentity, userAssignedIdentity, federatedIdentityClientId, tenantId };
}

const contradiction = (target: string, message: string): Refusal =>
  new Refusal('InvalidRequestContent', message, { target });

export function renderAccount(view: AccountView, policy: Policy) {
  const { record } = view;
  const encryption = renderEncryption(view, policy);
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
      ...renderPending(record.pendingDeletion),
      provisioningState: 'Succeeded',
      ...(record.place === undefined
        ? {}
        : { subscriptionId: record.place.subscriptionId, resourceGroupName: record.place.resourceGroup }),
      ...(record.auditKeyUse === true ? { auditKeyUse: true } : {}),
      ...(record.leaseSeconds === undefined ? {} : { leaseSeconds: record.leaseSeconds }),
      encryption,
    },
    systemData: { createdAt: iso(record.createdAt), lastModifiedAt: iso(record.updatedAt) },
    etag: representationTag(etagOf(record), encryption),
  };
}

export const renderPending = (pending: PendingDeletion | undefined) =>
  pending === undefined ? {} : { deletedAt: iso(pending.deletedAt), scheduledPurgeAt: iso(pending.purgeAt) };

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
    status: statusOf(view, policy),
    ...renderServed(servedOf(view, policy)),
    ...renderVerdict(verdict, leasePolicyOf(view.record, policy)),
    ...(cause === undefined ? {} : renderCause(cause, remedyTargetOf(view))),
    ...(view.watch === undefined ? {} : { nextLookAt: iso(view.watch.nextLookAt) }),
    warnings: warningsOf(view),
  };
}

const renderServed = (one: Served) =>
  one.served === 'untilLeaseEnd' ? { served: one.served, servedUntil: iso(one.until) } : one;

/** How far the account is from using only its newest account key. */
const renderOlder = ({ phase, since, keys }: OlderAccountKeys) => ({
  phase,
  since: iso(since),
  generations: keys.map(({ generation }) => generation),
});

function renderVerdict(verdict: Verdict | undefined, policy: Policy) {
  if (verdict === undefined) return {};
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
  if (unread === undefined) return versionWarningsOf(view, watch, record.encryption);
  const { since, cause } = unread;
  const remedy = remedyOf(cause, remedyTargetOf(view));
  const notReadable = { code: 'KeyNotReadable', cause, since: iso(since), remedy };
  return [notReadable, ...versionWarningsOf(view, watch, record.encryption)];
}

function versionWarningsOf(view: AccountView, watch: Watch, { follows, version }: CustomerKeyEncryption) {
  const { unusableVersion, targetVersion, rotation } = watch;
  const { expiresOn, warning } = watch.expiries?.[version] ?? {};
  const expiry = warning === undefined || expiresOn === undefined ? [] : [{ code: warning, expiresOn: iso(expiresOn) }];
  if (unusableVersion !== undefined && unusableVersion.version !== version) {
    if (!follows) return expiry;
    const { cause } = unusableVersion;
    const newest = { keyVersion: unusableVersion.version, cause, since: iso(unusableVersion.since) };
    return [
      {
        code: 'NewVersionUnusable',
        ...newest,
        remedy: remedyOf(cause, remedyTargetOf(view, unusableVersion.version)),
      },
      ...expiry,
    ];
  }
  if (targetVersion === undefined || targetVersion === version) return expiry;
  // Keyward re-wraps an account that uses the latest version. The owner of a pinned account has to change its version.
  const { since, done, failed } = rotation ?? {};
  const progress = !follows || since === undefined ? {} : { rotation: { since: iso(since), done, failed } };
  return [{ code: 'NewerVersionAvailable', keyVersion: targetVersion, ...progress }, ...expiry];
}
