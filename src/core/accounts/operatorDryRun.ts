/**
 * The operator's dry run, by account and by key: the checks of validateEncryption.ts in every state of an account. The
 * account itself refuses a dry run while its key is inaccessible (INV-3), which is when a person on call needs one.
 * Nothing is changed or stored.
 */
import { Refusal } from '../base/errors.ts';
import type { KeyVaultIdentity } from '../customerKey/binding.ts';
import { parseKeyIdentifier } from '../customerKey/keyIdentifier.ts';
import { checkRegion } from '../customerKey/regions.ts';
import type { AccountsDeps } from './deps.ts';
import { getAccount } from './readAccount.ts';
import { type Validation, validateKey } from './validateEncryption.ts';

/**
 * The version that wraps the account key, through the account's identity. No checks for an account under the system
 * key.
 */
export async function validateKeyOfAccount(name: string, waitSeconds: number, deps: AccountsDeps): Promise<Validation> {
  const { record } = await getAccount(name, deps);
  const { encryption } = record;
  if (encryption.type === 'SystemKey') return { valid: true, checks: [] };
  const { keyIdentifier, version, binding } = encryption;
  return validateKey({ keyIdentifier, version, identity: binding.identity }, record, waitSeconds, deps);
}

export interface KeyToValidate {
  readonly keyIdentifier: string;
  readonly identity: KeyVaultIdentity;
  /** Absent: the owner that has claimed the vault. */
  readonly owner?: string;
  /** Absent: the region is not compared. */
  readonly location?: string;
}

/**
 * @throws Refusal InvalidRequestContent of an unknown region, or when no owner is named and none has claimed the vault
 */
export async function validateKeyOf(
  { keyIdentifier, identity, owner, location = '' }: KeyToValidate,
  waitSeconds: number,
  deps: AccountsDeps,
): Promise<Validation> {
  if (location !== '') checkRegion(location, deps.cloud);
  const of = owner ?? (await claimant(keyIdentifier, deps));
  return validateKey({ keyIdentifier, identity }, { owner: of, location }, waitSeconds, deps);
}

async function claimant(keyIdentifier: string, { claims, cloud }: AccountsDeps): Promise<string> {
  const { vaultHost } = parseKeyIdentifier(keyIdentifier, cloud);
  const claim = await claims.find('vault', vaultHost);
  if (claim !== undefined) return claim.value.owner;
  throw new Refusal('InvalidRequestContent', 'No owner has claimed this vault yet: name the owner in the body.', {
    target: 'owner',
  });
}
