// Sends the events of a customer's vault to the service, which then uses a new version within seconds. Deployed into the
// resource group of the vault's system topic, or of the vault where it has no topic yet. README.md lists roles and values.
targetScope = 'resourceGroup'

param vaultName string

@description('https://{operator}/api/events, the operator\'s tenant, and its application. Empty with functionId.')
param webhookUrl string = ''
param operatorTenantId string = ''
param operatorApplicationId string = ''

@description('Instead of those three, for a caller who may write to the operator\'s function app: resource id of its function keyEvents.')
param functionId string = ''

@description('The system topic of the vault, where it has one: a vault can have only one. Deploy into the resource group of that topic.')
param existingTopic string = ''

param location string = resourceGroup().location

param tags {
  *: string
} = {}

var topicName = empty(existingTopic) ? '${vaultName}-events' : existingTopic
var functionDestination = {
  endpointType: 'AzureFunction'
  properties: {
    resourceId: functionId
    maxEventsPerBatch: 1
    preferredBatchSizeInKilobytes: 64
  }
}
// Event Grid sends a token of the operator's tenant, so the address holds no secret.
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

// Without dead letters: a lost event delays the service by minutes only.
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
