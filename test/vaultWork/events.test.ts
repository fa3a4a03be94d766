import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import {
  readEvent,
  targetOfKeyEvent,
  targetOfResourceEvent,
  vaultNameIn,
  wake,
} from '../../src/core/vaultWork/events.ts';
import type { VaultWork } from '../../src/core/watch/ports.ts';

const vaultId = '/subscriptions/s/resourceGroups/sample-rg/providers/Microsoft.KeyVault/vaults/sample-kv';
const version = 'ee059b2bb5bc48398a53b168c6cdcb10';
/** The published sample of Microsoft, with other key names. */
const keyData = {
  Id: `https://sample-kv.vault.azure.net/keys/cmk-key/${version}`,
  VaultName: 'sample-kv',
  ObjectType: 'Key',
  ObjectName: 'cmk-key',
  Version: version,
  NBF: '1559081980',
  EXP: '1559082102',
};
const id = '00eccf70-95a7-4e7c-8299-2eb17ee9ad64';
const time = '2019-07-25T01:08:33.1036736Z';
const newVersion = 'Microsoft.KeyVault.KeyNewVersionCreated';
const eventGrid = {
  id,
  topic: vaultId,
  subject: 'cmk-key',
  eventType: newVersion,
  eventTime: time,
  data: keyData,
  dataVersion: '1',
  metadataVersion: '1',
};
const cloudEvent = {
  id,
  source: vaultId,
  subject: 'cmk-key',
  type: newVersion,
  time,
  data: keyData,
  specversion: '1.0',
};
const { topic: _topic, ...withoutTopic } = eventGrid;

const target = (input: unknown) => {
  const event = readEvent(input);
  return event === undefined ? 'no event' : targetOfKeyEvent(event, 'public');
};
const vault = { vaultHost: 'sample-kv.vault.azure.net' };
const key = { ...vault, keyName: 'cmk-key' };
const withData = (data: unknown) => ({ ...eventGrid, data });

describe('a Key Vault event targets its vault and key', () => {
  it.each<[string, unknown, unknown]>([
    ['in the Event Grid schema', eventGrid, key],
    ['as a CloudEvent', cloudEvent, key],
    ['near its expiry', { ...eventGrid, eventType: 'Microsoft.KeyVault.KeyNearExpiry' }, key],
    ['at its expiry', { ...cloudEvent, type: 'Microsoft.KeyVault.KeyExpired' }, key],
    ['with the type in another case', { ...eventGrid, eventType: newVersion.toUpperCase() }, key],
    ['with names in another case', withData({ ...keyData, ObjectName: 'CMK-Key', ObjectType: 'key' }), key],
    ['with the resource id in upper case', { ...eventGrid, topic: vaultId.toUpperCase() }, key],
    ['with camelCase data', withData({ vaultName: 'sample-kv', objectType: 'Key', objectName: 'cmk-key' }), key],
    ['with a space behind a name, as published', withData({ 'ObjectType ': 'Key', 'ObjectName ': 'cmk-key' }), key],
    [
      'with spaces around every value',
      {
        eventType: ` ${newVersion}\n`,
        topic: `${vaultId}  `,
        data: { VaultName: '\tsample-kv ', ObjectType: ' Key ', ObjectName: 'cmk-key ' },
      },
      key,
    ],
    ['with spaces around the vault in the data alone', { ...withoutTopic, data: { VaultName: ' sample-kv ' } }, vault],
    ['with spaces for a key name: the whole vault', withData({ ...keyData, ObjectName: '  ' }), vault],
    ['with numbers for dates', withData({ ...keyData, NBF: 1559081980, EXP: null }), key],
    ['with the vault named in the data alone', withoutTopic, key],
    ['with the vault named in the topic alone', withData({ ObjectType: 'Key', ObjectName: 'cmk-key' }), key],
    ['without data: the whole vault', { ...eventGrid, data: undefined }, vault],
    ['with null for data: the whole vault', withData(null), vault],
    ['with text for data: the whole vault', withData('{}'), vault],
    ['with a list for data: the whole vault', withData([keyData]), vault],
    ['without a key name: the whole vault', withData({ ...keyData, ObjectName: '' }), vault],
    ['with a number for a key name: the whole vault', withData({ ...keyData, ObjectName: 7 }), vault],
    ['with an endless key name: the whole vault', withData({ ...keyData, ObjectName: 'k'.repeat(128) }), vault],
    ['about a secret: the whole vault', withData({ ...keyData, ObjectType: 'Secret' }), vault],
    [
      'when an access policy has changed: the whole vault',
      {
        ...eventGrid,
        eventType: 'Microsoft.KeyVault.VaultAccessPolicyChanged',
        subject: 'sample-kv',
        data: {
          Id: 'https://sample-kv.vault.azure.net/',
          VaultName: 'sample-kv',
          ObjectType: 'Vault',
          ObjectName: 'sample-kv',
        },
      },
      vault,
    ],
  ])('a Key Vault event targets its vault and key: %s', (_, input, expected) => {
    expect(target(input)).toEqual(expected);
  });

  it.each<[string, unknown]>([
    ['for a secret', { ...eventGrid, eventType: 'Microsoft.KeyVault.SecretNewVersionCreated' }],
    ['for a certificate', { ...eventGrid, eventType: 'Microsoft.KeyVault.CertificateExpired' }],
    ['for a type that does not exist', { ...eventGrid, eventType: 'Microsoft.KeyVault.KeyDeleted' }],
    ['for a resource event', { ...eventGrid, eventType: 'Microsoft.Resources.ResourceDeleteSuccess' }],
    ['for a type with something behind it', { ...eventGrid, eventType: `${newVersion}.evil` }],
    ['that names no vault', { ...withoutTopic, data: {} }],
    [
      'of another resource, without a vault name',
      { ...withData({}), topic: vaultId.replace('KeyVault/vaults', 'Storage/accounts') },
    ],
    ['of a name that no vault has', { ...withoutTopic, data: { ...keyData, VaultName: 'evil.com/x' } }],
    ['of a host for a name', { ...withoutTopic, data: { ...keyData, VaultName: 'sample-kv.vault.azure.net' } }],
    ['of a name with user information', { ...withoutTopic, data: { ...keyData, VaultName: 'x@sample-kv' } }],
    ['of a hostile name in the topic', { ...eventGrid, topic: `${vaultId}.evil.com` }],
  ])('a Key Vault event targets nothing %s', (_, input) => {
    expect(target(input)).toBeUndefined();
  });

  it.each([
    undefined,
    null,
    7,
    'text',
    [],
    [eventGrid],
    {},
    { ...eventGrid, eventType: 7 },
    { ...eventGrid, eventType: '' },
    { ...eventGrid, eventType: '  ' },
  ])('a message is no event when it is %j', (input) => {
    expect(readEvent(input)).toBeUndefined();
  });

  it('a Key Vault event targets a host with the suffix of the configured cloud', () => {
    const event = readEvent(eventGrid);
    expect(event && targetOfKeyEvent(event, 'china')?.vaultHost).toBe('sample-kv.vault.azure.cn');
  });
});

describe('a resource event targets the vault that it names', () => {
  const subject = '/subscriptions/s/resourcegroups/rg/providers/Microsoft.KeyVault/vaults/Sample-KV';
  const assignment = 'providers/Microsoft.Authorization/roleAssignments/684d9b2b-bbb2-4b38-a5c3-2c8e4b3b1f6c';
  const resource = (changes: object) => ({
    id,
    topic: '/subscriptions/s',
    eventType: 'Microsoft.Resources.ResourceDeleteSuccess',
    subject,
    data: {},
    ...changes,
  });
  const targetOf = (input: object, cloud: 'public' | 'usgov' = 'public') => {
    const event = readEvent(input);
    return event === undefined ? 'no event' : targetOfResourceEvent(event, cloud);
  };

  it.each<[string, object]>([
    ['when it is deleted', resource({})],
    ['when it is recovered or changed', resource({ eventType: 'Microsoft.Resources.ResourceWriteSuccess' })],
    ['when an action was taken on it', resource({ eventType: 'Microsoft.Resources.ResourceActionSuccess' })],
    ['when its access policies change', resource({ subject: `${subject}/accessPolicies/add` })],
    ['when a role assignment on it is removed', resource({ subject: `${subject}/${assignment}` })],
    [
      'when a role assignment on one of its keys is removed',
      resource({ subject: `${subject}/keys/cmk/${assignment}` }),
    ],
    ['when only the data names it', resource({ subject: '', data: { resourceUri: subject } })],
    ['when the data is in another case', resource({ subject: '', data: { RESOURCEURI: subject.toUpperCase() } })],
    ['as a CloudEvent', { id, source: '/subscriptions/s', type: 'Microsoft.Resources.ResourceDeleteSuccess', subject }],
  ])('a resource event targets the vault that it names: %s', (_, input) => {
    expect(targetOf(input)).toEqual(vault);
  });

  it.each<[string, object]>([
    [
      'a role assignment on the resource group',
      resource({ subject: `/subscriptions/s/resourceGroups/rg/${assignment}` }),
    ],
    ['a role assignment on the subscription', resource({ subject: `/subscriptions/s/${assignment}` })],
    ['another resource', resource({ subject: '/subscriptions/s/resourceGroups/rg/providers/Microsoft.Web/sites/app' })],
    ['a failed delete', resource({ eventType: 'Microsoft.Resources.ResourceDeleteFailure' })],
    ['a cancelled write', resource({ eventType: 'Microsoft.Resources.ResourceWriteCancel' })],
    ['a Key Vault event', resource({ eventType: newVersion })],
    ['a resource group named like a vault', resource({ subject: '/subscriptions/s/resourceGroups/vaults' })],
    ['a name that no vault has', resource({ subject: `${subject}_x` })],
  ])('a resource event targets no vault for %s', (_, input) => {
    expect(targetOf(input)).toBeUndefined();
  });

  it('a resource event targets a host with the suffix of the configured cloud', () => {
    expect(targetOf(resource({}), 'usgov')).toEqual({ vaultHost: 'sample-kv.vault.usgovcloudapi.net' });
  });

  it('the target of an event has its name in lower case', () => {
    expect(vaultNameIn(subject)).toBe('sample-kv');
    expect(vaultNameIn('sample-kv')).toBeUndefined();
  });
});

describe('INV-5: any event', () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        id: fc.jsonValue(),
        eventType: fc.oneof(fc.constantFrom(newVersion, 'Microsoft.Resources.ResourceDeleteSuccess'), fc.jsonValue()),
        topic: fc.oneof(fc.constant(vaultId), fc.jsonValue()),
        subject: fc.oneof(
          fc.string().map((name) => vaultId + name),
          fc.jsonValue(),
        ),
        data: fc.oneof(
          fc.record({ VaultName: fc.jsonValue(), ObjectType: fc.constant('Key'), ObjectName: fc.jsonValue() }),
          fc.jsonValue(),
        ),
      },
      { requiredKeys: [] },
    ),
  );

  it('INV-5: any event is read without an error, and can name no host but a vault of the cloud', () => {
    fc.assert(
      fc.property(anything, (input) => {
        const event = readEvent(input);
        if (event === undefined) return;
        for (const found of [targetOfKeyEvent(event, 'public'), targetOfResourceEvent(event, 'public')])
          if (found !== undefined) expect(found.vaultHost).toMatch(/^[a-z][a-z0-9-]{1,22}[a-z0-9]\.vault\.azure\.net$/);
      }),
      { numRuns: 2000 },
    );
  });

  function listening(bindings: string[]) {
    const sent: VaultWork[] = [];
    const stores = {
      vaults: { bindings: async () => bindings },
      queue: { send: async (work: VaultWork) => sent.push(work) },
    };
    return { sent, service: stores as unknown as Parameters<typeof wake>[1] };
  }

  it('INV-5: an event wakes a watched vault, for the named key or for all keys', async () => {
    const { sent, service } = listening(['b0']);
    expect([await wake(key, service), await wake(vault, service)]).toEqual([true, true]);
    const work = { vault: vaultIdOf('sample-kv.vault.azure.net'), requestedBy: 'event' };
    expect(sent).toEqual([
      { ...work, lookNow: { keyName: 'cmk-key' } },
      { ...work, lookNow: {} },
    ]);
  });

  it('INV-5: an event for a vault without accounts wakes no work', async () => {
    const { sent, service } = listening([]);
    expect(await wake(key, service)).toBe(false);
    expect(sent).toEqual([]);
  });
});
