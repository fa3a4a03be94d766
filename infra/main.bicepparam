// What most deployments set. main.bicep has all parameters with their defaults.
using 'main.bicep'

param name = 'keyward'
param tags = {
  environment: 'production'
}

// docs/deploy.md, "The application in Microsoft Entra ID". With functionKeys, remove the second line.
param auth = 'entra'
param authAudience = readEnvironmentVariable('KEYWARD_AUTH_AUDIENCE')

// Without a receiver, alerts are visible in the portal only. Separate addresses by commas, or write them here as a list:
// ['oncall@contoso.example']. infra/main.bicep also takes webhooks and action groups.
param alertEmails = filter(split(readEnvironmentVariable('KEYWARD_ALERT_EMAILS', ''), ','), email => !empty(email))

// One instance for the sweep and one for its work, so that no cold start adds to the published bounds.
param alwaysReady = [
  {
    name: 'function:sweep'
    instanceCount: 1
  }
  {
    name: 'function:vaultWork'
    instanceCount: 1
  }
]
