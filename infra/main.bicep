// The operator's side: everything that Keyward needs in its own subscription, but for the event subscriptions, which want the
// functions to be there first: infra/events.bicep. docs/deploy.md says what to type and in what order.
targetScope = 'resourceGroup'

@description('The first part of every name: a letter, then letters and digits.')
@minLength(3)
@maxLength(10)
param name string = 'keyward'

param location string = resourceGroup().location

param tags object = {}

@description('az functionapp list-flexconsumption-runtimes --runtime node says which your region has.')
@allowed([
  '22'
  '24'
])
param nodeVersion string = '24'

@description('An upper bound, for the cost and for the vaults that are asked. Azure counts it for each group of functions that scales by itself.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 512

@description('Instances that are always there: {name, instanceCount}, where the name is http or function:sweep, function:vaultWork and so on. The published bounds hold without one but for a start from nothing.')
param alwaysReady array = []

@description('entra: bearer tokens with app roles. functionKeys: for development and small set-ups.')
@allowed([
  'entra'
  'functionKeys'
])
param auth string = 'entra'

@description('What tokens must be meant for: the client id of the application or, for version 1.0 tokens, its application id URI; several are separated by spaces. Needed with entra.')
param authAudience string = ''

@description('Only in clouds where the issuer is not the public one.')
param authIssuer string = ''

@description('Only in clouds where the signing keys are not at the public address.')
param authJwksUrl string = ''

@description('Origin of links, where a gateway stands in front.')
param publicBaseUrl string = ''

@description('Name of the tag by which a customer\'s key must name the owner of its account. Empty: none is asked for.')
param ownerTag string = ''

@description('RSA keys of yours in the place of system and at-rest in the vault that is made here: docs/operations.md, To other keys. Versionless; you grant them.')
param systemKey string = ''
param atRestKey string = ''

@description('A further key, in a vault of its own, that opens the rings when the operator\'s vault is lost.')
param recoveryVault bool = true

@description('Where that vault is. Another region outlives the loss of this one.')
param recoveryLocation string = location

@description('RSA key of yours in the place of that one, in a vault under other administrators: docs/deploy.md. Versionless; you grant it.')
param recoveryKey string = ''

@description('Client id of the application whose token deliveries to the webhook must carry. Empty: Event Grid\'s own, which is not known for China.')
param eventGridApplication string = ''

@allowed([
  'public'
  'usgov'
  'china'
])
param cloud string = 'public'

@description('What docs/operations.md tells of the policy, in camel case. Sealed: a name that is none of these is refused.')
@sealed()
type policyNumbers = {
  lookIntervalHealthySeconds: int?
  lookIntervalSuspectSeconds: int?
  lookIntervalInaccessibleSeconds: int?
  lookSpacingSeconds: int?
  lookDeadlineSeconds: int?
  storageDeadlineSeconds: int?
  versionCheckIntervalSeconds: int?
  confirmKeyDisabledLooks: int?
  confirmKeyNotFoundLooks: int?
  confirmKeyNotFoundSeconds: int?
  confirmPermissionLooks: int?
  confirmPermissionSeconds: int?
  confirmVaultNotFoundLooks: int?
  confirmVaultNotFoundSeconds: int?
  networkPolicyDisables: bool?
  confirmNetworkPolicyLooks: int?
  confirmNetworkPolicySeconds: int?
  leaseSeconds: int?
  leaseGraceSeconds: int?
  accountsPerMessage: int?
  sweepRanges: int?
  workerLeaseSeconds: int?
  vaultSharePercent: int?
  keyNearExpiryDays: int?
  ringRotationDays: int?
  safeToDisableAfterSeconds: int?
  operationRetrySeconds: int?
  operationTimeoutSeconds: int?
}

@description('Numbers of the policy over their defaults: { leaseSeconds: 300 }.')
param policy policyNumbers = {}

@description('Keys in hardware: makes the vaults premium. Not to be changed afterwards.')
param hsm bool = false

@description('User-assigned identities that accounts may name: {id, principalId}. Each may unwrap with the system key, for the control look, but for those with speaksForApplication: true, which reach no vault themselves.')
param userAssignedIdentities array = []

@description('Key that encrypts the storage account at rest, with Azure\'s own double encryption around it: https://{vault}.vault.azure.net/keys/{key}. Empty: Microsoft\'s key. It is configured apart from Keyward\'s at-rest key, which encrypts inside the tables.')
param storageKeyIdentifier string = ''

@description('Resource id of the user-assigned identity that reaches that key. It needs Key Vault Crypto Service Encryption User on it beforehand.')
param storageKeyIdentityId string = ''

@description('Geo-redundant by default: docs/deploy.md, when a region fails.')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param storageSku string = 'Standard_GRS'

@description('Subnet for outgoing calls, delegated to Microsoft.App/environments. Empty: none.')
param subnetId string = ''

@description('Event hub that customers\' vaults stream their diagnostic records to: its name, and the host name of its namespace.')
param diagnosticsEventHub string = ''
param diagnosticsNamespace string = ''

@description('Who is written to when an alert fires. Empty: alerts are only shown.')
param alertEmail string = ''

@description('More secrets revealed in an hour than your service needs: somebody may be reading them in bulk.')
param revealsPerHour int = 10000

param logRetentionDays int = 90

var suffix = take(uniqueString(resourceGroup().id), 8)
var appName = '${name}-${suffix}'
var operatorVaultName = '${name}-op-${suffix}'
var recoveryVaultName = '${name}-rc-${suffix}'
var vaultSuffix = environment().suffixes.keyvaultDns
// A storage account takes small letters and digits only.
var storagePrefix = toLower(replace(name, '-', ''))
var allTags = union({ application: 'keyward' }, tags)

var operatorKeys = 'https://${operatorVaultName}${vaultSuffix}/keys'
var recoveryKeys = 'https://${recoveryVaultName}${vaultSuffix}/keys'
var keySettings = union(
  {
    KEYWARD_SYSTEM_KEY: empty(systemKey) ? '${operatorKeys}/system' : systemKey
    KEYWARD_AT_REST_KEY: empty(atRestKey) ? '${operatorKeys}/at-rest' : atRestKey
  },
  !empty(recoveryKey)
    ? { KEYWARD_RECOVERY_KEY: recoveryKey }
    : recoveryVault ? { KEYWARD_RECOVERY_KEY: '${recoveryKeys}/recovery' } : {}
)

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    name: appName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: '${storagePrefix}${suffix}'
    location: location
    tags: allTags
    sku: storageSku
    keyIdentifier: storageKeyIdentifier
    keyIdentityId: storageKeyIdentityId
  }
}

module operatorVault 'modules/vault.bicep' = {
  name: 'operatorVault'
  params: {
    name: operatorVaultName
    location: location
    tags: allTags
    hsm: hsm
    keyNames: [
      'system'
      'at-rest'
    ]
    workspaceId: monitoring.outputs.workspaceId
  }
}

module recovery 'modules/vault.bicep' = if (recoveryVault) {
  name: 'recoveryVault'
  params: {
    name: recoveryVaultName
    location: recoveryLocation
    tags: allTags
    hsm: hsm
    keyNames: [
      'recovery'
    ]
    workspaceId: monitoring.outputs.workspaceId
  }
}

module announcements 'modules/announcements.bicep' = {
  name: 'announcements'
  params: {
    name: '${name}-announcements-${suffix}'
    location: location
    tags: allTags
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  params: {
    name: appName
    location: location
    tags: allTags
    nodeVersion: nodeVersion
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: instanceMemoryMB
    alwaysReady: alwaysReady
    userAssignedIdentities: userAssignedIdentities
    subnetId: subnetId
    storageName: storage.outputs.name
    packageContainer: storage.outputs.packageContainer
    insightsName: monitoring.outputs.insightsName
    announcementsEndpoint: announcements.outputs.endpoint
    keySettings: keySettings
    cloud: cloud
    auth: auth
    authAudience: authAudience
    authIssuer: authIssuer
    authJwksUrl: authJwksUrl
    publicBaseUrl: publicBaseUrl
    ownerTag: ownerTag
    eventGridApplication: eventGridApplication
    diagnosticsEventHub: diagnosticsEventHub
    diagnosticsNamespace: diagnosticsNamespace
    policy: policy
  }
}

module grants 'modules/grants.bicep' = {
  name: 'grants'
  params: {
    principalId: app.outputs.principalId
    userAssignedIdentities: userAssignedIdentities
    storageName: storage.outputs.name
    operatorVaultName: operatorVault.outputs.name
    recoveryVaultName: recoveryVault ? recoveryVaultName : ''
    announcementTopicName: announcements.outputs.name
    insightsName: monitoring.outputs.insightsName
  }
  dependsOn: [
    recovery
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    name: name
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    email: alertEmail
    revealsPerHour: revealsPerHour
  }
}

output appName string = app.outputs.name
output hostName string = app.outputs.hostName
output principalId string = app.outputs.principalId
output storageName string = storage.outputs.name
output operatorVaultName string = operatorVault.outputs.name
output announcementTopicName string = announcements.outputs.name
output tags object = allTags
