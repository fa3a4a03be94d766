// A storage account that is used by identity only: it has no shared keys and no public blobs.
import { tagList } from '../types.bicep'

param name string
param location string
param tags tagList
param sku string
@description('Blob containers to make.')
param containers string[]
@description('True: reached through private endpoints only.')
param isPrivate bool
@description('Key that encrypts the account at rest: https://{vault}.vault.azure.net/keys/{key}. Empty: Microsoft holds the key.')
param keyIdentifier string
param keyIdentityId string

var hasOwnKey = !empty(keyIdentifier)
var keyParts = split(hasOwnKey ? keyIdentifier : 'https://none/keys/none', '/')

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: sku
  }
  identity: {
    type: hasOwnKey ? 'UserAssigned' : 'None'
    userAssignedIdentities: hasOwnKey ? { '${keyIdentityId}': {} } : null
  }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: isPrivate ? 'Deny' : 'Allow'
      // Event Grid writes dead letters as a trusted service, by the identity of its topic.
      bypass: 'AzureServices'
    }
    encryption: {
      // Azure allows the choice of these two only when it makes the account.
      requireInfrastructureEncryption: true
      services: {
        blob: {
          enabled: true
          keyType: 'Account'
        }
        queue: {
          enabled: true
          keyType: 'Account'
        }
        table: {
          enabled: true
          keyType: 'Account'
        }
      }
      keySource: hasOwnKey ? 'Microsoft.Keyvault' : 'Microsoft.Storage'
      keyvaultproperties: hasOwnKey ? { keyvaulturi: '${keyParts[0]}//${keyParts[2]}', keyname: keyParts[4] } : null
      identity: hasOwnKey ? { userAssignedIdentity: keyIdentityId } : null
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 14
    }
  }
}

resource blobContainers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for container in containers: {
    parent: blobs
    name: container
  }
]

output id string = account.id
