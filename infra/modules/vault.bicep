// A vault of the operator with RSA keys that Key Vault rotates every year. Purge protection is on.
import { tagList } from '../types.bicep'

param name string
param location string
param tags tagList
param hsm bool
param keyNames string[]
@description('Keys that sign, and wrap nothing.')
param signingKeyNames string[] = []
@description('True: reached through a private endpoint only.')
param isPrivate bool
param workspaceId string

resource vault 'Microsoft.KeyVault/vaults@2026-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: hsm ? 'premium' : 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: isPrivate ? 'Deny' : 'Allow'
      // This deployment itself makes the keys, as a trusted service.
      bypass: 'AzureServices'
    }
  }
}

resource keys 'Microsoft.KeyVault/vaults/keys@2026-02-01' = [
  for keyName in concat(keyNames, signingKeyNames): {
    parent: vault
    name: keyName
    tags: tags
    properties: {
      kty: hsm ? 'RSA-HSM' : 'RSA'
      keySize: 3072
      keyOps: contains(signingKeyNames, keyName) ? ['sign', 'verify'] : ['wrapKey', 'unwrapKey']
      rotationPolicy: {
        attributes: {
          expiryTime: 'P2Y'
        }
        lifetimeActions: [
          {
            trigger: {
              timeAfterCreate: 'P1Y'
            }
            action: {
              type: 'rotate'
            }
          }
          {
            trigger: {
              timeBeforeExpiry: 'P30D'
            }
            action: {
              type: 'notify'
            }
          }
        ]
      }
    }
  }
]

// The vault's own log: which identity used or changed which key.
resource records 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

output id string = vault.id
