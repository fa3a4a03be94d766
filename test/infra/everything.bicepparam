// Every parameter of infra/main.bicep set: the snapshot shows each setting and each grant that a deployment can have.
using '../../infra/main.bicep'

param name = 'Key-Ward'
param authAudience = '00000000-0000-0000-0000-000000000001'
param authIssuer = 'https://sts.example/tenant'
param authJwksUrl = 'https://sts.example/keys'
param publicBaseUrl = 'https://keys.contoso.example'
param ownerTag = 'owner'
param recoveryLocation = 'northeurope'
param eventGridApplication = '00000000-0000-0000-0000-000000000002'
param hsm = true
param storageKeyIdentifier = 'https://storage-kv.vault.azure.net/keys/storage'
param storageKeyIdentityId = '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/storage'
param subnetId = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/app'
param diagnosticsEventHub = 'records'
param diagnosticsNamespace = 'records.servicebus.windows.net'
param alertEmail = 'oncall@contoso.example'
param userAssignedIdentities = [
  {
    id: '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/reaches'
    principalId: '00000000-0000-0000-0000-00000000000a'
  }
  {
    id: '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/speaks'
    principalId: '00000000-0000-0000-0000-00000000000b'
    speaksForApplication: true
  }
]
param policy = {
  lookIntervalHealthySeconds: 61
  lookIntervalSuspectSeconds: 11
  lookIntervalInaccessibleSeconds: 31
  lookSpacingSeconds: 11
  lookDeadlineSeconds: 6
  storageDeadlineSeconds: 11
  versionCheckIntervalSeconds: 241
  confirmKeyDisabledLooks: 3
  confirmKeyNotFoundLooks: 4
  confirmKeyNotFoundSeconds: 31
  confirmPermissionLooks: 4
  confirmPermissionSeconds: 61
  confirmVaultNotFoundLooks: 4
  confirmVaultNotFoundSeconds: 901
  networkPolicyDisables: true
  confirmNetworkPolicyLooks: 4
  confirmNetworkPolicySeconds: 901
  leaseSeconds: 301
  leaseGraceSeconds: 601
  accountsPerMessage: 999
  sweepRanges: 128
  workerLeaseSeconds: 61
  vaultSharePercent: 26
  keyNearExpiryDays: 31
  ringRotationDays: 366
  safeToDisableAfterSeconds: 901
  operationRetrySeconds: 11
  operationTimeoutSeconds: 601
}
