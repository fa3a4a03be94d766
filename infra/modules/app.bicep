// The function app on Flex Consumption, and every app setting of docs/settings.md.
import { alwaysReadyInstances, policySettings, tagList, userAssignedIdentity } from '../types.bicep'

param name string
param location string
param tags tagList
param nodeVersion string
param maximumInstanceCount int
param instanceMemoryMB int
param httpConcurrency int
param alwaysReady alwaysReadyInstances[]
param siteUpdateStrategy ('Recreate' | 'RollingUpdate')?
param userAssignedIdentities userAssignedIdentity[]
param subnetId string
param inboundAddresses string[]
param isInboundPrivate bool
param hostStorageName string
param packageContainer string
param stateStorageName string
param additionalStorageNames string[]
param insightsName string
param announcementsEndpoint string
param metricsEndpoint string
param metricsHeaders string
@description('KEYWARD_SYSTEM_KEY, KEYWARD_AT_REST_KEY and, where there is one, KEYWARD_RECOVERY_KEY and KEYWARD_DRILL_KEY.')
param keySettings {
  *: string
}
param cloud string
param auth string
param authAudience string
param authIssuer string
param authClients string
param consoleClientId string
param authJwksUrl string
param publicBaseUrl string
param ownerTag string
param eventGridApplication string
param diagnosticsEventHub string
param diagnosticsNamespace string
param policy policySettings

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

var storageSuffix = environment().suffixes.storage

// What the Functions host reads: its own storage by identity, and where the logs go. The host's exporter drops the log
// lines of calls that it does not sample, and samples five calls a second by default. Alerts need every line.
var platformSettings = {
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__blobServiceUri: 'https://${hostStorageName}.blob.${storageSuffix}/'
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD'
  OTEL_TRACES_SAMPLER: 'microsoft.fixed_percentage'
  OTEL_TRACES_SAMPLER_ARG: '1.0'
  // The host reads a whole body before it calls the app, which reads at most 1 MiB, and answers 500 above this limit.
  FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '2097152'
}

var requiredSettings = {
  KEYWARD_TENANT_ID: tenant().tenantId
  KEYWARD_CLOUD: cloud
  KEYWARD_AUTH: auth
  KEYWARD_SWEEP_SCHEDULE: '0 * * * * *'
  AzureWebJobsStorage__queueServiceUri: 'https://${hostStorageName}.queue.${storageSuffix}/'
  KEYWARD_TABLES_ENDPOINT: 'https://${stateStorageName}.table.${storageSuffix}/'
}

var additionalStorage = empty(additionalStorageNames)
  ? {}
  : {
      KEYWARD_ADDITIONAL_TABLES_ENDPOINTS: 'https://${join(additionalStorageNames, '.table.${storageSuffix}/,https://')}.table.${storageSuffix}/'
    }

var identities = map(userAssignedIdentities, one => {
  id: one.id
  principalId: one.principalId
  clientId: one.clientId
})
// An empty one is not deployed: the app then uses its default.
var optionalSettings = {
  KEYWARD_USER_ASSIGNED_IDENTITIES: empty(userAssignedIdentities) ? '' : string(identities)
  KEYWARD_AUTH_AUDIENCE: authAudience
  KEYWARD_AUTH_ISSUER: authIssuer
  KEYWARD_AUTH_CLIENTS: authClients
  KEYWARD_CONSOLE_CLIENT_ID: consoleClientId
  KEYWARD_AUTH_JWKS_URL: authJwksUrl
  KEYWARD_PUBLIC_BASE_URL: publicBaseUrl
  KEYWARD_OWNER_TAG: ownerTag
  OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: metricsEndpoint
  OTEL_EXPORTER_OTLP_METRICS_HEADERS: metricsHeaders
  KEYWARD_EVENT_GRID_APPLICATION: eventGridApplication
  KEYWARD_DIAGNOSTICS_EVENT_HUB: diagnosticsEventHub
  KEYWARD_DIAGNOSTICS__fullyQualifiedNamespace: diagnosticsNamespace
}
var givenSettings = toObject(filter(items(optionalSettings), one => !empty(one.value)), one => one.key, one => one.value)
var chosenPolicy = toObject(items(policy), one => one.key, one => toLower(string(one.value)))

// What Azure knows only when it has made the resources. The SDK requests tokens for Event Grid of the public cloud only, so
// other clouds get no topic.
var madeSettings = union(
  {
    APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
    KEYWARD_IDENTITY_PRINCIPAL_ID: ownIdentity.properties.principalId
    KEYWARD_IDENTITY_CLIENT_ID: ownIdentity.properties.clientId
  },
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

var allowedAddresses = map(inboundAddresses, (address, index) => {
  name: 'address-${index}'
  priority: 100 + index
  action: 'Allow'
  ipAddress: address
})
// Event Grid delivers to the app from addresses of its own.
var eventGrid = {
  name: 'event-grid'
  priority: 90
  action: 'Allow'
  tag: 'ServiceTag'
  ipAddress: 'AzureEventGrid'
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  // By this tag `azd deploy` finds the app that azure.yaml names.
  tags: union(tags, { 'azd-service-name': 'keyward' })
  kind: 'functionapp,linux'
  identity: {
    type: empty(userAssignedIdentities) ? 'SystemAssigned' : 'SystemAssigned, UserAssigned'
    userAssignedIdentities: empty(userAssignedIdentities)
      ? null
      : toObject(userAssignedIdentities, one => one.id, one => {})
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: isInboundPrivate ? 'Disabled' : 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    // Switches off the endpoints below /admin, which take a shared key. Documented, and missing in the published type:
    // https://learn.microsoft.com/azure/azure-functions/functions-app-settings#functionsruntimeadminisolationenabled
    #disable-next-line BCP037
    functionsRuntimeAdminIsolationEnabled: true
    siteConfig: {
      minTlsVersion: '1.2'
      ipSecurityRestrictionsDefaultAction: empty(inboundAddresses) ? 'Allow' : 'Deny'
      ipSecurityRestrictions: empty(inboundAddresses) ? [] : concat([eventGrid], allowedAddresses)
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${hostStorageName}.blob.${storageSuffix}/${packageContainer}'
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
        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
      }
      // Documented, and missing in the published type:
      // https://learn.microsoft.com/azure/azure-functions/flex-consumption-site-updates
      #disable-next-line BCP037
      siteUpdateStrategy: siteUpdateStrategy == null ? null : { type: siteUpdateStrategy }
    }
  }
}

resource ownIdentity 'Microsoft.ManagedIdentity/identities@2024-11-30' existing = {
  scope: app
  name: 'default'
}

resource settings 'Microsoft.Web/sites/config@2024-11-01' = {
  parent: app
  name: 'appsettings'
  properties: union(platformSettings, requiredSettings, additionalStorage, keySettings, givenSettings, chosenPolicy, madeSettings)
}

// The package is deployed by identity too, so the publishing passwords are off.
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

output id string = app.id
output hostName string = app.properties.defaultHostName
output principalId string = app.identity.principalId
