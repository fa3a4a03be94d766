/**
 * Texts that people paste instead of a key identifier because a tool or page shows them. Each has a sentence that says
 * what it is and what to send. Pure, and only for messages: no code here accepts an identifier.
 */
import { fold } from '../base/names.ts';
import { type Cloud, keyVaultSuffixes, vaultNameOf } from './keyVaultHosts.ts';

/**
 * The one identifier inside a text with quotes, brackets, wrong slashes or letter case, a query or characters that do
 * not show: ` Send https://…`. Empty when the text holds none of this cloud, or has more that can have a meaning.
 */
export function whatWasMeant(text: string, cloud: Cloud): string {
  const plain = text
    .replaceAll(/%(3a|2f|2d)/gi, (code) => decodeURIComponent(code))
    .replaceAll('\\', '/')
    .replaceAll(/\p{Cf}/gu, '')
    // Word processors change a hyphen into a dash.
    .replaceAll(/\p{Pd}/gu, '-')
    // A letter that looks alike must not disappear: the rest could be the name of another vault.
    .replaceAll(/[^\x21-\x7e]/g, (character) => (/[\s\p{Pi}\p{Pf}]/u.test(character) ? ' ' : '_'));
  const suffix = keyVaultSuffixes[cloud].map((one) => one.replaceAll('.', '\\.')).join('|');
  const host = `(?<host>[a-z][a-z0-9-]{2,23}(?:${suffix}))(?::443)?`;
  const path = '/+keys/+(?<key>[a-z0-9-]{1,127})(?:/+(?:versions/+)?(?<version>[0-9a-f]{32}))?';
  const {
    host: vaultHost,
    key: keyName,
    version,
  } = new RegExp(`(?:https?:/+|^[^\\w.-]*)${host}${path}(?=[^\\w%-]*(?:$|[?#]))`, 'i').exec(plain)?.groups ?? {};
  // Of two addresses, no code can know which one was meant.
  const isOne = plain.split('://').length <= 2;
  if (vaultHost === undefined || !isOne || vaultNameOf(fold(vaultHost), cloud) === undefined) return '';
  return ` Send https://${vaultHost}/keys/${keyName}${version === undefined ? '' : `/${version}`}.`;
}

const key = '[A-Za-z0-9-]{1,127}';
const vault = '[A-Za-z][A-Za-z0-9-]{2,23}';
const pinned = '(?:/(?:versions/)?([0-9a-f]{32})(?![0-9a-z-]))?';
const armKey = new RegExp(
  `/providers/microsoft\\.keyvault/(vaults|managedhsms)/(${vault})(?:/keys/(${key})${pinned})?`,
  'i',
);
const otherObject = new RegExp(
  `^https://(${vault})(\\.[a-z.]+?)(?::443)?/(certificates|secrets|deletedkeys)/(${key})`,
  'i',
);
const insidePage = new RegExp(`https?://(${vault})(\\.[a-z.]+?)(?::443)?/keys/(${key})${pinned}`, 'i');

/** Pages of the portal and calls of Azure Resource Manager name a key inside their own address. */
const otherSite = /^https:\/\/(?:[a-z0-9-]+\.)*(portal\.azure\.(?:com|us|cn)|management\.[a-z]+\.[a-z.]+)\//i;
export const isOfOtherSite = (text: string): boolean => otherSite.test(text);

/** What a known text is and what to send instead; undefined for an unknown text. */
export function whatWasPasted(text: string, cloud: Cloud): string | undefined {
  const [vaultSuffix, hsmSuffix] = keyVaultSuffixes[cloud];
  const arm = armKey.exec(text);
  if (otherSite.exec(text)?.[1]?.startsWith('portal') === true) {
    const found = insidePage.exec(text.slice(8).replaceAll('%2F', '/').replaceAll('%3A', ':'));
    const where =
      found === null
        ? "the field 'Key Identifier' of that page"
        : `https://${found[1]}${found[2]}/keys/${found[3]}${withVersion(found[4])}`;
    return `It is an address of the Azure portal. Send ${where}.`;
  }
  if (arm !== null) {
    const [, kind = '', name = '', keyName, version] = arm;
    const suffix = kind.toLowerCase() === 'vaults' ? vaultSuffix : hsmSuffix;
    return keyName === undefined
      ? `It is the resource id of a vault. Send the identifier of a key in it: https://${name}${suffix}/keys/<key>.`
      : `It is a resource id. The identifier of this key is https://${name}${suffix}/keys/${keyName}${withVersion(version)}.`;
  }
  const other = otherObject.exec(text);
  if (other === null) return undefined;
  const [, name = '', suffix = '', collection = '', objectName = ''] = other;
  switch (collection.toLowerCase()) {
    case 'certificates':
      return `It is the identifier of a certificate. Its key has the same name: https://${name}${suffix}/keys/${objectName}.`;
    case 'deletedkeys':
      return `It is the identifier of a deleted key. Recover the key, then send https://${name}${suffix}/keys/${objectName}.`;
    default:
      return `It is the identifier of a secret. Only a key can wrap: https://${name}${suffix}/keys/<key>.`;
  }
}

const withVersion = (version: string | undefined): string => (version === undefined ? '' : `/${version}`);

/** Zones of private endpoints: Key Vault docs, "Integrate Key Vault with Azure Private Link". */
const anyHost = /^([a-z][a-z0-9-]*)(\.privatelink)?\.(vault|vaultcore|managedhsm)(\.[a-z.]+)$/;

/** What a host is that resembles one of the cloud's. */
export function whichHost(host: string, cloud: Cloud): string | undefined {
  const [, name = '', link, zone = '', domain = ''] = anyHost.exec(host) ?? [];
  const isHsm = zone === 'managedhsm';
  const own = keyVaultSuffixes[cloud][isHsm ? 1 : 0];
  const isPrivate = link !== undefined || zone === 'vaultcore';
  if (isPrivate && own === `.${isHsm ? zone : 'vault'}${domain}`)
    return `It is the name of a private endpoint: use the public name ${name}${own}, which resolves to the private address.`;
  const isOf = (one: Cloud) =>
    keyVaultSuffixes[one].some((suffix) => host.endsWith(suffix) || keyVaultSuffixes[one][0] === `.vault${domain}`);
  const other = (Object.keys(keyVaultSuffixes) as Cloud[]).find((one) => one !== cloud && isOf(one));
  if (other !== undefined)
    return `It is a host of the cloud '${other}'; this service is set to '${cloud}' (setting KEYWARD_CLOUD).`;
  if (host.endsWith('.')) return 'It ends with a dot: remove the dot.';
  const label = keyVaultSuffixes[cloud].flatMap((suffix) =>
    host.endsWith(suffix) ? [host.slice(0, -suffix.length)] : [],
  );
  if (label.some((one) => one !== '' && !one.includes('.')) && vaultNameOf(host, cloud) === undefined)
    return 'The name of a vault has 3 to 24 letters, digits and single hyphens, begins with a letter, and does not end with a hyphen.';
  return undefined;
}
