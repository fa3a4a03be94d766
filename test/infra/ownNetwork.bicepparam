// In a network of the operator's, with the operator's DNS zones and the operator's recovery key.
using '../../infra/main.bicep'

param auth = 'functionKeys'
param recoveryVault = false
param recoveryKey = 'https://elsewhere.vault.azure.net/keys/recovery'
param network = 'private'
param subnetId = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/app'
param endpointSubnetId = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n/subnets/endpoints'
param privateZones = false
