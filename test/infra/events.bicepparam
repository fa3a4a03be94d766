using '../../infra/events.bicep'

param appName = 'keyward-app'
param hostStorageName = 'keywardhost'
param operatorVaultName = 'keyward-op'
