/** Refusals of sensitive calls are audited: docs/audit.md has the closed list. */
import { TableClient } from '@azure/data-tables';
import { beforeAll, describe, expect, test } from 'vitest';
import type { AuditEntry } from '../../src/core/audit/auditEntry.ts';
import { type Answer, type Caller, caller } from '../../src/local/client.ts';
import { apiAudience, homeTenantId, location } from '../../src/local/operator.ts';
import {
  accountOf,
  customerKey,
  got,
  refused,
  sweptUntil,
  useStack,
  vaultWithKey,
  withCustomerKey,
} from './support.ts';

const world = useStack({
  settings: {
    KEYWARD_AUTH: 'entra',
    KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '0.5',
    KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.3',
    KEYWARD_LOOK_SPACING_SECONDS: '0.3',
  },
});

const control = async (method: string, path: string, body: unknown): Promise<Record<string, string>> => {
  const response = await fetch(`${world.stack.identity.url}/control${path}`, { method, body: JSON.stringify(body) });
  expect(response.ok, `${method} ${path}`).toBe(true);
  return response.json() as Promise<Record<string, string>>;
};

/** A caller with these roles, and its object id. */
async function principal(name: string, roles: readonly string[]): Promise<{ api: Caller; id: string }> {
  const made = await control('PUT', `/identities/${name}`, {
    tenantId: homeTenantId,
    kind: 'application',
    secret: 's',
    roles,
  });
  const { access_token: token } = await control('POST', '/token', { identity: name, resource: apiAudience });
  return { api: caller(world.stack.host.url, { authorization: `Bearer ${token}` }), id: made.objectId ?? '' };
}

const all = ['Accounts.Read', 'Accounts.Write', 'Keys.Operate', 'Keys.Release', 'Audit.Read'];
let operator: Caller;
let writer: { api: Caller; id: string };
beforeAll(async () => {
  operator = (await principal('operator', all)).api;
  writer = await principal('writer', ['Accounts.Read', 'Accounts.Write']);
});

const auditOf = async (path: string): Promise<AuditEntry[]> =>
  (await got(200, operator('GET', `/api/operator/${path}/audit`))).body.value;
const refusedIn = async (path: string) => (await auditOf(path)).filter(({ type }) => type === 'CallRefused');
const inService = async () =>
  (await got(200, operator('GET', '/api/operator/audit'))).body.value.filter(
    ({ type }: AuditEntry) => type === 'CallRefused',
  );

const toSystemKey = { properties: { encryption: { type: 'SystemKey' } } };

describe('a sensitive call that is refused', () => {
  test('a refused sensitive call is in the account’s chain with call, caller and reason, once a minute, and the ETag stays', async () => {
    const key = await vaultWithKey(world, 'held-kv');
    await got(201, writer.api('PUT', '/api/accounts/held', withCustomerKey('held', key)));
    const { etag } = await accountOf(operator, 'held');
    for (let n = 0; n < 3; n++)
      await refused(403, 'AuthorizationFailed', writer.api('PATCH', '/api/accounts/held', toSystemKey));
    await vaultWithKey(world, 'theirs-kv');
    const theirs = 'https://theirs-kv.vault.azure.net/keys/cmk';
    await got(201, writer.api('PUT', '/api/accounts/theirs', withCustomerKey('theirs', theirs)));
    await refused(403, 'OwnerMismatch', writer.api('PUT', '/api/accounts/held', customerKey(theirs)));
    await refused(403, 'AuthorizationFailed', repair(writer.api, 'held'));
    await refused(409, 'Conflict', repair(operator, 'held'));

    const actor = { kind: 'principal', id: writer.id };
    expect(await refusedIn('accounts/held')).toMatchObject([
      { asked: 'ReleaseToSystemKey', code: 'AuthorizationFailed', actor },
      { asked: 'UseForeignKey', code: 'OwnerMismatch', actor, key: theirs },
      { asked: 'RepairIdentity', code: 'AuthorizationFailed', actor },
      { asked: 'RepairIdentity', code: 'Conflict', actor: { kind: 'principal' } },
    ]);
    expect((await accountOf(operator, 'held')).etag).toBe(etag);
    const { body } = await got(200, operator('POST', '/api/operator/accounts/held/audit/verify', {}));
    expect(body).toMatchObject({ result: 'whole', entries: 5 });
    expect(await refusedIn('accounts/theirs')).toEqual([]);
  });

  test('a refused sensitive call is audited on the routes of either API', async () => {
    const subscription = '1c5b82ee-9294-4568-b0c0-b9c523bc0d86';
    const media = (method: string, name: string, properties: unknown) =>
      writer.api(
        method,
        `/api/subscriptions/${subscription}/resourceGroups/rg/providers/Microsoft.Media/mediaservices/${name}?api-version=2021-11-01`,
        { location, properties },
      );
    const encryption = {
      type: 'CustomerKey',
      keyVaultProperties: { keyIdentifier: await vaultWithKey(world, 'media-kv') },
    };
    await got(201, media('PUT', 'media', { encryption }));
    await refused(403, 'AuthorizationFailed', media('PATCH', 'media', { encryption: { type: 'SystemKey' } }));
    const theirs = await vaultWithKey(world, 'not-media-kv');
    await got(201, writer.api('PUT', '/api/accounts/not-media', withCustomerKey('others', theirs)));
    const foreign = { ...encryption, keyVaultProperties: { keyIdentifier: theirs } };
    await refused(403, 'OwnerMismatch', media('PATCH', 'media', { encryption: foreign }));
    expect(await refusedIn('accounts/media')).toMatchObject([
      { asked: 'ReleaseToSystemKey', code: 'AuthorizationFailed', actor: { id: writer.id } },
      { asked: 'UseForeignKey', code: 'OwnerMismatch', key: theirs },
    ]);
  });

  test('a refused change of an inaccessible key is audited; any other refused change has no entry', async () => {
    const key = await vaultWithKey(world, 'lost-kv');
    await got(201, writer.api('PUT', '/api/accounts/lost', withCustomerKey('lost', key)));
    await world.stack.keyVault('PATCH', '/vaults/lost-kv/keys/cmk', { enabled: false });
    await sweptUntil(
      { ...world, api: operator } as typeof world,
      'lost',
      ({ properties: { state } }) => state !== 'Enabled',
    );
    const change = (body: unknown) => writer.api('PATCH', '/api/accounts/lost', body);
    await refused(403, 'CustomerKeyInaccessible', change({ tags: {} }));
    await refused(403, 'CustomerKeyInaccessible', change('no json'));
    expect(await refusedIn('accounts/lost')).toEqual([]);
    await refused(403, 'CustomerKeyInaccessible', change(customerKey('https://lost-2-kv.vault.azure.net/keys/cmk')));
    const facts = { asked: 'ChangeKeyWhileInaccessible', code: 'CustomerKeyInaccessible' };
    expect(await refusedIn('accounts/lost')).toMatchObject([
      { ...facts, key: 'https://lost-2-kv.vault.azure.net/keys/cmk', actor: { id: writer.id } },
    ]);
    // Forms of a change to the system key that name no key.
    for (const keyVaultProperties of [undefined, null, {}, { keyIdentifier: null }])
      await refused(
        403,
        'CustomerKeyInaccessible',
        change({ properties: { encryption: { type: 'SystemKey', keyVaultProperties } } }),
      );
    expect((await refusedIn('accounts/lost')).slice(1)).toMatchObject([facts]);
  });

  test('a refused sensitive call about a claim, or about an account that does not exist, is in the service’s own chain', async () => {
    await got(
      201,
      writer.api('PUT', '/api/accounts/claimed', withCustomerKey('claimed', await vaultWithKey(world, 'claimed-kv'))),
    );
    const claim = '/api/operator/claims?kind=vault&value=Claimed-kv.vault.azure.net';
    await refused(403, 'AuthorizationFailed', writer.api('DELETE', claim));
    await refused(409, 'Conflict', operator('DELETE', claim));
    // The response reveals nothing that can be read.
    await refused(403, 'AuthorizationFailed', writer.api('DELETE', '/api/operator/claims?kind=x'));
    await refused(403, 'AuthorizationFailed', repair(writer.api, 'a%2Fb%3F'.padEnd(400, 'c')));
    for (const value of ['%00', '<b>', 'a%0Ab'])
      await refused(403, 'AuthorizationFailed', writer.api('DELETE', `/api/operator/claims?kind=vault&value=${value}`));
    const key = 'https://claimed-kv.vault.azure.net/keys/cmk';
    for (const name of ['thief-1', 'thief-2', 'thief-3'])
      await refused(403, 'OwnerMismatch', writer.api('PUT', `/api/accounts/${name}`, withCustomerKey('thief', key)));
    const thief = { asked: 'UseForeignKey', code: 'OwnerMismatch', key };
    const about = { asked: 'ReleaseClaim', claim: 'vault/claimed-kv.vault.azure.net' };
    expect(await inService()).toMatchObject([
      { ...about, code: 'AuthorizationFailed', actor: { id: writer.id } },
      { ...about, code: 'Conflict' },
      ...['thief-1', 'thief-2', 'thief-3'].map((account) => ({ ...thief, account })),
    ]);
  });

  test('many equal refused calls have one entry, and the log names a caller with too many', async () => {
    const prober = await principal('prober', ['Accounts.Read', 'Accounts.Write']);
    const byProber = async () =>
      (await inService()).flatMap(({ actor, account, key }: AuditEntry) =>
        actor.id === prober.id ? [`${account} ${key}`] : [],
      );
    const probe = (vault: string) => {
      const key = `https://${vault}.vault.azure.net/keys/cmk`;
      return refused(403, 'OwnerMismatch', prober.api('PUT', '/api/accounts/probe', withCustomerKey('thief', key)));
    };
    await Promise.all(Array.from({ length: 5 }, () => probe('claimed-kv')));
    // The same account with another key is another refusal.
    await probe('held-kv');
    expect(await byProber()).toEqual(
      ['claimed-kv', 'held-kv'].map((vault) => `probe https://${vault}.vault.azure.net/keys/cmk`),
    );
    const tooMany = () => world.records.filter(({ message }) => message.includes('"error":"tooMany"'));
    for (let n = 0; n < 30; n++) await refused(403, 'AuthorizationFailed', repair(prober.api, `none-${n}`));
    expect(await byProber()).toHaveLength(30);
    expect(tooMany()).toHaveLength(2);
    // It delays no other caller.
    await refused(403, 'AuthorizationFailed', repair(writer.api, 'none-0'));
    const last = (await inService()).at(-1);
    expect(last).toMatchObject({ account: 'none-0', actor: { id: writer.id } });
  });

  test('a sensitive call is refused, and its entry written, also when a foreign row is in the place of the entry', async () => {
    const key = await vaultWithKey(world, 'full-kv');
    const { body } = await got(201, writer.api('PUT', '/api/accounts/full', withCustomerKey('full', key)));
    const table = TableClient.fromConnectionString(world.stack.azurite.connectionString, 'keywardaccounts', {
      allowInsecureConnection: true,
    });
    const rowKey = `audit:${body.properties.accountId}:0000000002`;
    await table.createEntity({ partitionKey: 'full', rowKey, v: 1, data: '{}' });
    await refused(403, 'AuthorizationFailed', writer.api('PATCH', '/api/accounts/full', toSystemKey));
    expect(await refusedIn('accounts/full')).toHaveLength(1);
  });
});

const repair = (api: Caller, name: string): Promise<Answer> =>
  api('POST', `/api/operator/accounts/${name}/repairIdentity`, { identity: { useSystemAssignedIdentity: true } });
