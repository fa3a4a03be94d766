// Private endpoints in one subnet, and the private DNS zones that lead the names of their services to them.
import { tagList } from '../types.bicep'

param location string
param tags tagList
param subnetId string
param services {
  name: string
  resourceId: string
  group: ('vault' | 'table' | 'blob' | 'queue' | 'sites')
}[]
@description('One zone for each group of services. Empty: your own DNS has the zones, and a policy of yours enters the endpoints.')
param zones {
  group: string
  name: string
}[]

resource endpoints 'Microsoft.Network/privateEndpoints@2025-01-01' = [
  for service in services: {
    name: '${service.name}-${service.group}'
    location: location
    tags: tags
    properties: {
      subnet: {
        id: subnetId
      }
      privateLinkServiceConnections: [
        {
          name: service.group
          properties: {
            privateLinkServiceId: service.resourceId
            groupIds: [
              service.group
            ]
          }
        }
      ]
    }
  }
]

resource dnsZones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in zones: {
    name: zone.name
    #disable-next-line no-hardcoded-location // A DNS zone is in no region.
    location: 'global'
    tags: tags
  }
]

// A zone hides the public records of every name in it. With NxDomainRedirect a name that the zone does not have is resolved
// publicly, so that customers' vaults with a private endpoint of their own stay reachable.
resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, index) in zones: {
    parent: dnsZones[index]
    name: 'keyward'
    #disable-next-line no-hardcoded-location // A link of a DNS zone is in no region.
    location: 'global'
    tags: tags
    properties: {
      virtualNetwork: {
        id: split(subnetId, '/subnets/')[0]
      }
      registrationEnabled: false
      resolutionPolicy: 'NxDomainRedirect'
    }
  }
]

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-01-01' = [
  for (service, index) in services: if (!empty(zones)) {
    parent: endpoints[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: service.group
          properties: {
            privateDnsZoneId: resourceId(
              'Microsoft.Network/privateDnsZones',
              first(filter(zones, zone => zone.group == service.group))!.name
            )
          }
        }
      ]
    }
    dependsOn: [
      dnsZones
    ]
  }
]
