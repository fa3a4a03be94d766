/** Customers of each kind, for the tests of connection plans. */
import type { PlanFacts } from '../../src/core/customerPage/plan.ts';

export const principalId = '22222222-2222-4222-8222-222222222222';
export const clientId = 'cccccccc-0000-4000-8000-000000000001';
export const tenantId = 'dddddddd-0000-4000-8000-000000000001';
const userAssignedIdentity =
  '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/media';
const federated = {
  useSystemAssignedIdentity: false,
  userAssignedIdentity,
  federatedIdentityClientId: clientId,
  tenantId,
} as const;

const vault: PlanFacts = {
  key: { vaultHost: 'contoso-keys.vault.azure.net', vaultName: 'contoso-keys', keyName: 'media' },
  cloud: 'public',
  region: 'westeurope',
  identity: { useSystemAssignedIdentity: true },
  principalId,
};
const hsm: PlanFacts = {
  ...vault,
  key: { vaultHost: 'contosohsm.managedhsm.azure.net', vaultName: 'contosohsm', keyName: 'media' },
};
const { principalId: _, ...unknown } = vault;
const withHost = (facts: PlanFacts, vaultHost: string): PlanFacts => ({ ...facts, key: { ...facts.key, vaultHost } });

export const planFacts = {
  vault,
  hsm,
  userAssigned: { ...vault, identity: { useSystemAssignedIdentity: false, userAssignedIdentity } },
  /** Before the first call, and after it. */
  otherTenant: { ...unknown, identity: federated },
  otherTenantKnown: { ...vault, identity: federated },
  otherTenantHsm: { ...unknown, key: hsm.key, identity: federated },
  usgov: { ...withHost(vault, 'contoso-keys.vault.usgovcloudapi.net'), cloud: 'usgov', region: 'usgovvirginia' },
  china: {
    ...withHost(vault, 'contoso-keys.vault.azure.cn'),
    cloud: 'china',
    region: 'chinanorth3',
    identity: federated,
  },
} as const satisfies Record<string, PlanFacts>;
