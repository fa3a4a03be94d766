import { fail } from 'node:assert/strict';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Answer } from '../../src/local/client.ts';
import { location } from '../../src/local/operator.ts';
import { anyText } from '../anyText.ts';
import { isExhaustive } from '../exhaustive.ts';
import {
  accountOf,
  customerKey,
  got,
  keyIdentifierTarget,
  newAccount,
  refused,
  totalRequests,
  useStack,
  vaultWithKey,
  withCustomerKey,
} from './support.ts';

const world = useStack();
const standing = '/api/accounts/standing';
const key = 'https://sound-kv.vault.azure.net/keys/cmk';

beforeAll(async () => {
  await vaultWithKey(world, 'sound-kv');
  await got(201, world.api('PUT', standing, withCustomerKey('contoso', key)));
});

// One failed test must not fail the later ones.
afterEach(async () => {
  await world.api('DELETE', '/api/accounts/never');
});

const encryption = (more: Record<string, unknown>) => ({ properties: { encryption: more } });
const byKey = (more: Record<string, unknown>, inside: Record<string, unknown> = {}) =>
  encryption({ type: 'CustomerKey', keyVaultProperties: { keyIdentifier: key, ...inside }, ...more });
const identity = (more: unknown) => byKey({ identity: more });
const userAssigned = (id: unknown) => identity({ useSystemAssignedIdentity: false, userAssignedIdentity: id });
const inKey = 'properties.encryption.keyVaultProperties';
const inIdentity = 'properties.encryption.identity';
/** As text, because in an object literal `__proto__` is not a property. */
const own = (json: string): unknown => JSON.parse(json);

/** A body, and the field that the response names. */
const bodies: [title: string, body: unknown, target: string][] = [
  ['null', 'null', 'body'],
  ['an array', '[]', 'body'],
  ['a number', '1', 'body'],
  ['text', '"text"', 'body'],
  ['true', 'true', 'body'],
  ['half an object', '{"location":', 'body'],
  ['an object and more', '{} {}', 'body'],
  ['NaN', '{"location":NaN}', 'body'],
  ['XML', '<account/>', 'body'],
  ['an empty body', '', 'body'],
  ['blanks', '  \n', 'body'],

  ['half a character in a tag', '{"tags":{"a":"\\ud800"}}', 'tags.a'],
  ['half a character in the name of a tag', '{"tags":{"\\uDFFF":"v"}}', 'tags'],
  [
    'half a character below thousands of levels',
    `${'{"a":'.repeat(9000)}"\\udbff"${'}'.repeat(9000)}`,
    'a.'.repeat(100),
  ],
  ['a property twice', '{"location":"westeurope","tags":{},"location":"westus"}', 'location'],
  ['a tag twice, once with an escape', '{"tags":{"a":"1","\\u0061":"2"}}', 'tags.a'],
  ['an unknown property', { colour: 'red' }, 'colour'],
  ['an unknown property of properties', { properties: { colour: 1 } }, 'properties.colour'],
  ['an unknown property of encryption', byKey({ colour: 1 }), 'properties.encryption.colour'],
  ['an unknown property of keyVaultProperties', byKey({}, { colour: 1 }), `${inKey}.colour`],
  ['an unknown property of identity', identity({ useSystemAssignedIdentity: true, a: 1 }), `${inIdentity}.a`],
  ['a property in another letter case', { Location: location }, 'Location'],
  ['a property named __proto__', own('{"__proto__": {"location": "westeurope"}}'), '__proto__'],
  ['__proto__ in properties', own('{"properties": {"__proto__": {"owner": "x"}}}'), 'properties.__proto__'],
  ['a property named constructor', { constructor: { prototype: {} } }, 'constructor'],
  ['constructor in encryption', byKey({ constructor: 'x' }), 'properties.encryption.constructor'],
  ['toString in keyVaultProperties', byKey({}, { toString: 'x' }), `${inKey}.toString`],

  ['a location that is a number', { location: 7 }, 'location'],
  ['a location that is a list', { location: ['westeurope'] }, 'location'],
  ['an empty location', { location: '' }, 'location'],
  ['a location of 91 characters', { location: 'w'.repeat(91) }, 'location'],
  ['tags that are text', { tags: 'a=b' }, 'tags'],
  ['tags that are a list', { tags: ['a'] }, 'tags'],
  ['a tag that is a number', { tags: { a: 1 } }, 'tags.a'],
  ['a tag that is null', { tags: { a: null } }, 'tags.a'],
  ['a tag that is an object', { tags: { a: { b: 'c' } } }, 'tags.a'],
  ['a tag value of 257 characters', { tags: { a: 'v'.repeat(257) } }, 'tags.a'],
  ['a tag without a name', { tags: { '': 'v' } }, 'tags'],
  ['a tag name of 513 characters', { tags: { ['n'.repeat(513)]: 'v' } }, 'tags'],
  // Azure Resource Manager: tag names can't contain < > % & \ ? /
  ...[...'<>%&\\?/'].map((bad): [string, unknown, string] => [
    `a tag name with ${bad}`,
    { tags: { [`a${bad}b`]: 'v' } },
    'tags',
  ]),
  ['51 tags', { tags: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`t${index}`, 'v'])) }, 'tags'],
  ['a tag named __proto__', own('{"tags": {"__proto__": "v"}}'), 'tags'],

  ['properties that are text', { properties: 'x' }, 'properties'],
  ['properties that are a text', { properties: 'x' }, 'properties'],
  ['an owner that is a number', { properties: { owner: 7 } }, 'properties.owner'],
  ['an empty owner', { properties: { owner: '' } }, 'properties.owner'],
  ['an owner of 129 characters', { properties: { owner: 'o'.repeat(129) } }, 'properties.owner'],
  ['encryption that is text', encryption('CustomerKey' as never), 'properties.encryption'],
  ['encryption that is a text', { properties: { encryption: 'SystemKey' } }, 'properties.encryption'],
  ['encryption without a type', encryption({}), 'properties.encryption.type'],
  ['an encryption type that nobody knows', encryption({ type: 'MyKey' }), 'properties.encryption.type'],
  ['an encryption type with a space', encryption({ type: 'System Key' }), 'properties.encryption.type'],
  ['a CustomerKey without a key', encryption({ type: 'CustomerKey' }), keyIdentifierTarget],
  ['a SystemKey with a key', byKey({ type: 'SystemKey' }), keyIdentifierTarget],
  ['keyVaultProperties that are text', encryption({ type: 'CustomerKey', keyVaultProperties: key }), inKey],
  [
    'keyVaultProperties that are empty',
    encryption({ type: 'CustomerKey', keyVaultProperties: {} }),
    keyIdentifierTarget,
  ],
  ['a key identifier that is a number', byKey({}, { keyIdentifier: 7 }), keyIdentifierTarget],
  ['a key identifier that is a list', byKey({}, { keyIdentifier: [key] }), keyIdentifierTarget],
  ['an empty key identifier', byKey({}, { keyIdentifier: '' }), keyIdentifierTarget],
  ['a key identifier of 301 characters', byKey({}, { keyIdentifier: key.padEnd(301, 'k') }), keyIdentifierTarget],

  ['an identity that is text', identity('system'), inIdentity],
  ['an identity that says nothing', identity({}), `${inIdentity}.useSystemAssignedIdentity`],
  [
    'an identity that is "true"',
    identity({ useSystemAssignedIdentity: 'true' }),
    `${inIdentity}.useSystemAssignedIdentity`,
  ],
  ['no identity at all', identity({ useSystemAssignedIdentity: false }), `${inIdentity}.userAssignedIdentity`],
  [
    'both identities',
    identity({ useSystemAssignedIdentity: true, userAssignedIdentity: '/subscriptions/a' }),
    inIdentity,
  ],
  ['an identity that is no resource id', userAssigned('my-identity'), `${inIdentity}.userAssignedIdentity`],
  [
    'the resource id of something else',
    userAssigned('/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v'),
    `${inIdentity}.userAssignedIdentity`,
  ],
  [
    'a tenant for an identity that has tokens of its own tenant alone',
    identity({ useSystemAssignedIdentity: true, tenantId: 'aaaaaaaa-0000-4000-8000-000000000001' }),
    `${inIdentity}.tenantId`,
  ],
  [
    'an application that is no GUID',
    identity({ useSystemAssignedIdentity: false, federatedIdentityClientId: 'app' }),
    `${inIdentity}.federatedIdentityClientId`,
  ],
  ['an identity of 501 characters', userAssigned('/'.repeat(501)), `${inIdentity}.userAssignedIdentity`],
];

/** The field that a response names, in its own target or in that of one of its details. */
function targetsOf({ body }: Answer): string[] {
  const { target, details = [] } = body.error;
  return [target, ...details.map((one: { target?: string }) => one.target)];
}

describe('a wrong body', () => {
  test.each(bodies)(
    'a wrong body is rejected with 400 and the wrong field, and nothing is stored: %s',
    async (_title, body, target) => {
      const { api } = world;
      const before = await accountOf(api, 'standing');
      const asked = await totalRequests(world);
      const answers = [
        await api('PATCH', standing, body),
        await api('PUT', standing, body),
        await api('PUT', '/api/accounts/never', body),
      ];
      for (const answer of answers) {
        expect(answer.status, JSON.stringify(answer.body)).toBe(400);
        expect(['InvalidRequestContent', 'InvalidParameter']).toContain(answer.body.error.code);
        const isNamed = (one: string) => one === target || (target === 'tags' && one.startsWith('tags.'));
        expect(targetsOf(answer).filter(isNamed), JSON.stringify(answer.body)).not.toEqual([]);
      }
      expect(await accountOf(api, 'standing')).toEqual(before);
      await refused(404, 'AccountNotFound', api('GET', '/api/accounts/never'));
      expect(await totalRequests(world)).toBe(asked);
    },
  );
});

describe('a hostile key identifier', () => {
  const malformed: [title: string, identifier: string][] = [
    ['with a port', 'https://sound-kv.vault.azure.net:444/keys/cmk'],
    ['with another port', 'https://sound-kv.vault.azure.net:8443/keys/cmk'],
    ['with a user', 'https://sound-kv.vault.azure.net@evil.example/keys/cmk'],
    ['with a user and a password', 'https://user:pass@sound-kv.vault.azure.net/keys/cmk'],
    ['with a query', 'https://sound-kv.vault.azure.net/keys/cmk?api-version=7.4'],
    ['with a fragment', 'https://sound-kv.vault.azure.net/keys/cmk#x'],
    ['with a question mark and nothing', 'https://sound-kv.vault.azure.net/keys/cmk?'],
    ['without encryption on the way', 'http://sound-kv.vault.azure.net/keys/cmk'],
    ['of another scheme', 'file:///keys/cmk'],
    ['without a scheme', 'sound-kv.vault.azure.net/keys/cmk'],
    ['that is no URL', 'my key'],
    ['of a secret', 'https://sound-kv.vault.azure.net/secrets/cmk'],
    ['of a certificate', 'https://sound-kv.vault.azure.net/certificates/cmk'],
    ['of a deleted key', 'https://sound-kv.vault.azure.net/deletedkeys/cmk'],
    ['of the vault', 'https://sound-kv.vault.azure.net/'],
    ['of no key', 'https://sound-kv.vault.azure.net/keys'],
    ['of an empty key', 'https://sound-kv.vault.azure.net/keys/'],
    ['of an operation', `https://sound-kv.vault.azure.net/keys/cmk/${'0'.repeat(32)}/unwrapkey`],
    ['with a slash behind it', 'https://sound-kv.vault.azure.net/keys/cmk/'],
    ['with two slashes', 'https://sound-kv.vault.azure.net//keys/cmk'],
    ['with a step up', 'https://sound-kv.vault.azure.net/keys/../secrets/cmk'],
    ['with an encoded step up', 'https://sound-kv.vault.azure.net/keys/%2e%2e'],
    ['with an encoded slash', 'https://sound-kv.vault.azure.net/keys/a%2fb'],
    ['with a version that is none', 'https://sound-kv.vault.azure.net/keys/cmk/latest'],
    ['with a version that is too short', `https://sound-kv.vault.azure.net/keys/cmk/${'0'.repeat(31)}`],
    ['with backslashes', 'https:\\\\sound-kv.vault.azure.net\\keys\\cmk'],
    ['with a backslash', 'https://sound-kv.vault.azure.net\\@evil.example/keys/cmk'],
    ['with a blank before it', ' https://sound-kv.vault.azure.net/keys/cmk'],
    ['with a line break', 'https://sound-kv.vault.azure.net/keys/cmk\r\nHost: evil.example'],
    ['with a tab', 'https://sound-kv.vault\t.azure.net/keys/cmk'],
    ['with a NUL', 'https://sound-kv.vault.azure.net/keys/cmk\u0000'],
    ['with letters that look alike', 'https://sоund-kv.vault.azure.net/keys/cmk'],
    ['with full-width letters', 'https://ｓound-kv.vault.azure.net/keys/cmk'],
  ];
  const elsewhere: [title: string, identifier: string][] = [
    ['at another host', 'https://evil.example/keys/cmk'],
    ['at a host that ends alike', 'https://evilvault.azure.net/keys/cmk'],
    ['at a host that begins alike', 'https://sound-kv.vault.azure.net.evil.example/keys/cmk'],
    ['at two labels', 'https://a.sound-kv.vault.azure.net/keys/cmk'],
    ['at an address', 'https://169.254.169.254/keys/cmk'],
    ['at an address in one number', 'https://2852039166/keys/cmk'],
    ['at another cloud', 'https://sound-kv.vault.azure.cn/keys/cmk'],
    ['in punycode', 'https://xn--sund-kv-9cg.vault.azure.net/keys/cmk'],
  ];

  test.each([
    ...malformed.map((row) => [...row, 'KeyIdentifierMalformed'] as const),
    ...elsewhere.map((row) => [...row, 'VaultHostNotAllowed'] as const),
  ])(
    'a hostile key identifier is rejected with 400 before any call to a vault: %s',
    async (_title, identifier, code) => {
      const { api } = world;
      const asked = await totalRequests(world);
      const answer = await refused(
        400,
        code,
        api('PUT', '/api/accounts/never', withCustomerKey('contoso', identifier)),
      );
      expect(answer.body.error.target).toBe(keyIdentifierTarget);
      expect(await totalRequests(world)).toBe(asked);
      await refused(404, 'AccountNotFound', api('GET', '/api/accounts/never'));
    },
  );

  test("a hostile key identifier is rejected also while the account's present key does not answer", async () => {
    const { api, stack } = world;
    const asked = await totalRequests(world);
    await stack.keyVault('POST', '/faults', { vault: 'sound-kv', action: 'status', status: 503 });
    try {
      const input = customerKey('https://sound-kv.vault.azure.net/secrets/cmk');
      await refused(400, 'KeyIdentifierMalformed', api('PATCH', standing, input));
    } finally {
      await stack.keyVault('DELETE', '/faults');
    }
    expect(await totalRequests(world)).toBe(asked);
  });
});

describe('names, conditions and pages', () => {
  test('the kind of a claim may be written in any case', async () => {
    const path = '/api/operator/claims?kind=VAULT&value=sound-kv.vault.azure.net';
    expect((await got(200, world.api('GET', path))).body).toMatchObject({ kind: 'vault', owner: 'contoso' });
  });

  test.each([
    ['ab'],
    ['a'.repeat(65)],
    ['-abc'],
    ['abc-'],
    ['a_b'],
    ['a.b'],
    ['a b'],
    ['ab\u0000c'],
    ['a/b'],
    ["a'b"],
    ['äöü'],
    ['ａｂｃ'],
    ['a'.repeat(5000)],
  ])('an account cannot have the name %j', async (name) => {
    const { api } = world;
    const path = `/api/accounts/${encodeURIComponent(name)}`;
    for (const [method, body] of [
      ['PUT', newAccount()],
      ['PATCH', {}],
      ['GET', undefined],
      ['DELETE', undefined],
    ] as const) {
      const { body: answer } = await refused(400, 'InvalidParameter', api(method, path, body));
      expect(answer.error.target).toBe('accountName');
    }
  });

  test.each([['-contoso'], ['con toso'], ['contoso/fabrikam'], ['<script>'], ['cöntoso'], ['a\u0000b'], ['"']])(
    'an owner cannot have the name %j',
    async (owner) => {
      const { body } = await refused(
        400,
        'InvalidParameter',
        world.api('PUT', '/api/accounts/never', newAccount(owner)),
      );
      expect(body.error.target).toBe('properties.owner');
      await refused(404, 'AccountNotFound', world.api('GET', '/api/accounts/never'));
    },
  );

  test('If-None-Match can only be *', async () => {
    const { api } = world;
    for (const value of ['"x"', 'x', '*, "x"', '']) {
      for (const method of ['PUT', 'PATCH', 'DELETE']) {
        const input = method === 'DELETE' ? undefined : {};
        const answer = api(method, standing, input, { 'if-none-match': value });
        const { body } = await refused(400, 'InvalidParameter', answer);
        expect(body.error.target).toBe('If-None-Match');
      }
    }
  });

  test('an If-Match that is not an ETag of Keyward matches nothing', async () => {
    const { api } = world;
    const { etag } = await accountOf(api, 'standing');
    for (const value of ['', 'x', '"x"', etag.replaceAll('"', ''), `W/${etag}`, etag.toUpperCase(), '"*"'])
      await refused(412, 'PreconditionFailed', api('PATCH', standing, { tags: { a: 'b' } }, { 'if-match': value }));
    expect((await accountOf(api, 'standing')).etag).toBe(etag);
  });

  test.each(['0', '-1', '101', '1.5', 'many', '', '%20', '1e1', '0x10', '3&$top=4', '99999999999999999999', 'NaN'])(
    '$top cannot be %j',
    async (top) => {
      const { body } = await refused(400, 'InvalidParameter', world.api('GET', `/api/accounts?$top=${top}`));
      expect(body.error.target).toBe('$top');
    },
  );

  test.each(['', 'a', "x'%20or%20'1'%20eq%20'1", '%00%00%00', 'a'.repeat(3000), 'abc&$skipToken=abd'])(
    '$skipToken cannot be %j',
    async (token) => {
      const { body } = await refused(400, 'InvalidParameter', world.api('GET', `/api/accounts?$skipToken=${token}`));
      expect(body.error.target).toBe('$skipToken');
    },
  );
});

describe('a body as bytes', () => {
  async function send(body: string | Uint8Array<ArrayBuffer>, contentType = 'application/json'): Promise<Answer> {
    const { host } = world.stack;
    const response = await fetch(`${host.url}/api/accounts/bytes`, {
      method: 'PUT',
      headers: { 'x-functions-key': host.keys.function, 'content-type': contentType },
      body,
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  }
  const whole = JSON.stringify(newAccount());

  test('the refusal of a body that is not JSON says where the fault is, and quotes nothing of the body', async () => {
    const { body } = await refused(400, 'InvalidRequestContent', send("{'tags':{}}"));
    expect(body.error.message).toBe('The body is not JSON in UTF-8. The fault is at position 2.');
    const { body: comma } = await refused(400, 'InvalidRequestContent', send('{"tags":{},}'));
    expect(comma.error.message).toBe('The body is not JSON in UTF-8. The fault is at position 12.');
  });

  test('a body that is not UTF-8 is rejected', async () => {
    const latin1 = Buffer.from(whole.replace('contoso', 'contöso'), 'latin1');
    const { body } = await refused(400, 'InvalidRequestContent', send(latin1));
    expect(body.error.target).toBe('body');
    await refused(400, 'InvalidRequestContent', send(Buffer.from(whole, 'utf16le')));
    await refused(400, 'InvalidRequestContent', send(Buffer.from([0xff, 0xfe, 0x00])));
  });

  test('a body that is too large is rejected with 413, for any content', async () => {
    await refused(413, 'RequestTooLarge', send(Buffer.alloc(64 * 1024 + 1, ' ')));
    await refused(413, 'RequestTooLarge', send(whole.padEnd(5_000_000, ' ')));
  });

  test('a body that is nested too deep is rejected', async () => {
    const depth = 32_000;
    await refused(400, 'InvalidRequestContent', send('['.repeat(depth) + ']'.repeat(depth)));
    await refused(400, 'InvalidRequestContent', send(`${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`));
    await refused(400, 'InvalidRequestContent', send(`{"tags":${'['.repeat(30_000)}${']'.repeat(30_000)}}`));
    // Inside a property that only the service sets, and so ignores.
    await refused(400, 'InvalidRequestContent', send(`{"systemData":${'['.repeat(30_000)}${']'.repeat(30_000)}}`));
  });

  test('a body with many unknown properties is rejected in a response of bounded size', async () => {
    const many = Object.fromEntries(Array.from({ length: 4000 }, (_, index) => [`p${index}`, 1]));
    const { body } = await refused(400, 'InvalidRequestContent', send(JSON.stringify(many)));
    expect(JSON.stringify(body).length).toBeLessThan(10_000);
    const tags = Object.fromEntries(Array.from({ length: 4000 }, (_, index) => [`p${index}`, 1]));
    const refusal = await refused(400, 'InvalidRequestContent', send(JSON.stringify({ tags })));
    expect(JSON.stringify(refusal.body).length).toBeLessThan(64_000);
  });

  test('a body is read as JSON for any content type, also with a byte order mark', async () => {
    await got(201, send(`\uFEFF${whole}`, 'text/plain'));
    await got(200, world.api('DELETE', '/api/accounts/bytes'));
  });
});

describe('any JSON', () => {
  const word = fc.oneof(
    fc.constantFrom('westeurope', 'contoso', 'SystemKey', 'CustomerKey', key, 'https://x.vault.azure.net/keys/k', ''),
    anyText(40),
    fc.string({ maxLength: 400 }),
  );
  const anything = fc.oneof({ weight: 3, arbitrary: word }, { weight: 1, arbitrary: fc.jsonValue() });
  const some = (shape: Record<string, fc.Arbitrary<unknown>>) => fc.record(shape, { requiredKeys: [] });
  const sound = <T>(arbitrary: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 4, arbitrary }, { weight: 1, arbitrary: anything as fc.Arbitrary<unknown> });
  const body = fc.oneof(
    { weight: 1, arbitrary: fc.jsonValue() },
    {
      weight: 5,
      arbitrary: some({
        location: sound(fc.constant('westeurope')),
        tags: sound(fc.dictionary(anyText(20), sound(anyText(40)))),
        properties: sound(
          some({
            owner: sound(fc.constantFrom('contoso', 'fabrikam')),
            state: fc.jsonValue(),
            encryption: sound(
              some({
                type: fc.constantFrom('SystemKey', 'CustomerKey'),
                keyVaultProperties: sound(some({ keyIdentifier: word })),
                identity: sound(some({ useSystemAssignedIdentity: fc.boolean(), userAssignedIdentity: word })),
              }),
            ),
          }),
        ),
      }),
    },
  );

  test('PUT and PATCH with any JSON return success or an error of Azure Resource Manager’s form, never a 5xx', async () => {
    const { api } = world;
    await got(201, api('PUT', '/api/accounts/fuzzed', newAccount()));
    const name = fc.constantFrom('fuzzed', 'fuzz-new');
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('PUT', 'PATCH'), name, body, async (method, account, input) => {
        const answer = await api(method, `/api/accounts/${account}`, JSON.stringify(input));
        if (answer.status === 200 || answer.status === 201) {
          expect(await accountOf(api, account)).toEqual(answer.body);
          if (account === 'fuzz-new') await got(200, api('DELETE', '/api/accounts/fuzz-new'));
          return;
        }
        if (answer.status < 400 || answer.status >= 500) fail(`${answer.status} ${JSON.stringify(answer.body)}`);
        const { code, message, target } = answer.body.error;
        expect([code, message]).toEqual([expect.stringMatching(/^[A-Za-z]+$/), expect.stringMatching(/\S/)]);
        if (answer.status === 400) expect(target).toEqual(expect.any(String));
      }),
      { numRuns: isExhaustive ? 500 : 100, endOnFailure: false },
    );
  });
});

describe('a message that is not an event', () => {
  async function deliver(functionName: string, body: string): Promise<number> {
    const { url, keys } = world.stack.host;
    const response = await fetch(
      `${url}/runtime/webhooks/EventGrid?functionName=${functionName}&code=${keys.eventgrid_extension}`,
      { method: 'POST', headers: { 'content-type': 'application/json', 'aeg-event-type': 'Notification' }, body },
    );
    await response.body?.cancel();
    return response.status;
  }
  const vault = '/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults';
  const nothings: unknown[] = [
    [],
    {},
    [null, 1, 'text', [], {}],
    [{ id: 1 }],
    [{ eventType: 7, topic: {}, subject: [], data: 'x' }],
    [{ eventType: '' }],
    // Events of other services.
    [{ eventType: 'Microsoft.Storage.BlobCreated', topic: `${vault}/sound-kv`, data: { VaultName: 'sound-kv' } }],
    [{ eventType: 'Microsoft.KeyVault.SecretNewVersionCreated', topic: `${vault}/sound-kv`, data: {} }],
    // Events of Key Vault for unknown vaults.
    [{ eventType: 'Microsoft.KeyVault.KeyNewVersionCreated', topic: `${vault}/somebody-kv`, data: {} }],
    [{ eventType: 'Microsoft.KeyVault.KeyNewVersionCreated', data: { VaultName: '../sound-kv' } }],
    [{ eventType: 'Microsoft.KeyVault.KeyNewVersionCreated', data: { VaultName: `sound-kv${'x'.repeat(5000)}` } }],
    [{ eventType: 'Microsoft.KeyVault.KeyNewVersionCreated', data: null }],
    [{ eventType: 'Microsoft.Resources.ResourceDeleteSuccess', subject: `${vault}/somebody-kv` }],
    [{ eventType: 'Microsoft.Resources.ResourceDeleteSuccess', subject: '/subscriptions/s', data: { resourceUri: 7 } }],
    own('[{"__proto__": {"eventType": "Microsoft.KeyVault.KeyExpired"}, "data": {"VaultName": "sound-kv"}}]'),
  ];

  test('a message that is not an event is acknowledged with 202, and wakes no worker', async () => {
    const asked = await totalRequests(world);
    const before = world.records.length;
    for (const functionName of ['keyEvents', 'resourceEvents']) {
      for (const nothing of nothings) {
        const text = JSON.stringify(nothing);
        expect(await deliver(functionName, text), text).toBe(202);
      }
    }
    const said = world.records.slice(before).filter(({ category }) => category.endsWith('.User'));
    expect(said.filter(({ message }) => message.includes('"woken":true'))).toEqual([]);
    expect(said.filter(({ level }) => level === 'error')).toEqual([]);
    // An event of a known vault, to show that waking works: earlier events would have shown before it.
    const real = [{ id: '1', eventType: 'Microsoft.KeyVault.KeyExpired', topic: `${vault}/SOUND-KV`, data: {} }];
    expect(await totalRequests(world)).toBe(asked);
    expect(await deliver('keyEvents', JSON.stringify(real))).toBe(202);
    expect(world.records.slice(before).some(({ message }) => message.includes('"woken":true'))).toBe(true);
  });
});
