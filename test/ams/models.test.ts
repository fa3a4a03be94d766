/**
 * Walks the client's own models: this file has a decision for every field that can hold a secret, so that none is
 * forgotten. secrets.test.ts tests the protected and the refused ones with the client itself.
 */
import { describe, expect, test } from 'vitest';
import type { AccountView } from '../../src/core/accounts/account.ts';
import { parseBody } from '../../src/functions/ams/accountBody.ts';
import { secretName } from '../../src/functions/ams/jobBody.ts';
import { amsRoutes } from '../../src/functions/ams/routes.ts';

interface MapperType {
  readonly name: string;
  readonly className?: string;
  readonly uberParent?: string;
  readonly modelProperties?: Readonly<Record<string, Mapper>>;
  readonly element?: Mapper;
  readonly value?: Mapper;
}
interface Mapper {
  readonly serializedName?: string;
  readonly readOnly?: boolean;
  readonly type: MapperType;
}

const { discriminators, ...mappers } = (await import(
  '@azure/arm-mediaservices/dist-esm/src/models/mappers.js'
)) as unknown as Record<string, Mapper> & { readonly discriminators: Readonly<Record<string, Mapper>> };

/** The writable fields of the models and of everything that they contain, as `Class.field`. */
function fieldsOf(...roots: readonly string[]): string[] {
  const fields: string[] = [];
  const seen = new Set<string>();
  const into = ({ type }: Mapper): void => {
    if (type.element !== undefined) into(type.element);
    if (type.value !== undefined) into(type.value);
    if (type.className !== undefined) visit(type.className);
  };
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const field of Object.values(mappers[name]?.type.modelProperties ?? {})) {
      if (field.readOnly === true) continue;
      fields.push(
        `${name}.${field.serializedName?.replace('properties.', '')}${field.type.name === 'ByteArray' ? ' bytes' : ''}`,
      );
      into(field);
    }
    for (const { type } of Object.values(discriminators))
      if (type.uberParent === name && type.className !== undefined) visit(type.className);
  };
  for (const root of roots) visit(root);
  return fields;
}

/** Without its class. */
const wordOf = (field: string): string => field.slice(field.indexOf('.') + 1);

/** Names that a secret could have, and all fields of bytes. */
const suspicious =
  / bytes$|key|ask$|pfx|password|secret|token|cred|header|uri|url|sas|sign|files$|filename$|template|custom|auth|connection|value$/i;

const named = 'a name, a switch or a choice';
const holds = 'holds other fields, which are here';
const fates: Readonly<Record<string, string>> = {
  'StreamingLocatorContentKey.value': 'protected: a content key',
  'ContentKeyPolicySymmetricTokenKey.keyValue bytes': 'protected: a token key',
  'JobInputHttp.baseUri': 'protected: a job input',
  'JobInputHttp.files': 'protected: a job input',
  'ContentKeyPolicyFairPlayConfiguration.ask bytes': 'refused, with all of FairPlay',
  'ContentKeyPolicyFairPlayConfiguration.fairPlayPfx': 'refused, with all of FairPlay',
  'ContentKeyPolicyFairPlayConfiguration.fairPlayPfxPassword': 'refused, with all of FairPlay',
  'ContentKeyPolicyFairPlayConfiguration.rentalAndLeaseKeyType': 'refused, with all of FairPlay',
  'ContentKeyPolicyWidevineConfiguration.widevineTemplate': 'refused where it brings a key or a token',
  'ContentKeyPolicyRsaTokenKey.exponent bytes': 'public: refused where it is too long for a public exponent',
  'ContentKeyPolicyRsaTokenKey.modulus bytes': 'public',
  'ContentKeyPolicyX509CertificateTokenKey.rawBody bytes': 'public: refused where it is no certificate alone',
  'JobInputClip.files': 'names: refused where they are addresses',
  'JobInputAsset.files': 'names: refused where they are addresses',
  'InputFile.filename': 'a name: refused where it is an address',
  'MediaServiceIdentity.userAssignedIdentities': named,
  'ResourceIdentity.userAssignedIdentity': named,
  'ResourceIdentity.useSystemAssignedIdentity': named,
  'MediaService.storageAuthentication': named,
  'MediaServiceUpdate.storageAuthentication': named,
  'MediaService.keyDelivery': holds,
  'MediaServiceUpdate.keyDelivery': holds,
  'AccountEncryption.keyVaultProperties': holds,
  'KeyVaultProperties.keyIdentifier': 'the identifier of a key, and no key',
  'StreamingLocator.defaultContentKeyPolicyName': named,
  'StreamingLocator.contentKeys': holds,
  'ContentKeyPolicyPlayReadyLicense.contentKeyLocation': holds,
  'ContentKeyPolicyPlayReadyLicense.securityLevel': named,
  'ContentKeyPolicyPlayReadyContentEncryptionKeyFromKeyIdentifier.keyId': 'the identifier of a key, and no key',
  'ContentKeyPolicyPlayReadyConfiguration.responseCustomData': 'goes to every player: no secret',
  'ContentKeyPolicyTokenRestriction.primaryVerificationKey': holds,
  'ContentKeyPolicyTokenRestriction.alternateVerificationKeys': holds,
  'ContentKeyPolicyTokenRestriction.restrictionTokenType': named,
  'ContentKeyPolicyTokenClaim.claimValue': 'what a token must say: no secret',
  'PresetConfigurations.keyFrameIntervalInSeconds': 'a time',
  'SelectAudioTrackByAttribute.filterValue': named,
  'SelectVideoTrackByAttribute.filterValue': named,
  'MultiBitrateFormat.outputFiles': holds,
  'Mp4Format.outputFiles': holds,
  'TransportStreamFormat.outputFiles': holds,
};

describe('every field that can hold a secret is protected, refused or known to hold none:', () => {
  const all = fieldsOf(
    'MediaService',
    'MediaServiceUpdate',
    'StreamingLocator',
    'ContentKeyPolicy',
    'Transform',
    'Job',
  );

  test('the test covers all models of the client', () => {
    const found = new Set(
      all.filter((field) => suspicious.test(wordOf(field)) && wordOf(field) !== 'keyFrameInterval'),
    );
    expect(all.length).toBeGreaterThan(300);
    expect([...found].toSorted()).toEqual(Object.keys(fates).toSorted());
  });

  test('encoding settings, which are stored unchanged, have no field with the name of a secret', () => {
    const kept = fieldsOf('TransformOutput', 'JobOutput', 'InputDefinition');
    expect(kept.length).toBeGreaterThan(200);
    expect(kept.filter((field) => secretName.test(wordOf(field)))).toEqual([]);
  });
});

test('the host, which tries functions by name, tries the route for unknown paths last', () => {
  const byName = amsRoutes.map(({ name }) => name).toSorted((a, b) => (a.toUpperCase() < b.toUpperCase() ? -1 : 1));
  const unknown = amsRoutes.filter(({ path }) => path.includes('{*')).map(({ name }) => name);
  expect(unknown).toHaveLength(5);
  expect(new Set(byName.slice(-5))).toEqual(new Set(unknown));
});

describe('an account whose key is reached by an application in another tenant', () => {
  const keyIdentifier = 'https://far-kv.vault.azure.net/keys/cmk';
  const userAssignedIdentity =
    '/subscriptions/5b1c7c1e-53a1-4a67-9d0f-0c6d3d1f0a01/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/speaker';
  const federated = {
    useSystemAssignedIdentity: false,
    userAssignedIdentity,
    federatedIdentityClientId: '33333333-3333-4333-8333-333333333331',
    tenantId: '99999999-9999-4999-8999-999999999999',
  } as const;
  const current = {
    record: { encryption: { type: 'CustomerKey', keyIdentifier, binding: { identity: federated } } },
  } as unknown as AccountView;

  test.each<[what: string, encryption: object]>([
    [
      'as it was read',
      { keyVaultProperties: { keyIdentifier }, identity: { useSystemAssignedIdentity: false, userAssignedIdentity } },
    ],
    [
      'in another case',
      {
        keyVaultProperties: { keyIdentifier },
        identity: { useSystemAssignedIdentity: false, userAssignedIdentity: userAssignedIdentity.toUpperCase() },
      },
    ],
    ['without its identity', { keyVaultProperties: { keyIdentifier } }],
    ['without its key', {}],
  ])(
    'an account whose application is in another tenant keeps the application when the encryption is written %s',
    (_what, encryption) => {
      const body = { properties: { encryption: { type: 'CustomerKey', ...encryption } } };
      expect(parseBody(body, '2021-11-01', current).encryption).toEqual({
        type: 'CustomerKey',
        keyIdentifier,
        identity: federated,
      });
    },
  );
});
