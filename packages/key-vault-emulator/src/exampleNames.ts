/** The names in the control API's example lines. They exist, as far as the emulator has any of the kind. */
import type { World } from './world.ts';

export type ExampleNames = Readonly<
  Record<
    | 'vault'
    | 'host'
    | 'zone'
    | 'key'
    | 'version'
    | 'principal'
    | 'name'
    | 'subscription'
    | 'tenant'
    | 'event'
    | 'fault',
    string
  >
>;

const unusedId = '00000000-0000-4000-8000-000000000001';

export function exampleNames({ vaults, network, delivery, faults }: World): ExampleNames {
  const vault = [...vaults.values()].findLast(({ deleted }) => deleted === undefined);
  const key = [...(vault?.keys.values() ?? [])].findLast(({ deleted }) => deleted === undefined);
  return {
    vault: vault?.name ?? 'contoso-keys',
    host: vault?.host ?? 'contoso-keys.vault.azure.net',
    zone: [...network.privateZones.keys()].at(-1) ?? 'privatelink.vaultcore.azure.net',
    key: key?.name ?? 'cmk',
    version: key?.versions.at(-1)?.id ?? unusedId.replaceAll('-', ''),
    principal: vault?.roleAssignments.at(-1)?.principal ?? unusedId,
    name: vault?.subscriptions.at(-1)?.name ?? 'events',
    subscription: vault?.subscriptionId ?? unusedId,
    tenant: vault?.tenantId ?? unusedId,
    event: delivery.list().at(-1)?.event.id ?? unusedId,
    fault: faults.list().at(-1)?.id ?? unusedId,
  };
}
