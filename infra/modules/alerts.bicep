// An alert rule for each signal of docs/operations.md, "What to watch". Severity 0 and 1 need a person at once.
import { tagList } from '../types.bicep'

param name string
param location string
param tags tagList
param workspaceId string
param emails string[]
param webhooks string[]
param actionGroupIds string[]
@description('Each rule links to its section of the documents below this address.')
param documentationUrl string
param revealsPerHour int
@description('How often the rules of severity 1 run whose window allows less than every five minutes.')
@allowed(['PT5M', 'PT15M'])
param alertFrequency string

// A log line is a constant message, then its fields as JSON. Logs arrive minutes late, so no window is shorter than five
// minutes. The rule that looks for a missing line has a longer one, or every delay of the logs would fire it.
var fields = '| extend fields = parse_json(substring(Message, indexof(Message, "{")))'
// A metric is a log line too.
var metrics = 'AppTraces | where Message startswith "Metric {" ${fields}'
// The owner and the key of a customer, for the person that the alert wakes.
var customer = '| extend owner = tostring(fields.owner), key = tostring(fields.key)'
// The audit chain, and the name of the account whose chain it is.
var ofChain = '| extend chain = tostring(fields.chain), account = tostring(fields.account)'
var alerts = [
  {
    name: 'stored-secret-damaged'
    section: 'operations.md#rows-that-do-not-decrypt'
    severity: 1
    query: 'AppTraces | where Message startswith "A stored secret does not match its context" or Message startswith "A stored resource is malformed"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'stored-row-damaged'
    section: 'operations.md#damaged-rows'
    severity: 0
    query: 'AppTraces | where Message startswith "A stored row is not as Keyward wrote it"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'audit-chain-broken'
    section: 'audit.md#when-a-link-is-broken'
    severity: 0
    query: 'AppTraces | where Message startswith "Audit verification found a broken chain" ${fields} ${ofChain}'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'audit-verification-late'
    section: 'audit.md#the-daily-verification'
    severity: 1
    query: 'AppTraces | where Message startswith "The daily verification of the audit chains has not finished"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'account-key-rotation-stuck'
    section: 'operations.md#rows-that-do-not-decrypt'
    severity: 2
    query: 'AppTraces | where Message startswith "Encrypted secrets under the newest account key" ${fields} | where toint(fields.stuck) > 0'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'secrets-not-moved'
    section: 'operations.md#secrets'
    severity: 2
    query: 'AppTraces | where Message startswith "Secrets were not encrypted under the newest account key and are retried"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 30
  }
  {
    name: 'account-key-damaged'
    section: 'runbook.md#keymaterialmismatch'
    severity: 0
    query: 'AppTraces | where Message startswith "An account key does not match its record" ${fields} ${customer}'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'binding-work-fails'
    section: 'operations.md#the-service'
    severity: 2
    query: 'AppTraces | where Message startswith "Work on a binding failed" or Message startswith "Work on a vault failed"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 5
  }
  {
    name: 'not-rewrapped'
    section: 'runbook.md#a-rotation-is-stuck'
    severity: 2
    query: 'AppTraces | where Message startswith "An account key was not re-wrapped" ${fields} ${customer}'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'account-rewrap-fails'
    section: 'runbook.md#a-rotation-is-stuck'
    severity: 2
    query: 'AppTraces | where Message startswith "An account could not be re-wrapped" ${fields} ${customer}'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'wake-up-not-sent'
    section: 'operations.md#the-service'
    severity: 2
    query: 'AppTraces | where Message startswith "A wake-up was not sent"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 10
  }
  {
    name: 'message-dropped'
    section: 'operations.md#the-service'
    severity: 2
    query: 'AppTraces | where Message startswith "Dropped a malformed vault work message" or Message startswith "Dropped a malformed daily pass message"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'vault-work-given-up'
    section: 'operations.md#failed-messages'
    severity: 1
    query: 'AppTraces | where Message startswith "Work on a vault was given up"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'daily-work-given-up'
    section: 'operations.md#failed-messages'
    severity: 2
    query: 'AppTraces | where Message startswith "Work of the daily pass was given up"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'refusal-not-audited'
    section: 'operations.md#audit-entries-that-are-missing'
    severity: 1
    query: 'AppTraces | where Message startswith "A refusal was not audited"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'key-use-not-audited'
    section: 'operations.md#audit-entries-that-are-missing'
    severity: 2
    query: 'AppTraces | where Message startswith "A key use was not audited"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'account-passed-by'
    section: 'operations.md#the-service'
    severity: 2
    query: 'AppTraces | where Message startswith "The daily pass skipped an account"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'account-not-purged'
    section: 'operations.md#deleted-accounts-that-are-not-purged'
    severity: 2
    query: 'AppTraces | where Message startswith "A deleted account was not purged"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 3
  }
  {
    name: 'account-not-watched'
    section: 'operations.md#damaged-rows'
    severity: 1
    query: 'AppTraces | where Message startswith "An account was not watched" or Message startswith "A lost watch was restored" or Message startswith "Keys are missing in the sweep" or Message startswith "An account was not listed"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'time-from-future'
    section: 'operations.md#customers-keys'
    severity: 2
    query: 'AppTraces | where Message startswith "Ignored a stored time from the future"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'tables-refuse'
    section: 'operations.md#the-service'
    severity: 1
    query: 'AppTraces | where Message startswith "The tables refused a request"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'looks-late'
    section: 'operations.md#customers-keys'
    severity: 2
    query: 'AppTraces | where Message startswith "A key check came late"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 10
  }
  {
    name: 'operator-key-unanswered'
    section: 'operations.md#the-operators-keys-and-rings'
    severity: 1
    query: 'AppTraces | where Message startswith "The operator vault did not answer, so new processes cannot start"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'operator-key-unusable'
    section: 'operations.md#the-operators-keys-and-rings'
    severity: 1
    query: 'AppTraces | where Message startswith "The newest version of an operator key was refused and the rings stay on the earlier one" or Message startswith "A ring could not be wrapped with the newest key version and stays on the earlier one"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'ring-by-recovery-key'
    section: 'operator-keys.md#losing-the-operators-vault'
    severity: 0
    query: 'AppTraces | where Message startswith "A ring was opened with the recovery key because its own key did not open it"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'rings-not-read'
    section: 'operations.md#the-operators-keys-and-rings'
    severity: 1
    query: 'AppTraces | where Message startswith "The rings could not be refreshed and the process uses its copy" or Message startswith "A ring generation could not be opened"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'ring-work-fails'
    section: 'operations.md#the-operators-keys-and-rings'
    severity: 2
    query: 'AppTraces | where Message startswith "Work on a ring failed" or Message startswith "A ring could not be re-wrapped" or Message startswith "An account could not be resealed under the newest ring generation"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 5
  }
  {
    name: 'ring-rows-strange'
    section: 'operations.md#ring-rows'
    severity: 0
    query: 'AppTraces | where Message startswith "Skipped a ring row that this service did not write" or Message startswith "Rejected a ring state that names an older generation than before" or Message startswith "Rejected a ring state that names an older generation than the audit chain" or Message startswith "The head of the audit chain of the service is not its last entry"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'ring-rows-missing'
    section: 'operations.md#ring-rows'
    severity: 0
    query: 'AppTraces | where Message startswith "Ring rows are missing and must be restored before this process ends"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'ring-rotation-stuck'
    section: 'operations.md#rows-that-do-not-decrypt'
    severity: 2
    query: 'AppTraces | where Message startswith "Unreadable rows prevent the destruction of an older ring generation"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'topic-fails'
    section: 'operations.md#the-topic-is-down'
    severity: 2
    query: 'AppTraces | where Message startswith "The announcement topic did not accept events, which wait in the outbox"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 5
  }
  {
    name: 'announcement-refused'
    section: 'operations.md#rows-of-the-outbox'
    severity: 2
    query: 'AppTraces | where Message startswith "The announcement topic refused an event, which waits for an operator"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'announcement-forged'
    section: 'operations.md#rows-of-the-outbox'
    severity: 1
    query: 'AppTraces | where Message startswith "A waiting audit entry did not verify"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'announcements-late'
    section: 'operations.md#the-topic-is-down'
    severity: 2
    query: '${metrics} | where tostring(fields.metric) == "keyward.announcements.oldest.ms" and todouble(fields.value) > 1200000'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'announcements-unreadable'
    section: 'operations.md#rows-of-the-outbox'
    severity: 2
    query: 'AppTraces | where Message startswith "Waiting audit entries could not be read" or Message startswith "Skipped unreadable outbox rows"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'own-identity-unavailable'
    section: 'runbook.md#identityunavailable'
    severity: 1
    query: '${metrics} | where tostring(fields.metric) == "keyward.looks" and tostring(fields.cause) == "IdentityUnavailable"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'identity-replaced'
    section: 'runbook.md#identityreplaced'
    severity: 1
    query: 'AppTraces | where Message startswith "An identity of this service was replaced"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'keys-not-checked'
    section: 'operations.md#keys-that-are-not-checked'
    severity: 0
    query: '${metrics} | where tostring(fields.metric) == "keyward.looks.oldest.ms" and todouble(fields.value) > 180000'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'sweep-overdue'
    section: 'operations.md#keys-that-are-not-checked'
    severity: 1
    query: 'AppTraces | where Message startswith "The sweep timer is overdue, so another call ran the sweep"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'settings-of-authentication'
    section: 'operations.md#the-service'
    severity: 0
    query: 'AppTraces | where Message startswith "Settings of authentication are missing or wrong"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'drill-missed'
    section: 'operations.md#the-revocation-drill'
    severity: 1
    query: 'AppTraces | where Message startswith "The revocation drill missed a published bound"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'drill-not-made'
    section: 'operations.md#the-revocation-drill'
    severity: 2
    query: 'AppTraces | where Message startswith "The revocation drill could not be made"'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'sweeps-slow'
    section: 'operations.md#the-service'
    severity: 1
    query: '${metrics} | where tostring(fields.metric) == "keyward.sweeps.ms" and todouble(fields.value) > 120000'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'key-taken-away'
    section: 'runbook.md#an-alert-names-a-key'
    severity: 2
    query: 'AppTraces | where Message startswith "The status of a customer key changed" ${fields} | where tostring(fields["to"]) == "Inaccessible" ${customer}'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'key-unreachable'
    section: 'runbook.md#an-alert-names-a-key'
    severity: 1
    query: 'AppTraces | where Message startswith "A customer key is unreachable for longer than lease and grace" ${fields} ${customer}'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    // Callers get CustomerKeyUnreachable (503) for each of these lines.
    name: 'customer-refused'
    section: 'runbook.md#an-alert-names-a-key'
    severity: 1
    query: 'AppTraces | where Message startswith "A call was refused because its customer key did not work" ${fields} ${customer} | summarize firstAt = min(TimeGenerated), lastAt = max(TimeGenerated) by owner, key | where lastAt - firstAt >= 10m'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'keys-unreachable'
    section: 'operations.md#customers-keys'
    severity: 1
    query: '${metrics} | where tostring(fields.metric) == "keyward.transitions" and tostring(fields["to"]) == "Unreachable"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 3
  }
  {
    name: 'rotation-stuck'
    section: 'runbook.md#a-rotation-is-stuck'
    severity: 2
    query: '${metrics} | where tostring(fields.metric) == "keyward.rewraps" and tostring(fields.result) == "failed"'
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'calls-fail'
    section: 'operations.md#the-service'
    severity: 1
    query: '${metrics} | where tostring(fields.metric) == "keyward.refusals" and tostring(fields.code) == "InternalError"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'storage-unavailable'
    section: 'runbook.md#storageunavailable'
    severity: 1
    query: '${metrics} | where tostring(fields.metric) == "keyward.refusals" and tostring(fields.code) == "StorageUnavailable"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 10
  }
  {
    name: 'many-reveals'
    section: 'operations.md#secrets'
    severity: 2
    query: '${metrics} | where tostring(fields.metric) == "keyward.reveals" | summarize revealed = sum(tolong(fields.value)) | where revealed > ${revealsPerHour}'
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 0
  }
  {
    name: 'not-ready'
    section: 'operations.md#the-service'
    severity: 1
    query: 'AppRequests | where Url endswith "/api/health/ready" and ResultCode == "503"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 1
  }
  {
    name: 'no-sweep'
    section: 'operations.md#the-service'
    severity: 1
    query: 'AppTraces | where Message startswith "Swept all vaults"'
    window: 'PT10M'
    operator: 'LessThan'
    threshold: 1
  }
  {
    name: 'control-look-fails'
    section: 'runbook.md#identityunavailable'
    severity: 1
    query: 'AppTraces | where Message startswith "Checked a key" ${fields} | where tostring(fields.controlLook) == "failed"'
    window: 'PT5M'
    operator: 'GreaterThan'
    threshold: 0
  }
]

var hasReceivers = !empty(emails) || !empty(webhooks)

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = if (hasReceivers) {
  name: '${name}-operators'
  #disable-next-line no-hardcoded-location // An action group is in no region.
  location: 'global'
  tags: tags
  properties: {
    groupShortName: take(name, 12)
    enabled: true
    emailReceivers: map(emails, (email, index) => {
      name: 'email-${index}'
      emailAddress: email
      useCommonAlertSchema: true
    })
    webhookReceivers: map(webhooks, (address, index) => {
      name: 'webhook-${index}'
      serviceUri: address
      useCommonAlertSchema: true
    })
  }
}

resource rules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in alerts: {
    name: '${name}-${alert.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: '${name}: ${alert.name}'
      description: '${documentationUrl}/${alert.section}'
      severity: alert.severity
      enabled: true
      scopes: [
        workspaceId
      ]
      // A rule costs less at a lower frequency. Its window is never shorter than the time between two runs, or the rule
      // would miss lines.
      evaluationFrequency: contains(['PT5M', 'PT10M'], alert.window) ? 'PT5M' : alert.severity > 1 ? 'PT15M' : alertFrequency
      windowSize: alert.window
      autoMitigate: true
      // A log table exists only after its first line, which can come later than the rules.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: alert.operator
            threshold: alert.threshold
            dimensions: map(contains(alert.query, customer) ? ['owner', 'key'] : contains(alert.query, ofChain) ? ['chain', 'account'] : [], column => {
              name: column
              operator: 'Include'
              values: ['*']
            })
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: concat(actionGroupIds, hasReceivers ? [group.id] : [])
      }
    }
  }
]
