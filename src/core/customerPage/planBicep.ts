/** The Bicep of a connection plan: infra/customer/main.bicep with the values of one key. A test compares the two. */
import type { KeyAddress } from '../base/keyCommands.ts';
import type { PlanTemplate } from './plan.ts';

/** Key Vault Crypto Service Encryption User. */
const roleId = 'e147488a-f6f5-4113-8e2d-b22465e65bf6';
const file = 'keyward.bicep';
const guid = /^[0-9a-f-]{36}$/;

/** `principal`: an id, or the command that finds it, which then gives the value of a parameter. */
export function bicepOf({ vaultName, keyName }: KeyAddress, principal: string): PlanTemplate {
  const isKnown = guid.test(principal);
  const principalId = isKnown ? `'${principal}'` : 'servicePrincipalId';
  const apply = [
    'az deployment group create',
    `--resource-group "$(az keyvault show --name ${vaultName} --query resourceGroup -o tsv)"`,
    `--template-file ${file} --query properties.outputs.keyIdentifier.value -o tsv`,
    ...(isKnown ? [] : [`--parameters servicePrincipalId=${principal}`]),
  ].join(' ');
  const text = `${isKnown ? '' : 'param servicePrincipalId string\n\n'}var cryptoServiceEncryptionUser = '${roleId}'

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: '${vaultName}'
}

resource key 'Microsoft.KeyVault/vaults/keys@2026-02-01' = {
  parent: vault
  name: '${keyName}'
  properties: {
    kty: 'RSA'
    keySize: 3072
    keyOps: [
      'wrapKey'
      'unwrapKey'
    ]
    rotationPolicy: {
      lifetimeActions: [
        {
          trigger: {
            timeAfterCreate: 'P1Y'
          }
          action: {
            type: 'rotate'
          }
        }
      ]
    }
  }
}

resource grant 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(key.id, ${principalId}, cryptoServiceEncryptionUser)
  scope: key
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoServiceEncryptionUser)
    principalId: ${principalId}
    principalType: 'ServicePrincipal'
  }
}

output keyIdentifier string = key.properties.keyUri
`;
  return { file, text, apply };
}
