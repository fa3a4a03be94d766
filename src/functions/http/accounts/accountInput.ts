/** The body of PUT and PATCH of an account: one schema checks what a caller writes. Property names are AMS's. */

import * as z from 'zod';
import type { AccountInput } from '../../../core/accounts/planChange.ts';
import { parseArmPath } from '../../../core/base/armPath.ts';
import { defined } from '../../../core/base/defined.ts';
import { ownerPattern } from '../../../core/base/names.ts';
import { maxLeaseSeconds, minLeaseSeconds } from '../../../core/base/policy.ts';
import { keyIdentifierTarget } from '../../../core/customerKey/keyIdentifier.ts';
import { anyCase, orAbsent } from '../../pipeline/lenientInput.ts';
import { parsed } from '../../pipeline/requestBody.ts';
import { readOnly } from '../secrets/secretJson.ts';
import { contradiction } from './contradiction.ts';
import { identity, identityOf } from './identityInput.ts';

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

const keyExample = 'https://contoso-keys.vault.azure.net/keys/media';

const encryption = z.strictObject({
  type: anyCase(['SystemKey', 'CustomerKey']),
  keyVaultProperties: orAbsent(
    z.strictObject({
      keyIdentifier: orAbsent(z.string().min(1).max(300)).meta({ examples: [keyExample] }),
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
        leaseSeconds: orAbsent(z.union([z.literal(0), z.int().min(minLeaseSeconds).max(maxLeaseSeconds)])).meta({
          description: `Shortens the time for which a process or a client may hold a key of the account: ${minLeaseSeconds} to ${maxLeaseSeconds} seconds, or 0 when every use must call the vault. Absent: ${maxLeaseSeconds}.`,
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
  const { keyIdentifier } = input.keyVaultProperties ?? {};
  if (input.type === 'SystemKey') {
    if (keyIdentifier !== undefined)
      throw contradiction(
        keyIdentifierTarget,
        'Only type CustomerKey has a key identifier. Remove keyVaultProperties, or set type to CustomerKey.',
      );
    return { type: 'SystemKey' };
  }
  if (keyIdentifier === undefined)
    throw contradiction(keyIdentifierTarget, 'Type CustomerKey needs keyVaultProperties.keyIdentifier. Add it.');
  return {
    type: 'CustomerKey',
    keyIdentifier,
    identity: identityOf(input.identity),
  };
}
