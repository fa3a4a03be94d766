/** An account as clients of Azure Media Services read it, in the shape of the API version that they request. */
import {
  type AccountView,
  currentKeyIdentifier,
  type Encryption,
  etagOf,
  type PassthroughProperties,
  verdictOn,
} from '../../core/accounts/account.ts';
import { remedyTargetOf } from '../../core/accounts/gate.ts';
import type { AccountInput } from '../../core/accounts/planChange.ts';
import { statusOf } from '../../core/accounts/served.ts';
import type { ArmPath } from '../../core/base/armPath.ts';
import { remedyOf } from '../../core/base/causes.ts';
import { fold } from '../../core/base/names.ts';
import { identityParts, type KeyVaultIdentity } from '../../core/customerKey/binding.ts';
import type { Service } from '../../core/service.ts';
import { representationTag } from '../pipeline/conditionalGet.ts';
import { type AccountVersion, accountId, accountType, systemData } from './arm.ts';

/** With a part for the status of the key, as in the native API. */
export const tagOf = ({ record }: AccountView, { properties }: { properties: { encryption: object } }): string =>
  representationTag(etagOf(record), properties.encryption);

type OwnPrincipals = Pick<Service, 'homeTenantId' | 'ownIdentities'>;
type AnswerDeps = OwnPrincipals & Pick<Service, 'policy'>;

const nowhere: ArmPath = { subscriptionId: '', resourceGroup: '' };

export function renderAccount(
  view: AccountView,
  version: AccountVersion,
  service: AnswerDeps,
  changeState: 'Succeeded' | 'InProgress' = 'Succeeded',
) {
  const { name, place = nowhere, location, tags, kept = {}, instanceId, pendingDeletion } = view.record;
  const provisioningState = pendingDeletion === undefined ? changeState : 'Deleting';
  const encryption = renderEncryption(view.record.encryption, view, version, service);
  return {
    ...headOf(name, place),
    location,
    ...tagsIn(tags),
    ...renderIdentity(kept, service),
    properties: { mediaServiceId: instanceId, ...propertiesOf({ kept, encryption, provisioningState }, version) },
    ...systemData(view.record, version),
  };
}

/** An account that Keyward will create as soon as its vault answers. */
export function renderAwaited(
  { name, place, input }: { readonly name: string; readonly place: ArmPath; readonly input: AccountInput },
  version: AccountVersion,
  service: OwnPrincipals,
) {
  const { location, tags = {}, kept = {}, encryption: given } = input;
  const encryption =
    given?.type !== 'CustomerKey'
      ? { type: 'SystemKey' }
      : {
          type: 'CustomerKey',
          keyVaultProperties: { keyIdentifier: given.keyIdentifier },
          ...identityProperty(given.identity, version),
        };
  return {
    ...headOf(name, place),
    location,
    ...tagsIn(tags),
    ...renderIdentity(kept, service),
    properties: propertiesOf({ kept, encryption, provisioningState: 'InProgress' }, version),
  };
}

const tagsIn = (tags: Readonly<Record<string, string>>) => (Object.keys(tags).length === 0 ? {} : { tags });

const headOf = (name: string, place: ArmPath) => ({ id: accountId(place, name), name, type: accountType });

interface Parts {
  readonly kept: PassthroughProperties;
  readonly encryption: object;
  readonly provisioningState: string;
}

const openToAll = { accessControl: { defaultAction: 'Allow', ipAllowList: [] } } as const;

/** A property appears from the API version that introduced it, with the default of Azure Media Services. */
function propertiesOf({ kept, encryption, provisioningState }: Parts, version: AccountVersion) {
  const { storageAccounts = [], storageAuthentication, keyDelivery, publicNetworkAccess, minimumTlsVersion } = kept;
  return {
    storageAccounts,
    storageAuthentication: storageAuthentication ?? 'System',
    encryption,
    ...(version < '2021-05-01' ? {} : { keyDelivery: keyDelivery ?? openToAll }),
    ...(version < '2021-06-01' ? {} : { publicNetworkAccess: publicNetworkAccess ?? 'Enabled' }),
    ...(version < '2021-11-01' ? {} : { provisioningState, privateEndpointConnections: [] }),
    ...(version < '2023-01-01' ? {} : { minimumTlsVersion }),
  };
}

interface StoredIdentity {
  readonly type: string;
  readonly userAssignedIdentities?: Readonly<Record<string, unknown>>;
}

/**
 * The identities are those of the app. Its settings name their principals, to which customers grant their keys; `null`
 * where they do not.
 */
function renderIdentity({ identity }: PassthroughProperties, { homeTenantId: tenantId, ownIdentities }: OwnPrincipals) {
  if (identity === undefined) return {};
  const { type, userAssignedIdentities } = identity as StoredIdentity;
  const principalOf = (managed: string) =>
    ownIdentities.find((own) => identityParts(own.identity)[0] === fold(managed))?.principal;
  const ids = Object.keys(userAssignedIdentities ?? {}).map((id) => {
    const { clientId = null, principalId = null } = principalOf(id) ?? {};
    return [id, { clientId, principalId }];
  });
  const own = principalOf('')?.principalId ?? null;
  const system = fold(type).includes('systemassigned') ? { principalId: own, tenantId } : {};
  return {
    identity: { type, ...system, ...(ids.length === 0 ? {} : { userAssignedIdentities: Object.fromEntries(ids) }) },
  };
}

function renderEncryption(
  encryption: Encryption,
  view: AccountView,
  version: AccountVersion,
  { policy }: Pick<Service, 'policy'>,
) {
  if (encryption.type === 'SystemKey') return { type: 'SystemKey' };
  const verdict = verdictOn(view);
  const { cause } = verdict ?? {};
  const { keyIdentifier, binding } = encryption;
  return {
    type: 'CustomerKey',
    keyVaultProperties: { keyIdentifier, currentKeyIdentifier: currentKeyIdentifier(encryption) },
    ...identityProperty(binding.identity, version),
    ...(version < '2021-06-01' ? {} : { status: statusOf(view, policy) }),
    // Not in the contract: clients ignore or pass on properties that they do not know.
    ...(version < '2021-06-01' || cause === undefined ? {} : { cause, remedy: remedyOf(cause, remedyTargetOf(view)) }),
  };
}

function identityProperty(identity: KeyVaultIdentity, version: AccountVersion) {
  if (version < '2021-06-01') return {};
  const { useSystemAssignedIdentity } = identity;
  if (useSystemAssignedIdentity) return { identity: { useSystemAssignedIdentity } };
  const { userAssignedIdentity } = identity;
  return { identity: { useSystemAssignedIdentity, userAssignedIdentity } };
}
