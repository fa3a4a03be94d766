/**
 * The result of each check of a customer key, from the gathered facts. Pure. Undefined: the check was not possible,
 * because an earlier one failed.
 */

import type { CauseActor } from '../base/causeCatalogue.ts';
import { type Cause, classOf } from '../base/causes.ts';
import { Refusal } from '../base/errors.ts';
import { rotateKey, tagKey } from '../base/keyCommands.ts';
import type { Binding } from './binding.ts';
import type { KeyIdentifier } from './keyIdentifier.ts';
import { findingOf, type RuleMeasure, type RuleName } from './keyRequirements.ts';
import type { Cloud } from './keyVaultHosts.ts';
import type { Answer, KeyDescription, Observed } from './ports.ts';

/** The gathered facts, in this order. A fact is absent when an earlier failure prevented it. */
export interface KeyFacts {
  /** A Refusal when the text is not an identifier or its host is not a Key Vault. */
  readonly identifier: KeyIdentifier | Refusal;
  readonly binding?: Binding;
  /** No other owner holds vault, tenant or identity. */
  readonly mayUse?: boolean;
  readonly described?: Answer<KeyDescription>;
  /** The vault's answer when it had to open what the key wrapped locally. */
  readonly proof?: Answer<unknown>;
  /** When reading is denied: the vault's answer when it had to open random bytes. */
  readonly probe?: Answer<unknown>;
}

export interface Measure extends RuleMeasure {
  readonly owner: string;
  /** The name of the tag that must hold the owner. Absent: no tag is required. */
  readonly ownerTag?: string;
  readonly cloud: Cloud;
}

/** The result of one check. `unknown`: not checked, or not returned by the vault. */
export interface Found {
  readonly result: 'pass' | 'fail' | 'warn' | 'unknown';
  /** Present exactly on `fail` and `warn`. */
  readonly cause?: Cause | 'KeyNearExpiry';
  /** Present when the meaning of the cause is not specific enough. */
  readonly message?: string;
  /** The fact that was found, as readable text. */
  readonly seen?: string;
  /** Present when there is a cause. */
  readonly whoActs?: CauseActor;
  /** Present when the remedy of the cause does not fit. */
  readonly remedy?: string;
}

export const notChecked = 'Not checked, because an earlier check failed.';

export const pass: Found = { result: 'pass' };

/** The text is checked from the left: when the host is not allowed, the rest is not checked. */
export function identifierFound(name: 'identifierForm' | 'hostAllowed', { identifier }: KeyFacts): Found | undefined {
  if (!(identifier instanceof Refusal)) return pass;
  const cause = identifier.code === 'VaultHostNotAllowed' ? identifier.code : 'KeyIdentifierMalformed';
  return (cause === 'VaultHostNotAllowed') === (name === 'hostAllowed')
    ? { result: 'fail', cause, message: identifier.message }
    : undefined;
}

/** The step of the first call that a cause belongs to. */
const tokenCauses: ReadonlySet<Cause> = new Set(['IdentityUnavailable', 'IdentityNotAuthorized', 'TenantMismatch']);
function stageOf(cause: Cause) {
  if (tokenCauses.has(cause)) return 'identityToken';
  const isUnreachable = cause === 'VaultNotFound' || ['unreachable', 'networkPolicy'].includes(classOf(cause));
  return isUnreachable ? 'vaultReachable' : 'keyReadable';
}

type Stage = ReturnType<typeof stageOf>;

/**
 * A vault can refuse before it requires a token, and a token can be refused before the vault is called. Both show only
 * in the answer about the key.
 */
export function answerFound(stage: Stage, answer: Answer<unknown> | undefined): Found | undefined {
  if (answer === undefined) return undefined;
  const seen = stage === 'keyReadable' ? seenOf(answer.observed) : {};
  if (answer.ok) return { ...pass, ...seen };
  const at = stageOf(answer.cause);
  if (at !== stage) return at === 'keyReadable' ? pass : undefined;
  return denied(answer, 'The identity may not read the key (get).');
}

/** A recent grant is the most likely reason. */
const propagation = 'If it was granted just now, wait: role assignments take up to 10 minutes.';

function denied({ cause, observed }: { cause: Cause; observed: Observed }, what: string): Found {
  const message = cause === 'KeyPermissionDenied' ? { message: `${what} ${propagation}` } : {};
  return { result: 'fail', cause, ...message, ...seenOf(observed) };
}

export function ruleFound(rule: RuleName, { described, binding }: KeyFacts, measure: Measure): Found | undefined {
  if (described?.ok !== true) return undefined;
  const found = findingOf(rule, described.value, measure);
  if (found.result === 'unknown') return { ...found, message: 'The vault does not return this fact.' };
  if (found.result !== 'warn') return found;
  const remedy = binding === undefined ? {} : { remedy: `Create a new version before: ${rotateKey(binding)}` };
  return { ...found, message: 'The key version expires soon.', ...remedy };
}

/** Tags are the customer's own text, so the result says only whether the required one is present. */
export function tagFound({ described, binding }: KeyFacts, { ownerTag, owner }: Measure): Found | undefined {
  if (ownerTag === undefined) return pass;
  if (described?.ok !== true || binding === undefined) return undefined;
  const { tags = {} } = described.value;
  const value = Object.hasOwn(tags, ownerTag) ? tags[ownerTag] : undefined;
  if (value === owner) return pass;
  return {
    result: 'fail',
    cause: 'OwnerMismatch',
    seen: value === undefined ? 'no such tag' : 'another value',
    message: `The key does not carry the tag '${ownerTag}' with the value '${owner}'.`,
    remedy: `Set it, and name the key’s other tags too, because the command removes the rest: ${tagKey(binding, ownerTag, owner)}`,
  };
}

export function proofFound({ proof, probe }: KeyFacts, before: readonly Found[]): Found | undefined {
  if (proof?.ok === true) return { ...pass, ...seenOf(proof.observed) };
  if (proof !== undefined) {
    const isReported = before.some(({ cause }) => cause === proof.cause);
    if (isReported)
      return {
        result: 'unknown',
        message: `${notChecked} The vault refused for that reason.`,
        ...seenOf(proof.observed),
      };
    return denied(proof, 'The identity may not unwrap with the key.');
  }
  if (probe === undefined || probe.ok) return undefined;
  const seen = seenOf(probe.observed);
  if (probe.cause === 'KeyPermissionDenied') return denied(probe, 'The identity may not unwrap with the key either.');
  // The vault tried to open the random bytes and could not, so the identity may unwrap.
  const mayUnwrap = probe.cause === 'KeyMaterialMismatch';
  const message = mayUnwrap
    ? 'The identity may unwrap with this version. Without get, Keyward cannot wrap.'
    : notChecked;
  return { result: 'unknown', message, ...seen };
}

function seenOf({ status, innerCode, networkCode, requestId }: Observed): { seen?: string } {
  const answered = [status, innerCode ?? networkCode].filter((part) => part !== undefined).join(' ');
  const id = requestId === undefined ? '' : `Key Vault request id ${requestId}`;
  const seen = [answered, id].filter((part) => part !== '').join(', ');
  return seen === '' ? {} : { seen };
}
