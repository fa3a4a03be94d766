using '../../infra/events.bicep'

param appName = 'keyward-app'
param storageName = 'keywardstorage'
param operatorVaultName = 'keyward-op'
