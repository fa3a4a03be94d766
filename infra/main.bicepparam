// What most deployments set. Everything else, with its default, is in main.bicep.
using 'main.bicep'

param name = 'keyward'
param tags = {
  environment: 'production'
}

// docs/deploy.md, "The application that callers ask tokens for". With functionKeys take the second line away.
param auth = 'entra'
param authAudience = readEnvironmentVariable('KEYWARD_AUTH_AUDIENCE')

// Without a receiver, alerts are only visible in the portal. infra/main.bicep also takes webhooks and action groups.
param alertEmails = []

// One instance for the sweep and one for its work: no start from nothing adds itself to the published bounds.
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
