import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { Job } from '@azure/arm-mediaservices';
import { TableClient, TableServiceClient } from '@azure/data-tables';
import { beforeAll, describe, expect, test } from 'vitest';
import { location } from '../../src/local/operator.ts';
import { got, refused, sweptUntil, vaultWithKey } from '../app/support.ts';
import { accountPath, all, group, poll, subscriptionId, thrown, useAms } from './support.ts';

const world = useAms({
  KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '1',
  KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.2',
  KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '0.2',
  KEYWARD_LOOK_SPACING_SECONDS: '0.2',
});

const name = 'media';
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const key = () => randomBytes(16).toString('base64');
const raw = (method: string, path: string, body?: unknown, version = '2022-08-01') =>
  world.api(method, `${accountPath(name)}/${path}${path.includes('?') ? '&' : '?'}api-version=${version}`, body);
const named = async (kind: string): Promise<string[]> => {
  const { body } = await got(200, world.api('GET', `/api/accounts/${name}/${kind}`));
  return body.value.map((one: { name: string }) => one.name);
};

beforeAll(async () => {
  const identifier = await vaultWithKey(world, 'media-kv');
  await world.ams.mediaservices.beginCreateOrUpdateAndWait(
    group,
    name,
    {
      location,
      identity: { type: 'SystemAssigned' },
      encryption: {
        type: 'CustomerKey',
        keyVaultProperties: { keyIdentifier: identifier },
        identity: { useSystemAssignedIdentity: true },
      },
    },
    poll,
  );
});

describe('streaming locators', () => {
  test('a streaming locator stores given content keys, returns them by listContentKeys only, and deletes them with itself', async () => {
    const { ams, api } = world;
    const contentKeys = [1, 2].map((n) => ({
      id: `60000000-0000-0000-0000-00000000000${n}`,
      labelReferenceInStreamingPolicy: n === 1 ? 'cencDefaultKey' : 'cbcsDefaultKey',
      value: key(),
    }));
    const made = await ams.streamingLocators.create(group, name, 'UserCreatedLocator', {
      assetName: 'ClimbingMountRainier',
      streamingPolicyName: 'Predefined_MultiDrmStreaming',
      defaultContentKeyPolicyName: 'drm',
      startTime: new Date('2026-11-01T00:00:00Z'),
      streamingLocatorId: '90000000-0000-0000-0000-00000000000a',
      contentKeys,
    });
    expect(made).toMatchObject({
      id: `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.Media/mediaservices/${name}/streamingLocators/UserCreatedLocator`,
      name: 'UserCreatedLocator',
      type: 'Microsoft.Media/mediaservices/streamingLocators',
      assetName: 'ClimbingMountRainier',
      streamingLocatorId: '90000000-0000-0000-0000-00000000000a',
      startTime: new Date('2026-11-01T00:00:00Z'),
      created: expect.any(Date),
      systemData: expect.anything(),
    });
    const seen = await ams.streamingLocators.get(group, name, 'USERCREATEDLOCATOR');
    const listed = (await all(ams.streamingLocators.list(group, name))).find((one) => one.name === made.name);
    for (const plain of [made, seen, listed]) {
      expect(plain).toMatchObject({ filters: [], contentKeys: contentKeys.map(({ value: _, ...shown }) => shown) });
      expect(JSON.stringify(plain)).not.toContain(contentKeys[0]?.value);
    }
    const revealed = await ams.streamingLocators.listContentKeys(group, name, 'UserCreatedLocator');
    expect(revealed.contentKeys).toEqual([
      { ...contentKeys[0], type: 'CommonEncryptionCenc', policyName: 'drm', tracks: [] },
      { ...contentKeys[1], type: 'CommonEncryptionCbcs', policyName: 'drm', tracks: [] },
    ]);
    // Both APIs show the same secret.
    const path = `/api/accounts/${name}/contentKeys/${contentKeys[0]?.id}`;
    const native = await got(200, api('POST', `${path}/reveal`));
    expect(native.body.properties).toMatchObject({
      value: contentKeys[0]?.value,
      labelReferenceInStreamingPolicy: 'cencDefaultKey',
    });
    // A second locator of the name, or with the id of a used key, is a conflict and changes nothing.
    const again = {
      assetName: 'a',
      streamingPolicyName: 'Predefined_ClearKey',
      contentKeys: [{ id: contentKeys[0]?.id ?? '', value: key() }],
    };
    for (const other of ['UserCreatedLocator', 'another'])
      expect(await thrown(ams.streamingLocators.create(group, name, other, again))).toMatchObject({
        statusCode: 409,
        code: 'Conflict',
      });
    expect(
      (await ams.streamingLocators.listContentKeys(group, name, 'UserCreatedLocator')).contentKeys?.[0]?.value,
    ).toBe(contentKeys[0]?.value);
    // A key that is deleted by its own name leaves a gap, and no error.
    await got(200, api('DELETE', path));
    const left = await ams.streamingLocators.listContentKeys(group, name, 'UserCreatedLocator');
    expect(left.contentKeys?.map(({ value }) => value)).toEqual([null, contentKeys[1]?.value]);
    await ams.streamingLocators.delete(group, name, 'UserCreatedLocator');
    await ams.streamingLocators.delete(group, name, 'UserCreatedLocator');
    expect(await thrown(ams.streamingLocators.get(group, name, 'UserCreatedLocator'))).toMatchObject({
      statusCode: 404,
    });
    await refused(404, 'NotFound', api('GET', `/api/accounts/${name}/contentKeys/${contentKeys[1]?.id}`));
  });

  test.each<[policy: string, keys: [type: string | undefined, label: string | undefined][]]>([
    ['Predefined_ClearStreamingOnly', []],
    ['Predefined_DownloadOnly', []],
    ['Predefined_DownloadAndClearStreaming', []],
    ['Predefined_ClearKey', [['EnvelopeEncryption', 'clearKeyDefault']]],
    ['Predefined_MultiDrmCencStreaming', [['CommonEncryptionCenc', 'cencDefaultKey']]],
    [
      'Predefined_MultiDrmStreaming',
      [
        ['CommonEncryptionCenc', 'cencDefaultKey'],
        ['CommonEncryptionCbcs', 'cbcsDefaultKey'],
      ],
    ],
    ['predefined_clearkey', [['EnvelopeEncryption', 'clearKeyDefault']]],
    ['A policy of our own', [[undefined, undefined]]],
  ])('a streaming locator gets generated keys when %s encrypts', async (streamingPolicyName, keys) => {
    const { ams } = world;
    const locator = `made #${streamingPolicyName}`;
    await ams.streamingLocators.create(group, name, locator, { assetName: 'a', streamingPolicyName });
    const { contentKeys = [] } = await ams.streamingLocators.listContentKeys(group, name, locator);
    const { contentKeys: shown } = await ams.streamingLocators.get(group, name, locator);
    expect(shown).toEqual(contentKeys.map(({ value: _, policyName: __, ...key }) => key));
    expect(
      contentKeys.map(({ type, labelReferenceInStreamingPolicy }) => [type, labelReferenceInStreamingPolicy]),
    ).toEqual(keys);
    for (const { id, value } of contentKeys) {
      expect(id).toMatch(uuid);
      expect(Buffer.from(value ?? '', 'base64')).toHaveLength(16);
    }
    await ams.streamingLocators.delete(group, name, locator);
    expect(await named('contentKeys')).toEqual([]);
  });

  test.each<[what: string, locator: string, properties: object, target: string]>([
    ['no asset', 'x', { streamingPolicyName: 'p' }, 'properties.assetName'],
    [
      'a value that is no key',
      'x',
      { contentKeys: [{ id: '60000000-0000-0000-0000-000000000009', value: 'AAA=' }] },
      'properties.contentKeys.0.value',
    ],
    ['an unknown field', 'x', { drmSecret: 'x' }, 'properties.drmSecret'],
    ['a name that cannot be one', 'a%3Ab', {}, 'streamingLocatorName'],
    ['a name that is too long', 'a'.repeat(201), {}, 'streamingLocatorName'],
  ])('a streaming locator with %s is refused, and nothing is stored', async (_what, locator, properties, target) => {
    const body = {
      properties: {
        ...(target.endsWith('assetName') ? {} : { assetName: 'a', streamingPolicyName: 'p' }),
        ...properties,
      },
    };
    const answer = await raw('PUT', `streamingLocators/${locator}`, body);
    expect({ status: answer.status, target: answer.body.error.target }).toEqual({ status: 400, target });
    expect(await named('contentKeys')).toEqual([]);
  });

  test('streaming locators are listed in pages, with as many items as requested', async () => {
    const { ams } = world;
    const names = Array.from({ length: 105 }, (_, n) => `page-${String(n).padStart(3, '0')}`);
    await Promise.all(
      names.map((one) =>
        ams.streamingLocators.create(group, name, one, {
          assetName: 'a',
          streamingPolicyName: 'Predefined_DownloadOnly',
        }),
      ),
    );
    expect((await all(ams.streamingLocators.list(group, name))).map((one) => one.name)).toEqual(names);
    expect(await all(ams.streamingLocators.list(group, name, { top: 3 }))).toHaveLength(3);
    expect(await all(ams.streamingLocators.list(group, name, { top: 102 }))).toHaveLength(102);
    await refused(400, 'InvalidParameter', raw('GET', 'streamingLocators?$filter=x'));
  });
});

const tokens = (...keys: object[]) => ({
  odataType: '#Microsoft.Media.ContentKeyPolicyTokenRestriction' as const,
  issuer: 'urn:issuer',
  audience: 'urn:audience',
  restrictionTokenType: 'Jwt',
  primaryVerificationKey: keys[0] as never,
  alternateVerificationKeys: keys.slice(1) as never,
  requiredClaims: [{ claimType: 'urn:microsoft:azure:mediaservices:contentkeyidentifier' }],
});
const symmetric = (keyValue: Uint8Array) => ({
  odataType: '#Microsoft.Media.ContentKeyPolicySymmetricTokenKey',
  keyValue,
});
const clearKey = { odataType: '#Microsoft.Media.ContentKeyPolicyClearKeyConfiguration' as const };

describe('content key policies', () => {
  test('a content key policy stores symmetric token keys as secrets: null on plain reads, returned by getPolicyPropertiesWithSecrets only', async () => {
    const { ams, api } = world;
    const [one, two, three] = [32, 64, 16].map((length) => new Uint8Array(randomBytes(length)));
    if (one === undefined || two === undefined || three === undefined) throw new Error('unexpected');
    const rsa = {
      odataType: '#Microsoft.Media.ContentKeyPolicyRsaTokenKey',
      exponent: new Uint8Array([1, 0, 1]),
      modulus: new Uint8Array(randomBytes(256)),
    };
    const options = [
      { name: 'token', configuration: clearKey, restriction: tokens(symmetric(one), symmetric(two), rsa) },
      {
        name: 'open',
        configuration: clearKey,
        restriction: { odataType: '#Microsoft.Media.ContentKeyPolicyOpenRestriction' as const },
      },
    ];
    const made = await ams.contentKeyPolicies.createOrUpdate(group, name, 'policy', { description: 'first', options });
    expect(made).toMatchObject({ name: 'policy', description: 'first', policyId: expect.stringMatching(uuid) });
    for (const plain of [
      made,
      await ams.contentKeyPolicies.get(group, name, 'policy'),
      ...(await all(ams.contentKeyPolicies.list(group, name))),
    ]) {
      const [first] = plain.options ?? [];
      expect(first?.restriction).toMatchObject({
        primaryVerificationKey: { keyValue: null },
        alternateVerificationKeys: [{ keyValue: null }, { odataType: rsa.odataType, modulus: expect.anything() }],
      });
    }
    const keysOf = async () => {
      const { options: revealed } = await ams.contentKeyPolicies.getPolicyPropertiesWithSecrets(group, name, 'policy');
      const restriction = revealed[0]?.restriction as unknown as ReturnType<typeof tokens>;
      const keys: { keyValue?: Uint8Array }[] = [
        restriction.primaryVerificationKey,
        ...(restriction.alternateVerificationKeys as []),
      ];
      return keys.map(({ keyValue }) => keyValue && Buffer.from(keyValue).toString('hex'));
    };
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
    expect(await keysOf()).toEqual([hex(one), hex(two), undefined]);
    const before = await named('tokenKeys');
    expect(before).toHaveLength(2);
    const native = await got(200, api('POST', `/api/accounts/${name}/tokenKeys/${before[0]}/reveal`));
    expect([one, two].map((bytes) => Buffer.from(bytes).toString('base64'))).toContain(native.body.properties.keyValue);
    // A change that names no options does not change the secrets.
    const said = await ams.contentKeyPolicies.update(group, name, 'policy', {
      description: 'second',
      options: undefined as never,
    });
    expect(said).toMatchObject({ description: 'second', policyId: made.policyId });
    expect(await named('tokenKeys')).toEqual(before);
    // Replaced options leave no orphaned secret.
    const next = [{ configuration: clearKey, restriction: tokens(symmetric(three)) }];
    const replaced = await ams.contentKeyPolicies.createOrUpdate(group, name, 'policy', { options: next });
    expect(replaced.policyId).toBe(made.policyId);
    expect(replaced.description).toBeUndefined();
    expect(await keysOf()).toEqual([hex(three)]);
    expect(await named('tokenKeys')).toHaveLength(1);
    await ams.contentKeyPolicies.delete(group, name, 'policy');
    expect(await named('tokenKeys')).toEqual([]);
    expect(await thrown(ams.contentKeyPolicies.getPolicyPropertiesWithSecrets(group, name, 'policy'))).toMatchObject({
      statusCode: 404,
      code: 'NotFound',
    });
    expect(await thrown(ams.contentKeyPolicies.update(group, name, 'policy', { options: next }))).toMatchObject({
      statusCode: 404,
    });
  });

  test('two simultaneous writes of a content key policy: each policy has its own complete secrets', async () => {
    const { ams } = world;
    const values = Array.from({ length: 6 }, () => new Uint8Array(randomBytes(32)));
    const write = (value: Uint8Array) => {
      const restriction = tokens(symmetric(value), symmetric(value));
      return ams.contentKeyPolicies.createOrUpdate(group, name, 'contended', {
        options: [{ configuration: clearKey, restriction }],
      });
    };
    const outcomes = await Promise.allSettled(values.map(write));
    expect(outcomes.map(({ status }) => status)).toEqual(values.map(() => 'fulfilled'));
    const { options } = await ams.contentKeyPolicies.getPolicyPropertiesWithSecrets(group, name, 'contended');
    const revealed = options[0]?.restriction as unknown as ReturnType<typeof tokens>;
    expect(revealed.primaryVerificationKey).toEqual((revealed.alternateVerificationKeys as unknown[])[0]);
    expect(await named('tokenKeys')).toHaveLength(2);
    await ams.contentKeyPolicies.delete(group, name, 'contended');
  });

  const pfx = randomBytes(200).toString('base64');
  const privateKey = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    type: 'pkcs8',
    format: 'der',
  });
  const withKey = (primaryVerificationKey: object) => ({
    configuration: { '@odata.type': '#Microsoft.Media.ContentKeyPolicyClearKeyConfiguration' },
    restriction: {
      '@odata.type': '#Microsoft.Media.ContentKeyPolicyTokenRestriction',
      issuer: 'i',
      audience: 'a',
      restrictionTokenType: 'Jwt',
      primaryVerificationKey,
    },
  });
  const withConfiguration = (configuration: object) => ({
    configuration,
    restriction: { '@odata.type': '#Microsoft.Media.ContentKeyPolicyOpenRestriction' },
  });
  const tokenKey = () => ({ '@odata.type': '#Microsoft.Media.ContentKeyPolicySymmetricTokenKey', keyValue: key() });
  const widevine = (template: object) =>
    withConfiguration({
      '@odata.type': '#Microsoft.Media.ContentKeyPolicyWidevineConfiguration',
      widevineTemplate: JSON.stringify(template),
    });

  test.each<[what: string, option: object, message: RegExp]>([
    [
      'FairPlay’s ask, certificate and password',
      withConfiguration({
        '@odata.type': '#Microsoft.Media.ContentKeyPolicyFairPlayConfiguration',
        ask: key(),
        fairPlayPfx: pfx,
        fairPlayPfxPassword: 'pass-word-of-pfx',
        rentalAndLeaseKeyType: 'Undefined',
        rentalDuration: 0,
      }),
      /FairPlay/,
    ],
    [
      'a content key in a Widevine template',
      widevine({ content_key_specs: [{ track_type: 'SD', key: key() }] }),
      /Widevine/,
    ],
    ['a token in a Widevine template', widevine({ session_init: { provider_session_token: key() } }), /Widevine/],
    [
      'a private key for a certificate',
      withKey({
        '@odata.type': '#Microsoft.Media.ContentKeyPolicyX509CertificateTokenKey',
        rawBody: privateKey.toString('base64'),
      }),
      /certificate/,
    ],
    [
      'a PFX for a certificate',
      withKey({ '@odata.type': '#Microsoft.Media.ContentKeyPolicyX509CertificateTokenKey', rawBody: pfx }),
      /certificate/,
    ],
    [
      'a private exponent',
      withKey({ '@odata.type': '#Microsoft.Media.ContentKeyPolicyRsaTokenKey', exponent: key(), modulus: pfx }),
      /exponent/,
    ],
    [
      'a key that a plain read did not show',
      withKey({ '@odata.type': '#Microsoft.Media.ContentKeyPolicySymmetricTokenKey', keyValue: null }),
      /getPolicyPropertiesWithSecrets/,
    ],
    [
      'an unknown field',
      withConfiguration({ '@odata.type': '#Microsoft.Media.ContentKeyPolicyClearKeyConfiguration', contentKey: key() }),
      /contentKey/,
    ],
  ])('a content key policy refuses %s, and stores nothing', async (_what, option, message) => {
    const answer = await refused(
      400,
      'InvalidRequestContent',
      raw('PUT', 'contentKeyPolicies/refused', { properties: { options: [option] } }),
    );
    expect(answer.body.error.message).toMatch(message);
    await refused(404, 'NotFound', raw('GET', 'contentKeyPolicies/refused'));
    expect(await named('tokenKeys')).toEqual([]);
  });

  test('a content key policy stores the settings of Widevine and PlayReady unchanged', async () => {
    const playReady = {
      '@odata.type': '#Microsoft.Media.ContentKeyPolicyPlayReadyConfiguration',
      licenses: [
        {
          allowTestDevices: true,
          beginDate: '2026-10-16T18:22:53.46Z',
          licenseType: 'NonPersistent',
          contentType: 'UltraVioletDownload',
          contentKeyLocation: {
            '@odata.type': '#Microsoft.Media.ContentKeyPolicyPlayReadyContentEncryptionKeyFromHeader',
          },
          playRight: {
            scmsRestriction: 2,
            digitalVideoOnlyContentRestriction: false,
            allowPassingVideoContentToUnknownOutput: 'NotAllowed',
            imageConstraintForAnalogComponentVideoRestriction: true,
            imageConstraintForAnalogComputerMonitorRestriction: false,
          },
        },
      ],
    };
    const properties = { options: [withConfiguration(playReady), widevine({ allowed_track_types: 'SD_HD' })] };
    const { body } = await got(200, raw('PUT', 'contentKeyPolicies/drm', { properties }));
    expect(body.properties.options).toMatchObject(properties.options);
    const much = Array.from({ length: 20 }, () => widevine({ text: 'x'.repeat(1900) }));
    const revealed = await refused(
      400,
      'InvalidRequestContent',
      raw('PUT', 'contentKeyPolicies/drm', { properties: { options: much } }),
    );
    expect(revealed.body.error.message).toContain('20000');
    const many = Array.from({ length: 3 }, () => ({
      ...withKey(tokenKey()),
      restriction: {
        ...withKey(tokenKey()).restriction,
        alternateVerificationKeys: Array.from({ length: 17 }, tokenKey),
      },
    }));
    const crowd = await raw('PUT', 'contentKeyPolicies/drm', { properties: { options: many } });
    expect(crowd.body.error.message).toContain('50 secrets');
    expect((await got(200, raw('GET', 'contentKeyPolicies/drm'))).body.properties).toEqual(body.properties);
    // The largest allowed policy fits into its row.
    const full = many.slice(1).map((option, n) => ({ ...option, name: 'x'.repeat(4000 - n) }));
    await got(
      200,
      raw('PUT', 'contentKeyPolicies/drm', { properties: { options: full, description: 'y'.repeat(4000) } }),
    );
    await got(200, raw('DELETE', 'contentKeyPolicies/drm'));
    expect(await named('tokenKeys')).toEqual([]);
  });
});

const sas = `https://contoso.blob.core.windows.net/input/?sv=2025-05-05&sig=c2VjcmV0LW9mLXRoZS1pbnB1dA`;
const output = { odataType: '#Microsoft.Media.JobOutputAsset' as const, assetName: 'out' };
const preset = { odataType: '#Microsoft.Media.BuiltInStandardEncoderPreset' as const, presetName: 'AdaptiveStreaming' };

test('the client reads the predefined streaming policies, and its calls about what an account does not have change nothing', async () => {
  const { ams } = world;
  expect(await ams.streamingPolicies.get(group, name, 'predefined_multidrmstreaming')).toMatchObject({
    name: 'Predefined_MultiDrmStreaming',
    commonEncryptionCenc: {
      enabledProtocols: { download: false, dash: true, hls: false, smoothStreaming: true },
      contentKeys: { defaultKey: { label: 'cencDefaultKey' } },
    },
    commonEncryptionCbcs: { contentKeys: { defaultKey: { label: 'cbcsDefaultKey' } } },
  });
  expect(await all(ams.streamingPolicies.list(group, name))).toHaveLength(6);
  expect(await thrown(ams.streamingPolicies.get(group, name, 'own'))).toMatchObject({ statusCode: 404 });
  expect((await ams.privateEndpointConnections.list(group, name)).value).toEqual([]);
  expect((await ams.privateLinkResources.list(group, name)).value).toEqual([]);
  await ams.mediaservices.syncStorageKeys(group, name, { id: 'any' });
});

describe('transforms and jobs', () => {
  test('a job’s addresses are the account’s job inputs, which these calls return without their query strings', async () => {
    const { ams, api } = world;
    const transform = await ams.transforms.createOrUpdate(group, name, 'encode', {
      description: 'a',
      outputs: [{ preset }],
    });
    expect(transform).toMatchObject({
      name: 'encode',
      outputs: [{ preset }],
      type: 'Microsoft.Media/mediaservices/transforms',
    });
    expect(await ams.transforms.get(group, name, 'encode')).toMatchObject({ outputs: [{ preset }] });
    const http = {
      odataType: '#Microsoft.Media.JobInputHttp' as const,
      label: 'main',
      baseUri: sas,
      files: ['a.mp4', 'b.mp4?x=secret-of-a-file'],
    };
    const file = { ...http, baseUri: undefined as never, files: [`${sas}&n=2`] };
    const input = {
      odataType: '#Microsoft.Media.JobInputs' as const,
      inputs: [http, { odataType: '#Microsoft.Media.JobInputSequence' as const, inputs: [file] }],
    };
    const seen = [
      await ams.jobs.create(group, name, 'encode', 'one', {
        input: http,
        outputs: [output],
        correlationData: { a: 'b' },
      }),
    ];
    seen.push(await ams.jobs.create(group, name, 'encode', 'two', { input, outputs: [output] }));
    seen.push(await ams.jobs.get(group, name, 'encode', 'one'), ...(await all(ams.jobs.list(group, name, 'encode'))));
    expect(seen.map((job) => job.name)).toEqual(['one', 'two', 'one', 'one', 'two']);
    expect(seen[0]).toMatchObject({
      input: { odataType: http.odataType, label: 'main' },
      state: 'Queued',
      correlationData: { a: 'b' },
    });
    const shown = { odataType: http.odataType, label: 'main', files: ['a.mp4', 'b.mp4'], baseUri: sas.split('?')[0] };
    for (const job of seen) {
      expect(JSON.stringify(job)).not.toMatch(/sig=|secret-of/);
      if (job.name === 'one') expect(job.input).toMatchObject(shown);
    }
    const { body } = await got(200, raw('GET', 'transforms/encode/jobs/two', undefined, '2022-07-01'));
    const [{ protectedInput: first }, sequence] = body.properties.input.inputs;
    const resolve = async (input_: string) =>
      (await got(200, api('POST', `/api/accounts/${name}/jobInputs/${input_}/resolve`))).body.properties;
    expect(await resolve(first)).toMatchObject({ baseUri: sas, files: http.files });
    expect(await resolve(sequence.inputs[0].protectedInput)).toEqual({ files: file.files });
    expect(await named('jobInputs')).toHaveLength(3);
    expect(
      await thrown(ams.jobs.create(group, name, 'encode', 'one', { input: http, outputs: [output] })),
    ).toMatchObject({ statusCode: 409 });
    expect(await thrown(ams.transforms.delete(group, name, 'encode'))).toMatchObject({
      statusCode: 409,
      code: 'Conflict',
    });
    const updated = await ams.jobs.update(group, name, 'encode', 'one', { ...seen[0], priority: 'Low' } as Job);
    expect(updated).toMatchObject({ priority: 'Low', state: 'Queued', correlationData: { a: 'b' }, input: shown });
    expect(await resolve(first)).toMatchObject({ files: http.files });
    await ams.jobs.cancelJob(group, name, 'encode', 'one');
    expect(await ams.jobs.get(group, name, 'encode', 'one')).toMatchObject({ state: 'Canceled', priority: 'Low' });
    const described = { description: 'b', outputs: [{ preset }] };
    await ams.transforms.update(group, name, 'encode', described);
    expect(await ams.transforms.get(group, name, 'encode')).toMatchObject(described);
    await ams.jobs.delete(group, name, 'encode', 'two');
    await ams.jobs.delete(group, name, 'encode', 'one');
    expect(await named('jobInputs')).toEqual([]);
    await ams.transforms.delete(group, name, 'encode');
    expect(await all(ams.transforms.list(group, name))).toEqual([]);
    expect(
      await thrown(ams.jobs.create(group, name, 'encode', 'one', { input: http, outputs: [output] })),
    ).toMatchObject({ statusCode: 404 });
  });

  test.each<[what: string, input: object]>([
    [
      'an address that is not https',
      { '@odata.type': '#Microsoft.Media.JobInputHttp', files: ['http://x.example/a?sig=hidden-signature'] },
    ],
    [
      'an address with a password',
      { '@odata.type': '#Microsoft.Media.JobInputHttp', files: ['https://u:hidden-signature@x.example/a'] },
    ],
    [
      'an address as the file of an asset',
      {
        '@odata.type': '#Microsoft.Media.JobInputAsset',
        assetName: 'a',
        files: ['https://x.example/?sig=hidden-signature'],
      },
    ],
    [
      'an unknown field',
      { '@odata.type': '#Microsoft.Media.JobInputHttp', files: ['https://x.example/'], sasToken: 'hidden-signature' },
    ],
    [
      'a header with a credential',
      {
        '@odata.type': '#Microsoft.Media.JobInputAsset',
        assetName: 'a',
        inputDefinitions: [{ '@odata.type': '#Microsoft.Media.InputFile', authToken: 'hidden-signature' }],
      },
    ],
  ])('a job refuses %s; the answer does not repeat it, and nothing is stored', async (_what, input) => {
    await raw('PUT', 'transforms/refusing', { properties: { outputs: [{ preset: {} }] } }, '2022-07-01');
    const body = {
      properties: { input, outputs: [{ '@odata.type': '#Microsoft.Media.JobOutputAsset', assetName: 'out' }] },
    };
    const answer = await refused(
      400,
      'InvalidRequestContent',
      raw('PUT', 'transforms/refusing/jobs/a', body, '2022-07-01'),
    );
    expect(JSON.stringify(answer.body)).not.toContain('hidden-signature');
    expect(await named('jobInputs')).toEqual([]);
  });
});

/** All rows, as the tables have them. */
async function everyRow(): Promise<string[]> {
  const { connectionString } = world.stack.azurite;
  const options = { allowInsecureConnection: true };
  const rows: string[] = [];
  for await (const table of TableServiceClient.fromConnectionString(connectionString, options).listTables()) {
    for await (const row of TableClient.fromConnectionString(
      connectionString,
      table.name ?? '',
      options,
    ).listEntities())
      rows.push(JSON.stringify(row));
  }
  return rows;
}

describe('INV-9 and the inaccessible state', () => {
  const value = Buffer.from('a content key 16');
  const token = Buffer.from('a token key that no table may show');

  test('INV-9: no row of any table and no log line holds a plaintext', async () => {
    const { ams } = world;
    const contentKeys = [{ id: '60000000-0000-0000-0000-0000000000ff', value: value.toString('base64') }];
    await ams.streamingLocators.create(group, name, 'held', {
      assetName: 'a',
      streamingPolicyName: 'Predefined_ClearKey',
      contentKeys,
    });
    const restriction = tokens(symmetric(new Uint8Array(token)));
    await ams.contentKeyPolicies.createOrUpdate(group, name, 'held', {
      options: [{ configuration: clearKey, restriction }],
    });
    await ams.transforms.createOrUpdate(group, name, 'held', { outputs: [{ preset }] });
    const input = { odataType: '#Microsoft.Media.JobInputHttp' as const, files: [`${sas}&n=3`] };
    await ams.jobs.create(group, name, 'held', 'held', { input, outputs: [output] });
    await ams.streamingLocators.listContentKeys(group, name, 'held');
    const text = [...(await everyRow()), ...world.records.map((record) => JSON.stringify(record))];
    const hidden = [
      value,
      token,
      Buffer.from('sig=c2VjcmV0LW9m'),
      Buffer.from('hidden-signature'),
      Buffer.from('pass-word-of-pfx'),
    ];
    const forms = hidden.flatMap((plain) => [
      plain.toString('latin1'),
      plain.toString('hex'),
      ...[0, 1, 2].map((shift) =>
        Buffer.concat([Buffer.alloc(shift), plain])
          .toString('base64')
          .slice(4, -4),
      ),
    ]);
    for (const form of forms) expect(text.filter((row) => row.includes(form))).toEqual([]);
    // The search works: it finds the names in the same rows.
    expect(text.some((row) => row.includes('Predefined_ClearKey'))).toBe(true);
  });

  test('INV-3: while the customer’s key is inaccessible the client can get, list and delete the account, and nothing else', async () => {
    const { ams, api, stack } = world;
    await stack.keyVault('PATCH', '/vaults/media-kv/keys/cmk', { enabled: false });
    await sweptUntil(world, name, (account) => account.properties.state !== 'Enabled');
    expect((await ams.mediaservices.get(group, name)).encryption).toMatchObject({
      status: 'Inaccessible',
      cause: 'KeyDisabled',
      remedy: expect.stringContaining('--enabled true'),
    });
    expect((await all(ams.mediaservices.listBySubscription())).map((one) => one.name)).toContain(name);
    const calls = [
      () => ams.mediaservices.beginUpdateAndWait(group, name, { tags: {} }, poll),
      () =>
        ams.mediaservices.beginCreateOrUpdateAndWait(
          group,
          name,
          { location, encryption: { type: 'SystemKey' } },
          poll,
        ),
      () => ams.streamingLocators.listContentKeys(group, name, 'held'),
      () => ams.streamingLocators.get(group, name, 'held'),
      () => ams.contentKeyPolicies.getPolicyPropertiesWithSecrets(group, name, 'held'),
      () => ams.contentKeyPolicies.delete(group, name, 'held'),
      () => ams.jobs.get(group, name, 'held', 'held'),
      () => all(ams.transforms.list(group, name)),
    ];
    for (const call of calls) {
      const error = await thrown(call());
      expect(error).toMatchObject({ name: 'RestError', statusCode: 403, code: 'CustomerKeyInaccessible' });
      expect(error.details.error.additionalInfo[0].info).toMatchObject({
        cause: 'KeyDisabled',
        remedy: expect.stringMatching(/az keyvault/),
      });
    }
    // At another path there is no such account, in any state.
    const elsewhere = accountPath(name, subscriptionId, 'elsewhere');
    await refused(404, 'AccountNotFound', api('PATCH', `${elsewhere}?api-version=2021-11-01`, { tags: {} }));
    await refused(404, 'AccountNotFound', api('GET', `${elsewhere}/streamingLocators?api-version=2022-08-01`));
    await stack.keyVault('PATCH', '/vaults/media-kv/keys/cmk', { enabled: true });
    await sweptUntil(world, name, (account) => account.properties.state === 'Enabled');
    const { contentKeys } = await ams.streamingLocators.listContentKeys(group, name, 'held');
    expect(contentKeys?.[0]?.value).toBe(value.toString('base64'));
    expect((await ams.mediaservices.beginUpdateAndWait(group, name, { tags: { a: 'b' } }, poll)).tags).toEqual({
      a: 'b',
    });
  });

  test('a deleted account deletes its resources: the next account of its name has none', async () => {
    const { ams } = world;
    await ams.mediaservices.delete(group, name);
    const rows = await everyRow();
    expect(
      rows.filter((row) => /"rowKey":"(secret|resource):/.test(row) && row.includes(`"partitionKey":"${name}"`)),
    ).toEqual([]);
    await ams.mediaservices.beginCreateOrUpdateAndWait(group, name, { location }, poll);
    expect(await all(ams.streamingLocators.list(group, name))).toEqual([]);
    expect(await thrown(ams.contentKeyPolicies.get(group, name, 'held'))).toMatchObject({ statusCode: 404 });
  });
});
