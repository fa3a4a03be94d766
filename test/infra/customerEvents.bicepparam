using '../../infra/customer/events.bicep'

param vaultName = 'contoso-keys'
param webhookUrl = 'https://keys.example/api/events'
param operatorTenantId = '00000000-0000-0000-0000-000000000001'
param operatorApplicationId = '00000000-0000-0000-0000-000000000002'
