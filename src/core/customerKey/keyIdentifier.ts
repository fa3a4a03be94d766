/**
 * Parses key identifiers. A customer typed the text, so it is hostile until it is parsed here. The host must be one
 * label under a Key Vault suffix of the configured cloud, and the URL must hold nothing else. Calls use an identifier
 * that is built from the checked parts, never the text itself. Forms: Key Vault docs, "About keys, secrets &
 * certificates".
 */
import { defined } from '../base/defined.ts';
import { Refusal } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import { strangeCharacterIn } from '../base/strangeCharacter.ts';
import { type Cloud, keyVaultSuffixes, vaultNameOf } from './keyVaultHosts.ts';
import { isOfOtherSite, whatWasMeant, whatWasPasted, whichHost } from './pastedText.ts';

export interface KeyIdentifier {
  /** As the customer wrote it; never rewritten. */
  readonly text: string;
  /** `contoso.vault.azure.net`, lower case. */
  readonly vaultHost: string;
  /** `contoso` */
  readonly vaultName: string;
  /** Lower case: Key Vault ignores the case of key names. */
  readonly keyName: string;
  /** Present when pinned: 32 lower-case hex digits. Absent: the account uses the latest version. */
  readonly version?: string;
}

export { type Cloud, isKeyVaultHost, keyVaultSuffixes } from './keyVaultHosts.ts';

const maxLength = 300;
/** Tested before folding, and without the flag `u`, because some foreign letters fold to these. */
const keyName = /^[A-Za-z0-9-]{1,127}$/;
const version = /^[0-9a-fA-F]{32}$/;

export const keyIdentifierTarget = 'properties.encryption.keyVaultProperties.keyIdentifier';

function malformed(what: string, cloud: Cloud): Refusal {
  const form = `https://<vault>${keyVaultSuffixes[cloud][0]}/keys/<key>`;
  return new Refusal(
    'KeyIdentifierMalformed',
    `${what} A key identifier has the form ${form}. Add /<version> to pin one version.`,
    { target: keyIdentifierTarget },
  );
}

/**
 * Removes `:443`, which Azure PowerShell prints, from the stored text: the URL is the same (RFC 3986, 6.2.3). @throws
 * Refusal KeyIdentifierMalformed | VaultHostNotAllowed that names the property
 */
export function parseKeyIdentifier(written: string, cloud: Cloud): KeyIdentifier {
  const text = written.length > maxLength ? written : written.replace(/^(https:\/\/[^/@?#:\\]+):443\//i, '$1/');
  const fault = faultIn(text, cloud);
  if (fault !== undefined) throw malformed(fault, cloud);
  const authority = authorityOf(text);
  const vaultHost = fold(authority);
  const name = vaultNameOf(vaultHost, cloud);
  if (name === undefined || URL.parse(text)?.host !== vaultHost) {
    const what =
      whichHost(vaultHost, cloud) ??
      `It must be one name under ${keyVaultSuffixes[cloud].join(' or ')}.${whatWasMeant(text, cloud)}`;
    throw new Refusal('VaultHostNotAllowed', `The host of the key identifier is not a Key Vault. ${what}`, {
      target: keyIdentifierTarget,
    });
  }
  const segments = text.slice('https://'.length + authority.length + 1).split('/');
  const wrong = faultInPath(segments);
  if (wrong !== undefined) throw malformed(whatWasPasted(text, cloud) ?? `${wrong}${whatWasMeant(text, cloud)}`, cloud);
  const [, key = '', pinned] = segments;
  return {
    text,
    vaultHost,
    vaultName: name,
    keyName: fold(key),
    ...defined({ version: pinned === undefined ? undefined : fold(pinned) }),
  };
}

const authorityOf = (text: string): string => text.slice('https://'.length).split('/', 1)[0] ?? '';

/** The fault in the text before the host is checked, with what was meant. */
function faultIn(text: string, cloud: Cloud): string | undefined {
  if (text.length > maxLength) return `The identifier is longer than ${maxLength} characters.`;
  const pasted = URL.canParse(text) && !isOfOtherSite(text) ? undefined : whatWasPasted(text, cloud);
  const fault = pasted ?? faultBeforeHost(text);
  return fault === undefined || fault === pasted ? fault : `${fault}${whatWasMeant(text, cloud)}`;
}

function faultBeforeHost(text: string): string | undefined {
  if (text === '') return 'The identifier is empty.';
  // The URL parser drops tabs, newlines and surrounding spaces and changes backslashes, so they are refused first.
  const strange = strangeCharacterIn(text);
  if (strange !== undefined) return `The identifier holds ${strange}, which no key identifier has.`;
  const begin = text.toLowerCase().indexOf('https://');
  if (text.toLowerCase().indexOf('https://', begin + 1) > 0) return 'The identifier holds https:// twice.';
  if (begin > 0) return `The identifier must begin with https://, and this one has it at position ${begin + 1}.`;
  const url = URL.parse(text);
  if (url === null || url.protocol !== 'https:') return 'The identifier must begin with https://.';
  if (url.username !== '' || url.password !== '' || text.includes('@'))
    return 'The identifier must not contain user information.';
  if (text.includes('?') || text.includes('#')) return 'The identifier must not contain a query or fragment.';
  if (/:443$/.test(authorityOf(text))) return 'The identifier names no key: its path begins with /keys/.';
  if (authorityOf(text).includes(':')) return 'The identifier must not contain a port other than 443.';
  return undefined;
}

function faultInPath([collection, key, pinned, ...rest]: readonly string[]): string | undefined {
  if (collection !== 'keys') return 'The identifier must name a key: its path begins with /keys/, in lower case.';
  const inName = strangeCharacterIn(key ?? '', /[^A-Za-z0-9-]/);
  if (key === undefined || !keyName.test(key))
    return `The name of the key must have 1 to 127 letters, digits and hyphens${inName === undefined ? '' : `, and it holds ${inName}`}.`;
  if (pinned === '' && rest.length === 0) return 'The identifier ends with a slash: leave it out.';
  if (rest.length === 1 && rest[0] === '') return 'The identifier ends with a slash: leave it out.';
  if (rest.length > 0)
    return `The identifier has too many parts: nothing may follow the version, and '${rest[0]}' does.`;
  const inVersion = strangeCharacterIn(pinned ?? '', /[^0-9a-fA-F]/);
  if (pinned !== undefined && !version.test(pinned))
    return `The version must have 32 hexadecimal digits, and this one has ${pinned.length} characters${inVersion === undefined ? '' : `, and holds ${inVersion}`}. Remove it and its slash to use the latest version.`;
  return undefined;
}

type KeyParts = Pick<KeyIdentifier, 'vaultHost' | 'keyName'>;

/** The identifier of a key without a version, always built from checked parts. */
export const versionlessIdentifier = ({ vaultHost, keyName }: KeyParts): string =>
  `https://${vaultHost}/keys/${keyName}`;

/** The identifier of one version, always built from checked parts. */
export const versionedIdentifier = (key: KeyParts, keyVersion: string): string =>
  `${versionlessIdentifier(key)}/${keyVersion}`;
