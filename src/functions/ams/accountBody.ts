/**
 * The bodies that clients of Azure Media Services write about an account. The encryption becomes an input of the core.
 * Keyward stores the properties that have no meaning to it unchanged, and refuses by name the fields of no contract
 * version, so that it stores nothing unknown.
 */

import * as z from 'zod';
import type { AccountView, PassthroughProperties } from '../../core/accounts/account.ts';
import type { AccountInput } from '../../core/accounts/planChange.ts';
import { defined } from '../../core/base/defined.ts';
import { Refusal } from '../../core/base/errors.ts';
import { fold, foldRegion } from '../../core/base/names.ts';
import type { KeyVaultIdentity } from '../../core/customerKey/binding.ts';
import { keyIdentifierTarget } from '../../core/customerKey/keyIdentifier.ts';
import { tags } from '../http/accounts/accountInput.ts';
import { identityOf } from '../http/accounts/identityInput.ts';
import { readOnly } from '../http/secrets/secretJson.ts';
import { anyCase } from '../pipeline/lenientInput.ts';
import { parsed } from '../pipeline/requestBody.ts';
import { type AccountVersion, accountVersions } from './arm.ts';

/** Every reader of the account sees this id, so a connection string is refused. */
const resourceId = z
  .string()
  .max(500)
  .regex(/^\/subscriptions\/[^/?=;]+\/resourceGroups\/[^/?=;]+\/providers(\/[^/?=;]+){3,}$/i, {
    error: 'This must be a resource id: /subscriptions/{id}/resourceGroups/{name}/providers/{provider}/{type}/{name}.',
  });

const resourceIdentity = z.strictObject({
  useSystemAssignedIdentity: z.boolean(),
  userAssignedIdentity: resourceId.nullish(),
});

const storageAccount = z.strictObject({
  id: resourceId.nullish(),
  // Clients of 2020-05-01 omit it, such as Microsoft's sample of a customer's own key.
  type: anyCase(['Primary', 'Secondary']).default('Primary'),
  identity: resourceIdentity.nullish(),
  status: readOnly,
});

const keyDelivery = z.strictObject({
  accessControl: z
    .strictObject({
      defaultAction: anyCase(['Allow', 'Deny']).nullish(),
      ipAllowList: z.array(z.string().max(64)).nullish(),
    })
    .nullish(),
});

const newer = (what: string) =>
  z.undefined({ error: `${what} exists from api-version 2021-06-01 on. Use that version or a later one.` }).optional();

const encryption = (version: AccountVersion) =>
  z.strictObject({
    type: anyCase(['SystemKey', 'CustomerKey']),
    keyVaultProperties: z
      .strictObject({ keyIdentifier: z.string().min(1).max(300).nullish(), currentKeyIdentifier: readOnly })
      .nullish(),
    identity: version < '2021-06-01' ? newer('The identity of an encryption') : resourceIdentity.nullish(),
    status: readOnly,
    cause: readOnly,
    remedy: readOnly,
  });

const serviceIdentity = (version: AccountVersion) =>
  z.strictObject({
    type: z
      .string()
      .max(64)
      .refine((type) => identityTypes(version).includes(fold(type.replaceAll(' ', ''))), {
        error: `This must be one of ${identityTypes(version).join('; ')}, in any case.`,
      }),
    principalId: readOnly,
    tenantId: readOnly,
    userAssignedIdentities: z
      .record(resourceId, z.strictObject({ clientId: readOnly, principalId: readOnly }).nullable())
      .nullish(),
  });

const identityTypes = (version: AccountVersion): readonly string[] =>
  version < '2021-06-01'
    ? ['systemassigned', 'none']
    : ['systemassigned', 'userassigned', 'systemassigned,userassigned', 'none'];

const bodyOf = (version: AccountVersion) =>
  z.strictObject({
    location: z
      .string()
      .max(90)
      .refine((location) => foldRegion(location) !== '', { error: 'This names a region.' })
      .nullish(),
    tags: tags.nullish(),
    identity: serviceIdentity(version).nullish(),
    properties: z
      .strictObject({
        storageAccounts: z.array(storageAccount).max(100).nullish(),
        storageAuthentication: anyCase(['System', 'ManagedIdentity']).nullish(),
        encryption: encryption(version).nullish(),
        keyDelivery: keyDelivery.nullish(),
        publicNetworkAccess: anyCase(['Enabled', 'Disabled']).nullish(),
        minimumTlsVersion: anyCase(['Unspecified', 'Tls10', 'Tls11', 'Tls12', 'Tls13']).nullish(),
        mediaServiceId: readOnly,
        provisioningState: readOnly,
        privateEndpointConnections: readOnly,
      })
      .nullish(),
    id: readOnly,
    name: readOnly,
    type: readOnly,
    systemData: readOnly,
  });

const bodies = new Map(accountVersions.map((version) => [version, bodyOf(version)] as const));
type Body = z.infer<ReturnType<typeof bodyOf>>;

/** @throws Refusal InvalidRequestContent that names every invalid field or the contradiction. */
export function parseBody(body: unknown, version: AccountVersion, current: AccountView | undefined): AccountInput {
  const schema = bodies.get(version) ?? bodyOf(version);
  const given = parsed(schema, body);
  const encryptionInput = encryptionIn(given, current);
  const kept = retainedIn(given);
  // The native API may have changed the account to an identity that is not among these. A caller that names neither
  // does not have to correct that.
  if (kept.identity !== undefined || encryptionInput !== undefined)
    refuseContradiction({ ...current?.record.kept, ...kept }, encryptionInput, current);
  return {
    ...defined({ location: given.location ?? undefined }),
    ...(given.tags === undefined || given.tags === null ? {} : { tags: given.tags }),
    ...defined({ encryption: encryptionInput }),
    ...(Object.keys(kept).length === 0 ? {} : { kept }),
  };
}

/** The body without the properties that only the service sets. `null` means absent. */
function retainedIn({ identity, properties }: Body): PassthroughProperties {
  const { storageAccounts, storageAuthentication, keyDelivery: delivery, ...more } = properties ?? {};
  const accounts = storageAccounts?.map(({ status: _, ...account }) => account);
  const { publicNetworkAccess, minimumTlsVersion } = more;
  const assigned = Object.keys(identity?.userAssignedIdentities ?? {}).map((id) => [id, {}]);
  const all = {
    ...(identity === undefined || identity === null
      ? {}
      : {
          identity: {
            type: identity.type,
            ...(assigned.length === 0 ? {} : { userAssignedIdentities: Object.fromEntries(assigned) }),
          },
        }),
    storageAccounts: accounts,
    storageAuthentication,
    keyDelivery: delivery,
    publicNetworkAccess,
    minimumTlsVersion,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value !== null));
}

const invalid = (target: string, message: string): Refusal => new Refusal('InvalidRequestContent', message, { target });

function encryptionIn({ properties }: Body, current: AccountView | undefined): AccountInput['encryption'] {
  const input = properties?.encryption;
  if (input === undefined || input === null) return undefined;
  const given = input.keyVaultProperties?.keyIdentifier ?? undefined;
  if (input.type === 'SystemKey') {
    if (given !== undefined)
      throw invalid(
        keyIdentifierTarget,
        'Only type CustomerKey has a key identifier. Remove keyVaultProperties, or set type to CustomerKey.',
      );
    return { type: 'SystemKey' };
  }
  const present = current?.record.encryption.type === 'CustomerKey' ? current.record.encryption : undefined;
  const keyIdentifier = given ?? present?.keyIdentifier;
  if (keyIdentifier === undefined)
    throw invalid(keyIdentifierTarget, 'Type CustomerKey needs keyVaultProperties.keyIdentifier. Add it.');
  return { type: 'CustomerKey', keyIdentifier, identity: identityFor(input.identity, present?.binding.identity) };
}

/**
 * An absent property keeps its value. So does the application that a user-assigned identity authenticates, as long as
 * the body names that identity: this contract has no property for the application.
 */
function identityFor(
  input: z.infer<typeof resourceIdentity> | null | undefined,
  present: KeyVaultIdentity | undefined,
): KeyVaultIdentity {
  if (input === undefined || input === null) return present ?? { useSystemAssignedIdentity: true };
  const { useSystemAssignedIdentity, userAssignedIdentity } = input;
  const identity = identityOf({
    useSystemAssignedIdentity,
    ...(typeof userAssignedIdentity === 'string' ? { userAssignedIdentity } : {}),
  });
  const isPresent = userAssignedOf(present) !== undefined && userAssignedOf(present) === userAssignedOf(identity);
  return isPresent && present !== undefined ? present : identity;
}

const userAssignedOf = (identity: KeyVaultIdentity | undefined): string | undefined =>
  identity === undefined || identity.useSystemAssignedIdentity ? undefined : fold(identity.userAssignedIdentity);

interface ServiceIdentity {
  readonly type: string;
  readonly userAssignedIdentities?: Readonly<Record<string, unknown>>;
}

/**
 * An account that lists its identities reaches its key through one of them. One that lists none uses the app's own
 * identity.
 */
function refuseContradiction(
  kept: PassthroughProperties,
  input: AccountInput['encryption'],
  current: AccountView | undefined,
): void {
  const identity = kept.identity as ServiceIdentity | undefined;
  const stays =
    current?.record.encryption.type === 'CustomerKey' ? current.record.encryption.binding.identity : undefined;
  const used = input === undefined ? stays : input.type === 'CustomerKey' ? input.identity : undefined;
  if (identity === undefined || used === undefined) return;
  const types = fold(identity.type.replaceAll(' ', '')).split(',');
  const assigned = userAssignedOf(used);
  if (assigned === undefined && !types.includes('systemassigned'))
    throw invalid(
      'properties.encryption.identity',
      'The account reaches the customer key through its system-assigned identity, and identity.type does not have it. Add SystemAssigned, or name one of identity.userAssignedIdentities in properties.encryption.identity.',
    );
  const has = Object.keys(identity.userAssignedIdentities ?? {}).map(fold);
  if (assigned !== undefined && !(types.includes('userassigned') && has.includes(assigned)))
    throw invalid(
      'properties.encryption.identity.userAssignedIdentity',
      'The account reaches the customer key through a user-assigned identity that is not among identity.userAssignedIdentities. Add it there, with identity.type UserAssigned.',
    );
}
