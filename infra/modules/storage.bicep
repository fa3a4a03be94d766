// Tables, queues, the package and dead letters. Nobody has a key: everything is reached by identity.
param name string
param location string
param tags object
param sku string
param keyIdentifier string
param keyIdentityId string

var hasOwnKey = !empty(keyIdentifier)
// https://{vault}.vault.azure.net/keys/{key}
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
    encryption: {
      // Both of these can be chosen only when the account is made.
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

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: 'packages'
}

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: blobs
  name: 'dead-letters'
}

output name string = account.name
output packageContainer string = packages.name
