// The customer's side: a key, and the service's permission on it. Deployed into the resource group of the vault. events.bicep adds
// word of what happens to the key. README.md has the same as az lines, and how to take all of it back.
targetScope = 'resourceGroup'

@description('Your vault. It needs soft delete, purge protection, Azure RBAC, and the region of your account.')
param vaultName string

param keyName string

@allowed([
  'RSA'
  'RSA-HSM'
])
param keyType string = 'RSA'

@allowed([
  2048
  3072
  4096
])
param keySize int = 3072

@description('How long until the vault makes the next version of the key by itself. The service follows it. For a key that this makes: one that is there already is left as it is.')
param rotateAfter string = 'P1Y'

@description('Object id of the service\'s identity in your tenant. The operator tells you.')
param servicePrincipalId string

param tags object = {}

var cryptoServiceEncryptionUser = 'e147488a-f6f5-4113-8e2d-b22465e65bf6'

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: vaultName
}

resource key 'Microsoft.KeyVault/vaults/keys@2026-02-01' = {
  parent: vault
  name: keyName
  tags: tags
  properties: {
    kty: keyType
    keySize: keySize
    keyOps: [
      'wrapKey'
      'unwrapKey'
    ]
    rotationPolicy: {
      lifetimeActions: [
        {
          trigger: {
            timeAfterCreate: rotateAfter
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
  name: guid(key.id, servicePrincipalId, cryptoServiceEncryptionUser)
  scope: key
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoServiceEncryptionUser)
    principalId: servicePrincipalId
    principalType: 'ServicePrincipal'
  }
}

@description('Give this to the service. It has no version: the service follows new ones.')
output keyIdentifier string = key.properties.keyUri
