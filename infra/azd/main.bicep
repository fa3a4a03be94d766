// For `azd`: makes the resource group, and deploys ../main.bicep into it.
targetScope = 'subscription'

param environmentName string

param location string

param authAudience string

param alertEmails string[]

resource group 'Microsoft.Resources/resourceGroups@2024-11-01' = {
  name: 'rg-${environmentName}'
  location: location
  // By this tag azd finds the resource group of an environment.
  tags: {
    'azd-env-name': environmentName
  }
}

module keyward '../main.bicep' = {
  name: 'keyward'
  scope: group
  params: {
    location: location
    recoveryLocation: location
    tags: {
      environment: environmentName
    }
    authAudience: authAudience
    alertEmails: alertEmails
    alwaysReady: [
      {
        name: 'function:sweep'
        instanceCount: 1
      }
      {
        name: 'function:vaultWork'
        instanceCount: 1
      }
    ]
  }
}

// azd keeps these in the environment, where infra/azd/hooks.sh reads them.
output AZURE_RESOURCE_GROUP string = group.name
output KEYWARD_APP string = keyward.outputs.appName
output KEYWARD_HOST string = keyward.outputs.hostName
output KEYWARD_HOST_STORAGE string = keyward.outputs.hostStorageName
output KEYWARD_OPERATOR_VAULT string = keyward.outputs.operatorVaultName
