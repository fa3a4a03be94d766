/**
 * The numbers that Keyward's bounds rest on, with their units in the names. Defaults are the published ones;
 * docs/architecture.md derives the bounds from them.
 */
import * as z from 'zod';
import { type Cause, classOf, type DeniedCause, type NetworkPolicyCause } from './causes.ts';

const positiveSeconds = (fallback: number) => z.coerce.number().positive().max(86_400).default(fallback);
const positiveCount = (fallback: number) => z.coerce.number().int().positive().max(1000).default(fallback);

/** What an account may shorten its lease to, in seconds, beside 0; and the service's own lease, unless a setting shortens it. */
export const leastLeaseSeconds = 60;
export const longestLeaseSeconds = 300;

export const policySchema = z
  .object({
    lookIntervalHealthySeconds: positiveSeconds(60),
    lookIntervalSuspectSeconds: positiveSeconds(10),
    lookIntervalInaccessibleSeconds: positiveSeconds(30),
    /** Looks closer together than this count as one, whatever asked for them. */
    lookSpacingSeconds: positiveSeconds(10),
    /** How long one look may take before it counts as VaultTimeout. */
    lookDeadlineSeconds: positiveSeconds(5),
    /** How long a call to the tables or queues may wait for an answer. */
    storageDeadlineSeconds: positiveSeconds(10),
    /** How often the latest version of a followed key is read when no event has announced one. */
    versionCheckIntervalSeconds: positiveSeconds(240),
    confirmKeyDisabledLooks: positiveCount(2),
    confirmKeyNotFoundLooks: positiveCount(3),
    confirmKeyNotFoundSeconds: positiveSeconds(30),
    confirmPermissionLooks: positiveCount(3),
    confirmPermissionSeconds: positiveSeconds(60),
    confirmVaultNotFoundLooks: positiveCount(3),
    confirmVaultNotFoundSeconds: positiveSeconds(900),
    /** Whether a firewall, private link or perimeter that shuts us out for long counts as the customer's denial. */
    networkPolicyDisables: z.stringbool().default(false),
    confirmNetworkPolicyLooks: positiveCount(3),
    confirmNetworkPolicySeconds: positiveSeconds(900),
    /** How long an unwrapped account key may stay in one process's memory, and how much longer while its vault is unreachable. */
    leaseSeconds: positiveSeconds(longestLeaseSeconds),
    leaseGraceSeconds: z.coerce.number().min(0).max(86_400).default(600),
    /** Accounts re-wrapped, or brought up to date, in one message of work; re-wraps also end after a minute. */
    accountsPerMessage: positiveCount(1000),
    /** How many messages a sweep sends, each for a range of vaults, however many vaults there are. */
    sweepRanges: z.coerce.number().int().min(1).max(4096).default(64),
    /** How long a worker that died keeps others off its vault. */
    workerLeaseSeconds: positiveSeconds(60),
    /** How much of a vault's documented limit re-wraps and looks may use: the vault is the customer's. */
    vaultSharePercent: z.coerce.number().positive().max(100).default(25),
    /** From how long before its expiry a key version is warned of; Key Vault's own event comes 30 days before. */
    keyNearExpiryDays: positiveCount(30),
    /**
     * How old a ring's KEK may become before a newer one takes its place; 0: never by itself. NIST SP 800-57 part 1 gives a key that
     * wraps keys at most two years of wrapping.
     */
    ringRotationDays: z.coerce.number().int().min(0).max(3650).default(365),
    /** How soon a long-running operation that met a silent vault is tried again, and after how long it is given up. */
    operationRetrySeconds: positiveSeconds(10),
    operationTimeoutSeconds: positiveSeconds(600),
    /** How long a version must not have been the latest before it may be called safe to disable. */
    safeToDisableAfterSeconds: positiveSeconds(900),
    /** Calls that give out values (reveal, resolve), for each caller in each process; 0: no limit. */
    revealsPerMinute: z.coerce.number().int().min(0).max(1_000_000).default(6_000),
  })
  .refine((policy) => policy.lookIntervalSuspectSeconds >= policy.lookSpacingSeconds, {
    path: ['lookIntervalSuspectSeconds'],
    message: 'must not be below lookSpacingSeconds: looks closer together confirm nothing',
  });

export type Policy = z.infer<typeof policySchema>;

export const defaultPolicy: Policy = policySchema.parse({});

export interface Confirmation {
  readonly looks: number;
  /** Least time between the first and the last of the looks that count. */
  readonly overMs: number;
  /** Whether our own ability to reach Key Vault must have been shown at the same time. */
  readonly needsControlLook: boolean;
}

export type DenyingCause = DeniedCause | NetworkPolicyCause;

/** Whether this cause may lead to Inaccessible at all. */
export function isDenying(cause: Cause, policy: Policy): cause is DenyingCause {
  const kind = classOf(cause);
  return kind === 'denied' || (kind === 'networkPolicy' && policy.networkPolicyDisables);
}

/** What it takes to validateRefresh a denial. Why these numbers: docs/architecture.md, "Confirmation". */
export function confirmationOf(cause: DenyingCause, policy: Policy): Confirmation {
  switch (cause) {
    case 'KeyDisabled':
      return { looks: policy.confirmKeyDisabledLooks, overMs: 0, needsControlLook: false };
    case 'KeyNotFound':
    case 'KeyOperationNotAllowed':
      return {
        looks: policy.confirmKeyNotFoundLooks,
        overMs: policy.confirmKeyNotFoundSeconds * 1000,
        needsControlLook: false,
      };
    case 'KeyPermissionDenied':
    case 'IdentityNotAuthorized':
      return {
        looks: policy.confirmPermissionLooks,
        overMs: policy.confirmPermissionSeconds * 1000,
        needsControlLook: true,
      };
    case 'VaultFirewallDenied':
    case 'VaultPrivateLinkDenied':
    case 'NetworkPerimeterDenied':
      return {
        looks: policy.confirmNetworkPolicyLooks,
        overMs: policy.confirmNetworkPolicySeconds * 1000,
        needsControlLook: true,
      };
    case 'VaultNotFound':
      return {
        looks: policy.confirmVaultNotFoundLooks,
        overMs: policy.confirmVaultNotFoundSeconds * 1000,
        needsControlLook: true,
      };
  }
}
