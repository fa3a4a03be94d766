// A workbook, and the same queries saved in the workspace. queries.json has each query once.
import { tagList } from '../types.bicep'

param name string
param location string
param tags tagList
param workspaceName string

var queries = loadJsonContent('queries.json')
// Sections in the order of their first query.
var sections = reduce(queries, [], (known, query) => contains(known, query.section) ? known : concat(known, [query.section]))

// The form of a workbook: https://github.com/microsoft/Application-Insights-Workbooks/tree/master/schema
var panels = map(queries, query => {
  type: 3
  name: query.name
  content: {
    version: 'KqlItem/1.0'
    title: query.title
    query: query.query
    size: 0
    timeContextFromParameter: 'TimeRange'
    queryType: 0
    resourceType: 'microsoft.operationalinsights/workspaces'
    visualization: query.view
  }
})
var timeRange = {
  type: 9
  name: 'parameters'
  content: {
    version: 'KqlParameterItem/1.0'
    parameters: [
      {
        version: 'KqlParameterItem/1.0'
        name: 'TimeRange'
        label: 'Time range'
        type: 4
        isRequired: true
        value: {
          durationMs: 86400000
        }
        typeSettings: {
          selectableValues: [
            { durationMs: 3600000 }
            { durationMs: 86400000 }
            { durationMs: 604800000 }
            { durationMs: 2592000000 }
          ]
        }
      }
    ]
  }
}
var grouped = flatten(map(sections, section => concat(
  [
    {
      type: 1
      name: 'section-${section}'
      content: {
        json: '## ${section}'
      }
    }
  ],
  filter(panels, panel => contains(map(filter(queries, query => query.section == section), query => query.name), panel.name))
)))

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' existing = {
  name: workspaceName
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(workspace.id, name)
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: name
    category: 'workbook'
    sourceId: workspace.id
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([timeRange], grouped)
      fallbackResourceIds: [
        workspace.id
      ]
    })
  }
}

resource savedQueries 'Microsoft.OperationalInsights/workspaces/savedSearches@2025-02-01' = [
  for query in queries: {
    parent: workspace
    name: '${name}-${query.name}'
    properties: {
      category: name
      displayName: '${query.section}: ${query.title}'
      query: query.query
      version: 2
    }
  }
]
