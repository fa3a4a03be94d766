/** What the deployments make, beyond what the compiler checks. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { appSettings, asShipped, type Deployment, deployment, deployments, everything } from './deployment.ts';

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');

const withTags = new Set([
  'Microsoft.EventGrid/systemTopics',
  'Microsoft.EventGrid/topics',
  'Microsoft.Insights/actionGroups',
  'Microsoft.Insights/components',
  'Microsoft.Insights/scheduledQueryRules',
  'Microsoft.KeyVault/vaults',
  'Microsoft.KeyVault/vaults/keys',
  'Microsoft.OperationalInsights/workspaces',
  'Microsoft.Storage/storageAccounts',
  'Microsoft.Web/serverfarms',
  'Microsoft.Web/sites',
]);

describe.each(deployments)('the deployment of %s', (_, one) => {
  it('tags every resource that can have tags', () => {
    const untagged = one.resources.filter(({ type, tags }) => withTags.has(type) && tags === undefined);
    expect(untagged.map(({ id }) => id)).toEqual([]);
  });

  it('puts no key, secret or connection string into its outputs', () => {
    const outputs = Object.entries(one.outputs).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
    const secret = /list\w*\(|connectionString|instrumentationKey|password|secret|sas\b/i;
    expect(outputs.filter((output) => secret.test(output))).toEqual([]);
  });

  // MicrosoftDocs/azure-docs, event-grid/enable-identity-system-topics.md, "Global Azure sources".
  it('gives no identity to a topic that is in no region, and uses none for what such a topic cannot deliver', () => {
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
    'reads a key or a secret of Azure: %s',
    (path) => {
      expect(read(path)).not.toMatch(/\blist\w*\(/i);
    },
  );
});

describe('the event subscriptions of the operator', () => {
  it('name the functions that the app registers, each once', () => {
    const registered = [...read('src/functions/index.ts').matchAll(/app\.eventGrid\('(\w+)'/g)].map(([, name]) => name);
    const subscribed = deployment('events')
      .of('Microsoft.EventGrid/systemTopics/eventSubscriptions')
      .map(({ properties }) => properties.destination.properties.resourceId.split('/functions/')[1]);
    expect(registered.length).toBeGreaterThan(0);
    expect(subscribed.toSorted()).toEqual(registered.toSorted());
  });
});

describe("the operator's keys", () => {
  const keysOf = ({ of }: Deployment) =>
    of('Microsoft.KeyVault/vaults/keys').map(({ name }) => name.replace('/', ': '));

  it.each([
    ['as they are shipped', asShipped],
    ['all of them', everything],
  ])('are made where the app looks for them, with the parameters %s', (_, one) => {
    const settings = appSettings(one);
    const read = ['KEYWARD_SYSTEM_KEY', 'KEYWARD_AT_REST_KEY', 'KEYWARD_RECOVERY_KEY'].map((name) =>
      settings[name]?.replace(/^https:\/\/(.+)\.vault\.azure\.net\/keys\/(.+)$/, '$1: $2'),
    );
    expect(keysOf(one)).toEqual(read);
  });

  it('are in vaults with purge protection and Azure RBAC, and rotate every year', () => {
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
    ]);
    for (const { properties } of of('Microsoft.KeyVault/vaults/keys'))
      expect(properties.rotationPolicy.lifetimeActions[0]).toEqual({
        trigger: { timeAfterCreate: 'P1Y' },
        action: { type: 'rotate' },
      });
  });
});

describe('the storage account', () => {
  it('has a name of small letters and digits, from a name with capitals and a hyphen', () => {
    expect(everything.only('Microsoft.Storage/storageAccounts').name).toMatch(/^keyward[a-z0-9]{8}$/);
  });

  it('has no shared keys and no public blobs: it is used by identity only, over TLS', () => {
    expect(everything.only('Microsoft.Storage/storageAccounts').properties).toMatchObject({
      allowSharedKeyAccess: false,
      allowBlobPublicAccess: false,
      minimumTlsVersion: 'TLS1_2',
      supportsHttpsTrafficOnly: true,
    });
  });
});
