// The customer's side: a key, the service's permission on it, and word of what happens to it. Deployed into the resource group of
// the vault. README.md has the same as az lines, and how to take all of it back.
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

@description('How long until the vault makes the next version of the key by itself. The service follows it.')
param rotateAfter string = 'P1Y'

@description('Object id of the service\'s identity in your tenant. The operator tells you.')
param servicePrincipalId string

@description('Where events go. none: the service finds out by itself, later. function: the operator is in your tenant. webhook: it is in another.')
@allowed([
  'none'
  'function'
  'webhook'
])
param events string = 'none'

@description('With function: resource id of the operator\'s function keyEvents.')
param functionId string = ''

@description('With webhook: https://{operator}/api/events, the operator\'s tenant, and its application.')
param webhookUrl string = ''
param operatorTenantId string = ''
param operatorApplicationId string = ''

param location string = resourceGroup().location

param tags object = {}

var cryptoServiceEncryptionUser = 'e147488a-f6f5-4113-8e2d-b22465e65bf6'
var functionDestination = {
  endpointType: 'AzureFunction'
  properties: {
    resourceId: functionId
    maxEventsPerBatch: 1
    preferredBatchSizeInKilobytes: 64
  }
}
// Event Grid shows a token of the operator's tenant: no secret stands in the address.
var webhookDestination = {
  endpointType: 'WebHook'
  properties: {
    endpointUrl: webhookUrl
    azureActiveDirectoryTenantId: operatorTenantId
    azureActiveDirectoryApplicationIdOrUri: operatorApplicationId
    maxEventsPerBatch: 1
    preferredBatchSizeInKilobytes: 64
    minimumTlsVersionAllowed: '1.2'
  }
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: vaultName
}

resource key 'Microsoft.KeyVault/vaults/keys@2024-11-01' = {
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

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (events != 'none') {
  name: '${vaultName}-events'
  location: location
  tags: tags
  properties: {
    source: vault.id
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

// Without dead letters: an event that is lost costs the service minutes, and no more.
resource subscriptionToKeyward 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = if (events != 'none') {
  parent: topic
  name: 'keyward'
  properties: {
    destination: events == 'function' ? functionDestination : webhookDestination
    eventDeliverySchema: 'EventGridSchema'
    filter: {
      includedEventTypes: [
        'Microsoft.KeyVault.KeyNewVersionCreated'
        'Microsoft.KeyVault.KeyNearExpiry'
        'Microsoft.KeyVault.KeyExpired'
        'Microsoft.KeyVault.VaultAccessPolicyChanged'
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
  }
}

@description('Give this to the service. It has no version: the service follows new ones.')
output keyIdentifier string = key.properties.keyUri
