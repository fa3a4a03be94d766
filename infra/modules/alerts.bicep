// What docs/operations.md says to watch, watched. Severity 0 and 1 want somebody now.
param name string
param location string
param tags object
param workspaceId string
param email string

var receivers = empty(email) ? [] : [{ name: 'operator', emailAddress: email, useCommonAlertSchema: true }]

// Log lines are a constant text and then their fields as JSON. Logs come minutes late: no window is shorter than five.
var fields = '| extend fields = parse_json(substring(Message, indexof(Message, "{")))'
var alerts = [
  {
    name: 'stored-secret-damaged'
    severity: 1
    query: 'AppTraces | where Message startswith "A stored secret does not open to what its place says"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'audit-chain-broken'
    severity: 0
    query: 'AppTraces | where Message startswith "An audit chain is broken"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'account-key-rotation-stuck'
    severity: 2
    query: 'AppTraces | where Message startswith "Moved secrets under the newest account key" ${fields} | where toint(fields.stuck) > 0'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'secrets-not-moved'
    severity: 2
    query: 'AppTraces | where Message startswith "Secrets were not moved, and are tried again"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 30
  }
  {
    name: 'account-key-damaged'
    severity: 0
    query: 'AppTraces | where Message startswith "An account key does not open to what its record names"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'binding-work-fails'
    severity: 2
    query: 'AppTraces | where Message startswith "Work on a binding failed"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 5
  }
  {
    name: 'not-rewrapped'
    severity: 2
    query: 'AppTraces | where Message startswith "An account key was not re-wrapped"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'account-rewrap-fails'
    severity: 2
    query: 'AppTraces | where Message startswith "An account could not be re-wrapped"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'wake-up-not-sent'
    severity: 2
    query: 'AppTraces | where Message startswith "A wake-up was not sent"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 10
  }
  {
    name: 'message-dropped'
    severity: 2
    query: 'AppTraces | where Message startswith "Dropped a message that is no vault work"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'vault-work-given-up'
    severity: 1
    query: 'AppTraces | where Message startswith "Work on a vault was given up"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'account-passed-by'
    severity: 2
    query: 'AppTraces | where Message startswith "The daily pass went by an account"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'account-not-watched'
    severity: 1
    query: 'AppTraces | where Message startswith "An account was not watched"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'looks-late'
    severity: 2
    query: 'AppTraces | where Message startswith "A look came late"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 10
  }
  {
    name: 'operator-key-unanswered'
    severity: 1
    query: 'AppTraces | where Message startswith "The vault of an operator key does not answer: running processes go on, new ones cannot start"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'operator-key-unusable'
    severity: 1
    query: 'AppTraces | where Message startswith "The newest version of an operator key cannot be used: the rings stay on the one before"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'ring-by-recovery-key'
    severity: 0
    query: 'AppTraces | where Message startswith "A ring was opened by the recovery key: no key of its own opens it"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'rings-not-read'
    severity: 1
    query: 'AppTraces | where Message startswith "The rings could not be read again: this process goes on with those it has"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'ring-work-fails'
    severity: 2
    query: 'AppTraces | where Message startswith "Work on a ring failed"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 5
  }
  {
    name: 'ring-rows-strange'
    severity: 0
    query: 'AppTraces | where Message startswith "A row of a ring is not one that this service writes: it is passed by" or Message startswith "A ring is said to be sealed with an older generation than before: that is not believed"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'ring-rows-missing'
    severity: 0
    query: 'AppTraces | where Message startswith "The rows of a ring are missing: restore them before this process ends"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'ring-rotation-stuck'
    severity: 2
    query: 'AppTraces | where Message startswith "Rows that do not open keep an older generation of a ring from being destroyed"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'topic-fails'
    severity: 2
    query: 'AppTraces | where Message startswith "The announcement topic does not take what is published: it waits"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 5
  }
  {
    name: 'announcement-refused'
    severity: 2
    query: 'AppTraces | where Message startswith "The announcement topic refuses an entry: it waits for somebody to look"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'announcement-forged'
    severity: 1
    query: 'AppTraces | where Message startswith "An entry that waits to be announced does not verify"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'announcements-unreadable'
    severity: 2
    query: 'AppTraces | where Message startswith "Entries that wait to be announced could not be read"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'no-sweep'
    severity: 0
    query: 'AppTraces | where Message startswith "Swept"'
    window: 'PT5M'
    operator: 'LessThan'
    threshold: 1
  }
  {
    name: 'control-look-fails'
    severity: 1
    query: 'AppTraces | where Message startswith "Looked at a key" ${fields} | where tostring(fields.controlLook) == "failed"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
]

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: '${name}-operators'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: take(name, 12)
    enabled: true
    emailReceivers: receivers
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in alerts: {
  name: '${name}-${alert.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: '${name}: ${alert.name}'
    description: 'docs/operations.md, What to watch'
    severity: alert.severity
    enabled: true
    scopes: [
      workspaceId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: alert.window
    autoMitigate: true
    // The tables come with the first log line, and the rules may be there before.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: alert.operator
          threshold: alert.threshold
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: [
        group.id
      ]
    }
  }
}]
