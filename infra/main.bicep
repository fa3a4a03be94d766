// The operator's side: all that Keyward needs in its own subscription, except the event subscriptions, which need the
// functions to exist first: infra/events.bicep. docs/deploy.md lists the commands in their order.
targetScope = 'resourceGroup'

import { alwaysReadyInstances, policySettings, tagList, userAssignedIdentity } from 'types.bicep'

@description('First part of every name: a letter, then letters and digits.')
@minLength(3)
@maxLength(10)
param name string = 'keyward'

param location string = resourceGroup().location

param tags tagList = {}

// ---- The app

@description('This lists the versions of your region: az functionapp list-flexconsumption-runtimes --runtime node --location <region>')
@allowed([
  '22'
  '24'
])
param nodeVersion string = '24'

@description('Upper bound of cost, and of calls to vaults. Azure counts it for each group of functions that scales alone.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int = 40

@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 512

@description('HTTP calls that one instance handles at once. An instance of 512 MB uses 250 to 310 MB with 16 lists of 100 accounts.')
@minValue(1)
@maxValue(1000)
param httpConcurrency int = 16

@description('Instances that always run. Without one, a call or a sweep that finds none waits for a cold start.')
param alwaysReady alwaysReadyInstances[] = []

@description('How Azure replaces instances: docs/deploy.md, "Upgrade and rollback". Absent: as it is, which is Recreate for a new app.')
param siteUpdateStrategy ('Recreate' | 'RollingUpdate')?

@description('Address of keyward.zip of a release. Deploys the code too, for a deployment from the portal. Empty: a command deploys it.')
param packageUri string = ''

// ---- Who may call

@description('entra: access tokens with app roles. functionKeys: for development and small set-ups.')
@allowed([
  'entra'
  'functionKeys'
])
param auth string = 'entra'

@description('Audience of the tokens: the client id of the application or, for tokens of version 1.0, its application id URI. Separate several by spaces. Required with entra.')
param authAudience string = ''

@description('Only in a cloud with another issuer than the public one.')
param authIssuer string = ''

@description('Client ids of the applications whose tokens are accepted, separated by spaces. Empty: every application that has a role.')
param authClients string = ''

@description('Client id of the application in which users of the console sign in. Default: that of authAudience.')
param consoleClientId string = ''

@description('Only in a cloud with another address of the signing keys than the public one.')
param authJwksUrl string = ''

@description('Origin of links, behind a gateway or a custom domain.')
param publicBaseUrl string = ''

@description('Name of the tag by which a customer key must name the owner of its account. Empty: none is required.')
param ownerTag string = ''

@description('Makes a vault with a canary key, which Keyward disables for minutes each hour to prove its published bounds.')
param revocationDrill bool = false

@description('Client id whose token a delivery to the webhook must carry. Empty: Event Grid\'s own, which is unknown for China.')
param eventGridApplication string = ''

@description('Addresses that may call the app, as CIDR. Empty: all. Event Grid always may.')
param inboundAddresses string[] = []

@description('True: callers reach the app through a private endpoint only. Event Grid cannot deliver to it then.')
param inboundPrivateEndpoint bool = false

// ---- The operator's keys

@description('RSA keys of yours instead of system and at-rest in the vault that this makes: docs/operator-keys.md, "To other keys". Without version; you assign the role.')
param systemKey string = ''
param atRestKey string = ''

@description('Makes one more vault, with a key that opens the rings after the loss of the operator\'s vault.')
param recoveryVault bool = true

@description('Region of that vault. Another region survives the loss of this one.')
param recoveryLocation string = location

@description('RSA key of yours instead of that key, in a vault with other administrators: docs/deploy.md. Without version; you assign the role.')
param recoveryKey string = ''

@description('Keys in hardware: makes premium vaults. It cannot be changed later.')
param hsm bool = false

@description('User-assigned identities that accounts may name. Each may unwrap with the system key, for the control look, except one with speaksForApplication: true.')
param userAssignedIdentities userAssignedIdentity[] = []

@allowed([
  'public'
  'usgov'
  'china'
])
param cloud string = 'public'

@description('Settings of the policy over their defaults: { KEYWARD_LEASE_SECONDS: 300 }.')
param policy policySettings = {}

@description('Where an OpenTelemetry collector accepts metrics, with its path: https://collector.example:4318/v1/metrics. Empty: metrics are log lines only.')
param metricsEndpoint string = ''

@description('Headers of those requests, where the collector needs a key: a Key Vault reference, @Microsoft.KeyVault(SecretUri=...), to name=value pairs separated by commas.')
param metricsHeaders string = ''

// ---- Storage

@description('Redundancy of the tables. Geo-redundant by default: docs/backup-and-restore.md, "When a region fails".')
@allowed([
  'Standard_LRS'
  'Standard_ZRS'
  'Standard_GRS'
  'Standard_GZRS'
])
param storageSku string = 'Standard_GRS'

@description('Storage accounts that share the state. One is enough for 500,000 keys: docs/capacity.md. Raise it only by the steps of docs/more-storage-accounts.md. Never lower it while an account holds rows.')
@minValue(1)
@maxValue(16)
param storageAccountCount int = 1

@description('Key that encrypts all storage accounts at rest, beside Azure\'s infrastructure encryption: https://{vault}.vault.azure.net/keys/{key}. Empty: Microsoft holds the key. It is independent of Keyward\'s at-rest key.')
param storageKeyIdentifier string = ''

@description('Resource id of the user-assigned identity that uses that key. It needs the role Key Vault Crypto Service Encryption User beforehand.')
param storageKeyIdentityId string = ''

// ---- Network

@description('none: no virtual network. outbound: outgoing calls leave by one fixed address, for customers\' firewalls. private: that, and the vaults and storage accounts refuse public networks.')
@allowed([
  'none'
  'outbound'
  'private'
])
param network string = 'none'

@description('Range of the virtual network that this makes: at least a /25.')
param addressPrefix string = '10.77.0.0/24'

@description('Your own subnet for outgoing calls, delegated to Microsoft.App/environments, instead of a virtual network that this makes.')
param subnetId string = ''

@description('Your own subnet for private endpoints. Required with subnetId where private endpoints are made.')
param endpointSubnetId string = ''

@description('False: your own DNS has the private zones.')
param privateZones bool = true

// ---- Logs and alerts

@description('Event hub that customers\' vaults stream their diagnostic records to: its name, and the host name of its namespace.')
param diagnosticsEventHub string = ''
param diagnosticsNamespace string = ''

@description('E-mail addresses that receive alerts.')
param alertEmails string[] = []

@description('https addresses that receive alerts.')
param alertWebhooks string[] = []

@description('Resource ids of existing action groups that receive alerts.')
param alertActionGroupIds string[] = []

@description('Address of the docs folder as your people on call open it. Each alert links to its section.')
param documentationUrl string = 'docs'

@description('More revealed secrets in an hour than your service needs: a caller may be reading them in bulk.')
param revealsPerHour int = 10000

@description('How often the alert rules of severity 1 run whose window is 15 minutes or longer. A run every 15 minutes costs less, and such an alert comes up to 10 minutes later.')
@allowed(['PT5M', 'PT15M'])
param alertFrequency string = 'PT5M'

param logRetentionDays int = 90

// ---- Names

var suffix = take(uniqueString(resourceGroup().id), 8)
var appName = '${name}-${suffix}'
var insightsName = '${appName}-insights'
var operatorVaultName = '${name}-op-${suffix}'
var recoveryVaultName = '${name}-rc-${suffix}'
var drillVaultName = '${name}-dr-${suffix}'
var topicName = '${name}-announcements-${suffix}'
// A name of a storage account has small letters and digits only.
var storagePrefix = toLower(replace(name, '-', ''))
var stateStorageName = '${storagePrefix}${suffix}'
var hostStorageName = '${storagePrefix}host${suffix}'
// Their order is the order of the state: a name never moves.
var additionalStorageNames = map(range(2, storageAccountCount - 1), number => '${storagePrefix}s${number}${suffix}')
var packageContainer = 'packages'
var allTags = union({ application: 'keyward' }, tags)

var vaultSuffix = environment().suffixes.keyvaultDns
var operatorKeys = 'https://${operatorVaultName}${vaultSuffix}/keys'
var recoveryKeys = 'https://${recoveryVaultName}${vaultSuffix}/keys'
var keySettings = union(
  {
    KEYWARD_SYSTEM_KEY: empty(systemKey) ? '${operatorKeys}/system' : systemKey
    KEYWARD_AT_REST_KEY: empty(atRestKey) ? '${operatorKeys}/at-rest' : atRestKey
  },
  !empty(recoveryKey)
    ? { KEYWARD_RECOVERY_KEY: recoveryKey }
    : recoveryVault ? { KEYWARD_RECOVERY_KEY: '${recoveryKeys}/recovery' } : {},
  revocationDrill ? { KEYWARD_DRILL_KEY: 'https://${drillVaultName}${vaultSuffix}/keys/canary' } : {}
)

// ---- Resources

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  params: {
    name: appName
    location: location
    tags: allTags
    retentionDays: logRetentionDays
  }
}

var isPrivate = network == 'private'
var needsEndpoints = isPrivate || inboundPrivateEndpoint
var makesNetwork = network != 'none' && empty(subnetId)
var networkName = '${appName}-network'
var subnets = 'Microsoft.Network/virtualNetworks/subnets'
var usedEndpointSubnetId = makesNetwork
  ? resourceId(subnets, networkName, 'endpoints')
  : needsEndpoints && empty(endpointSubnetId)
      ? fail('Private endpoints need a subnet. Set endpointSubnetId, or set network to outbound or private without subnetId')
      : endpointSubnetId

module virtualNetwork 'modules/network.bicep' = if (makesNetwork) {
  name: 'virtualNetwork'
  params: {
    name: appName
    location: location
    tags: allTags
    networkName: networkName
    addressPrefix: addressPrefix
  }
}

// What decides something is in an account of its own. A role on the account of the Functions host (the package, the leases
// of timers, the queues) reaches no state.
module stateStorage 'modules/storage.bicep' = {
  name: 'stateStorage'
  params: {
    name: stateStorageName
    location: location
    tags: allTags
    sku: storageSku
    containers: []
    isPrivate: isPrivate
    keyIdentifier: storageKeyIdentifier
    keyIdentityId: storageKeyIdentityId
  }
}

module additionalStorage 'modules/storage.bicep' = [
  for name in additionalStorageNames: {
    name: 'storage-${name}'
    params: {
      name: name
      location: location
      tags: allTags
      sku: storageSku
      containers: []
      isPrivate: isPrivate
      keyIdentifier: storageKeyIdentifier
      keyIdentityId: storageKeyIdentityId
    }
  }
]

// Nothing here need survive the region.
module hostStorage 'modules/storage.bicep' = {
  name: 'hostStorage'
  params: {
    name: hostStorageName
    location: location
    tags: allTags
    sku: contains(storageSku, 'Z') ? 'Standard_ZRS' : 'Standard_LRS'
    containers: [
      packageContainer
      'dead-letters'
    ]
    isPrivate: isPrivate
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
    // `npm run backup` signs with it. The app has no role on it.
    signingKeyNames: [
      'backup'
    ]
    isPrivate: isPrivate
    workspaceId: monitoring.outputs.workspaceId
  }
}

module recovery 'modules/vault.bicep' = if (recoveryVault) {
  name: 'recovery'
  params: {
    name: recoveryVaultName
    location: recoveryLocation
    tags: allTags
    hsm: hsm
    keyNames: [
      'recovery'
    ]
    isPrivate: isPrivate
    workspaceId: monitoring.outputs.workspaceId
  }
}

module drill 'modules/vault.bicep' = if (revocationDrill) {
  name: 'drill'
  params: {
    name: drillVaultName
    location: location
    tags: allTags
    hsm: hsm
    keyNames: [
      'canary'
    ]
    isPrivate: isPrivate
    workspaceId: monitoring.outputs.workspaceId
  }
}

module announcements 'modules/announcements.bicep' = {
  name: 'announcements'
  params: {
    name: topicName
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
    httpConcurrency: httpConcurrency
    alwaysReady: alwaysReady
    siteUpdateStrategy: siteUpdateStrategy
    userAssignedIdentities: userAssignedIdentities
    subnetId: makesNetwork ? resourceId(subnets, networkName, 'app') : subnetId
    inboundAddresses: inboundAddresses
    isInboundPrivate: inboundPrivateEndpoint
    hostStorageName: hostStorageName
    packageContainer: packageContainer
    stateStorageName: stateStorageName
    additionalStorageNames: additionalStorageNames
    insightsName: insightsName
    announcementsEndpoint: announcements.outputs.endpoint
    metricsEndpoint: metricsEndpoint
    metricsHeaders: metricsHeaders
    keySettings: keySettings
    cloud: cloud
    auth: auth
    authAudience: auth == 'entra' && empty(authAudience)
      ? fail('Set authAudience, which auth = entra needs, or set auth to functionKeys')
      : authAudience
    authIssuer: authIssuer
    authClients: authClients
    consoleClientId: consoleClientId
    authJwksUrl: authJwksUrl
    publicBaseUrl: publicBaseUrl
    ownerTag: ownerTag
    eventGridApplication: eventGridApplication
    diagnosticsEventHub: diagnosticsEventHub
    diagnosticsNamespace: diagnosticsNamespace
    policy: policy
  }
  dependsOn: [
    hostStorage
    monitoring
    virtualNetwork
  ]
}

module grants 'modules/grants.bicep' = {
  name: 'grants'
  params: {
    #disable-next-line what-if-short-circuiting // Azure makes the app's identity in this deployment.
    principalId: app.outputs.principalId
    userAssignedIdentities: userAssignedIdentities
    hostStorageName: hostStorageName
    stateStorageNames: concat([stateStorageName], additionalStorageNames)
    operatorVaultName: operatorVaultName
    recoveryVaultName: recoveryVault ? recoveryVaultName : ''
    drillVaultName: revocationDrill ? drillVaultName : ''
    announcementTopicName: topicName
    insightsName: insightsName
  }
  dependsOn: [
    stateStorage
    additionalStorage
    operatorVault
    recovery
    drill
  ]
}

var storageSuffix = environment().suffixes.storage
var closedServices = concat(
  [
    {
      name: operatorVaultName
      resourceId: resourceId('Microsoft.KeyVault/vaults', operatorVaultName)
      group: 'vault'
    }
    {
      name: stateStorageName
      resourceId: resourceId('Microsoft.Storage/storageAccounts', stateStorageName)
      group: 'table'
    }
    {
      name: hostStorageName
      resourceId: resourceId('Microsoft.Storage/storageAccounts', hostStorageName)
      group: 'blob'
    }
    {
      name: hostStorageName
      resourceId: resourceId('Microsoft.Storage/storageAccounts', hostStorageName)
      group: 'queue'
    }
  ],
  map(additionalStorageNames, one => {
    name: one
    resourceId: resourceId('Microsoft.Storage/storageAccounts', one)
    group: 'table'
  }),
  recoveryVault
    ? [
        {
          name: recoveryVaultName
          resourceId: resourceId('Microsoft.KeyVault/vaults', recoveryVaultName)
          group: 'vault'
        }
      ]
    : [],
  revocationDrill
    ? [
        {
          name: drillVaultName
          resourceId: resourceId('Microsoft.KeyVault/vaults', drillVaultName)
          group: 'vault'
        }
      ]
    : []
)
var closedZones = [
  {
    group: 'vault'
    name: 'privatelink${replace(vaultSuffix, '.vault.', '.vaultcore.')}'
  }
  {
    group: 'table'
    name: 'privatelink.table.${storageSuffix}'
  }
  {
    group: 'blob'
    name: 'privatelink.blob.${storageSuffix}'
  }
  {
    group: 'queue'
    name: 'privatelink.queue.${storageSuffix}'
  }
]
var inboundServices = [
  {
    name: appName
    resourceId: resourceId('Microsoft.Web/sites', appName)
    group: 'sites'
  }
]
var appDomains = {
  public: 'azurewebsites.net'
  usgov: 'azurewebsites.us'
  china: 'chinacloudsites.cn'
}
var inboundZones = [
  {
    group: 'sites'
    name: 'privatelink.${appDomains[cloud]}'
  }
]

module endpoints 'modules/endpoints.bicep' = if (needsEndpoints) {
  name: 'endpoints'
  params: {
    location: location
    tags: allTags
    subnetId: usedEndpointSubnetId
    services: concat(isPrivate ? closedServices : [], inboundPrivateEndpoint ? inboundServices : [])
    zones: !privateZones ? [] : concat(isPrivate ? closedZones : [], inboundPrivateEndpoint ? inboundZones : [])
  }
  dependsOn: [
    virtualNetwork
    operatorVault
    recovery
    stateStorage
    additionalStorage
    hostStorage
    app
  ]
}

module package 'modules/package.bicep' = if (!empty(packageUri)) {
  name: 'package'
  params: {
    appName: appName
    packageUri: packageUri
  }
  dependsOn: [
    app
    grants
    endpoints
  ]
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    name: name
    location: location
    tags: allTags
    workspaceName: '${appName}-logs'
  }
  dependsOn: [
    monitoring
  ]
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    name: name
    location: location
    tags: allTags
    workspaceId: monitoring.outputs.workspaceId
    emails: alertEmails
    webhooks: alertWebhooks
    actionGroupIds: alertActionGroupIds
    documentationUrl: documentationUrl
    revealsPerHour: revealsPerHour
    alertFrequency: alertFrequency
  }
}

output appName string = appName
output hostName string = app.outputs.hostName
output principalId string = app.outputs.principalId
output hostStorageName string = hostStorageName
output stateStorageName string = stateStorageName
output additionalStorageNames string[] = additionalStorageNames
output operatorVaultName string = operatorVaultName
output announcementTopicName string = topicName
@description('Give it to customers whose vault has a firewall. Empty without a virtual network that this made.')
output outboundAddress string = makesNetwork ? virtualNetwork!.outputs.outboundAddress : ''
output tags tagList = allTags
