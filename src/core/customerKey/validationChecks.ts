/**
 * What each check of a customer key comes to, from the facts that were gathered. Pure. Undefined: it could not be looked at,
 * because something before it stood in the way.
 */

import type { CauseActor } from '../base/causeCatalogue.ts';
import { type Cause, classOf } from '../base/causes.ts';
import { Refusal } from '../base/errors.ts';
import type { Binding } from './binding.ts';
import type { KeyIdentifier } from './keyIdentifier.ts';
import { findingOf, type RuleMeasure, type RuleName } from './keyRequirements.ts';
import type { Cloud } from './keyVaultHosts.ts';
import type { Answer, KeyDescription, Observed } from './ports.ts';

/** What was looked at, in this order; what is absent was not, because something before it stood in the way. */
export interface KeyFacts {
  /** Refused: the text is no identifier, or its host no Key Vault. */
  readonly identifier: KeyIdentifier | Refusal;
  readonly binding?: Binding;
  /** No other owner holds vault, tenant or identity. */
  readonly mayUse?: boolean;
  readonly described?: Answer<KeyDescription>;
  /** What was wrapped with the key locally was opened by the vault. */
  readonly proof?: Answer<unknown>;
  /** Where reading is denied: what the vault answered when it was to open random bytes. */
  readonly probe?: Answer<unknown>;
}

export interface Measure extends RuleMeasure {
  readonly owner: string;
  /** The name of the tag that must hold the owner. Absent: none is asked for. */
  readonly ownerTag?: string;
  readonly cloud: Cloud;
}

/** What one check came to. `unknown`: not looked at, or not told by the vault. */
export interface Found {
  readonly result: 'pass' | 'fail' | 'warn' | 'unknown';
  /** Present exactly on `fail` and `warn`. */
  readonly cause?: Cause | 'KeyNearExpiry';
  /** Where the meaning of the cause does not say enough. */
  readonly message?: string;
  /** What was seen, for people. */
  readonly seen?: string;
  /** Present where there is a cause. */
  readonly whoActs?: CauseActor;
  /** Where the remedy of the cause is not the one. */
  readonly remedy?: string;
}

export const notLookedAt = 'Not looked at: something else stands in the way.';

export const pass: Found = { result: 'pass' };

/** The text is read from the left: where the host is none of ours, what stands behind it is not looked at. */
export function identifierFound(name: 'identifierForm' | 'hostAllowed', { identifier }: KeyFacts): Found | undefined {
  if (!(identifier instanceof Refusal)) return pass;
  const cause = identifier.code === 'VaultHostNotAllowed' ? identifier.code : 'KeyIdentifierMalformed';
  return (cause === 'VaultHostNotAllowed') === (name === 'hostAllowed')
    ? { result: 'fail', cause, message: identifier.message }
    : undefined;
}

/** Which step of the first call a cause belongs to. */
const tokenCauses: ReadonlySet<Cause> = new Set(['IdentityUnavailable', 'IdentityNotAuthorized', 'TenantMismatch']);
function stageOf(cause: Cause) {
  if (tokenCauses.has(cause)) return 'identityToken';
  const isSilence = cause === 'VaultNotFound' || ['unreachable', 'networkPolicy'].includes(classOf(cause));
  return isSilence ? 'vaultReachable' : 'keyReadable';
}

type Stage = ReturnType<typeof stageOf>;

/** A vault can refuse before it asks for a token, and a token be refused before the vault is asked: both are seen at the key only. */
export function answerFound(stage: Stage, answer: Answer<unknown> | undefined): Found | undefined {
  if (answer === undefined) return undefined;
  const seen = stage === 'keyReadable' ? seenOf(answer.observed) : {};
  if (answer.ok) return { ...pass, ...seen };
  const at = stageOf(answer.cause);
  if (at !== stage) return at === 'keyReadable' ? pass : undefined;
  return denied(answer, 'The identity may not read the key (get).');
}

/** A grant that was made just now is the likeliest reason at this moment. */
const propagation = 'If it was granted just now, wait: role assignments take up to 10 minutes.';

function denied({ cause, observed }: { cause: Cause; observed: Observed }, what: string): Found {
  const message = cause === 'KeyPermissionDenied' ? { message: `${what} ${propagation}` } : {};
  return { result: 'fail', cause, ...message, ...seenOf(observed) };
}

export function ruleFound(rule: RuleName, { described, binding }: KeyFacts, measure: Measure): Found | undefined {
  if (described?.ok !== true) return undefined;
  const found = findingOf(rule, described.value, measure);
  if (found.result === 'unknown') return { ...found, message: 'Not told by what the vault says.' };
  if (found.result !== 'warn') return found;
  const rotate = `az keyvault key rotate --vault-name ${binding?.vaultName} --name ${binding?.keyName}`;
  return { ...found, message: 'The key version expires soon.', remedy: `Create a new version before: ${rotate}` };
}

/** Tags are the customer's own words: what is told is whether the right one is there. */
export function tagFound({ described, binding }: KeyFacts, { ownerTag, owner }: Measure): Found | undefined {
  if (ownerTag === undefined) return pass;
  if (described?.ok !== true || binding === undefined) return undefined;
  const { tags = {} } = described.value;
  const value = Object.hasOwn(tags, ownerTag) ? tags[ownerTag] : undefined;
  if (value === owner) return pass;
  const set = `az keyvault key set-attributes --vault-name ${binding.vaultName} --name ${binding.keyName}`;
  return {
    result: 'fail',
    cause: 'OwnerMismatch',
    seen: value === undefined ? 'no such tag' : 'another value',
    message: `The key does not carry the tag '${ownerTag}' with the value '${owner}'.`,
    remedy: `Set it (the other tags of the key must be named too, or they go): ${set} --tags "${ownerTag}=${owner}"`,
  };
}

export function proofFound({ proof, probe }: KeyFacts, before: readonly Found[]): Found | undefined {
  if (proof?.ok === true) return { ...pass, ...seenOf(proof.observed) };
  if (proof !== undefined) {
    const isTold = before.some(({ cause }) => cause === proof.cause);
    if (isTold)
      return { result: 'unknown', message: `${notLookedAt} The vault refused for it.`, ...seenOf(proof.observed) };
    return denied(proof, 'The identity may not unwrap with the key.');
  }
  if (probe === undefined || probe.ok) return undefined;
  const seen = seenOf(probe.observed);
  if (probe.cause === 'KeyPermissionDenied') return denied(probe, 'The identity may not unwrap with the key either.');
  // It tried to open random bytes, and said that it cannot.
  const mayUnwrap = probe.cause === 'KeyMaterialMismatch';
  const message = mayUnwrap
    ? 'The identity may unwrap with this version; without get nothing can be wrapped.'
    : notLookedAt;
  return { result: 'unknown', message, ...seen };
}

function seenOf({ status, innerCode, networkCode, requestId }: Observed): { seen?: string } {
  const answered = [status, innerCode ?? networkCode].filter((part) => part !== undefined).join(' ');
  const id = requestId === undefined ? '' : `Key Vault request id ${requestId}`;
  const seen = [answered, id].filter((part) => part !== '').join(', ');
  return seen === '' ? {} : { seen };
}
