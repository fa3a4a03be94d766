/**
 * Causes: the one code for the result of a look or of a check of a key. A closed list: records, logs, events, answers
 * and docs/runbook.md use the same code. The class of a cause says what it may do to an account:
 *
 *   denied         the customer's side refused: may disable, once confirmed
 *   networkPolicy  the customer's network refused: warns, and disables only when the operator's policy says so
 *   unreachable    no usable answer: never disables
 *   misconfigured  refused when set; later like unreachable
 *   unusableKey    refused when set; a new version: the account stays on the old one, with a warning
 *   ours           a fault of Keyward: raises an alarm, never disables
 */

export type CauseClass = 'denied' | 'networkPolicy' | 'unreachable' | 'misconfigured' | 'unusableKey' | 'ours';

export type CauseActor = 'customer' | 'operator' | 'none';

interface CauseFacts {
  readonly class: CauseClass;
  /** Who must act. `none`: no action is needed. */
  readonly actor: CauseActor;
  /** One sentence for a reader who has never seen the code. */
  readonly meaning: string;
}

export const causeCatalogue = {
  KeyDisabled: {
    class: 'denied',
    actor: 'customer',
    meaning: 'The key version that wraps the account key is disabled.',
  },
  KeyNotFound: {
    class: 'denied',
    actor: 'customer',
    meaning: 'The vault says that the key, or the version that wraps the account key, does not exist.',
  },
  KeyPermissionDenied: {
    class: 'denied',
    actor: 'customer',
    meaning: "The account's identity may not unwrap with the key.",
  },
  KeyOperationNotAllowed: {
    class: 'denied',
    actor: 'customer',
    meaning: 'The key no longer permits the unwrapKey operation.',
  },
  IdentityNotAuthorized: {
    class: 'denied',
    actor: 'customer',
    meaning: "The customer's tenant refuses Keyward's application: it was removed, disabled, or never consented to.",
  },
  VaultNotFound: {
    class: 'denied',
    actor: 'customer',
    meaning: 'The name of the vault does not exist, while other names resolve.',
  },
  VaultFirewallDenied: {
    class: 'networkPolicy',
    actor: 'customer',
    meaning: "The vault's firewall refuses this service's address.",
  },
  VaultPrivateLinkDenied: {
    class: 'networkPolicy',
    actor: 'customer',
    meaning: 'The vault accepts approved private connections only, and that of this service is not one of them.',
  },
  NetworkPerimeterDenied: {
    class: 'networkPolicy',
    actor: 'customer',
    meaning: "A network security perimeter around the vault refuses this service's calls.",
  },
  Throttled: {
    class: 'unreachable',
    actor: 'none',
    meaning: 'The vault answers that it receives too many requests.',
  },
  VaultUnavailable: {
    class: 'unreachable',
    actor: 'none',
    meaning: 'The vault answered with a server error.',
  },
  VaultTimeout: {
    class: 'unreachable',
    actor: 'none',
    meaning: 'The vault did not answer in time.',
  },
  DnsFailure: {
    class: 'unreachable',
    actor: 'operator',
    meaning: 'The name of the vault could not be resolved, and nothing shows that the vault no longer exists.',
  },
  ConnectionFailed: {
    class: 'unreachable',
    actor: 'none',
    meaning: 'A connection to the vault failed, or was interrupted.',
  },
  TlsFailure: {
    class: 'unreachable',
    actor: 'operator',
    meaning: 'The secure connection to the vault could not be established.',
  },
  IdentityUnavailable: {
    class: 'unreachable',
    actor: 'operator',
    meaning: 'This service could not obtain a token for its own identity.',
  },
  UnknownResponse: {
    class: 'unreachable',
    actor: 'operator',
    meaning: 'The vault gave an answer that Keyward does not know. It never counts as a denial.',
  },
  TenantMismatch: {
    class: 'misconfigured',
    actor: 'operator',
    meaning: 'The vault belongs to a tenant other than the one that the account names.',
  },
  VaultHostNotAllowed: {
    class: 'misconfigured',
    actor: 'operator',
    meaning: 'The host of the key identifier is not a Key Vault of the configured cloud.',
  },
  KeyIdentifierMalformed: {
    class: 'misconfigured',
    actor: 'operator',
    meaning: 'The key identifier is not of the form https://<vault>/keys/<key>[/<version>].',
  },
  OwnerMismatch: {
    class: 'misconfigured',
    actor: 'operator',
    meaning: 'The vault, tenant or identity cannot be used by accounts of this owner.',
  },
  KeyTypeUnsupported: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'Only RSA keys (software or HSM) can wrap an account key.',
  },
  KeySizeUnsupported: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The size of the RSA key is not 2048, 3072 or 4096 bits.',
  },
  KeyExpired: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The key version is past its expiry date: it still unwraps, but nothing new may be wrapped with it.',
  },
  KeyNotYetValid: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The activation date of the key version is in the future.',
  },
  SoftDeleteMissing: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The vault has no soft delete: a deleted key could not be recovered.',
  },
  PurgeProtectionMissing: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The vault has no purge protection: a deleted key could be destroyed at once.',
  },
  RegionMismatch: {
    class: 'unusableKey',
    actor: 'customer',
    meaning: 'The vault and the account are in different regions.',
  },
  KeyMaterialMismatch: {
    class: 'ours',
    actor: 'operator',
    meaning: 'The vault answered, but the unwrapped key is not the account key that the record names.',
  },
  IdentityReplaced: {
    class: 'ours',
    actor: 'operator',
    meaning:
      "This service's identity was created again as another principal, and the customer has granted only the earlier one. Denials that begin together for several owners count as this too, where nothing names the principal.",
  },
  StorageUnavailable: {
    class: 'ours',
    actor: 'operator',
    meaning: 'The tables of this service could not be read or written.',
  },
} as const satisfies Record<string, CauseFacts>;

export type Cause = keyof typeof causeCatalogue;
export type DeniedCause = { [C in Cause]: (typeof causeCatalogue)[C]['class'] extends 'denied' ? C : never }[Cause];
export type NetworkPolicyCause = {
  [C in Cause]: (typeof causeCatalogue)[C]['class'] extends 'networkPolicy' ? C : never;
}[Cause];
export type UnusableKeyCause = {
  [C in Cause]: (typeof causeCatalogue)[C]['class'] extends 'unusableKey' ? C : never;
}[Cause];
