// Event subscriptions of the operator's side. Deployed after the package, because Event Grid subscribes only functions that
// exist. They shorten reaction times; Keyward works without them.
targetScope = 'resourceGroup'

import { tagList } from 'types.bicep'

@description('Outputs of main.bicep.')
param appName string
param hostStorageName string
param operatorVaultName string

@description('Watches vaults and role assignments of this subscription. Azure allows one system topic for a subscription: false where it has one.')
param watchSubscription bool = true

param location string = resourceGroup().location

param tags tagList = {}

var allTags = union({ application: 'keyward' }, tags)
var deadLetters = 'dead-letters'

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: appName

  resource keyEvents 'functions' existing = {
    name: 'keyEvents'
  }

  resource resourceEvents 'functions' existing = {
    name: 'resourceEvents'
  }
}

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: operatorVaultName
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostStorageName
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

// The storage account has no keys, so the topic writes what it cannot deliver by its own identity.
module deadLetterGrant 'modules/deadLetterGrant.bicep' = {
  name: 'deadLetterGrant'
  params: {
    #disable-next-line what-if-short-circuiting // Azure makes the topic's identity in this deployment.
    principalId: vaultTopic.identity.principalId
    storageName: hostStorageName
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
        resourceId: app::keyEvents.id
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
    deadLetterGrant
  ]
}

// A subscription is in no region, and a topic without region can have no identity, so it has no dead letters: an event that
// cannot be delivered for a day is lost, and the next sweep finds the change.
resource subscriptionTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = if (watchSubscription) {
  name: '${appName}-resources'
  #disable-next-line no-hardcoded-location // The topic of a subscription is in no region.
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
        resourceId: app::resourceEvents.id
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
      // Only changes that can take a key away.
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
