/**
 * Everything that is checked of a customer key before it may wrap, as one list in a fixed order. Pure: customerKey.ts gathers the
 * facts, this says what they mean. The dry run tells the list whole; PUT and PATCH tell of it what fails and what warns.
 */
import type { Binding } from './binding.ts';
import { type Cause, classOf, meaningOf, remedyOf } from './causes.ts';
import { Refusal } from './errors.ts';
import type { KeyIdentifier } from './keyIdentifier.ts';
import { findingOf, type RuleMeasure, type RuleName, ruleNames } from './keyRules.ts';
import type { Answer, KeyDescription, Observed } from './ports.ts';

export const checkNames = [
  ...(['identifierForm', 'hostAllowed', 'ownerMayUse', 'identityToken', 'vaultReachable', 'keyReadable'] as const),
  ...ruleNames,
  ...(['ownerTag', 'unwrapProof'] as const),
] as const;
export type CheckName = (typeof checkNames)[number];

export const checkResults = ['pass', 'fail', 'warn', 'unknown'] as const;

export interface Check {
  readonly name: CheckName;
  readonly result: (typeof checkResults)[number];
  /** Present exactly on `fail` and `warn`. */
  readonly cause?: Cause | 'KeyNearExpiry';
  readonly message: string;
  /** What was seen, for people. */
  readonly seen?: string;
  readonly remedy?: string;
}

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
}

type Found = Omit<Check, 'name' | 'message'> & { readonly message?: string };

const holds: Readonly<Record<CheckName, string>> = {
  identifierForm: 'The key identifier names a key.',
  hostAllowed: 'The host is a Key Vault of the configured cloud.',
  ownerMayUse: 'Vault, tenant and identity can be used by accounts of this owner.',
  identityToken: 'The identity has a token for the vault.',
  vaultReachable: 'The vault answers.',
  keyReadable: 'The identity may read the key (get).',
  keyType: 'The key is an RSA key.',
  keySize: 'The key has 2048, 3072 or 4096 bits.',
  keyEnabled: 'The key version is enabled.',
  keyActivation: 'The key version is active.',
  keyExpiry: 'The key version has not expired.',
  keyOperations: 'The key permits wrapKey and unwrapKey.',
  softDelete: 'The vault has soft delete.',
  purgeProtection: 'The vault has purge protection.',
  region: "The vault is in the account's region.",
  ownerTag: 'The key carries the tag that names its owner, or none is asked for.',
  unwrapProof: 'The vault opened what was wrapped with the key.',
};
const notLookedAt = 'Not looked at: something else stands in the way.';

/** Every check, in the order of `checkNames`. */
export function checksOf(facts: KeyFacts, measure: Measure): Check[] {
  const before: Found[] = [];
  return checkNames.map((name) => {
    const found = look(name, facts, measure, before) ?? { result: 'unknown', message: notLookedAt };
    before.push(found);
    const { cause } = found;
    const message = cause === undefined || cause === 'KeyNearExpiry' ? holds[name] : meaningOf(cause);
    const at = facts.binding ?? nowhere;
    const remedy = cause === undefined || cause === 'KeyNearExpiry' ? {} : { remedy: remedyOf(cause, at) };
    return { name, message, ...remedy, ...found };
  });
}

/** Before the owner's right to the vault is known, its names are nobody's to tell. */
const nowhere = { vaultName: '<vault>', keyName: '<key>' };

function look(name: CheckName, facts: KeyFacts, measure: Measure, before: readonly Found[]): Found | undefined {
  switch (name) {
    case 'identifierForm':
    case 'hostAllowed':
      return identifierFound(name, facts);
    case 'ownerMayUse':
      if (facts.mayUse === undefined) return undefined;
      return facts.mayUse ? pass : { result: 'fail', cause: 'OwnerMismatch' };
    case 'identityToken':
    case 'vaultReachable':
    case 'keyReadable':
      return answerFound(name, facts.described);
    case 'ownerTag':
      return tagFound(facts, measure);
    case 'unwrapProof':
      return proofFound(facts, before);
    default:
      return ruleFound(name, facts, measure);
  }
}

const pass: Found = { result: 'pass' };

/** The text is read from the left: where the host is none of ours, what stands behind it is not looked at. */
function identifierFound(name: 'identifierForm' | 'hostAllowed', { identifier }: KeyFacts): Found | undefined {
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
function answerFound(stage: Stage, answer: Answer<unknown> | undefined): Found | undefined {
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

function ruleFound(rule: RuleName, { described }: KeyFacts, measure: Measure): Found | undefined {
  if (described?.ok !== true) return undefined;
  const found = findingOf(rule, described.value, measure);
  if (found.result === 'unknown') return { ...found, message: 'Not told by what the vault says.' };
  if (found.result !== 'warn') return found;
  return { ...found, message: 'The key version expires soon.', remedy: 'Rotate the key before it expires.' };
}

/** Tags are the customer's own words: what is told is whether the right one is there. */
function tagFound({ described, binding }: KeyFacts, { ownerTag, owner }: Measure): Found | undefined {
  if (ownerTag === undefined) return pass;
  if (described?.ok !== true || binding === undefined) return undefined;
  const { tags = {} } = described.value;
  const value = Object.hasOwn(tags, ownerTag) ? tags[ownerTag] : undefined;
  if (value === owner) return pass;
  const set = `az keyvault key set-attributes --vault-name ${binding.vaultName} --name ${binding.keyName}`;
  return {
    ...{ result: 'fail', cause: 'OwnerMismatch', seen: value === undefined ? 'no such tag' : 'another value' },
    message: `The key does not carry the tag '${ownerTag}' with the value '${owner}'.`,
    remedy: `Set it (the other tags of the key must be named too, or they go): ${set} --tags "${ownerTag}=${owner}"`,
  };
}

function proofFound({ proof, probe }: KeyFacts, before: readonly Found[]): Found | undefined {
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

/** Whether the key may be used. What is unknown does not stand in the way: a vault need not tell its region. */
export const isValid = (checks: readonly Check[]): boolean => checks.every(({ result }) => result !== 'fail');

/** One check as a person reads it. */
export const told = ({ message, remedy }: Check): string => (remedy === undefined ? message : `${message} ${remedy}`);
