/**
 * Key identifiers are text that a customer typed, so they are hostile until they have passed here: the host must be one
 * label under a Key Vault suffix of the configured cloud, nothing else may stand in the URL, and what is used for calls
 * is rebuilt from the checked parts, never the text itself. Forms: Key Vault docs, "About keys, secrets & certificates".
 */
import { Refusal } from '../base/errors.ts';
import { fold } from '../base/names.ts';

export interface KeyIdentifier {
  /** As the customer wrote it; never rewritten. */
  readonly text: string;
  /** `contoso.vault.azure.net`, lower case. */
  readonly vaultHost: string;
  /** `contoso` */
  readonly vaultName: string;
  /** Lower case: Key Vault ignores the case of key names. */
  readonly keyName: string;
  /** Present when pinned: 32 lower-case hex digits. Absent: follow the latest version. */
  readonly version?: string;
}

export type Cloud = 'public' | 'usgov' | 'china';

/** Key Vault and Managed HSM suffixes by cloud; the same source as above. */
export const keyVaultSuffixes: Readonly<Record<Cloud, readonly string[]>> = {
  public: ['.vault.azure.net', '.managedhsm.azure.net'],
  usgov: ['.vault.usgovcloudapi.net', '.managedhsm.usgovcloudapi.net'],
  china: ['.vault.azure.cn', '.managedhsm.azure.cn'],
};

const maxLength = 300;
const vaultName = /^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){2,23}$/;
const keyName = /^[a-z0-9-]{1,127}$/;
const version = /^[0-9a-f]{32}$/;

export const keyIdentifierTarget = 'properties.encryption.keyVaultProperties.keyIdentifier';

function malformed(what: string): Refusal {
  return new Refusal(
    'KeyIdentifierMalformed',
    `${what} A key identifier is https://<vault>.vault.azure.net/keys/<key>, with /<version> behind it to pin one version.`,
    { target: keyIdentifierTarget },
  );
}

/** True for exactly one vault label under a suffix of the cloud: the allow-list that every request is held against. */
export function isKeyVaultHost(host: string, cloud: Cloud): boolean {
  return vaultNameOf(host, cloud) !== undefined;
}

function vaultNameOf(host: string, cloud: Cloud): string | undefined {
  const suffix = keyVaultSuffixes[cloud].find((candidate) => host.endsWith(candidate));
  if (suffix === undefined) return undefined;
  const label = host.slice(0, -suffix.length);
  return vaultName.test(label) ? label : undefined;
}

/** @throws Refusal KeyIdentifierMalformed | VaultHostNotAllowed, naming the property. */
export function parseKeyIdentifier(text: string, cloud: Cloud): KeyIdentifier {
  if (text.length > maxLength) throw malformed(`The identifier is longer than ${maxLength} characters.`);
  // The URL parser drops tabs, newlines and surrounding spaces and folds backslashes: refuse them before it can.
  if (!/^[\x21-\x7e]+$/.test(text) || text.includes('\\'))
    throw malformed('The identifier holds a character that no key identifier has.');
  const url = URL.parse(text);
  if (url === null) throw malformed('The identifier is not a URL.');
  if (url.protocol !== 'https:') throw malformed('The identifier must begin with https://.');
  if (url.username !== '' || url.password !== '' || text.includes('@'))
    throw malformed('The identifier must not hold user information.');
  if (text.includes('?') || text.includes('#')) throw malformed('The identifier must not hold a query or fragment.');
  const authority = text.slice('https://'.length).split('/', 1)[0] ?? '';
  if (authority.includes(':')) throw malformed('The identifier must not hold a port.');

  const vaultHost = fold(authority);
  const name = vaultNameOf(vaultHost, cloud);
  if (name === undefined || url.host !== vaultHost) {
    throw new Refusal(
      'VaultHostNotAllowed',
      `The host of the key identifier is not a Key Vault: it must be one name under ${keyVaultSuffixes[cloud].join(' or ')}.`,
      { target: keyIdentifierTarget },
    );
  }

  const [collection, key, pinned, ...rest] = text.slice('https://'.length + authority.length + 1).split('/');
  if (collection !== 'keys') throw malformed('The identifier must name a key: its path begins with /keys/.');
  if (key === undefined || !keyName.test(fold(key))) throw malformed('The key has no valid name.');
  if (rest.length > 0) throw malformed('The identifier has too many segments.');
  if (pinned !== undefined && !version.test(fold(pinned)))
    throw malformed(
      'The version is not 32 hexadecimal digits; leave it and its slash out to follow the latest version.',
    );
  return {
    text,
    vaultHost,
    vaultName: name,
    keyName: fold(key),
    ...(pinned === undefined ? {} : { version: fold(pinned) }),
  };
}

/** The identifier of one version, always built from checked parts. */
export function versionedIdentifier(key: Pick<KeyIdentifier, 'vaultHost' | 'keyName'>, keyVersion: string): string {
  return `https://${key.vaultHost}/keys/${key.keyName}/${keyVersion}`;
}
