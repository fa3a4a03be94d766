/**
 * How a customer connects a key: one plan with the ids of this service, as commands of the Azure CLI, a Bicep template
 * and a Terraform configuration that do the same. Pure. infra/customer has the same for a reader without a link.
 */
import { defined } from '../base/defined.ts';
import {
  encryptionUserRole,
  grantKey,
  isManagedHsm,
  type KeyAddress,
  keyOptions,
  principalOf,
  createKey as shortCreateKey,
} from '../base/keyCommands.ts';
import { isFederated } from '../customerKey/binding.ts';
import { versionlessIdentifier } from '../customerKey/keyIdentifier.ts';
import type { Cloud } from '../customerKey/keyVaultHosts.ts';
import { signInHosts } from '../customerKey/signInHosts.ts';
import type { ConnectionPlan, PlanFacts } from './plan.ts';
import { bicepOf } from './planBicep.ts';
import { terraformOf } from './planTerraform.ts';

export function connectionPlan(facts: PlanFacts): ConnectionPlan {
  const { key, cloud, region, identity, principalId } = facts;
  const isHsm = isManagedHsm(key.vaultHost);
  const application = isFederated(identity) ? applicationOf(identity, cloud) : undefined;
  const principal = principalOf(identity, principalId);
  return {
    keyIdentifier: versionlessIdentifier(key),
    region,
    requirements: isHsm
      ? `An activated Managed HSM in ${region} with purge protection.`
      : `A vault in ${region} with Azure RBAC, soft delete and purge protection.`,
    role: encryptionUserRole(key.vaultHost),
    scope: isHsm ? `/keys/${key.keyName}` : `Microsoft.KeyVault/vaults/${key.vaultName}/keys/${key.keyName}`,
    ...defined({ principalId, application }),
    az: [
      ...(application === undefined
        ? []
        : [
            {
              what: 'Install the application of this service in your tenant. An administrator can consent on its page instead.',
              commands: [`az ad sp create --id ${application.clientId}`],
            },
          ]),
      ...(isHsm ? [] : [{ what: 'Create the vault, unless you have one.', commands: createVault(key, region) }]),
      { what: 'Create the key, with a new version every year.', commands: createKey(key) },
      { what: 'Give this service its role, on this key only.', commands: [grantKey(key, principal)] },
    ],
    ...(isHsm ? {} : { bicep: bicepOf(key, principal) }),
    terraform: terraformOf(facts),
  };
}

/** Microsoft Entra docs, "Grant tenant-wide admin consent to an application". */
function applicationOf(
  { federatedIdentityClientId: clientId, tenantId }: { federatedIdentityClientId: string; tenantId: string },
  cloud: Cloud,
) {
  const consentAddress = `${signInHosts[cloud]}/${tenantId}/adminconsent?client_id=${clientId}`;
  return { clientId, tenantId, consentAddress };
}

const createVault = ({ vaultName }: KeyAddress, region: string): string[] => [
  `az group create --name ${vaultName} --location ${region}`,
  `az keyvault create --name ${vaultName} --resource-group ${vaultName} --location ${region} --enable-rbac-authorization true --enable-purge-protection true --retention-days 90`,
];

const yearly = `'{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P1Y"},"action":{"type":"Rotate"}}]}'`;

const createKey = (key: KeyAddress): string[] => [
  `${shortCreateKey(key)} --ops wrapKey unwrapKey`,
  `az keyvault key rotation-policy update ${keyOptions(key)} --value ${yearly}`,
];
