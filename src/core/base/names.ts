/**
 * Names as customers write them, and the keys that tables make of them. Table keys are case-sensitive and forbid
 * `/ \ # ?` and control characters (Azure Table Storage, "Understanding the Table service data model"); Key Vault names
 * and account names ignore case. So names are folded to lower case, and everything longer becomes a hash.
 */
import { hex, lengthPrefixed, sha256 } from './bytes.ts';
import { Refusal } from './errors.ts';

export const maxAccountNameLength = 64;
/** 3 to 64 characters, so that a GUID fits; hyphens inside, and any case. */
export const accountNamePattern = /^[A-Za-z0-9][A-Za-z0-9-]{1,62}[A-Za-z0-9]$/;
/** Of an account with a path on the routes of Azure Media Services, which has 3 to 24 characters. */
const maxAmsNameLength = 24;
const guid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const ownerPattern = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}$/;

/**
 * To lower case, but for the two letters outside ASCII whose lower case is in it: the Kelvin sign and the dotted capital I stay as they
 * are. So no foreign letter becomes one of ours, and a name can be tested before or after folding with the same result.
 */
export const fold = (name: string): string => name.replaceAll(/[^\u212a\u0130]+/g, (part) => part.toLowerCase());

/** The folded name, or a refusal that says what a name looks like. */
export function parseAccountName(name: string): string {
  if (accountNamePattern.test(name)) return fold(name);
  throw new Refusal(
    'InvalidParameter',
    'An account name has 3 to 64 letters, digits and hyphens, and begins and ends with a letter or digit.',
    { target: 'accountName' },
  );
}

/** The name of an account that clients of Azure Media Services see. @throws Refusal InvalidParameter */
export function parseAmsName(name: string): string {
  if (name.length <= maxAmsNameLength) return parseAccountName(name);
  throw new Refusal(
    'InvalidParameter',
    `An account with a subscription and resource group is one for clients of Azure Media Services as well: its name has at most ${maxAmsNameLength} characters.`,
    { target: 'accountName' },
  );
}

export function parseOwner(text: string): string {
  if (ownerPattern.test(text)) return text;
  throw new Refusal(
    'InvalidParameter',
    'An owner has 1 to 128 letters, digits, dots, underscores, hyphens and @, and begins with a letter or digit.',
    { target: 'properties.owner' },
  );
}

export const isGuid = (text: string): boolean => guid.test(text);

/** A table key for a list of parts that may hold anything: 128 bits of SHA-256 over the parts, length-prefixed. */
export function indexKey(...parts: readonly string[]): string {
  return hex(sha256(lengthPrefixed(...parts))).slice(0, 32);
}

/** `West Europe`, `westeurope` and `WESTEUROPE` are one region. */
export const foldRegion = (region: string): string => fold(region.replaceAll(/\s+/g, ''));
