/**
 * Accepts a customer key: all checks before it wraps one byte. Their order makes sure that no call leaves the process
 * before the identifier is valid and the owner may use the vault (INV-8, INV-10).
 */

import { actorOf, type Cause, classOf, isCause, meaningOf, remedyOf } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { type ErrorDetail, type ErrorExtras, Refusal, Unavailable } from '../base/errors.ts';
import { type Binding, bindingOf, type KeyVaultIdentity } from './binding.ts';
import { mayBeUsed, ownerMismatch } from './claims.ts';
import type { CustomerKeyDeps } from './deps.ts';
import { type KeyIdentifier, keyIdentifierTarget, parseKeyIdentifier } from './keyIdentifier.ts';
import type { Answer, KeyDescription, Observed } from './ports.ts';
import type { KeyFacts } from './validationChecks.ts';
import { type Check, calledBy, checksOf, isValid, messageOf } from './validationReport.ts';

export interface CustomerKeyInput {
  readonly keyIdentifier: string;
  readonly identity: KeyVaultIdentity;
  /** The version to use instead of the one in the identifier, or of the latest. */
  readonly version?: string;
}

export interface AcceptedKey {
  readonly identifier: KeyIdentifier;
  readonly binding: Binding;
  readonly description: KeyDescription;
  /** The error when the key does not open what it has wrapped. */
  readonly refusedBy: (proof: Answer<unknown>) => Refusal | Unavailable;
}

export interface Owned {
  readonly owner: string;
  readonly location: string;
}

export type AcceptDeps = Pick<
  CustomerKeyDeps,
  'keyVault' | 'claims' | 'clock' | 'cloud' | 'homeTenantId' | 'operatorVaults' | 'policy' | 'ownerTag'
>;

/** @throws Refusal with everything that fails or warns in `details`; Unavailable when the vault could not be called. */
export async function acceptCustomerKey(
  input: CustomerKeyInput,
  account: Owned,
  deps: AcceptDeps,
): Promise<AcceptedKey> {
  const facts = await factsOf(input, account, deps);
  const refusedBy = (proof?: Answer<unknown>) =>
    refusalOf(checkFacts(proof === undefined ? facts : { ...facts, proof }, account, deps), facts, proof);
  const { identifier, binding, described } = facts;
  const isGood = isValid(checkFacts(facts, account, deps));
  if (!isGood || identifier instanceof Refusal || binding === undefined || described?.ok !== true) throw refusedBy();
  return { identifier, binding, description: described.value, refusedBy };
}

/** The facts of an input that can be found without wrapping anything. */
export async function factsOf(input: CustomerKeyInput, { owner }: Owned, deps: AcceptDeps): Promise<KeyFacts> {
  const identifier = identifierIn(input.keyIdentifier, deps);
  if (identifier instanceof Refusal) return { identifier };
  const binding = bindingOf(identifier, deps.homeTenantId, input.identity);
  const mayUse = await mayBeUsed(binding, owner, deps);
  if (!mayUse) return { identifier, binding, mayUse };
  const described = await deps.keyVault.describe(binding, input.version ?? identifier.version);
  return { identifier, binding, mayUse, described };
}

export const checkFacts = (facts: KeyFacts, account: Owned, { clock, policy, ownerTag, cloud }: AcceptDeps): Check[] =>
  checksOf(facts, {
    owner: account.owner,
    location: account.location,
    now: clock.now(),
    nearExpiryDays: policy.keyNearExpiryDays,
    cloud,
    ...defined({ ownerTag }),
  });

function identifierIn(text: string, { cloud }: AcceptDeps): KeyIdentifier | Refusal {
  try {
    return parseKeyIdentifier(text, cloud);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}

/**
 * Parses a key identifier before any read or call for it. A key of the operator is refused like another owner's key, so
 * that the refusal discloses nothing about the vault (INV-14). @throws Refusal KeyIdentifierMalformed |
 * VaultHostNotAllowed | OwnerMismatch
 */
export function parseCustomerKey(
  text: string,
  { cloud, operatorVaults }: Pick<AcceptDeps, 'cloud' | 'operatorVaults'>,
): KeyIdentifier {
  const identifier = parseKeyIdentifier(text, cloud);
  if (operatorVaults.has(identifier.vaultHost)) throw ownerMismatch();
  return identifier;
}

/** The first failed check gives the code. `details` holds all failed checks, then all warnings. */
function refusalOf(
  checks: readonly Check[],
  { described }: KeyFacts,
  proof: Answer<unknown> | undefined,
): Refusal | Unavailable {
  const failed = checks.filter(({ result }) => result === 'fail');
  const [first] = failed;
  if (first?.cause === undefined || !isCause(first.cause)) throw new TypeError('No check of the key has failed.');
  const details = [...failed, ...checks.filter(({ result }) => result === 'warn')].flatMap(detailOf);
  const observed = proof?.observed ?? described?.observed;
  return errorOf(first.cause, messageOf(first), observed, { target: keyIdentifierTarget, details });
}

const detailOf = (check: Check): ErrorDetail[] =>
  check.cause === undefined ? [] : [{ code: check.cause, message: messageOf(check), target: keyIdentifierTarget }];

/** The error of a call for a key that cannot be used now: permanent or temporary. */
export function keyFailure(
  cause: Cause,
  binding: Binding,
  observed: Observed,
  target: string = keyIdentifierTarget,
): Refusal | Unavailable {
  return errorOf(cause, `${meaningOf(cause)} ${remedyOf(cause, { ...binding, ...calledBy(observed) })}`, observed, {
    target,
  });
}

function errorOf(
  cause: Cause,
  message: string,
  observed: Observed | undefined,
  about: ErrorExtras,
): Refusal | Unavailable {
  const { requestId, innerCode, retryAfterSeconds = 10 } = observed ?? {};
  const seen = defined({ keyVaultRequestId: requestId, keyVaultInnerCode: innerCode });
  const extras = { ...about, info: { cause, whoActs: actorOf(cause), ...seen } };
  return classOf(cause) === 'unreachable'
    ? new Unavailable(cause, message, retryAfterSeconds, extras)
    : new Refusal(cause, message, extras);
}
