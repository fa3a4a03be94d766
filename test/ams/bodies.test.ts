/** Bodies and names on the routes of Azure Media Services, parsed without the app. */
import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { AccountView } from '../../src/core/accounts/account.ts';
import { parseResourceName } from '../../src/core/ams/resource.ts';
import { parseBody } from '../../src/functions/ams/accountBody.ts';
import { jobBody, transformBody } from '../../src/functions/ams/jobBody.ts';
import { operationHeaders } from '../../src/functions/ams/operations.ts';
import { wholePolicy } from '../../src/functions/ams/policyBody.ts';
import { subscriptionId } from './support.ts';

afterEach(() => void vi.unstubAllEnvs());

type Asked = Parameters<typeof operationHeaders>;

const sas = 'https://contoso.blob.core.windows.net/a.mp4?sv=2025-05-05&sig=c2VjcmV0';

const jobOf = (input: object, outputs: readonly object[] = [{ '@odata.type': '#Microsoft.Media.JobOutputAsset' }]) =>
  jobBody.safeParse({ properties: { input, outputs } });
const asset = { '@odata.type': '#Microsoft.Media.JobInputAsset', assetName: 'a' };
const transformOf = (preset: unknown) => transformBody.safeParse({ properties: { outputs: [{ preset }] } });
const messages = ({ error }: { error?: { issues: { message: string }[] } | undefined }) =>
  error?.issues.map(({ message }) => message).join();

describe('encoding settings', () => {
  test.each<[what: string, settings: object]>([
    ['an address with a signature', { a: { b: [sas] } }],
    ['an address without one', { logo: 'http://contoso.example/logo.png' }],
    ['a query string that is a signature', { path: 'logo.png?sig=c2VjcmV0' }],
    ['the same without its question mark', { experimentalOptions: { x: 'sv=1&sig=c2VjcmV0' } }],
    ['a connection string', { x: 'AccountName=a;AccountKey=c2VjcmV0' }],
    ...['sasUri', 'sig', 'key', 'connectionString', 'apiKey', 'password', 'logoUrl'].map((name): [string, object] => [
      `the name ${name}`,
      { experimentalOptions: { [name]: 'x' } },
    ]),
  ])('encoding settings with %s are refused at any depth', (_what, settings) => {
    expect(transformOf(settings).success).toBe(false);
    const output = { '@odata.type': '#Microsoft.Media.JobOutputAsset', presetOverride: settings };
    expect(jobOf(asset, [output]).success).toBe(false);
    expect(jobOf({ ...asset, inputDefinitions: [{ includedTracks: [settings] }] }).success).toBe(false);
    expect(messages(transformOf(settings))).not.toContain('c2VjcmV0');
  });

  test('encoding settings that name a file by its address are refused; names of files are stored', () => {
    const file = (filename: unknown) =>
      jobOf({ ...asset, inputDefinitions: [{ '@odata.type': '#Microsoft.Media.InputFile', filename }] });
    for (const name of [sas, 'a.mp4?x=y', 7]) expect(messages(file(name))).toContain('not a URL');
    expect(file('a.mp4').data?.properties.input).toMatchObject({ inputDefinitions: [{ filename: 'a.mp4' }] });
  });

  test('encoding settings that are nested without end are refused with the reason', () => {
    const deep = (depth: number): unknown => JSON.parse(`{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    expect(messages(transformOf(deep(20_000)))).toContain('nested more than');
    expect(transformOf(deep(20)).success).toBe(true);
  });
});

test.each<[what: string, template: string]>([
  ['JSON in JSON', JSON.stringify(JSON.stringify({ content_key_specs: [{ key: 'x' }] }))],
  ['a list', '[{"key":"x"}]'],
  ['no object', '7'],
  ['nothing', 'null'],
  ['nesting without end', `{"a":${'['.repeat(7000)}${']'.repeat(7000)}}`],
])('a Widevine template that is %s is refused', (_what, widevineTemplate) => {
  const policyOf = (template: string) =>
    wholePolicy.safeParse({
      properties: {
        options: [
          {
            configuration: {
              '@odata.type': '#Microsoft.Media.ContentKeyPolicyWidevineConfiguration',
              widevineTemplate: template,
            },
            restriction: { '@odata.type': '#Microsoft.Media.ContentKeyPolicyOpenRestriction' },
          },
        ],
      },
    });
  expect(messages(policyOf(widevineTemplate))).toContain('Widevine');
  expect(policyOf('{"allowed_track_types":"SD_HD"}').success).toBe(true);
});

test('a certificate in PEM or DER is stored as DER, and one with its private key is refused', () => {
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const made = forge.pki.createCertificate();
  made.publicKey = forge.pki.publicKeyFromPem(keys.publicKey);
  made.sign(forge.pki.privateKeyFromPem(keys.privateKey), forge.md.sha256.create());
  const pem = forge.pki.certificateToPem(made);
  const der = forge.util.encode64(forge.asn1.toDer(forge.pki.certificateToAsn1(made)).getBytes());
  const policyOf = (rawBody: string) =>
    wholePolicy.safeParse({
      properties: {
        options: [
          {
            configuration: { '@odata.type': '#Microsoft.Media.ContentKeyPolicyClearKeyConfiguration' },
            restriction: {
              '@odata.type': '#Microsoft.Media.ContentKeyPolicyTokenRestriction',
              issuer: 'i',
              audience: 'a',
              restrictionTokenType: 'Jwt',
              primaryVerificationKey: {
                '@odata.type': '#Microsoft.Media.ContentKeyPolicyX509CertificateTokenKey',
                rawBody,
              },
            },
          },
        ],
      },
    });
  const inBase64 = (text: string) => Buffer.from(text).toString('base64');
  for (const taken of [der, inBase64(pem), inBase64(`${pem}\n`)])
    expect(policyOf(taken).data?.properties.options[0]?.restriction).toMatchObject({
      primaryVerificationKey: { rawBody: der },
    });
  for (const more of [pem + keys.privateKey, keys.privateKey + pem, pem + pem, keys.privateKey])
    expect(messages(policyOf(inBase64(more)))).toContain('without a private key');
});

describe('an account', () => {
  const userAssignedIdentity = `/subscriptions/${subscriptionId}/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i`;
  const keyIdentifier = 'https://contoso-kv.vault.azure.net/keys/cmk';
  /** As repairIdentity leaves it. */
  const current = {
    record: {
      kept: { identity: { type: 'SystemAssigned' } },
      encryption: {
        type: 'CustomerKey',
        keyIdentifier,
        binding: { identity: { useSystemAssignedIdentity: false, userAssignedIdentity } },
      },
    },
  } as unknown as AccountView;

  test('an account whose identity was changed by the native API can be changed in all other properties', () => {
    expect(parseBody({ tags: { a: 'b' } }, '2021-11-01', current)).toEqual({ tags: { a: 'b' } });
    const encryption = { type: 'CustomerKey', keyVaultProperties: { keyIdentifier } };
    for (const body of [{ properties: { encryption } }, { identity: { type: 'SystemAssigned' } }])
      expect(() => parseBody(body, '2021-11-01', current)).toThrow('user-assigned identity');
  });

  test.each<[field: string, body: object]>([
    ['location', { location: ' ' }],
    ['location', { location: '' }],
    [
      'properties.storageAccounts.0.id',
      {
        properties: {
          storageAccounts: [{ id: 'DefaultEndpointsProtocol=https;AccountName=a;AccountKey=x', type: 'Primary' }],
        },
      },
    ],
    [
      'properties.storageAccounts.0.id',
      { properties: { storageAccounts: [{ id: `${userAssignedIdentity}?sig=x`, type: 'Primary' }] } },
    ],
    [
      'identity.userAssignedIdentities',
      { identity: { type: 'UserAssigned', userAssignedIdentities: { 'AccountKey=x': {} } } },
    ],
  ])('an account with a bad %s is refused, and the refusal names the property', (field, body) => {
    expect(() => parseBody(body, '2021-11-01', undefined)).toThrow(field);
  });

  test('an account body may write every enumeration in any case, and the account has the spelling of the contract', () => {
    const settings = (write: (text: string) => string) => ({
      storageAccounts: [{ id: `${userAssignedIdentity}`, type: write('Primary') }],
      storageAuthentication: write('ManagedIdentity'),
      keyDelivery: { accessControl: { defaultAction: write('Deny') } },
      publicNetworkAccess: write('Disabled'),
      minimumTlsVersion: write('Tls12'),
      encryption: { type: write('SystemKey') },
    });
    const given = (write: (text: string) => string) => ({
      identity: { type: 'SystemAssigned' },
      properties: settings(write),
    });
    const asInContract = parseBody(
      given((text) => text),
      '2021-11-01',
      undefined,
    );
    for (const write of [(text: string) => text.toLowerCase(), (text: string) => text.toUpperCase()])
      expect(parseBody(given(write), '2021-11-01', undefined)).toEqual(asInContract);
    expect(asInContract.kept).toMatchObject({ minimumTlsVersion: 'Tls12', storageAuthentication: 'ManagedIdentity' });
  });

  test('an account body with null changes nothing: stored properties stay', () => {
    const properties = { storageAccounts: null, keyDelivery: null, storageAuthentication: null };
    expect(parseBody({ location: null, tags: null, properties }, '2021-11-01', undefined)).toEqual({});
  });
});

test('every name fits into the key of its row', () => {
  expect(parseResourceName('#'.repeat(66), 'jobName')).toHaveLength(66);
  for (const name of ['#'.repeat(67), '\u0130'.repeat(201), 'x'.repeat(201)])
    expect(() => parseResourceName(name, 'jobName')).toThrow(/1 to 200 characters/);
});

test('the links of an operation are valid for every name of the location', () => {
  const call = {
    request: { url: 'https://app.example/api/x', query: new URLSearchParams({ 'api-version': '2021-11-01' }) },
    service: { policy: { operationRetrySeconds: 10 } },
  } as unknown as Asked[1];
  const operation = { id: 'id', place: { subscriptionId, resourceGroup: 'r' }, status: 'Succeeded' };
  vi.stubEnv('WEBSITE_HOSTNAME', 'app.example');
  const headers = operationHeaders({ operation, location: 'A? b#/c' } as unknown as Asked[0], call);
  const link = new URL(headers.Location ?? '');
  expect(link.pathname).toBe(
    `/api/subscriptions/${subscriptionId}/providers/Microsoft.Media/locations/a%3Fb%23%2Fc/mediaServicesOperationResults/id`,
  );
  expect(`${link.search}${link.hash}`).toBe('?api-version=2021-11-01');
});
