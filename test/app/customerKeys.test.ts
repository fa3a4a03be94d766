import { beforeAll, describe, expect, test } from 'vitest';
import { location } from '../../src/local/operator.ts';
import {
  accountOf,
  customerKey,
  got,
  keyIdentifierTarget,
  newAccount,
  refused,
  requestsTo,
  totalRequests,
  useStack,
  vaultWithKey,
  versionOf,
  withCustomerKey,
} from './support.ts';

const world = useStack();

const standing = '/api/accounts/standing';

beforeAll(async () => {
  const key = await vaultWithKey(world, 'good-kv');
  await got(201, world.api('PUT', standing, withCustomerKey('contoso', key)));
  await got(201, world.api('PUT', '/api/accounts/system', newAccount()));
});

/** Rejected for an account with a customer key, for one without, and for a new one; and no account changes. */
async function refusedEverywhere(identifier: string, status: number, code: string) {
  const { api } = world;
  const before = [await accountOf(api, 'standing'), await accountOf(api, 'system')];
  const answers = [
    await refused(status, code, api('PATCH', standing, customerKey(identifier))),
    await refused(status, code, api('PUT', '/api/accounts/system', withCustomerKey('contoso', identifier))),
    await refused(status, code, api('PUT', '/api/accounts/never', withCustomerKey('contoso', identifier))),
  ];
  for (const { body } of answers) expect(body.error.target).toBe(keyIdentifierTarget);
  expect([(await accountOf(api, 'standing')).etag, await accountOf(api, 'system')]).toEqual([
    before[0].etag,
    before[1],
  ]);
  await refused(404, 'AccountNotFound', api('GET', '/api/accounts/never'));
  return answers[0] ?? expect.fail();
}

const past = '2020-01-01T00:00:00Z';
const future = '2040-01-01T00:00:00Z';
// The rules: Azure Media Services, "Customer-managed keys", and docs/runbook.md.
const unusable: [title: string, code: string, vault: Record<string, unknown>, key: Record<string, unknown>][] = [
  ['on an elliptic curve', 'KeyTypeUnsupported', {}, { kty: 'EC', size: undefined, curve: 'P-256' }],
  ['on an elliptic curve in an HSM', 'KeyTypeUnsupported', {}, { kty: 'EC-HSM', size: undefined, curve: 'P-384' }],
  ['that is disabled', 'KeyDisabled', {}, { enabled: false }],
  ['that has expired', 'KeyExpired', {}, { exp: past }],
  ['that is not yet valid', 'KeyNotYetValid', {}, { nbf: future }],
  ['that permits everything but unwrapKey', 'KeyOperationNotAllowed', {}, { keyOps: ['wrapKey', 'encrypt', 'sign'] }],
  ['that permits everything but wrapKey', 'KeyOperationNotAllowed', {}, { keyOps: ['unwrapKey', 'decrypt'] }],
  ['in a vault without purge protection', 'PurgeProtectionMissing', { recoveryLevel: 'Recoverable+Purgeable' }, {}],
  [
    'in a vault with short retention and without purge protection',
    'PurgeProtectionMissing',
    { recoveryLevel: 'CustomizedRecoverable+Purgeable', recoverableDays: 7 },
    {},
  ],
  ['in a vault without soft delete', 'SoftDeleteMissing', { recoveryLevel: 'Purgeable' }, {}],
  ['in another region', 'RegionMismatch', { location: 'northeurope' }, {}],
  ['behind a firewall', 'VaultFirewallDenied', { firewall: 'ForbiddenByFirewall' }, {}],
  ['behind a private link', 'VaultPrivateLinkDenied', { firewall: 'ForbiddenByConnection' }, {}],
  ['behind a network security perimeter', 'NetworkPerimeterDenied', { firewall: 'NetworkSecurityPerimeter' }, {}],
  ['of another tenant', 'TenantMismatch', { tenantId: '33333333-3333-4333-8333-333333333333' }, {}],
];

describe('a rejected key', () => {
  test.each(unusable.map((row, index) => [...row, index] as const))(
    'a customer key is rejected with 400, its cause and the wrong property, and nothing is stored: a key %s: %s',
    async (...row) => {
      const [, code, vault, key, index] = row;
      const identifier = await vaultWithKey(world, `unusable-${index}-kv`, vault, key);
      const { body } = await refusedEverywhere(identifier, 400, code);
      // The reader learns which vault it is, or that only the operator can help.
      expect(body.error.message.length).toBeGreaterThan(40);
      // Nothing was wrapped: the vault received no unwrap.
      expect(await requestsTo(world, `unusable-${index}-kv`, 'unwrapkey')).toEqual([]);
    },
  );

  test('a customer key is rejected when its pinned version is disabled, even if the latest is not', async () => {
    const key = await vaultWithKey(world, 'old-version-kv');
    const first = await world.stack.keyVault<{ key: { kid: string } }>(
      'POST',
      '/vaults/old-version-kv/keys/cmk/rotate',
    );
    await world.stack.keyVault('PATCH', `/vaults/old-version-kv/keys/cmk/${first.key.kid.split('/').at(-1)}`, {
      enabled: false,
    });
    await world.stack.keyVault('POST', '/vaults/old-version-kv/keys/cmk/rotate');
    await refusedEverywhere(first.key.kid, 400, 'KeyDisabled');
    await got(201, world.api('PUT', '/api/accounts/newest', withCustomerKey('contoso', key)));
    await got(200, world.api('DELETE', '/api/accounts/newest'));
  });

  test('a customer key without a grant is rejected', async () => {
    await vaultWithKey(world, 'no-grant-kv');
    const { stack } = world;
    const [grant] = (await stack.keyVault<{ roleAssignments: { principal: string }[] }>('GET', '/vaults/no-grant-kv'))
      .roleAssignments;
    await stack.keyVault('DELETE', `/vaults/no-grant-kv/grants/${grant?.principal}`);
    await refusedEverywhere('https://no-grant-kv.vault.azure.net/keys/cmk', 400, 'KeyPermissionDenied');
    // With permission to read, and not to unwrap.
    await stack.keyVault('PUT', `/vaults/no-grant-kv/grants/${grant?.principal}`, { permissions: ['get', 'wrapKey'] });
    await refusedEverywhere('https://no-grant-kv.vault.azure.net/keys/cmk', 400, 'KeyPermissionDenied');
    // With permission to unwrap, and not to read.
    await stack.keyVault('DELETE', `/vaults/no-grant-kv/grants/${grant?.principal}`);
    await stack.keyVault('PUT', `/vaults/no-grant-kv/grants/${grant?.principal}`, { permissions: ['unwrapKey'] });
    await refusedEverywhere('https://no-grant-kv.vault.azure.net/keys/cmk', 400, 'KeyPermissionDenied');
  });

  test('a customer key that does not exist, was deleted, or has no such version is rejected', async () => {
    const key = await vaultWithKey(world, 'missing-kv');
    await refusedEverywhere('https://missing-kv.vault.azure.net/keys/absent', 400, 'KeyNotFound');
    await refusedEverywhere(`${key}/${'0'.repeat(32)}`, 400, 'KeyNotFound');
    await world.stack.keyVault('DELETE', '/vaults/missing-kv/keys/cmk');
    await refusedEverywhere(key, 400, 'KeyNotFound');
  });

  test('a customer key in a vault that does not exist, or was deleted, is rejected', async () => {
    await refusedEverywhere('https://no-such-kv.vault.azure.net/keys/cmk', 400, 'VaultNotFound');
    const key = await vaultWithKey(world, 'deleted-kv');
    await world.stack.keyVault('DELETE', '/vaults/deleted-kv');
    await refusedEverywhere(key, 400, 'VaultNotFound');
  });

  test('INV-8: a customer key on a host that is not a Key Vault of the cloud is rejected without a call', async () => {
    // The account that leaves a customer key can be unwrapped under it (INV-12). No other host gets a call.
    const others = async () => (await totalRequests(world)) - (await requestsTo(world, 'good-kv')).length;
    const before = await others();
    for (const host of [
      'evil.example',
      'good-kv.vault.azure.net.evil.example',
      'good-kv.vault.azure.cn',
      'good-kv.vault.usgovcloudapi.net',
      'a.b.vault.azure.net',
      'vault.azure.net',
      '.vault.azure.net',
      'good-kv.vault.azure.net.',
      '127.0.0.1',
      '169.254.169.254',
      '[::1]',
      'good_kv.vault.azure.net',
    ]) {
      const code = host.startsWith('[') ? 'KeyIdentifierMalformed' : 'VaultHostNotAllowed';
      await refusedEverywhere(`https://${host}/keys/cmk`, 400, code);
    }
    expect(await others()).toBe(before);
  });

  test('a customer key with several faults is rejected with all of them in details', async () => {
    const vault = { recoveryLevel: 'Recoverable+Purgeable', location: 'northeurope' };
    const key = { enabled: false, exp: past, keyOps: ['encrypt'] };
    const identifier = await vaultWithKey(world, 'several-kv', vault, key);
    const answer = await world.api('PATCH', standing, customerKey(identifier));
    expect(answer.status).toBe(400);
    const { code, details } = answer.body.error;
    expect(details.map((one: { code: string }) => one.code).sort()).toEqual([
      'KeyDisabled',
      'KeyExpired',
      'KeyOperationNotAllowed',
      'PurgeProtectionMissing',
      'RegionMismatch',
    ]);
    expect(details[0].code).toBe(code);
    for (const detail of details) {
      expect(detail).toEqual({ code: expect.any(String), message: expect.any(String), target: keyIdentifierTarget });
      // Each finding has its own text.
      expect(details.filter((one: { message: string }) => one.message === detail.message)).toHaveLength(1);
    }
  });
});

describe('the response for a rejected key', () => {
  test('the response for a rejected key has cause, Key Vault request id, and the command that fixes it with this vault and key', async () => {
    const identifier = await vaultWithKey(world, 'mend-kv', {}, { enabled: false });
    const { body } = await refusedEverywhere(identifier, 400, 'KeyDisabled');
    expect(body.error.message).toContain('--vault-name mend-kv --name cmk');
    expect(body.error.additionalInfo[0].info).toMatchObject({
      cause: 'KeyDisabled',
      keyVaultRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test('INV-9: the response for a rejected key contains no text of Key Vault, and of its facts only whom to grant and which address to admit', async () => {
    const identifier = await vaultWithKey(world, 'quiet-kv', { firewall: 'ForbiddenByFirewall' });
    const { body } = await refusedEverywhere(identifier, 400, 'VaultFirewallDenied');
    for (const upstream of ['Client address', 'appid=', 'oid=', 'iss=', 'trusted service'])
      expect(JSON.stringify(body)).not.toContain(upstream);
    expect(body.error.message).toMatch(/ --ip-address 127\.0\.0\.1$/);
  });
});

describe('POST validateEncryption', () => {
  const dryRun = (name: string, body: Record<string, unknown>) =>
    world.api('POST', `/api/accounts/${name}/validateEncryption`, body);

  test('POST validateEncryption returns 200 with every check, for an existing and for a new account', async () => {
    const vault = { recoveryLevel: 'Recoverable+Purgeable', location: 'northeurope' };
    const identifier = await vaultWithKey(world, 'dry-kv', vault, { enabled: false });
    const before = await accountOf(world.api, 'standing');
    for (const [name, input] of [
      ['standing', customerKey(identifier)],
      ['never', withCustomerKey('contoso', identifier)],
    ] as const) {
      const { body } = await got(200, dryRun(name, { ...input, waitSeconds: 0 }));
      expect(body.valid).toBe(false);
      expect(body.checks).toHaveLength(17);
      const faults = body.checks.filter(({ result }: { result: string }) => result === 'fail');
      expect(faults.map(({ cause }: { cause: string }) => cause)).toEqual([
        'KeyDisabled',
        'PurgeProtectionMissing',
        'RegionMismatch',
      ]);
      for (const { message, remedy } of faults) expect([message, remedy].join(' ')).toMatch(/\S{2}/);
    }
    expect(await accountOf(world.api, 'standing')).toEqual(before);
    await refused(404, 'AccountNotFound', world.api('GET', '/api/accounts/never'));
  });

  test('POST validateEncryption accepts what GET has returned', async () => {
    const { body } = await got(200, dryRun('standing', await accountOf(world.api, 'standing')));
    expect(body.valid).toBe(true);
  });

  test.each([[61], [-1], ['5'], [true]])(
    'POST validateEncryption rejects a wait of %j seconds',
    async (waitSeconds) => {
      const input = customerKey('https://good-kv.vault.azure.net/keys/cmk');
      const { body } = await refused(400, 'InvalidRequestContent', dryRun('standing', { ...input, waitSeconds }));
      expect(body.error.target).toBe('waitSeconds');
    },
  );
});

describe('INV-1: what Key Vault does not open is not stored:', () => {
  test('INV-1: wrong bytes from unwrap leave the account on its key', async () => {
    const identifier = await vaultWithKey(world, 'wrong-bytes-kv');
    await world.stack.keyVault('POST', '/faults', { vault: 'wrong-bytes-kv', action: 'wrongUnwrap' });
    try {
      await refusedEverywhere(identifier, 500, 'KeyMaterialMismatch');
    } finally {
      await world.stack.keyVault('DELETE', '/faults');
    }
  });
});

describe('INV-2: a vault that does not answer', () => {
  const faults: [title: string, code: string, fault: Record<string, unknown>, retryAfter?: string][] = [
    ['503 with an empty body', 'VaultUnavailable', { action: 'status', status: 503, body: 'empty' }],
    ['503 with a time', 'VaultUnavailable', { action: 'status', status: 503, retryAfter: 17 }, '17'],
    ['502 of a proxy', 'VaultUnavailable', { action: 'status', status: 502, body: 'html' }],
    ['429 without a time', 'Throttled', { action: 'throttled' }],
    ['503 with a day', 'VaultUnavailable', { action: 'status', status: 503, retryAfter: 86_400 }, '60'],
    ['429 with a day', 'Throttled', { action: 'throttled', retryAfter: 86_400 }, '60'],
    ['a name that no resolver knows', 'DnsFailure', { action: 'network', code: 'ENOTFOUND' }],
    ['429 with a time', 'Throttled', { action: 'throttled', retryAfter: 23 }, '23'],
    ['a name that cannot be looked up', 'DnsFailure', { action: 'network', code: 'EAI_AGAIN' }],
    ['no connection', 'ConnectionFailed', { action: 'network', code: 'ECONNREFUSED' }],
    ['a connection that breaks', 'ConnectionFailed', { action: 'reset' }],
    ['a certificate that has expired', 'TlsFailure', { action: 'network', code: 'CERT_HAS_EXPIRED' }],
    ['a 403 that nobody knows', 'UnknownResponse', { action: 'forbidden', inner: 'ForbiddenByMoonPhase' }],
    ['a 418', 'UnknownResponse', { action: 'status', status: 418 }],
  ];

  test.each(faults)(
    'INV-2: a vault that does not answer gives 503 with Retry-After, and nothing is stored: %s: %s',
    async (_title, code, fault, retryAfter) => {
      const { stack } = world;
      const identifier = 'https://shaky-kv.vault.azure.net/keys/cmk';
      const vaults = await stack.keyVault<{ name: string }[]>('GET', '/vaults');
      if (!vaults.some(({ name }) => name === 'shaky-kv')) await vaultWithKey(world, 'shaky-kv');
      // During the read of the key, and during the unwrap.
      for (const operation of ['get', 'unwrapkey']) {
        await stack.keyVault('POST', '/faults', { vault: 'shaky-kv', operation, ...fault });
        try {
          const { headers } = await refusedEverywhere(identifier, 503, code);
          expect(Number(headers.get('retry-after')), operation).toBeGreaterThanOrEqual(1);
          if (retryAfter !== undefined) expect(headers.get('retry-after'), operation).toBe(retryAfter);
        } finally {
          await stack.keyVault('DELETE', '/faults');
        }
      }
    },
  );

  test('INV-2: when the vault answers again, the same call succeeds', async () => {
    const identifier = await vaultWithKey(world, 'once-kv');
    await world.stack.keyVault('POST', '/faults', { vault: 'once-kv', action: 'status', status: 503, count: 1 });
    const input = withCustomerKey('contoso', identifier);
    await refused(503, 'VaultUnavailable', world.api('PUT', '/api/accounts/once', input));
    await got(201, world.api('PUT', '/api/accounts/once', input));
  });
});

describe('INV-10: an account uses only keys of its own owner:', () => {
  test('INV-10: another owner’s vault gives one opaque refusal, before any call to it', async () => {
    const { api } = world;
    await got(201, api('PUT', '/api/accounts/intruder', newAccount('mallory')));
    const { etag } = await accountOf(api, 'intruder');
    const before = await totalRequests(world);
    const distinct = new Set<string>();
    for (const key of ['cmk', 'absent', `cmk/${'1'.repeat(32)}`]) {
      for (const host of ['good-kv', 'GOOD-KV']) {
        const input = customerKey(`https://${host}.vault.azure.net/keys/${key}`);
        const answers = [
          await refused(403, 'OwnerMismatch', api('PATCH', '/api/accounts/intruder', input)),
          await refused(
            403,
            'OwnerMismatch',
            api('PUT', '/api/accounts/intruder-2', { location, properties: { owner: 'mallory', ...input.properties } }),
          ),
        ];
        for (const { body } of answers) {
          expect(body.error.target).toBe(keyIdentifierTarget);
          distinct.add(JSON.stringify(body));
        }
      }
    }
    // One answer for every request: it must not reveal one customer to another.
    expect(distinct.size).toBe(1);
    for (const secret of ['contoso', 'good-kv']) expect([...distinct].join()).not.toContain(secret);
    expect(await totalRequests(world)).toBe(before);
    expect((await accountOf(api, 'intruder')).etag).toBe(etag);
    await refused(404, 'AccountNotFound', api('GET', '/api/accounts/intruder-2'));
  });

  test('INV-10: a claim outlives the accounts of its owner', async () => {
    const { api } = world;
    const key = await vaultWithKey(world, 'outlives-kv');
    await got(201, api('PUT', '/api/accounts/outlived', withCustomerKey('first', key)));
    await got(200, api('DELETE', '/api/accounts/outlived'));
    await refused(403, 'OwnerMismatch', api('PUT', '/api/accounts/outlived', withCustomerKey('second', key)));
    await got(201, api('PUT', '/api/accounts/outlived', withCustomerKey('first', key)));
  });

  test('INV-10: a rejected key claims nothing', async () => {
    const { api, stack } = world;
    const key = await vaultWithKey(world, 'unclaimed-kv', {}, { enabled: false });
    await refused(400, 'KeyDisabled', api('PUT', '/api/accounts/hasty', withCustomerKey('hasty', key)));
    await stack.keyVault('PATCH', '/vaults/unclaimed-kv/keys/cmk', { enabled: true });
    await got(201, api('PUT', '/api/accounts/rightful', withCustomerKey('rightful', key)));
  });

  test('INV-10: of two owners who race for one vault exactly one wins', async () => {
    const { api } = world;
    for (const round of [1, 2, 3]) {
      const key = await vaultWithKey(world, `race-${round}-kv`);
      const owners = ['north', 'south'];
      const answers = await Promise.all(
        owners.map((owner) => api('PUT', `/api/accounts/${owner}-${round}`, withCustomerKey(owner, key))),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 403]);
      const loser = answers.findIndex(({ status }) => status === 403);
      expect(answers[loser]?.body.error.code).toBe('OwnerMismatch');
      await refused(404, 'AccountNotFound', api('GET', `/api/accounts/${owners[loser]}-${round}`));
      // And it does not change later.
      const again = withCustomerKey(owners[loser] ?? '', key);
      await refused(403, 'OwnerMismatch', api('PUT', `/api/accounts/${owners[loser]}-${round}`, again));
    }
  });

  test('INV-10: an unknown identity is refused or unavailable, and never used for another owner', async () => {
    const { api } = world;
    const key = await vaultWithKey(world, 'identity-kv');
    const resourceId =
      '/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/unknown';
    const input = withCustomerKey('identity', key);
    const answer = await refused(
      503,
      'IdentityUnavailable',
      api('PUT', '/api/accounts/identity', {
        ...input,
        properties: {
          ...input.properties,
          encryption: {
            ...input.properties.encryption,
            identity: { useSystemAssignedIdentity: false, userAssignedIdentity: resourceId },
          },
        },
      }),
    );
    expect(answer.body.error.target).toBe(keyIdentifierTarget);
    expect(await requestsTo(world, 'identity-kv', 'get')).toEqual(
      (await requestsTo(world, 'identity-kv', 'get')).filter(({ status }) => status === 401),
    );
    await refused(404, 'AccountNotFound', api('GET', '/api/accounts/identity'));
  });
});

test('the account stayed on its key through all rejections', async () => {
  const version = await versionOf(world.api, 'standing');
  const { versions } = await world.stack.keyVault<{ versions: { key: { kid: string } }[] }>(
    'GET',
    '/vaults/good-kv/keys/cmk',
  );
  expect(versions.map(({ key }) => key.kid.split('/').at(-1))).toEqual([version]);
});
