// The topic that changes of accounts are published to. Publishers use an identity; the keys of the topic are switched off.
import { tagList } from '../types.bicep'

param name string
param location string
param tags tagList

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
  }
}

output endpoint string = topic.properties.endpoint
