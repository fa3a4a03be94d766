// The Functions app on Flex Consumption, and every app setting of docs/operations.md.
param name string
param location string
param tags object
param nodeVersion string
param maximumInstanceCount int
param instanceMemoryMB int
param alwaysReady array
param userAssignedIdentities array
param subnetId string
param storageName string
param packageContainer string
param insightsName string
param announcementsEndpoint string
param keySettings object
param cloud string
param auth string
param authAudience string
param authIssuer string
param authJwksUrl string
param publicBaseUrl string
param ownerTag string
param eventGridApplication string
param diagnosticsEventHub string
param diagnosticsNamespace string
param policy object

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

var storageSuffix = environment().suffixes.storage

// What the Functions host reads: its own storage by identity, and where the logs go. The host's exporter drops the log
// lines of calls that it does not sample, and samples five calls a second by default. Alerts need every line.
var platformSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__blobServiceUri: 'https://${storageName}.blob.${storageSuffix}/'
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD'
  OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage'
  OTEL_TRACES_SAMPLER_ARG: '1.0'
}

var requiredSettings = {
  KEYWARD_TENANT_ID: tenant().tenantId
  KEYWARD_CLOUD: cloud
  KEYWARD_AUTH: auth
  KEYWARD_SWEEP_SCHEDULE: '0 * * * * *'
  AzureWebJobsStorage__tableServiceUri: 'https://${storageName}.table.${storageSuffix}/'
  AzureWebJobsStorage__queueServiceUri: 'https://${storageName}.queue.${storageSuffix}/'
}

// An empty one is not deployed: the app then uses its default.
var optionalSettings = {
  KEYWARD_AUTH_AUDIENCE: authAudience
  KEYWARD_AUTH_ISSUER: authIssuer
  KEYWARD_AUTH_JWKS_URL: authJwksUrl
  KEYWARD_PUBLIC_BASE_URL: publicBaseUrl
  KEYWARD_OWNER_TAG: ownerTag
  KEYWARD_EVENT_GRID_APPLICATION: eventGridApplication
  KEYWARD_DIAGNOSTICS_EVENT_HUB: diagnosticsEventHub
  KEYWARD_DIAGNOSTICS__fullyQualifiedNamespace: diagnosticsNamespace
  KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: string(policy.?lookIntervalHealthySeconds ?? '')
  KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: string(policy.?lookIntervalSuspectSeconds ?? '')
  KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: string(policy.?lookIntervalInaccessibleSeconds ?? '')
  KEYWARD_LOOK_SPACING_SECONDS: string(policy.?lookSpacingSeconds ?? '')
  KEYWARD_LOOK_DEADLINE_SECONDS: string(policy.?lookDeadlineSeconds ?? '')
  KEYWARD_VERSION_CHECK_INTERVAL_SECONDS: string(policy.?versionCheckIntervalSeconds ?? '')
  KEYWARD_CONFIRM_KEY_DISABLED_LOOKS: string(policy.?confirmKeyDisabledLooks ?? '')
  KEYWARD_CONFIRM_KEY_NOT_FOUND_LOOKS: string(policy.?confirmKeyNotFoundLooks ?? '')
  KEYWARD_CONFIRM_KEY_NOT_FOUND_SECONDS: string(policy.?confirmKeyNotFoundSeconds ?? '')
  KEYWARD_CONFIRM_PERMISSION_LOOKS: string(policy.?confirmPermissionLooks ?? '')
  KEYWARD_CONFIRM_PERMISSION_SECONDS: string(policy.?confirmPermissionSeconds ?? '')
  KEYWARD_CONFIRM_VAULT_NOT_FOUND_LOOKS: string(policy.?confirmVaultNotFoundLooks ?? '')
  KEYWARD_CONFIRM_VAULT_NOT_FOUND_SECONDS: string(policy.?confirmVaultNotFoundSeconds ?? '')
  KEYWARD_NETWORK_POLICY_DISABLES: toLower(string(policy.?networkPolicyDisables ?? ''))
  KEYWARD_CONFIRM_NETWORK_POLICY_LOOKS: string(policy.?confirmNetworkPolicyLooks ?? '')
  KEYWARD_CONFIRM_NETWORK_POLICY_SECONDS: string(policy.?confirmNetworkPolicySeconds ?? '')
  KEYWARD_LEASE_SECONDS: string(policy.?leaseSeconds ?? '')
  KEYWARD_LEASE_GRACE_SECONDS: string(policy.?leaseGraceSeconds ?? '')
  KEYWARD_ACCOUNTS_PER_MESSAGE: string(policy.?accountsPerMessage ?? '')
  KEYWARD_SWEEP_RANGES: string(policy.?sweepRanges ?? '')
  KEYWARD_WORKER_LEASE_SECONDS: string(policy.?workerLeaseSeconds ?? '')
  KEYWARD_VAULT_SHARE_PERCENT: string(policy.?vaultSharePercent ?? '')
  KEYWARD_KEY_NEAR_EXPIRY_DAYS: string(policy.?keyNearExpiryDays ?? '')
  KEYWARD_OPERATION_RETRY_SECONDS: string(policy.?operationRetrySeconds ?? '')
  KEYWARD_OPERATION_TIMEOUT_SECONDS: string(policy.?operationTimeoutSeconds ?? '')
  KEYWARD_RING_ROTATION_DAYS: string(policy.?ringRotationDays ?? '')
  KEYWARD_STORAGE_DEADLINE_SECONDS: string(policy.?storageDeadlineSeconds ?? '')
  KEYWARD_SAFE_TO_DISABLE_AFTER_SECONDS: string(policy.?safeToDisableAfterSeconds ?? '')
}
var givenSettings = toObject(filter(items(optionalSettings), one => !empty(one.value)), one => one.key, one => one.value)

// What the deployment itself makes. The SDK requests tokens for Event Grid of the public cloud only, so other clouds get no
// topic.
var madeSettings = union(
  { APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString },
  cloud == 'public' ? { KEYWARD_ANNOUNCEMENTS_ENDPOINT: announcementsEndpoint } : {}
)

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: '${name}-plan'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: tags
  kind: 'functionapp,linux'
  identity: {
    type: empty(userAssignedIdentities) ? 'SystemAssigned' : 'SystemAssigned, UserAssigned'
    userAssignedIdentities: empty(userAssignedIdentities) ? null : toObject(userAssignedIdentities, one => one.id, one => {})
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${storageName}.blob.${storageSuffix}/${packageContainer}'
          authentication: {
            type: 'SystemAssignedIdentity'
          }
        }
      }
      runtime: {
        name: 'node'
        version: nodeVersion
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maximumInstanceCount
        instanceMemoryMB: instanceMemoryMB
        alwaysReady: alwaysReady
      }
    }
  }
}

resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'appsettings'
  properties: union(platformSettings, requiredSettings, keySettings, givenSettings, madeSettings)
}

// Deployment is by identity as well: no publishing passwords.
resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScmPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output name string = app.name
output hostName string = app.properties.defaultHostName
output principalId string = app.identity.principalId
