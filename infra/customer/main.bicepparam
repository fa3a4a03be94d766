// Fill in what the operator told you.
using 'main.bicep'

param vaultName = 'contoso-keys'
param keyName = 'media'
param servicePrincipalId = '00000000-0000-0000-0000-000000000000'
param events = 'none'
