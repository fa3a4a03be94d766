/**
 * Which host names are vaults. Suffixes and token resources per cloud: Key Vault docs,
 * general/about-keys-secrets-certificates ("DNS suffixes for object identifiers").
 */
export const vaultKinds = ['vault', 'managedhsm'] as const;
export type VaultKind = (typeof vaultKinds)[number];

export const clouds = ['public', 'china', 'usgov'] as const;
export type Cloud = (typeof clouds)[number];

const domains: Record<Cloud, string> = { public: 'azure.net', china: 'azure.cn', usgov: 'usgovcloudapi.net' };
const authorities: Record<Cloud, string> = {
  public: 'https://login.microsoftonline.com',
  china: 'https://login.chinacloudapi.cn',
  usgov: 'https://login.microsoftonline.us',
};

export function vaultHost(name: string, kind: VaultKind, cloud: Cloud): string {
  return `${name.toLowerCase()}.${kind}.${domains[cloud]}`;
}

/** The audience that a token for this vault must name. */
export function tokenResource(kind: VaultKind, cloud: Cloud): string {
  return `https://${kind}.${domains[cloud]}`;
}

/** The authority in the challenge; the client takes the tenant from it and uses its own authority host. */
export function challengeAuthority(cloud: Cloud, tenantId: string): string {
  return `${authorities[cloud]}/${tenantId}`;
}

/** The name in a Host header, without its port. */
export function hostName(header: string | undefined): string {
  return (header ?? '').toLowerCase().replace(/:\d+$/, '');
}

/** The control API answers to loopback names only, so that a web page cannot reach it through a DNS name of its own. */
export function isControlHost(host: string): boolean {
  return host === '127.0.0.1' || host === 'localhost' || host === '[::1]';
}
