/** What infra/ may name, and where each was looked up: an invented role id or API version deploys nothing, and says so only in Azure. */

/**
 * Each was found, with every property that infra/ sets on it, in Azure/bicep-types-az (generated/{provider}/{version}/types.json,
 * August 2026): the type definitions of the Bicep compiler.
 */
export const apiVersions: ReadonlySet<string> = new Set([
  'Microsoft.Authorization/roleAssignments@2022-04-01',
  'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15',
  'Microsoft.EventGrid/systemTopics@2025-02-15',
  'Microsoft.EventGrid/topics@2025-02-15',
  'Microsoft.Insights/actionGroups@2023-01-01',
  'Microsoft.Insights/components@2020-02-02',
  'Microsoft.Insights/diagnosticSettings@2021-05-01-preview',
  'Microsoft.Insights/scheduledQueryRules@2023-12-01',
  'Microsoft.KeyVault/vaults/keys@2026-02-01',
  'Microsoft.KeyVault/vaults@2026-02-01',
  'Microsoft.OperationalInsights/workspaces@2025-02-01',
  'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01',
  'Microsoft.Storage/storageAccounts/blobServices@2025-06-01',
  'Microsoft.Storage/storageAccounts@2025-06-01',
  'Microsoft.Web/serverfarms@2024-11-01',
  'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01',
  'Microsoft.Web/sites/config@2024-11-01',
  'Microsoft.Web/sites@2024-11-01',
]);

/** By the name of the variable. Ids from Azure/bicep-registry-modules (avm/res/*, `builtInRoleNames`); alike in every tenant. */
export const roles: Readonly<Record<string, string>> = {
  /** Storage Blob Data Owner */
  blobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b',
  /** Storage Blob Data Contributor */
  blobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe',
  /** Storage Queue Data Contributor */
  queueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88',
  /** Storage Table Data Contributor */
  tableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3',
  /** Key Vault Crypto Service Encryption User */
  cryptoServiceEncryptionUser: 'e147488a-f6f5-4113-8e2d-b22465e65bf6',
  /** EventGrid Data Sender */
  eventGridDataSender: 'd5a91429-5739-47e2-a06b-3470a27159e7',
  /** Monitoring Metrics Publisher */
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb',
};

/** What Bicep itself brings (learn.microsoft.com, bicep-functions), as far as infra/ uses it. */
export const bicepFunctions: ReadonlySet<string> = new Set([
  ...[
    'empty',
    'filter',
    'guid',
    'items',
    'readEnvironmentVariable',
    'replace',
    'resourceGroup',
    'split',
    'string',
    'subscription',
  ],
  ...['subscriptionResourceId', 'take', 'tenant', 'toLower', 'toObject', 'union', 'uniqueString'],
]);
