/**
 * All checks of a customer key before it may wrap, as one list in a fixed order. Pure: acceptCustomerKey.ts gathers the
 * facts, and this file interprets them. The dry run returns the whole list. PUT and PATCH return the failed checks and
 * the warnings.
 */
import { actorOf, meaningOf, remedyOf } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import type { RemedyTarget } from '../base/remedies.ts';
import { ruleNames } from './keyRequirements.ts';
import { keyVaultSuffixes } from './keyVaultHosts.ts';
import type { Observed } from './ports.ts';
import {
  answerFound,
  type Found,
  identifierFound,
  type KeyFacts,
  type Measure,
  notChecked,
  pass,
  proofFound,
  ruleFound,
  tagFound,
} from './validationChecks.ts';

export const checkNames = [
  ...(['identifierForm', 'hostAllowed', 'ownerMayUse', 'identityToken', 'vaultReachable', 'keyReadable'] as const),
  ...ruleNames,
  ...(['ownerTag', 'unwrapProof'] as const),
] as const;
export type CheckName = (typeof checkNames)[number];

export const checkResults = ['pass', 'fail', 'warn', 'unknown'] as const satisfies readonly Found['result'][];

export interface Check extends Found {
  readonly name: CheckName;
  readonly message: string;
}

const holds: Readonly<Record<CheckName, string>> = {
  identifierForm: 'The key identifier names a key.',
  hostAllowed: 'The host is a Key Vault of the configured cloud.',
  ownerMayUse: 'Accounts of this owner may use the vault, tenant and identity.',
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
  ownerTag: 'The key has the tag that names its owner, or no tag is required.',
  unwrapProof: 'The vault opened what the key had wrapped.',
};

/** Every check, in the order of `checkNames`. */
export function checksOf(facts: KeyFacts, measure: Measure): Check[] {
  const before: Found[] = [];
  return checkNames.map((name) => {
    const found = look(name, facts, measure, before) ?? { result: 'unknown', message: notChecked };
    before.push(found);
    const { cause } = found;
    const message = cause === undefined || cause === 'KeyNearExpiry' ? holds[name] : meaningOf(cause);
    if (cause === undefined || cause === 'KeyNearExpiry') return { name, message, ...found };
    return { name, message, whoActs: actorOf(cause), remedy: remedyOf(cause, targetOf(facts, measure)), ...found };
  });
}

/** When the text names no vault, remedies name none either. */
function targetOf({ binding, identifier, described }: KeyFacts, { location, cloud }: Measure): RemedyTarget {
  if (binding === undefined || identifier instanceof Refusal)
    return { vaultHost: `NAME${keyVaultSuffixes[cloud][0]}`, vaultName: 'NAME', keyName: 'KEY', location };
  const version = identifier.version ?? (described?.ok === true ? described.value.version : undefined);
  return { ...binding, location, ...defined({ version }), ...(described && calledBy(described.observed)) };
}

/** Who called the vault, and from where: a grant and a rule of a firewall name them. */
export const calledBy = ({ principal, clientAddress }: Observed): Pick<RemedyTarget, 'principalId' | 'clientAddress'> =>
  defined({ principalId: principal?.principalId, clientAddress });

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

/** Whether the key may be used. An unknown result does not prevent it: a vault need not return its region. */
export const isValid = (checks: readonly Check[]): boolean => checks.every(({ result }) => result !== 'fail');

/** One check as readable text. */
export const messageOf = ({ message, remedy }: Check): string =>
  remedy === undefined ? message : `${message} ${remedy}`;
