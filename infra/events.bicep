// Event subscriptions of the operator's own side. Deployed after the package: Event Grid asks for the functions before it
// subscribes them. Everything here makes things quicker, and nothing rests on it.
targetScope = 'resourceGroup'

@description('As main.bicep put them out.')
param appName string
param storageName string
param operatorVaultName string

@description('Deletes and changes of vaults and role assignments in this subscription. Azure allows one system topic for a subscription: false where there is one.')
param watchSubscription bool = true

param location string = resourceGroup().location

param tags object = {}

var allTags = union({ application: 'keyward' }, tags)
var functions = '${app.id}/functions'
var deadLetters = 'dead-letters'

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName
}

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: operatorVaultName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource vaultTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: '${operatorVaultName}-events'
  location: location
  tags: allTags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: vault.id
    topicType: 'Microsoft.KeyVault.vaults'
  }
}

// Storage has no keys to give: what cannot be delivered is put down by the topic's own identity.
module vaultTopicMayPutDown 'modules/deadLetterGrant.bicep' = {
  name: 'deadLetterGrant'
  params: {
    principalId: vaultTopic.identity.principalId
    storageName: storageName
    containerName: deadLetters
  }
}

resource keyEvents 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: vaultTopic
  name: 'keyward'
  properties: {
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${functions}/keyEvents'
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    eventDeliverySchema: 'CloudEventSchemaV1_0'
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
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: storage.id
          blobContainerName: deadLetters
        }
      }
    }
  }
  dependsOn: [
    vaultTopicMayPutDown
  ]
}

// A subscription is in no region, and a topic in none can have no identity: what cannot be delivered from here in a day is lost,
// and the sweep finds out by itself.
resource subscriptionTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (watchSubscription) {
  name: '${appName}-resources'
  location: 'global'
  tags: allTags
  properties: {
    source: subscription().id
    topicType: 'Microsoft.Resources.Subscriptions'
  }
}

resource resourceEvents 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = if (watchSubscription) {
  parent: subscriptionTopic
  name: 'keyward'
  properties: {
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${functions}/resourceEvents'
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    filter: {
      includedEventTypes: [
        'Microsoft.Resources.ResourceWriteSuccess'
        'Microsoft.Resources.ResourceDeleteSuccess'
        'Microsoft.Resources.ResourceActionSuccess'
      ]
      // Everything else that happens in a subscription is no affair of ours.
      advancedFilters: [
        {
          operatorType: 'StringBeginsWith'
          key: 'data.operationName'
          values: [
            'Microsoft.KeyVault/'
            'Microsoft.Authorization/roleAssignments/'
            'Microsoft.Resources/subscriptions/resourceGroups/delete'
          ]
        }
      ]
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
  }
}
