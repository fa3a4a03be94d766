/**
 * Names as customers write them, and the table keys that Keyward makes of them. Table keys are case-sensitive and
 * forbid `/ \ # ?` and control characters (Azure Table Storage, "Understanding the Table service data model"). Key
 * Vault names and account names ignore case. So Keyward folds names to lower case, and hashes all longer texts.
 */
import { hex, lengthPrefixed, sha256 } from './bytes.ts';
import { Refusal } from './errors.ts';
import { whatItHolds } from './strangeCharacter.ts';

export const maxAccountNameLength = 64;
/** 3 to 64 characters in any case, so that a GUID fits, with hyphens inside only. */
export const accountNamePattern = /^[A-Za-z0-9][A-Za-z0-9-]{1,62}[A-Za-z0-9]$/;
/** The limit for an account with a path on the routes of Azure Media Services, where names have 3 to 24 characters. */
const maxAmsNameLength = 24;
const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const ownerPattern = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/;

/**
 * To lower case, except for the two letters outside ASCII whose lower case is an ASCII letter: the Kelvin sign and the
 * dotted capital I do not change. So no foreign letter becomes an ASCII letter, and a test of a name gives the same
 * result before and after folding.
 */
export const fold = (name: string): string => name.replaceAll(/[^\u212a\u0130]+/g, (part) => part.toLowerCase());

/** The folded name. @throws Refusal InvalidParameter that describes a valid name */
export function parseAccountName(name: string): string {
  if (accountNamePattern.test(name)) return fold(name);
  throw new Refusal(
    'InvalidParameter',
    `An account name has 3 to 64 letters, digits and hyphens, and begins and ends with a letter or digit.${whatItHolds(name, /[^A-Za-z0-9-]/)}`,
    { target: 'accountName' },
  );
}

/** The name of an account that clients of Azure Media Services see. @throws Refusal InvalidParameter */
export function parseAmsName(name: string): string {
  if (name.length <= maxAmsNameLength) return parseAccountName(name);
  throw new Refusal(
    'InvalidParameter',
    `Clients of Azure Media Services see an account with a subscription and resource group, so its name has at most ${maxAmsNameLength} characters.`,
    { target: 'accountName' },
  );
}

export function parseOwner(text: string): string {
  if (ownerPattern.test(text)) return text;
  throw new Refusal(
    'InvalidParameter',
    `An owner has 1 to 128 letters, digits, dots, underscores, hyphens and @, and begins with a letter or digit.${whatItHolds(text, /[^A-Za-z0-9._@-]/)}`,
    { target: 'properties.owner' },
  );
}

export const isGuid = (text: string): boolean => guid.test(text);

/** A table key for a list of parts that may hold any characters: 128 bits of SHA-256 over the length-prefixed parts. */
export function indexKey(...parts: readonly string[]): string {
  return hex(sha256(lengthPrefixed(...parts))).slice(0, 32);
}

/** `West Europe`, `westeurope` and `WESTEUROPE` are one region. */
export const foldRegion = (region: string): string => fold(region.replaceAll(/\s+/g, ''));
