using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME')
param location = readEnvironmentVariable('AZURE_LOCATION')
param authAudience = readEnvironmentVariable('KEYWARD_AUTH_AUDIENCE')
param alertEmails = filter(split(readEnvironmentVariable('KEYWARD_ALERT_EMAILS', ''), ','), email => !empty(email))
