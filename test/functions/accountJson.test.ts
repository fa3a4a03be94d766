import { describe, expect, it } from 'vitest';
import type { ActiveAccount, CustomerKeyEncryption, Encryption } from '../../src/core/accounts/account.ts';
import type { AccountInput } from '../../src/core/accounts/planChange.ts';
import { Refusal } from '../../src/core/base/errors.ts';
import type { FederatedIdentity } from '../../src/core/customerKey/binding.ts';
import type { Verdict } from '../../src/core/watch/watch.ts';
import { renderAccount as renderAmsAccount } from '../../src/functions/ams/accountAnswer.ts';
import { parseAccount } from '../../src/functions/http/accounts/accountInput.ts';
import { renderAccount } from '../../src/functions/http/accounts/accountJson.ts';
import { aBinding, aVerdict, aWatch, designPolicy, start, version1, version2 } from '../builders.ts';

const cmk = 'https://contoso.vault.azure.net/keys/cmk';
const identityId =
  '/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/keyward';
const application = 'cccccccc-0000-4000-8000-000000000001';
const tenant = 'bbbbbbbb-0000-4000-8000-000000000002';
const federated: FederatedIdentity = {
  useSystemAssignedIdentity: false,
  userAssignedIdentity: identityId,
  federatedIdentityClientId: application,
  tenantId: tenant,
};
const keyIdentifierTarget = 'properties.encryption.keyVaultProperties.keyIdentifier';

const encrypted = (encryption: unknown) => ({ properties: { encryption } });
const byCustomerKey = (identity?: unknown) =>
  encrypted({
    type: 'CustomerKey',
    keyVaultProperties: { keyIdentifier: cmk },
    ...(identity === undefined ? {} : { identity }),
  });

function refusalOf(body: unknown): Refusal {
  try {
    parseAccount(body);
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(body)}`);
}

describe('the body of a PUT', () => {
  const systemAssigned = { useSystemAssignedIdentity: true };
  const userAssigned = { useSystemAssignedIdentity: false, userAssignedIdentity: identityId };
  const inIdentity = 'properties.encryption.identity';

  it.each<[string, unknown, AccountInput]>([
    ['may be empty', {}, {}],
    [
      'may name a place, tags and an owner',
      { location: 'West Europe', tags: { a: '' }, properties: { owner: 'contoso' } },
      { location: 'West Europe', tags: { a: '' }, owner: 'contoso' },
    ],
    ['may ask for the system key', encrypted({ type: 'SystemKey' }), { encryption: { type: 'SystemKey' } }],
    [
      'may ask for a customer key, reached as the app itself',
      byCustomerKey(),
      { encryption: { type: 'CustomerKey', keyIdentifier: cmk, identity: { useSystemAssignedIdentity: true } } },
    ],
    [
      'may say so',
      byCustomerKey(systemAssigned),
      { encryption: { type: 'CustomerKey', keyIdentifier: cmk, identity: { useSystemAssignedIdentity: true } } },
    ],
    [
      'may name a user-assigned identity',
      byCustomerKey(userAssigned),
      {
        encryption: {
          type: 'CustomerKey',
          keyIdentifier: cmk,
          identity: { useSystemAssignedIdentity: false, userAssignedIdentity: identityId },
        },
      },
    ],
    [
      'may name an application that the identity speaks for, and its tenant, in whatever case',
      byCustomerKey({
        ...userAssigned,
        federatedIdentityClientId: application.toUpperCase(),
        tenantId: tenant.toUpperCase(),
      }),
      { encryption: { type: 'CustomerKey', keyIdentifier: cmk, identity: federated } },
    ],
    [
      'may hold what only the service sets, which is ignored',
      {
        id: 'x',
        name: 7,
        type: null,
        etag: {},
        systemData: [],
        properties: { accountId: 'forged', state: 'Enabled', provisioningState: 'Failed' },
      },
      {},
    ],
  ])('the body of a PUT: %s', (_, body, input) => {
    expect(parseAccount(body)).toEqual(input);
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'body'],
    ['null', null, 'body'],
    ['a list', [], 'body'],
    ['a text', '{}', 'body'],
    ['an unknown property', { propertys: {} }, 'propertys'],
    ['an unknown property below', { properties: { encrypt: {} } }, 'properties.encrypt'],
    [
      'a property that has another name in AMS',
      encrypted({ type: 'SystemKey', keyIdentifier: cmk }),
      'properties.encryption.keyIdentifier',
    ],
    ['an unknown type', encrypted({ type: 'customer key' }), 'properties.encryption.type'],
    ['no type', encrypted({}), 'properties.encryption.type'],
    ['a text for a section', { properties: '' }, 'properties'],
    ['a number for a place', { location: 7 }, 'location'],
    ['an empty owner', { properties: { owner: '' } }, 'properties.owner'],
    ['a tag with a forbidden character', { tags: { 'a<b': 'x' } }, 'tags.a<b'],
    ['a tag that is no text', { tags: { a: 1 } }, 'tags.a'],
    ['an endless tag', { tags: { a: 'x'.repeat(257) } }, 'tags.a'],
    ['51 tags', { tags: Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`t${i}`, ''])) }, 'tags'],
    [
      'an endless key identifier',
      encrypted({ type: 'CustomerKey', keyVaultProperties: { keyIdentifier: 'x'.repeat(301) } }),
      keyIdentifierTarget,
    ],
    ['no key identifier', encrypted({ type: 'CustomerKey', keyVaultProperties: {} }), keyIdentifierTarget],
    ['a customer key without a key', encrypted({ type: 'CustomerKey' }), keyIdentifierTarget],
    [
      'the system key with a key',
      encrypted({ type: 'SystemKey', keyVaultProperties: { keyIdentifier: cmk } }),
      keyIdentifierTarget,
    ],
    [
      'both identities',
      byCustomerKey({ useSystemAssignedIdentity: true, userAssignedIdentity: identityId }),
      'properties.encryption.identity',
    ],
    [
      'neither identity',
      byCustomerKey({ useSystemAssignedIdentity: false }),
      'properties.encryption.identity.userAssignedIdentity',
    ],
    [
      'an identity that is no resource id',
      byCustomerKey({ useSystemAssignedIdentity: false, userAssignedIdentity: 'keyward' }),
      'properties.encryption.identity.userAssignedIdentity',
    ],
    [
      'an identity with something behind it',
      byCustomerKey({ useSystemAssignedIdentity: false, userAssignedIdentity: `${identityId}/x` }),
      'properties.encryption.identity.userAssignedIdentity',
    ],
    ...['k\u212ay', 'keyward\n', 'key ward', 'keyward?x', 'keyward#x', 'key%2fward', '..', 'key\u0000ward'].map(
      (name): [string, Record<string, unknown>, string] => [
        `an identity with the name ${JSON.stringify(name)}, which Azure Resource Manager does not permit`,
        byCustomerKey({
          useSystemAssignedIdentity: false,
          userAssignedIdentity: identityId.replace(/keyward$/, name),
        }),
        'properties.encryption.identity.userAssignedIdentity',
      ],
    ),
    [
      'text for a boolean',
      byCustomerKey({ useSystemAssignedIdentity: 'true' }),
      'properties.encryption.identity.useSystemAssignedIdentity',
    ],
    [
      'an application that the app’s own identity should speak for',
      byCustomerKey({ ...systemAssigned, federatedIdentityClientId: application, tenantId: tenant }),
      `${inIdentity}.federatedIdentityClientId`,
    ],
    [
      'an application without an identity that speaks for it',
      byCustomerKey({ useSystemAssignedIdentity: false, federatedIdentityClientId: application, tenantId: tenant }),
      `${inIdentity}.userAssignedIdentity`,
    ],
    [
      'an application without the tenant of the vault',
      byCustomerKey({ ...userAssigned, federatedIdentityClientId: application }),
      `${inIdentity}.tenantId`,
    ],
    ['a tenant without an application', byCustomerKey({ ...userAssigned, tenantId: tenant }), `${inIdentity}.tenantId`],
    [
      'a tenant for the app’s own identity',
      byCustomerKey({ ...systemAssigned, tenantId: tenant }),
      `${inIdentity}.tenantId`,
    ],
    [
      'an application that is no GUID',
      byCustomerKey({ ...federated, federatedIdentityClientId: 'keyward' }),
      `${inIdentity}.federatedIdentityClientId`,
    ],
    [
      'a tenant that is no GUID',
      byCustomerKey({ ...federated, tenantId: 'contoso.onmicrosoft.com' }),
      `${inIdentity}.tenantId`,
    ],
  ])('the body of a PUT is refused for %s, by name', (_, body, target) => {
    expect(refusalOf(body)).toMatchObject({ code: 'InvalidRequestContent', extras: { target } });
  });

  it('the body of a PUT is refused for every invalid field at once', () => {
    const { extras } = refusalOf({ location: '', properties: { owner: 7, encryption: { type: 'x' } } });
    expect(extras.details?.map((detail) => detail.target)).toEqual([
      'location',
      'properties.owner',
      'properties.encryption.type',
    ]);
  });

  it('the body of a PUT cannot set a prototype', () => {
    const bodies = [
      '{"__proto__":{"location":"x"}}',
      '{"properties":{"__proto__":{"owner":"x"}}}',
      '{"tags":{"a":"b","__proto__":"x"}}',
    ];
    for (const text of bodies) expect(refusalOf(JSON.parse(text)).code).toBe('InvalidRequestContent');
  });
});

describe('an account as JSON', () => {
  const own: CustomerKeyEncryption = {
    type: 'CustomerKey',
    keyIdentifier: cmk,
    follows: true,
    version: version1,
    binding: aBinding,
    reconciledEpoch: 0,
  };
  const record = (encryption: Encryption): ActiveAccount => ({
    lifecycle: 'active',
    name: 'Contoso-1',
    instanceId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
    owner: 'contoso',
    location: 'westeurope',
    createdAt: start,
    updatedAt: start + 1,
    revision: 3,
    audit: { sequence: 1, hash: 'h' },
    tags: { a: 'b' },
    encryption,
    accountKeyGeneration: 2,
    wrappedAccountKey: 'SECRET',
  });
  const shown = (encryption: Encryption, verdict: Verdict = aVerdict(), changes: Parameters<typeof aWatch>[0] = {}) => {
    const watch = aWatch({ versions: { [version1]: verdict }, ...changes });
    const beside = encryption.type === 'SystemKey' ? {} : { watch };
    return renderAccount({ record: record(encryption), etag: 'W/"store"', ...beside }, designPolicy);
  };

  it('INV-9: an account as JSON names the key, the generation and the state, and never the wrapped key', () => {
    const json = shown(own);
    expect(JSON.stringify(json)).not.toContain('SECRET');
    expect(json).toMatchObject({
      id: '/accounts/Contoso-1',
      name: 'Contoso-1',
      location: 'westeurope',
      tags: { a: 'b' },
      etag: '"3f2504e0-4f89-41d3-9a0c-0305e82c3301.3"',
      systemData: { createdAt: '2026-11-23T12:00:00.000Z', lastModifiedAt: '2026-11-23T12:00:00.001Z' },
      properties: {
        accountId: '3f2504e0-4f89-41d3-9a0c-0305e82c3301',
        owner: 'contoso',
        state: 'Enabled',
        encryption: {
          type: 'CustomerKey',
          status: 'Accessible',
          accountKeyGeneration: 2,
          warnings: [],
          keyVaultProperties: { keyIdentifier: cmk, currentKeyIdentifier: `${cmk}/${version1}` },
        },
      },
    });
  });

  it.each<[about: string, readAfterMs: number, status: string]>([
    ['within twice the longest interval', 2 * 70_000, 'Accessible'],
    ['for longer than twice the longest interval', 2 * 70_000 + 1, 'Unknown'],
  ])(
    'INV-7: a verdict that no look has renewed %s is read %s ms after its look as %s in both APIs',
    (_, readAfterMs, status) => {
      const view = { record: record(own), etag: 'W/"store"', watch: aWatch({}), readAt: start + readAfterMs };
      const service = { policy: designPolicy, homeTenantId: 't', ownIdentities: [] };
      expect(renderAccount(view, designPolicy).properties.encryption).toMatchObject({ status });
      expect(renderAmsAccount(view, '2023-01-01', service).properties.encryption).toMatchObject({ status });
    },
  );

  it.each<[string, Encryption]>([
    ['the system key', { type: 'SystemKey' }],
    ['a customer key', own],
    ['a customer key of another tenant', { ...own, binding: { ...aBinding, identity: federated } }],
  ])('an account under %s can be sent back as it was read', (_, encryption) => {
    const input = parseAccount(JSON.parse(JSON.stringify(shown(encryption))));
    expect(input).toMatchObject({ location: 'westeurope', owner: 'contoso', encryption: { type: encryption.type } });
    if (encryption.type === 'CustomerKey')
      expect(input.encryption).toMatchObject({ keyIdentifier: cmk, identity: encryption.binding.identity });
  });

  const denied = {
    cause: 'KeyDisabled',
    denials: { KeyDisabled: { looks: 2, overMs: 5_000, firstAt: start + 5_000, lastMs: 10_000 } },
  } as const;

  it('INV-3: the JSON of an inaccessible account has its cause, its start and the remedy', () => {
    expect(shown(own, aVerdict({ status: 'Inaccessible', since: start + 10_000, ...denied })).properties).toMatchObject(
      {
        state: 'CustomerKeyInaccessible',
        encryption: {
          status: 'Inaccessible',
          cause: 'KeyDisabled',
          since: '2026-11-23T12:00:10.000Z',
          lastAccessibleAt: '2026-11-23T12:00:00.000Z',
          remedy: expect.stringContaining('--vault-name contoso --name cmk'),
        },
      },
    );
  });

  it.each<[string, Partial<Verdict>]>([
    ['Suspect', { status: 'Suspect', ...denied }],
    ['Unreachable', { status: 'Unreachable', cause: 'VaultTimeout' }],
  ])('INV-2: an account is Enabled while its key is %s', (status, verdict) => {
    expect(shown(own, aVerdict(verdict)).properties).toMatchObject({
      state: 'Enabled',
      encryption: { status, cause: verdict.cause },
    });
  });

  it.each<[string, Partial<Verdict>, string | undefined]>([
    ['absent while it is accessible', {}, undefined],
    [
      'a lease (300 s) after the first denial',
      { status: 'Inaccessible', since: start + 10_000, ...denied },
      '2026-11-23T12:05:05.000Z',
    ],
    ['that in suspicion too', { status: 'Suspect', since: start + 5_000, ...denied }, '2026-11-23T12:05:05.000Z'],
    [
      'lease and grace (900 s) after the vault went silent',
      { status: 'Unreachable', cause: 'VaultTimeout' },
      '2026-11-23T12:15:00.000Z',
    ],
  ])('INV-4: keyReleasedBy is %s', (_, verdict, expected) => {
    const { encryption } = shown(own, aVerdict(verdict)).properties;
    expect('keyReleasedBy' in encryption ? encryption.keyReleasedBy : undefined).toBe(expected);
  });

  it('an account as JSON warns of a newer version that is not used, and says why', () => {
    const unusableVersion = { version: version2, cause: 'KeyExpired', since: start } as const;
    expect(shown(own, aVerdict(), { unusableVersion }).properties.encryption).toMatchObject({
      warnings: [{ code: 'NewVersionUnusable', keyVersion: version2, cause: 'KeyExpired' }],
    });
    const pinned = { ...own, follows: false };
    expect(shown(pinned, aVerdict(), { targetVersion: version2 }).properties.encryption).toMatchObject({
      warnings: [{ code: 'NewerVersionAvailable', keyVersion: version2 }],
    });
  });
});
