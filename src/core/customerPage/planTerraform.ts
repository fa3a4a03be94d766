/**
 * The Terraform configuration of a connection plan. Arguments: documentation of the providers azurerm 4 and azuread 3.
 * Subscription and tenant come from the environment, as `az login` leaves them.
 */
import { encryptionUserRole, isManagedHsm } from '../base/keyCommands.ts';
import { isFederated } from '../customerKey/binding.ts';
import { versionlessIdentifier } from '../customerKey/keyIdentifier.ts';
import type { Cloud } from '../customerKey/keyVaultHosts.ts';
import type { PlanFacts, PlanTemplate } from './plan.ts';

/** The argument `environment` of both providers. */
const environments: Readonly<Record<Cloud, string>> = { public: 'public', usgov: 'usgovernment', china: 'china' };
/** Key Vault docs, "Local RBAC built-in roles for Managed HSM". */
const hsmRoleId = '33413926-3206-4cdd-b39a-83574fe37a17';

export function terraformOf(facts: PlanFacts): PlanTemplate {
  const { vaultName, vaultHost } = facts.key;
  const isHsm = isManagedHsm(vaultHost);
  const found = `$(az keyvault show ${isHsm ? '--hsm-name' : '--name'} ${vaultName} --query resourceGroup -o tsv)`;
  const parts = [providers(facts), ...application(facts), isHsm ? inHsm(facts) : inVault(facts)];
  return {
    file: 'keyward.tf',
    text: `${parts.join('\n\n')}\n`,
    apply: `terraform init && terraform apply -var "resource_group_name=${found}"`,
  };
}

const provider = (name: string, version: string): string => `    ${name} = {
      source  = "hashicorp/${name}"
      version = "~> ${version}"
    }`;

function providers({ cloud, identity }: PlanFacts): string {
  const environment = environments[cloud];
  const isAcross = isFederated(identity);
  const needed = [...(isAcross ? [provider('azuread', '3.0')] : []), provider('azurerm', '4.0')];
  return `terraform {
  required_providers {
${needed.join('\n')}
  }
}

provider "azurerm" {
  environment = "${environment}"
  features {}
}

variable "resource_group_name" {
  type        = string
  description = "The resource group of the vault."
}`;
}

/** Installs the application of this service in the customer's tenant. */
function application({ cloud, identity }: PlanFacts): string[] {
  if (!isFederated(identity)) return [];
  return [
    `provider "azuread" {
  environment = "${environments[cloud]}"
  tenant_id   = "${identity.tenantId}"
}

resource "azuread_service_principal" "service" {
  client_id    = "${identity.federatedIdentityClientId}"
  use_existing = true
}`,
  ];
}

/** The known id, or that of the installed application. */
const principalIn = ({ identity, principalId }: PlanFacts): string =>
  isFederated(identity) ? 'azuread_service_principal.service.object_id' : `"${principalId}"`;

const inVault = (facts: PlanFacts): string => `data "azurerm_key_vault" "vault" {
  name                = "${facts.key.vaultName}"
  resource_group_name = var.resource_group_name
}

resource "azurerm_key_vault_key" "key" {
  name         = "${facts.key.keyName}"
  key_vault_id = data.azurerm_key_vault.vault.id
  key_type     = "RSA"
  key_size     = 3072
  key_opts     = ["wrapKey", "unwrapKey"]

  rotation_policy {
    automatic {
      time_after_creation = "P1Y"
    }
  }
}

resource "azurerm_role_assignment" "service" {
  scope                = azurerm_key_vault_key.key.resource_versionless_id
  role_definition_name = "${encryptionUserRole(facts.key.vaultHost)}"
  principal_id         = ${principalIn(facts)}
  principal_type       = "ServicePrincipal"
}

output "key_identifier" {
  value = azurerm_key_vault_key.key.versionless_id
}`;

/** The provider has no rotation policy without an expiry for these keys: the az commands have it. */
const inHsm = (facts: PlanFacts): string => `data "azurerm_key_vault_managed_hardware_security_module" "hsm" {
  name                = "${facts.key.vaultName}"
  resource_group_name = var.resource_group_name
}

resource "azurerm_key_vault_managed_hardware_security_module_key" "key" {
  name           = "${facts.key.keyName}"
  managed_hsm_id = data.azurerm_key_vault_managed_hardware_security_module.hsm.id
  key_type       = "RSA-HSM"
  key_size       = 3072
  key_opts       = ["wrapKey", "unwrapKey"]
}

data "azurerm_key_vault_managed_hardware_security_module_role_definition" "encryption" {
  managed_hsm_id = data.azurerm_key_vault_managed_hardware_security_module.hsm.id
  name           = "${hsmRoleId}"
}

resource "azurerm_key_vault_managed_hardware_security_module_role_assignment" "service" {
  name               = uuidv5("url", "${versionlessIdentifier(facts.key)}")
  managed_hsm_id     = data.azurerm_key_vault_managed_hardware_security_module.hsm.id
  scope              = "/keys/\${azurerm_key_vault_managed_hardware_security_module_key.key.name}"
  role_definition_id = data.azurerm_key_vault_managed_hardware_security_module_role_definition.encryption.resource_manager_id
  principal_id       = ${principalIn(facts)}
}

output "key_identifier" {
  value = "${versionlessIdentifier(facts.key)}"
}`;
