/**
 * The remedy of each cause, with commands that fix this key when the reader pastes them. They name the version in use,
 * the tool and roles of a Managed HSM where the key is in one, the host name of the cloud, and Keyward's own principal
 * and addresses where they are known. Options: test/az/commands.json. Managed HSM: Key Vault docs,
 * managed-hsm/access-control and recovery.
 */
import { type Cause, causeCatalogue } from './causeCatalogue.ts';
import {
  createKey,
  grantKey,
  isManagedHsm,
  type KeyAddress,
  keyOptions,
  principalOf,
  resourceIdOf,
  rotateKey,
  type ServiceIdentity,
  vaultOptions,
  versionOptions,
} from './keyCommands.ts';

/** The key that a remedy is about. Absent facts are unknown, and the text then says where to find them. */
export interface RemedyTarget {
  readonly vaultName: string;
  readonly keyName: string;
  /** Shows the cloud, and whether it is a Managed HSM. Absent: a vault of the public cloud. */
  readonly vaultHost?: string;
  /** The version that wraps the account key, or that was checked. Absent: the newest. */
  readonly version?: string;
  /** The tenant of the vault. */
  readonly tenantId?: string;
  readonly identity?: ServiceIdentity;
  /** The object id that grants in the vault's tenant use. */
  readonly principalId?: string;
  /** The address from which Keyward calls the vault. */
  readonly clientAddress?: string;
  /** The region of the account. */
  readonly location?: string;
  /** The vault denied the call, and the same identity could not use the operator's own system key either. */
  readonly isControlLookFailed?: boolean;
}

interface Words {
  readonly isHsm: boolean;
  readonly host: string;
  readonly keyAddress: KeyAddress;
  /** `--name contoso` or `--hsm-name contoso`, for commands on the vault. */
  readonly vault: string;
  /** The identifier of the key, with its newest version when a command needs one. */
  readonly key: string;
  /** The version in use. */
  readonly keyVersion: string;
  readonly resourceId: string;
  readonly grant: string;
  readonly address: string;
}

const remedies: Readonly<Record<Cause, (words: Words, target: RemedyTarget) => string>> = {
  KeyDisabled: ({ keyVersion }) => `Enable it again: az keyvault key set-attributes ${keyVersion} --enabled true`,
  KeyNotFound: ({ key }) => `If it was deleted, recover it: az keyvault key recover ${key}`,
  KeyPermissionDenied: ({ isHsm, grant }) =>
    `Grant it again (${isHsm ? 'role' : 'role assignments take up to 10 minutes'}): ${grant}`,
  KeyOperationNotAllowed: ({ keyVersion }) =>
    `Permit it: az keyvault key set-attributes ${keyVersion} --ops wrapKey unwrapKey`,
  IdentityNotAuthorized: ({ grant }, { identity }) =>
    `Install it in the tenant again: az ad sp create --id ${applicationOf(identity)}; then grant it the key: ${grant}`,
  VaultNotFound: ({ isHsm, vault, grant }, { location }) =>
    isHsm
      ? `Recover it: az keyvault recover ${vault}${location === undefined ? '' : ` --location ${location}`}; its private endpoints must be created again.`
      : `Recover the vault: az keyvault recover ${vault}; recovery restores no role assignment, so grant the key again: ${grant}`,
  VaultFirewallDenied: ({ vault, address }) =>
    `Admit the address of this service: az keyvault network-rule add ${vault} --ip-address ${address}`,
  VaultPrivateLinkDenied: ({ resourceId }) =>
    `Approve the private endpoint of this service, or permit public access with rules. List the connections: az network private-endpoint-connection list --id ${resourceId} -o table`,
  NetworkPerimeterDenied: ({ address }, { vaultName }) =>
    `Add an inbound access rule for ${address} to the network security perimeter of ${vaultName}.`,
  Throttled: ({ resourceId }) =>
    `No action is needed: Keyward checks more slowly. If it lasts, count the calls to the vault, and spread the load: az monitor metrics list --resource ${resourceId} --metrics ServiceApiHit`,
  VaultUnavailable: (_, { vaultName }) =>
    `No action is needed: the account works again when the vault does. See the Azure status page for the region of ${vaultName}.`,
  VaultTimeout: ({ host }) =>
    `No action is needed at first. If it lasts, test the path from the console of the app: tcpping ${host}:443`,
  DnsFailure: ({ host }) => `Check name resolution from the Functions app, private DNS zones first: nslookup ${host}`,
  ConnectionFailed: ({ host }) =>
    `No action is needed at first. If it lasts, check routes and outbound rules, then the path: tcpping ${host}:443`,
  TlsFailure: ({ host }) =>
    `Look for an inspecting proxy on the path, and check the clock: openssl s_client -connect ${host}:443 -servername ${host}`,
  IdentityUnavailable: (_, { isControlLookFailed = false, principalId }) =>
    isControlLookFailed
      ? `Restore the grant on the operator's own vault first: the role "Key Vault Crypto Service Encryption User" must be among: az role assignment list --assignee ${principalOf(undefined, principalId)} --all -o table; then check the customer's grant.`
      : 'Check the managed identity of the Functions app, the application that it speaks for, and the health of Microsoft Entra ID; no customer need act.',
  UnknownResponse: () =>
    'Find the Key Vault request id in the log line `Checked a key`, and open an issue with status and inner code.',
  TenantMismatch: ({ vault }) =>
    `Compare the tenant of the vault with the one in the account: az keyvault show ${vault} --query properties.tenantId -o tsv`,
  VaultHostNotAllowed: (_, target) => `Use an identifier of the form https://NAME${suffixOf(target)}/keys/KEY.`,
  KeyIdentifierMalformed: (_, target) =>
    `Copy it from the vault: the Key Identifier of the key in the portal, of the form https://NAME${suffixOf(target)}/keys/KEY.`,
  OwnerMismatch: () => "Use a vault and identity of the account's own owner, or ask the operator to review the claims.",
  KeyTypeUnsupported: ({ keyAddress }) => `Create an RSA key: ${createKey(keyAddress)}`,
  KeySizeUnsupported: ({ keyAddress }) => `Create one of these sizes: ${createKey(keyAddress)}`,
  KeyExpired: ({ keyAddress }) => `Create a new version: ${rotateKey(keyAddress)}`,
  KeyNotYetValid: ({ keyVersion }) =>
    `Wait for it, or make it valid now: az keyvault key set-attributes ${keyVersion} --not-before "$(date -u +%Y-%m-%dT%H:%M:%SZ)"`,
  SoftDeleteMissing: ({ isHsm, vault }) =>
    isHsm
      ? 'A Managed HSM always has soft delete: ask Azure support.'
      : `Enable it: az keyvault update ${vault} --set properties.enableSoftDelete=true`,
  PurgeProtectionMissing: ({ isHsm, vault }) =>
    `Enable it: az keyvault ${isHsm ? 'update-hsm' : 'update'} ${vault} --enable-purge-protection true`,
  RegionMismatch: (_, { location }) => `Use a vault in ${location ?? "the account's region"}.`,
  KeyMaterialMismatch: () =>
    'Do not write to the account: a row was swapped, edited or restored from an old copy. Follow the runbook first.',
  IdentityReplaced: ({ grant }) =>
    `Inform the owner: the customer must grant the key to the principal in \`identity.principalId\` of the account: ${grant}`,
  StorageUnavailable: () => 'Check the storage account of the Functions app, and the roles of the app on it.',
};

/** What the cause means for this key: a failed control look says more than the cause alone. */
export const meaningFor = (cause: Cause, { isControlLookFailed = false }: RemedyTarget): string =>
  cause === 'IdentityUnavailable' && isControlLookFailed
    ? "The vault denied the call, and the same identity cannot use the operator's own system key either, so the fault may be Keyward's grant and not the customer's refusal."
    : causeCatalogue[cause].meaning;

/** One or two sentences; a command follows a colon. */
export const remedyOf = (cause: Cause, target: RemedyTarget): string => remedies[cause](wordsOf(target), target);

function wordsOf(target: RemedyTarget): Words {
  const { vaultName, keyName, version, identity, principalId, clientAddress } = target;
  const host = hostOf(target);
  const keyAddress = { vaultHost: host, vaultName, keyName };
  return {
    isHsm: isManagedHsm(host),
    host,
    keyAddress,
    vault: vaultOptions(keyAddress),
    key: keyOptions(keyAddress),
    keyVersion: versionOptions(keyAddress, version),
    resourceId: resourceIdOf(keyAddress),
    grant: grantKey(keyAddress, principalOf(identity, principalId)),
    address: clientAddress ?? '"$OUTBOUND_ADDRESS"',
  };
}

const hostOf = ({ vaultHost, vaultName }: RemedyTarget): string => vaultHost ?? `${vaultName}.vault.azure.net`;

const suffixOf = (target: RemedyTarget): string => hostOf(target).slice(target.vaultName.length);

const applicationOf = (identity: ServiceIdentity | undefined): string =>
  identity !== undefined && !identity.useSystemAssignedIdentity && identity.federatedIdentityClientId !== undefined
    ? identity.federatedIdentityClientId
    : '"$APPLICATION_ID"';
