/**
 * The hosts of Key Vault by cloud (Key Vault docs, "About keys, secrets & certificates"). Every call is compared with
 * this allow-list.
 */

export type Cloud = 'public' | 'usgov' | 'china';

/** Suffixes of vaults and of Managed HSMs. */
export const keyVaultSuffixes: Readonly<Record<Cloud, readonly [vault: string, managedHsm: string]>> = {
  public: ['.vault.azure.net', '.managedhsm.azure.net'],
  usgov: ['.vault.usgovcloudapi.net', '.managedhsm.usgovcloudapi.net'],
  china: ['.vault.azure.cn', '.managedhsm.azure.cn'],
};

const vaultName = /^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){2,23}$/;

/** The single label before a suffix of the cloud; undefined for any other host. The host must be in lower case. */
export function vaultNameOf(host: string, cloud: Cloud): string | undefined {
  const suffix = keyVaultSuffixes[cloud].find((candidate) => host.endsWith(candidate));
  if (suffix === undefined) return undefined;
  const label = host.slice(0, -suffix.length);
  return vaultName.test(label) ? label : undefined;
}

/** True for exactly one vault label under a suffix of the cloud. Every request is checked with it. */
export const isKeyVaultHost = (host: string, cloud: Cloud): boolean => vaultNameOf(host, cloud) !== undefined;
