/**
 * Causes: the one word for what a look, or a check of a key, showed. Closed list; the same word stands in records,
 * logs, events, answers and docs/runbook.md. Its class says what it may do to an account:
 *
 *   denied         the customer's side said no: may disable, once confirmed
 *   networkPolicy  the customer's network said no: loud, and disables only where the operator's policy says so
 *   unreachable    nobody answered: never disables
 *   misconfigured  refused when set; later like unreachable
 *   unusableKey    refused when set; for a new version: stay on the old one and warn
 *   ours           our own trouble: alarm, never disables
 */

export type CauseClass = 'denied' | 'networkPolicy' | 'unreachable' | 'misconfigured' | 'unusableKey' | 'ours';

type Actor = 'customer' | 'operator' | 'none';

interface CauseFacts {
  readonly class: CauseClass;
  /** Who must act. `none`: no action is needed. */
  readonly actor: Actor;
  /** One sentence for a person who has never seen the word. */
  readonly meaning: string;
  /** What to type, or to do. `{vault}`, `{key}` and `{application}` are filled in. */
  readonly remedy: string;
}

const catalogue = {
  KeyDisabled: {
    class: 'denied',
    actor: 'customer',
    meaning: 'The key version that wraps the account key is disabled.',
    remedy: 'Enable it again: az keyvault key set-attributes --vault-name {vault} --name {key} --enabled true',
  },
  KeyNotFound: {
    class: 'denied',
    actor: 'customer',
    meaning: 'The vault says that the key, or the version that wraps the account key, does not exist.',
    remedy: 'If it was deleted, recover it: az keyvault key recover --vault-name {vault} --name {key}',
  },
  KeyPermissionDenied: {
    class: 'denied',
    actor: 'customer',
    meaning: "The account's identity may not unwrap with the key.",
    remedy:
      'Grant it again (role assignments take up to 10 minutes): az role assignment create --role "Key Vault Crypto Service Encryption User" --assignee-object-id {principal} --assignee-principal-type ServicePrincipal --scope "$(az keyvault show --name {vault} --query id -o tsv)/keys/{key}"',
  },
  KeyOperationNotAllowed: {
    class: 'denied',
    actor: 'customer',
    meaning: 'The key no longer permits the unwrapKey operation.',
    remedy: 'Permit it: az keyvault key set-attributes --vault-name {vault} --name {key} --ops wrapKey unwrapKey',
  },
  IdentityNotAuthorized: {
    class: 'denied',
    actor: 'customer',
    meaning: "The customer's tenant refuses our application: it was removed, disabled, or never consented to.",
    remedy: 'Install it in the tenant again: az ad sp create --id {application}, then grant it the key of {vault}',
  },
  VaultNotFound: {
    class: 'denied',
    actor: 'customer',
    meaning: 'The name of the vault does not exist, while other names resolve.',
    remedy: 'Recover the vault, then grant access again, because recovery does not: az keyvault recover --name {vault}',
  },
  VaultFirewallDenied: {
    class: 'networkPolicy',
    actor: 'customer',
    meaning: "The vault's firewall does not let this service's address in.",
    remedy:
      'Let the published outbound addresses in: az keyvault network-rule add --name {vault} --ip-address <address>',
  },
  VaultPrivateLinkDenied: {
    class: 'networkPolicy',
    actor: 'customer',
    meaning: 'The vault accepts private connections only, and this is none that it has approved.',
    remedy: 'Approve the private endpoint of this service on vault {vault}, or permit public access with rules.',
  },
  NetworkPerimeterDenied: {
    class: 'networkPolicy',
    actor: 'customer',
    meaning: "A network security perimeter around the vault refuses this service's calls.",
    remedy: 'Add an inbound access rule for this service to the perimeter of vault {vault}.',
  },
  Throttled: {
    class: 'unreachable',
    actor: 'none',
    meaning: 'The vault answers that it gets too many requests.',
    remedy:
      'Nothing to do: looks go on more slowly. If it lasts, spread the load on vault {vault} over several vaults.',
  },
  VaultUnavailable: {
    class: 'unreachable',
    actor: 'none',
    meaning: 'The vault answered with a server error.',
    remedy: 'Nothing to do: service is restored with the vault. See the Azure status page for {vault}.',
  },
  VaultTimeout: {
    class: 'unreachable',
    actor: 'none',
    meaning: 'The vault did not answer in time.',
    remedy: 'Nothing to do unless it lasts: then check the network path to {vault}.',
  },
  DnsFailure: {
    class: 'unreachable',
    actor: 'operator',
    meaning: 'The name of the vault could not be looked up, and nothing shows that the vault is gone.',
    remedy: 'Check name resolution from the Functions app (private DNS zones first): nslookup {vault}.vault.azure.net',
  },
  ConnectionFailed: {
    class: 'unreachable',
    actor: 'none',
    meaning: 'No connection to the vault could be made or kept.',
    remedy: 'Nothing to do unless it lasts: then check routes and outbound rules towards {vault}.',
  },
  TlsFailure: {
    class: 'unreachable',
    actor: 'operator',
    meaning: 'The secure connection to the vault could not be established.',
    remedy: 'Check for an inspecting proxy and the time of the machine on the path to {vault}.',
  },
  IdentityUnavailable: {
    class: 'unreachable',
    actor: 'operator',
    meaning: 'This service could not obtain a token for its own identity.',
    remedy:
      'Check the managed identity of the Functions app, the application that it speaks for, and the health of Microsoft Entra ID; no customer need act.',
  },
  UnknownResponse: {
    class: 'unreachable',
    actor: 'operator',
    meaning: 'The vault answered something that is in no list. It is never read as a denial.',
    remedy: 'Look at the Key Vault request id in the log and open an issue with status and inner code.',
  },
  TenantMismatch: {
    class: 'misconfigured',
    actor: 'operator',
    meaning: 'The vault belongs to another tenant than the account names.',
    remedy: 'Name the tenant of vault {vault} in the account, or move the vault back.',
  },
  VaultHostNotAllowed: {
    class: 'misconfigured',
    actor: 'operator',
    meaning: 'The host of the key identifier is not a Key Vault of the configured cloud.',
    remedy: 'Use an identifier of the form https://<vault>.vault.azure.net/keys/<key>.',
  },
  KeyIdentifierMalformed: {
    class: 'misconfigured',
    actor: 'operator',
    meaning: 'The key identifier is not of the form https://<vault>/keys/<key>[/<version>].',
    remedy: 'Copy it from the vault: az keyvault key show --vault-name <vault> --name <key> --query key.kid',
  },
  OwnerMismatch: {
    class: 'misconfigured',
    actor: 'operator',
    meaning: 'The vault, tenant or identity cannot be used by accounts of this owner.',
    remedy: "Use a vault and identity of the account's own owner, or ask the operator to review the claims.",
  },
  KeyTypeUnsupported: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'Only RSA keys (software or HSM) can wrap an account key.',
    remedy: 'Create an RSA key: az keyvault key create --vault-name {vault} --name {key} --kty RSA --size 3072',
  },
  KeySizeUnsupported: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The RSA key has another size than 2048, 3072 or 4096 bits.',
    remedy: 'Create one of these sizes: az keyvault key create --vault-name {vault} --name {key} --kty RSA --size 3072',
  },
  KeyExpired: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The key version is past its expiry date: it still unwraps, but nothing new may be wrapped with it.',
    remedy: 'Create a new version: az keyvault key rotate --vault-name {vault} --name {key}',
  },
  KeyNotYetValid: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The activation date of the key version is in the future.',
    remedy:
      'Wait for it, or change it: az keyvault key set-attributes --vault-name {vault} --name {key} --not-before <date>',
  },
  SoftDeleteMissing: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The vault has no soft delete: a deleted key could not be brought back.',
    remedy: 'Enable it: az keyvault update --name {vault} --set properties.enableSoftDelete=true',
  },
  PurgeProtectionMissing: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The vault has no purge protection: a deleted key could be destroyed at once.',
    remedy: 'Enable it: az keyvault update --name {vault} --enable-purge-protection true',
  },
  RegionMismatch: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The vault is in another region than the account.',
    remedy: "Use a vault in the account's region.",
  },
  KeyMaterialMismatch: {
    class: 'ours',
    actor: 'operator',
    meaning: 'The vault answered, but what came back is not the account key that the record names.',
    remedy: 'Stop and look: a row was swapped or restored from an old copy. See the runbook before writing anything.',
  },
  IdentityReplaced: {
    class: 'ours',
    actor: 'operator',
    meaning:
      "This service's identity was created again as another principal, and the customer has granted only the earlier one.",
    remedy:
      'Write to the owner: the customer must grant the key to the principal that `identity.principalId` of the account names. az role assignment create --role "Key Vault Crypto Service Encryption User" --assignee-object-id {principal} --assignee-principal-type ServicePrincipal --scope "$(az keyvault show --name {vault} --query id -o tsv)/keys/{key}"',
  },
  StorageUnavailable: {
    class: 'ours',
    actor: 'operator',
    meaning: 'The tables of this service could not be read or written.',
    remedy: 'Check the storage account of the Functions app.',
  },
} as const satisfies Record<string, CauseFacts>;

export type Cause = keyof typeof catalogue;
export type DeniedCause = { [C in Cause]: (typeof catalogue)[C]['class'] extends 'denied' ? C : never }[Cause];
export type NetworkPolicyCause = {
  [C in Cause]: (typeof catalogue)[C]['class'] extends 'networkPolicy' ? C : never;
}[Cause];
export type UnusableKeyCause = {
  [C in Cause]: (typeof catalogue)[C]['class'] extends 'unusableKey' ? C : never;
}[Cause];

export const causes = Object.keys(catalogue) as readonly Cause[];

export const isCause = (word: string): word is Cause => Object.hasOwn(catalogue, word);

export const classOf = (cause: Cause): CauseClass => catalogue[cause].class;

/** No answer about the key, or a fault of Keyward's own: leases last through grace. */
export const isOutage = (cause: Cause): boolean =>
  catalogue[cause].class === 'unreachable' || cause === 'IdentityReplaced';

export const isDenied = (cause: Cause): cause is DeniedCause => catalogue[cause].class === 'denied';

export const meaningOf = (cause: Cause): string => catalogue[cause].meaning;

export const actorOf = (cause: Cause): Actor => catalogue[cause].actor;

/** What to do about it, with the names of this vault, key and application in the command to type. */
export function remedyOf(
  cause: Cause,
  {
    vaultName,
    keyName,
    identity,
    principalId = '<principal id>',
  }: { vaultName: string; keyName: string; identity?: object; principalId?: string },
): string {
  const application =
    identity !== undefined && 'federatedIdentityClientId' in identity
      ? String(identity.federatedIdentityClientId)
      : '<application id>';
  return catalogue[cause].remedy
    .replaceAll('{vault}', vaultName)
    .replaceAll('{key}', keyName)
    .replaceAll('{application}', application)
    .replaceAll('{principal}', principalId);
}
