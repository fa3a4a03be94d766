/**
 * The numbers that determine Keyward's bounds, with their units in the names. The defaults are the published numbers;
 * docs/architecture.md derives the bounds from them.
 */
import { type Cause, classOf, type DeniedCause, type NetworkPolicyCause } from './causes.ts';

interface NumberRule {
  readonly fallback: number;
  /** The least allowed value; absent: above zero. */
  readonly min?: number;
  readonly max: number;
  readonly isCount?: true;
}

const positiveSeconds = (fallback: number): NumberRule => ({ fallback, max: 86_400 });
const positiveCount = (fallback: number): NumberRule => ({ fallback, max: 1000, isCount: true });
const countBetween = (min: number, max: number, fallback: number): NumberRule => ({
  fallback,
  min,
  max,
  isCount: true,
});

/**
 * The limits, in seconds, of an account's own lease (0 is allowed too). The longer one is also the service's lease,
 * unless a setting shortens it.
 */
export const minLeaseSeconds = 60;
export const maxLeaseSeconds = 300;

const rules = {
  lookIntervalHealthySeconds: positiveSeconds(60),
  lookIntervalSuspectSeconds: positiveSeconds(10),
  lookIntervalInaccessibleSeconds: positiveSeconds(30),
  /** Looks closer together than this count as one, whichever trigger requested them. */
  lookSpacingSeconds: positiveSeconds(10),
  /** How long one look may take before it counts as VaultTimeout. */
  lookDeadlineSeconds: positiveSeconds(5),
  /** How long a call to the tables or queues may take. */
  storageDeadlineSeconds: positiveSeconds(10),
  /** How often Keyward reads the latest version of a key when no event has announced a new one. */
  versionCheckIntervalSeconds: positiveSeconds(240),
  confirmKeyDisabledLooks: positiveCount(2),
  confirmKeyNotFoundLooks: positiveCount(3),
  confirmKeyNotFoundSeconds: positiveSeconds(30),
  confirmPermissionLooks: positiveCount(3),
  confirmPermissionSeconds: positiveSeconds(60),
  confirmVaultNotFoundLooks: positiveCount(3),
  confirmVaultNotFoundSeconds: positiveSeconds(900),
  /**
   * Whether a firewall, private link or perimeter that keeps Keyward out for long counts as the customer's denial.
   */
  networkPolicyDisables: { fallback: false },
  confirmNetworkPolicyLooks: positiveCount(3),
  confirmNetworkPolicySeconds: positiveSeconds(900),
  /**
   * How long an unwrapped account key may stay in the memory of one process, and how much longer while its vault is
   * unreachable.
   */
  leaseSeconds: positiveSeconds(maxLeaseSeconds),
  leaseGraceSeconds: { fallback: 600, min: 0, max: 86_400 },
  /** How many accounts one message of work re-wraps or updates. Re-wraps also end after a minute. */
  accountsPerMessage: positiveCount(1000),
  /**
   * How many messages a sweep sends. Each is for a range of vaults, so the number does not depend on that of the
   * vaults.
   */
  sweepRanges: countBetween(1, 4096, 64),
  /** How long a worker holds the lock of its vault. After a crash no other worker takes the vault earlier. */
  workerLeaseSeconds: positiveSeconds(60),
  /**
   * The share of a vault's documented limit that re-wraps and looks may use. The rest is for the customer, who owns
   * the vault.
   */
  vaultSharePercent: { fallback: 25, max: 100 },
  /** How many days before its expiry Keyward warns of a key version. Key Vault's own event comes 30 days before. */
  keyNearExpiryDays: positiveCount(30),
  /**
   * The age at which a newer KEK replaces a ring's KEK; 0: only on request. NIST SP 800-57 part 1 gives a key that
   * wraps keys at most two years of wrapping.
   */
  ringRotationDays: countBetween(0, 3650, 365),
  /**
   * How long a deleted account that protects secrets or data keys can be recovered, before its key is destroyed. 0:
   * DELETE destroys it at once.
   */
  deleteAfterDays: countBetween(0, 90, 7),
  /** How soon Keyward retries a long-running operation whose vault did not answer, and after how long it gives up. */
  operationRetrySeconds: positiveSeconds(10),
  operationTimeoutSeconds: positiveSeconds(600),
  /** How long another version must have been the latest before Keyward calls a version safe to disable. */
  safeToDisableAfterSeconds: positiveSeconds(900),
  /** Calls that return plaintext (reveal, resolve) per minute, for each caller in each process; 0: no limit. */
  revealsPerMinute: countBetween(0, 1_000_000, 6_000),
  /** Whether a check of a key that finds nothing wrong writes its log lines: most of what a key costs in logs. */
  logGoodKeyChecks: { fallback: true },
} satisfies Record<string, NumberRule | { readonly fallback: boolean }>;

type Rules = typeof rules;
type Widened<T> = T extends boolean ? boolean : number;

export type Policy = { readonly [Name in keyof Rules]: Widened<Rules[Name]['fallback']> };

export const policyNames = Object.keys(rules) as readonly (keyof Policy)[];

const fallbacks = Object.entries(rules).map(([name, { fallback }]) => [name, fallback]);
export const defaultPolicy = Object.freeze(Object.fromEntries(fallbacks)) as Policy;

interface PolicyProblem {
  readonly name: keyof Policy;
  readonly message: string;
}

/** The policy with these numbers, as settings have them, and the defaults of all others; or what is wrong with them. */
export function readPolicy(given: Readonly<Partial<Record<keyof Policy, string>>>): Policy | PolicyProblem[] {
  const read = policyNames.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]] as const]));
  const policy = {
    ...defaultPolicy,
    ...Object.fromEntries(read.map(([name, text]) => [name, parseValue(name, text)])),
  };
  const problems = read.flatMap(([name]) => problemOf(name, policy[name]));
  if (problems.length > 0) return problems;
  if (policy.lookIntervalSuspectSeconds >= policy.lookSpacingSeconds) return policy;
  const message = 'must not be below lookSpacingSeconds: looks closer together confirm nothing';
  return [{ name: 'lookIntervalSuspectSeconds', message }];
}

const yes = ['true', '1', 'yes', 'on', 'y', 'enabled'];
const no = ['false', '0', 'no', 'off', 'n', 'disabled'];

/** Undefined for a text that is neither true nor false. */
function parseValue(name: keyof Policy, text: string): number | boolean | undefined {
  if ('max' in rules[name]) return Number(text);
  const word = text.trim().toLowerCase();
  return yes.includes(word) || (no.includes(word) ? false : undefined);
}

function problemOf(name: keyof Policy, value: number | boolean | undefined): PolicyProblem[] {
  const rule: NumberRule | { readonly fallback: boolean } = rules[name];
  if (!('max' in rule)) return value === undefined ? [{ name, message: 'is neither true nor false' }] : [];
  const { min, max, isCount } = rule;
  const number = Number(value);
  const isInRange = (min === undefined ? number > 0 : number >= min) && number <= max;
  if (isInRange && (!isCount || Number.isInteger(number))) return [];
  const kind = isCount ? 'whole number' : 'number';
  return [{ name, message: `must be a ${kind} ${min === undefined ? 'above 0' : `from ${min}`} to ${max}` }];
}

export interface Confirmation {
  readonly looks: number;
  /** The shortest time between the first and the last of the counted looks. */
  readonly overMs: number;
  /** Whether a control look must have shown at the same time that Keyward itself can reach Key Vault. */
  readonly needsControlLook: boolean;
}

export type DenyingCause = DeniedCause | NetworkPolicyCause;

/** Whether this cause may lead to Inaccessible. */
export function isDenying(cause: Cause, policy: Policy): cause is DenyingCause {
  const kind = classOf(cause);
  return kind === 'denied' || (kind === 'networkPolicy' && policy.networkPolicyDisables);
}

/** The looks that confirm a denial. docs/states-and-bounds.md, "Confirmation", gives the reasons for the numbers. */
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
