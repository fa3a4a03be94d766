using '../../infra/customer/main.bicep'

param vaultName = 'contoso-keys'
param keyName = 'media'
param servicePrincipalId = '00000000-0000-0000-0000-00000000000a'
