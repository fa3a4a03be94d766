// Word of what happens to a customer's keys, for the service: it then follows a new version within seconds. Deployed into the resource
// group of the vault's system topic, which is the vault's own where there is none yet. README.md says who may, and what to pass.
targetScope = 'resourceGroup'

param vaultName string

@description('https://{operator}/api/events, the operator\'s tenant, and its application. Empty with functionId.')
param webhookUrl string = ''
param operatorTenantId string = ''
param operatorApplicationId string = ''

@description('Instead, for whoever may write to the operator\'s function app: resource id of its function keyEvents.')
param functionId string = ''

@description('A vault has one system topic at most. Where there is one, its name; deploy into its resource group.')
param existingTopic string = ''

param location string = resourceGroup().location

param tags object = {}

var topicName = empty(existingTopic) ? '${vaultName}-events' : existingTopic
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

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: vaultName
}

resource newTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (empty(existingTopic)) {
  name: topicName
  location: location
  tags: tags
  properties: {
    source: vault.id
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: topicName
}

// Without dead letters: an event that is lost costs the service minutes, and no more.
resource subscriptionToKeyward 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'keyward'
  properties: {
    destination: empty(functionId) ? webhookDestination : functionDestination
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
  dependsOn: [
    newTopic
  ]
}
