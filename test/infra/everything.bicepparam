// Every parameter of infra/main.bicep set, except those of test/infra/ownNetwork.bicepparam: the snapshot shows each setting
// and each role that a deployment can have.
using '../../infra/main.bicep'

param name = 'Key-Ward'
param location = 'westeurope'
param tags = {
  team: 'keys'
}
param nodeVersion = '22'
param maximumInstanceCount = 41
param instanceMemoryMB = 2048
param httpConcurrency = 17
param alwaysReady = [
  {
    name: 'http'
    instanceCount: 2
  }
]
param packageUri = 'https://releases.contoso.example/keyward.zip'
param siteUpdateStrategy = 'RollingUpdate'
param auth = 'entra'
param authAudience = '00000000-0000-0000-0000-000000000001'
param authIssuer = 'https://sts.example/tenant'
param authClients = '22222222-0000-4000-8000-000000000002 22222222-0000-4000-8000-000000000003'
param consoleClientId = '22222222-0000-4000-8000-000000000002'
param authJwksUrl = 'https://sts.example/keys'
param publicBaseUrl = 'https://keys.contoso.example'
param ownerTag = 'owner'
param revocationDrill = true
param eventGridApplication = '00000000-0000-0000-0000-000000000002'
param inboundAddresses = [
  '203.0.113.0/24'
]
param inboundPrivateEndpoint = true
param systemKey = 'https://hardware.vault.azure.net/keys/system'
param atRestKey = 'https://hardware.vault.azure.net/keys/at-rest'
param recoveryLocation = 'northeurope'
param hsm = true
param userAssignedIdentities = [
  {
    id: '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reaches'
    principalId: '00000000-0000-0000-0000-00000000000a'
    clientId: '00000000-0000-0000-0000-0000000000aa'
  }
  {
    id: '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/speaks'
    principalId: '00000000-0000-0000-0000-00000000000b'
    clientId: '00000000-0000-0000-0000-0000000000bb'
    speaksForApplication: true
  }
]
param cloud = 'public'
param metricsEndpoint = 'https://collector.contoso.example/v1/metrics'
param metricsHeaders = '@Microsoft.KeyVault(SecretUri=https://collector-kv.vault.azure.net/secrets/headers)'
param storageSku = 'Standard_GZRS'
param storageAccountCount = 3
param storageKeyIdentifier = 'https://storage-kv.vault.azure.net/keys/storage'
param storageKeyIdentityId = '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/storage'
param network = 'private'
param addressPrefix = '10.9.0.0/25'
param diagnosticsEventHub = 'records'
param diagnosticsNamespace = 'records.servicebus.windows.net'
param alertEmails = [
  'oncall@contoso.example'
  'security@contoso.example'
]
param alertWebhooks = [
  'https://pager.example/hook'
]
param alertActionGroupIds = [
  '/subscriptions/s/resourceGroups/g/providers/Microsoft.Insights/actionGroups/company'
]
param documentationUrl = 'https://docs.contoso.example/keyward'
param revealsPerHour = 500
param alertFrequency = 'PT15M'
param logRetentionDays = 30
param policy = {
  KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: 61
  KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: 11
  KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: 31
  KEYWARD_LOOK_SPACING_SECONDS: 11
  KEYWARD_LOOK_DEADLINE_SECONDS: 6
  KEYWARD_STORAGE_DEADLINE_SECONDS: 11
  KEYWARD_VERSION_CHECK_INTERVAL_SECONDS: 241
  KEYWARD_CONFIRM_KEY_DISABLED_LOOKS: 3
  KEYWARD_CONFIRM_KEY_NOT_FOUND_LOOKS: 4
  KEYWARD_CONFIRM_KEY_NOT_FOUND_SECONDS: 31
  KEYWARD_CONFIRM_PERMISSION_LOOKS: 4
  KEYWARD_CONFIRM_PERMISSION_SECONDS: 61
  KEYWARD_CONFIRM_VAULT_NOT_FOUND_LOOKS: 4
  KEYWARD_CONFIRM_VAULT_NOT_FOUND_SECONDS: 901
  KEYWARD_NETWORK_POLICY_DISABLES: true
  KEYWARD_LOG_GOOD_KEY_CHECKS: false
  KEYWARD_CONFIRM_NETWORK_POLICY_LOOKS: 4
  KEYWARD_CONFIRM_NETWORK_POLICY_SECONDS: 901
  KEYWARD_LEASE_SECONDS: 301
  KEYWARD_LEASE_GRACE_SECONDS: 601
  KEYWARD_ACCOUNTS_PER_MESSAGE: 999
  KEYWARD_SWEEP_RANGES: 128
  KEYWARD_WORKER_LEASE_SECONDS: 61
  KEYWARD_VAULT_SHARE_PERCENT: 26
  KEYWARD_KEY_NEAR_EXPIRY_DAYS: 31
  KEYWARD_REVEALS_PER_MINUTE: 6001
  KEYWARD_DELETE_AFTER_DAYS: 8
  KEYWARD_RING_ROTATION_DAYS: 366
  KEYWARD_SAFE_TO_DISABLE_AFTER_SECONDS: 901
  KEYWARD_OPERATION_RETRY_SECONDS: 11
  KEYWARD_OPERATION_TIMEOUT_SECONDS: 601
}
