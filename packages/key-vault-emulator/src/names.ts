/**
 * The names of vaults, as a client's network and public DNS resolve them. A vault's public name is an alias; with a
 * private endpoint it is an alias of a `privatelink` name. A network that is linked to the private zone of such names
 * asks that zone alone, also for the vault of another tenant: a name without a record there does not exist for this
 * network, although it exists in public (Microsoft, "Fallback to internet for Azure Private DNS zones"; Key Vault docs,
 * general/private-link-diagnostics).
 */
import type { Faults } from './faults.ts';
import type { Cloud, VaultKind } from './hosts.ts';
import type { Network, Vault } from './model.ts';

export const createNetwork = (): Network => ({ privateEndpoints: new Set(), privateZones: new Map() });

const publicDomains: Record<Cloud, string> = { public: 'azure.net', china: 'azure.cn', usgov: 'usgovcloudapi.net' };
const servicePart: Record<VaultKind, string> = { vault: 'vaultcore', managedhsm: 'managedhsm' };

export const privateZoneOf = ({ kind, cloud }: Pick<Vault, 'kind' | 'cloud'>): string =>
  `privatelink.${servicePart[kind]}.${publicDomains[cloud]}`;

/** The alias (CNAME) that public DNS has for the vault. */
function aliasOf(vault: Vault, { privateEndpoints }: Network): string {
  const name = vault.name.toLowerCase();
  return privateEndpoints.has(name)
    ? `${name}.${privateZoneOf(vault)}`
    : `data-prod-weu.${servicePart[vault.kind]}.${publicDomains[vault.cloud]}`;
}

/** False: the client's own private zone hides the vault from it. */
export function resolvesForClient(vault: Vault, { privateEndpoints, privateZones }: Network): boolean {
  const name = vault.name.toLowerCase();
  const zone = privateEndpoints.has(name) ? privateZones.get(privateZoneOf(vault)) : undefined;
  return zone === undefined || zone.fallbackToInternet || zone.records.has(name);
}

const resolverErrors = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'ESERVFAIL', 'ETIMEOUT']);

/** What a query for the alias of a host answers, through the client's resolver. */
export function lookUpAlias(
  { vaults, faults, network }: { vaults: ReadonlyMap<string, Vault>; faults: Pick<Faults, 'list'>; network: Network },
  host: string,
): { alias: string } | { code: string } {
  for (const fault of faults.list()) {
    const isForAll = fault.vault === undefined && fault.action === 'network';
    if (isForAll && resolverErrors.has(fault.code)) return { code: fault.code };
  }
  const vault = [...vaults.values()].find((one) => one.host === host.toLowerCase());
  if (vault === undefined) return { code: 'ENOTFOUND' };
  const { deletedVault } = vault.answers;
  if (vault.deleted && typeof deletedVault === 'string') return { code: deletedVault };
  return { alias: aliasOf(vault, network) };
}
