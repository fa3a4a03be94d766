/** What the deployments make, beyond what the compiler checks. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { sourceOfApp } from '../settings.ts';
import { appSettings, asShipped, deployment, deployments, everything, ownNetwork } from './deployment.ts';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

const withTags = new Set([
  'Microsoft.EventGrid/systemTopics',
  'Microsoft.EventGrid/topics',
  'Microsoft.Insights/actionGroups',
  'Microsoft.Insights/components',
  'Microsoft.Insights/scheduledQueryRules',
  'Microsoft.Insights/workbooks',
  'Microsoft.KeyVault/vaults',
  'Microsoft.KeyVault/vaults/keys',
  'Microsoft.Network/natGateways',
  'Microsoft.Network/privateDnsZones',
  'Microsoft.Network/privateEndpoints',
  'Microsoft.Network/publicIPAddresses',
  'Microsoft.Network/virtualNetworks',
  'Microsoft.OperationalInsights/workspaces',
  'Microsoft.Storage/storageAccounts',
  'Microsoft.Web/serverfarms',
  'Microsoft.Web/sites',
]);

describe.each(deployments)('the deployment of %s', (parameters, one) => {
  it(`the deployment of ${parameters} tags every resource that can have tags`, () => {
    const untagged = one.resources.filter(({ type, tags }) => withTags.has(type) && tags === undefined);
    expect(untagged.map(({ id }) => id)).toEqual([]);
  });

  it(`the deployment of ${parameters} puts no key, secret or connection string into its outputs`, () => {
    const outputs = Object.entries(one.outputs).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
    const secret = /list\w*\(|connectionString|instrumentationKey|password|secret|sas\b/i;
    expect(outputs.filter((output) => secret.test(output))).toEqual([]);
  });

  // MicrosoftDocs/azure-docs, event-grid/enable-identity-system-topics.md, "Global Azure sources".
  it(`the deployment of ${parameters} gives no identity to a topic that is in no region, and uses none for what such a topic cannot deliver`, () => {
    const topics = one.of('Microsoft.EventGrid/systemTopics').filter(({ location }) => location === 'global');
    const subscriptions = one
      .of('Microsoft.EventGrid/systemTopics/eventSubscriptions')
      .filter(({ name }) => topics.some((topic) => name.startsWith(`${topic.name}/`)));
    expect(topics.filter(({ identity }) => identity !== undefined)).toEqual([]);
    const usesIdentity = subscriptions.filter(({ properties }) =>
      JSON.stringify(properties).includes('ResourceIdentity'),
    );
    expect(usesIdentity).toEqual([]);
  });
});

describe('no template', () => {
  it.each(['infra/main.json', 'infra/events.json', 'infra/customer/main.json'])(
    'no template reads a key or a secret of Azure: %s',
    (path) => {
      expect(read(path)).not.toMatch(/\blist\w*\(/i);
    },
  );
});

describe('the event subscriptions of the operator', () => {
  it('the event subscriptions of the operator name the functions that the app registers, each once', () => {
    const registered = [...read('src/functions/index.ts').matchAll(/app\.eventGrid\('(\w+)'/g)].map(([, name]) => name);
    const subscribed = deployment('events')
      .of('Microsoft.EventGrid/systemTopics/eventSubscriptions')
      .map(({ properties }) => properties.destination.properties.resourceId.split('/functions/')[1]);
    expect(registered.length).toBeGreaterThan(0);
    expect(subscribed.toSorted()).toEqual(registered.toSorted());
  });
});

describe("the operator's keys", () => {
  it("the operator's keys are made where the app looks for them", () => {
    const made = asShipped.of('Microsoft.KeyVault/vaults/keys').map(({ name }) => name);
    const settings = appSettings(asShipped);
    const read = ['KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY', 'KEYWARD_RECOVERY_KEY'].map((name) =>
      settings[name]?.replace(/^https:\/\/(.+)\.vault\.azure\.net\/keys\/(.+)$/, '$1/$2'),
    );
    const signing = made.filter((name) => name.endsWith('/backup'));
    expect(made.filter((name) => !signing.includes(name))).toEqual(read);
  });

  it("the operator's keys include one that signs backups, wraps nothing, and is in no role of the app", () => {
    const [key, ...others] = asShipped
      .of('Microsoft.KeyVault/vaults/keys')
      .filter(({ name }) => name.endsWith('/backup'));
    expect([key?.properties.keyOps, others]).toEqual([['sign', 'verify'], []]);
    const scopes = asShipped.of('Microsoft.Authorization/roleAssignments').map((role) => JSON.stringify(role));
    expect(scopes.filter((scope) => scope.includes('/keys/backup') || scope.includes('/backup'))).toEqual([]);
  });

  it("the operator's keys can be keys that the operator names", () => {
    expect(appSettings(everything)).toMatchObject({
      KEYWARD_SYSTEM_KEY: 'https://hardware.vault.azure.net/keys/system',
      KEYWARD_AT_REST_KEY: 'https://hardware.vault.azure.net/keys/at-rest',
    });
    expect(appSettings(ownNetwork).KEYWARD_RECOVERY_KEY).toBe('https://elsewhere.vault.azure.net/keys/recovery');
    expect(ownNetwork.of('Microsoft.KeyVault/vaults')).toHaveLength(1);
  });

  it("the operator's keys are in vaults with purge protection and Azure RBAC, and rotate every year", () => {
    const { of } = everything;
    const vaults = of('Microsoft.KeyVault/vaults').map(({ properties }) => properties);
    expect(
      vaults.map(({ enablePurgeProtection, enableRbacAuthorization }) => [
        enablePurgeProtection,
        enableRbacAuthorization,
      ]),
    ).toEqual([
      [true, true],
      [true, true],
      [true, true],
    ]);
    for (const { properties } of of('Microsoft.KeyVault/vaults/keys'))
      expect(properties.rotationPolicy.lifetimeActions[0]).toEqual({
        trigger: { timeAfterCreate: 'P1Y' },
        action: { type: 'rotate' },
      });
  });
});

describe('the storage accounts', () => {
  const accounts = everything.of('Microsoft.Storage/storageAccounts');

  it('the storage accounts of the tables are apart from that of the packages and queues of the Functions host', () => {
    const settings = appSettings(everything);
    expect(accounts.map(({ name }) => name).toSorted()).toEqual(
      ['keywardrr353pys', 'keywardhostrr353pys', 'keywards2rr353pys', 'keywards3rr353pys'].toSorted(),
    );
    expect(settings.KEYWARD_ADDITIONAL_TABLES_ENDPOINTS).toBe(
      'https://keywards2rr353pys.table.core.windows.net/,https://keywards3rr353pys.table.core.windows.net/',
    );
    expect(settings.KEYWARD_TABLES_ENDPOINT).toBe('https://keywardrr353pys.table.core.windows.net/');
    expect(settings.AzureWebJobsStorage__blobServiceUri).toBe('https://keywardhostrr353pys.blob.core.windows.net/');
    expect(settings.AzureWebJobsStorage__queueServiceUri).toBe('https://keywardhostrr353pys.queue.core.windows.net/');
  });

  it('the storage accounts have names of small letters and digits, from a name with capitals and a hyphen', () => {
    for (const { name } of accounts) expect(name).toMatch(/^[a-z0-9]{3,24}$/);
  });

  it('the storage accounts have no shared keys and no public blobs: they are used by identity only, over TLS', () => {
    for (const { properties } of accounts)
      expect(properties).toMatchObject({
        allowSharedKeyAccess: false,
        allowBlobPublicAccess: false,
        minimumTlsVersion: 'TLS1_2',
        supportsHttpsTrafficOnly: true,
      });
  });
});

describe('the private network', () => {
  const closed = ['Microsoft.KeyVault/vaults', 'Microsoft.Storage/storageAccounts'];

  it.each([
    ['made by the template', everything],
    ['of the operator', ownNetwork],
  ])(
    '%s closes every vault and storage account to public networks, with an endpoint for each service in use',
    (_, one) => {
      for (const { properties } of closed.flatMap(one.of))
        expect([properties.publicNetworkAccess, properties.networkAcls.defaultAction]).toEqual(['Disabled', 'Deny']);
      const endpoints = one
        .of('Microsoft.Network/privateEndpoints')
        .map(({ properties }) => properties.privateLinkServiceConnections[0].properties)
        .map(({ privateLinkServiceId, groupIds }) => `${privateLinkServiceId.split('/').at(-1)}: ${groupIds}`);
      const vaults = one.of('Microsoft.KeyVault/vaults').map(({ name }) => `${name}: vault`);
      const accounts: string[] = one.of('Microsoft.Storage/storageAccounts').map(({ name }) => name);
      const host = accounts.find((name) => name.includes('host'));
      const tables = accounts.filter((name) => name !== host).map((name) => `${name}: table`);
      expect(endpoints).toEqual(expect.arrayContaining([...vaults, ...tables, `${host}: blob`, `${host}: queue`]));
    },
  );

  it('the private network resolves names that its zones do not have publicly, so that vaults of customers stay reachable', () => {
    const links = everything.of('Microsoft.Network/privateDnsZones/virtualNetworkLinks');
    expect(links).toHaveLength(5);
    for (const { properties } of links) expect(properties.resolutionPolicy).toBe('NxDomainRedirect');
    expect(ownNetwork.of('Microsoft.Network/privateDnsZones')).toEqual([]);
  });

  it('no private network is deployed by default: vaults and storage accounts are public, and outgoing calls have no fixed address', () => {
    expect(asShipped.resources.filter(({ type }) => type.startsWith('Microsoft.Network/'))).toEqual([]);
    for (const { properties } of closed.flatMap(asShipped.of)) expect(properties.publicNetworkAccess).toBe('Enabled');
  });
});

describe('the function app', () => {
  const properties = everything.only('Microsoft.Web/sites').properties;

  it('the function app takes calls from the allowed addresses and from Event Grid only, where addresses are given', () => {
    const { ipSecurityRestrictions, ipSecurityRestrictionsDefaultAction } = properties.siteConfig;
    expect(ipSecurityRestrictionsDefaultAction).toBe('Deny');
    const allowed = ipSecurityRestrictions.map(({ ipAddress }: { readonly ipAddress: string }) => ipAddress);
    expect(allowed).toEqual(['AzureEventGrid', '203.0.113.0/24']);
    const open = asShipped.only('Microsoft.Web/sites').properties.siteConfig;
    expect(open).toMatchObject({ ipSecurityRestrictionsDefaultAction: 'Allow', ipSecurityRestrictions: [] });
  });

  it('the function app has no /admin endpoints and no publishing passwords', () => {
    for (const one of [asShipped, everything, ownNetwork]) {
      expect(one.only('Microsoft.Web/sites').properties.functionsRuntimeAdminIsolationEnabled).toBe(true);
      const passwords = one.of('Microsoft.Web/sites/basicPublishingCredentialsPolicies');
      expect(passwords.map(({ properties: { allow } }) => allow)).toEqual([false, false]);
    }
  });

  it('the function app gets its update strategy, memory and concurrency from the parameters', () => {
    const { siteUpdateStrategy, scaleAndConcurrency } = properties.functionAppConfig;
    expect(siteUpdateStrategy).toEqual({ type: 'RollingUpdate' });
    expect(scaleAndConcurrency).toMatchObject({
      instanceMemoryMB: 2048,
      triggers: { http: { perInstanceConcurrency: 17 } },
    });
    expect(asShipped.only('Microsoft.Web/sites').properties.functionAppConfig.siteUpdateStrategy).toBeNull();
  });

  it('the function app lets a body through to the app that is as large as the app reads, and none above 4 MiB', () => {
    const limit = Number(appSettings(asShipped).FUNCTIONS_REQUEST_BODY_SIZE_LIMIT);
    const [, product = ''] = /maxDeliveryBytes = ([\d *]+);/.exec(sourceOfApp()) ?? [];
    const largest = product.split('*').reduce((bytes, factor) => bytes * Number(factor), 1);
    expect(largest).toBeGreaterThanOrEqual(1024 * 1024);
    expect(limit).toBeGreaterThan(largest);
    expect(limit).toBeLessThanOrEqual(4 * 1024 * 1024);
  });
});
