// What the app may do: each role on the narrowest scope that serves.
import { userAssignedIdentity } from '../types.bicep'

param principalId string
param userAssignedIdentities userAssignedIdentity[]
param hostStorageName string
param stateStorageNames string[]
param operatorVaultName string
@description('Empty where no recovery vault is made.')
param recoveryVaultName string
@description('Empty where no revocation drill is made.')
param drillVaultName string
param announcementTopicName string
param insightsName string

var blobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var queueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var tableDataContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
var cryptoServiceEncryptionUser = 'e147488a-f6f5-4113-8e2d-b22465e65bf6'
var cryptoOfficer = '14b46e9e-c2b7-41b4-b07b-48a6ebf60603'
var eventGridDataSender = 'd5a91429-5739-47e2-a06b-3470a27159e7'
var monitoringMetricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb'

// The Functions host keeps the leases of timers and the package in blobs, and its queues are made on first use.
var hostRoles = [
  blobDataOwner
  queueDataContributor
]
var operatorKeyNames = [
  'system'
  'at-rest'
]

resource hostStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: hostStorageName
}

resource stateStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = [
  for name in stateStorageNames: {
    name: name
  }
]

resource operatorVault 'Microsoft.KeyVault/vaults@2026-02-01' existing = {
  name: operatorVaultName
}

resource operatorKeys 'Microsoft.KeyVault/vaults/keys@2026-02-01' existing = [
  for keyName in operatorKeyNames: {
    parent: operatorVault
    name: keyName
  }
]

resource recoveryVault 'Microsoft.KeyVault/vaults@2026-02-01' existing = if (!empty(recoveryVaultName)) {
  name: empty(recoveryVaultName) ? 'none' : recoveryVaultName
}

resource recoveryKey 'Microsoft.KeyVault/vaults/keys@2026-02-01' existing = if (!empty(recoveryVaultName)) {
  parent: recoveryVault
  name: 'recovery'
}

resource drillVault 'Microsoft.KeyVault/vaults@2026-02-01' existing = if (!empty(drillVaultName)) {
  name: empty(drillVaultName) ? 'none' : drillVaultName
}

resource canaryKey 'Microsoft.KeyVault/vaults/keys@2026-02-01' existing = if (!empty(drillVaultName)) {
  parent: drillVault
  name: 'canary'
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: announcementTopicName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource onHostStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in hostRoles: {
    name: guid(hostStorage.id, principalId, role)
    scope: hostStorage
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource onStateStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in stateStorageNames: {
    name: guid(stateStorage[index].id, principalId, tableDataContributor)
    scope: stateStorage[index]
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', tableDataContributor)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource onOperatorKeys 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (keyName, index) in operatorKeyNames: {
    name: guid(operatorVault.id, keyName, principalId, cryptoServiceEncryptionUser)
    scope: operatorKeys[index]
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoServiceEncryptionUser)
      principalId: principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource onRecoveryKey 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(recoveryVaultName)) {
  name: guid(resourceGroup().id, recoveryVaultName, principalId, cryptoServiceEncryptionUser)
  scope: recoveryKey
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoServiceEncryptionUser)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

// The drill disables and enables the canary key. The role is on that key alone.
resource onCanaryKey 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(drillVaultName)) {
  name: guid(resourceGroup().id, drillVaultName, principalId, cryptoOfficer)
  scope: canaryKey
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoOfficer)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

// The control look: each identity that reaches customers' keys unwraps with the system key too. For an identity that only
// speaks for an application, the app's own identity does this.
var controlledIdentities = filter(userAssignedIdentities, one => !(one.?speaksForApplication ?? false))
resource controlLooks 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for one in controlledIdentities: {
    name: guid(operatorVault.id, 'system', one.principalId, cryptoServiceEncryptionUser)
    scope: operatorKeys[0]
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', cryptoServiceEncryptionUser)
      principalId: one.principalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource onTopic 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(topic.id, principalId, eventGridDataSender)
  scope: topic
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', eventGridDataSender)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}

resource onInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, principalId, monitoringMetricsPublisher)
  scope: insights
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', monitoringMetricsPublisher)
    principalId: principalId
    principalType: 'ServicePrincipal'
  }
}
