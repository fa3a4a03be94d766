// The customer's side: a key, and the service's role on it. Deployed into the resource group of the vault. events.bicep sends
// the events of the vault. README.md has the same as az commands, and how to take the role away.
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

@description('After this time Key Vault makes the next version of the key, and the service uses it. A key that exists already is left as it is.')
param rotateAfter string = 'P1Y'

@description('Object id of the service\'s identity in your tenant, from the operator.')
param servicePrincipalId string

param tags {
  *: string
} = {}

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

@description('Give this to the operator. It has no version: the service uses the newest one.')
output keyIdentifier string = key.properties.keyUri
