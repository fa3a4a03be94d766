/**
 * Compares the document with the app: every response of a long scenario must match it, and every success in it must be
 * seen.
 */
import { TableClient } from '@azure/data-tables';
import { beforeAll, expect, test } from 'vitest';
import { keyVaultControl } from '../../packages/key-vault-emulator/src/controlClient.ts';
import { compose } from '../../src/azure/compose.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import { installApplication, registerApplication, tenantOf } from '../../src/local/acrossTenants.ts';
import { type Caller, caller, until } from '../../src/local/client.ts';
import { appPrincipalId, homeTenantId, location, operatorVault } from '../../src/local/operator.ts';
import { type Judge, judgeBy } from './openApi/judge.ts';
import {
  accountOf,
  customerKey,
  got,
  newAccount,
  refused,
  rotate,
  sweepOnce,
  useStack,
  vaultWithKey,
  versionOf,
  withCustomerKey,
} from './support.ts';

/** The same rules as in production, a minute in less than a second. */
const world = useStack({
  settings: {
    KEYWARD_LOOK_INTERVAL_HEALTHY_SECONDS: '0.5',
    KEYWARD_LOOK_INTERVAL_SUSPECT_SECONDS: '0.3',
    KEYWARD_LOOK_INTERVAL_INACCESSIBLE_SECONDS: '0.3',
    KEYWARD_LOOK_SPACING_SECONDS: '0.3',
    // After this time a generation of data keys that was superseded may be destroyed.
    KEYWARD_LEASE_SECONDS: '6',
  },
});

const seen = new Set<string>();
const faults: string[] = [];
let described = '';
let judge: Judge;
let api: Caller;

/** Compares each response as it passes. */
function recorded(call: Caller): Caller {
  return async (method, path, body, headers) => {
    const answer = await call(method, path, body, headers);
    const operation = judge.operationAt(method, new URL(path, 'http://any').pathname);
    if (operation === undefined) throw new Error(`${method} ${path} is not in the document.`);
    const text = answer.body === undefined ? '' : JSON.stringify(answer.body);
    described += text;
    seen.add(`${operation.id} ${answer.status}`);
    faults.push(...judge.faultsOf(operation, { ...answer, text }));
    return answer;
  };
}

beforeAll(async () => {
  const { status, body } = await world.api('GET', '/api/openapi.json');
  expect(status).toBe(200);
  judge = judgeBy(body);
  api = recorded(world.api);
});

const account = '/api/accounts/busy';

// biome-ignore lint/suspicious/noExplicitAny: the account's JSON, as a caller sees it.
type Account = any;

async function become(status: string): Promise<Account> {
  const ask = async () => {
    await sweepOnce(world);
    return (await api('GET', account)).body;
  };
  return until(status, ask, (one: Account) => one.properties.encryption.status === status);
}

const secrets = {
  contentKeys: { name: '9d5d2b1e-6c1f-4f0a-8c53-4d9c1f6f0001', body: { properties: { length: 16 } } },
  jobInputs: { name: 'trailer', body: { properties: { files: ['https://a.example/b?sig=c'], label: 'a' } } },
  tokenKeys: { name: 'player', body: { properties: { keyValue: 'AAECAw==' } } },
} as const;

test('the calls of accounts match the document: created, changed, moved, rotated, rejected, listed, deleted', async () => {
  const key = await vaultWithKey(world, 'busy-kv');
  await api('PUT', account, { ...newAccount(), tags: { a: 'b' } });
  await api('PUT', account, { ...newAccount(), properties: { owner: 'contoso', auditKeyUse: true } });
  await api('PATCH', account, customerKey(key));
  await api('PUT', '/api/accounts/busy-2', withCustomerKey('contoso', `${key}/${await versionOf(api, 'busy')}`));
  await api('GET', '/api/accounts?$top=1');
  await api('GET', '/api/accounts?$top=0');
  await api('POST', '/api/operator/looks', { account: 'busy' });
  await api('POST', '/api/operator/accounts/busy/rotateAccountKey');
  await api('GET', account);

  // Rejected, for every reason that a caller can correct.
  await api('PUT', account, { nonsense: true }, { 'if-none-match': 'x' });
  await api('PUT', account, '{');
  await api('PUT', account, ' '.repeat(70_000));
  await api('PATCH', account, { location: 'northeurope' });
  await api('PATCH', account, { tags: {} }, { 'if-match': '"x"' });
  await api('GET', '/api/accounts/nobody');
  await api('GET', '/api/accounts/-');
  await api('PATCH', account, customerKey('https://nowhere-kv.vault.azure.net/keys/cmk'));
  await api('PUT', '/api/accounts/stolen', withCustomerKey('fabrikam', key));
  await vaultWithKey(world, 'weak-kv', { recoveryLevel: 'Recoverable+Purgeable' }, { size: 2048, keyOps: ['sign'] });
  await api('PATCH', account, customerKey('https://weak-kv.vault.azure.net/keys/cmk'));
  await api('POST', `${account}/validateEncryption`, customerKey('https://weak-kv.vault.azure.net/keys/cmk'));
  await api('POST', `${account}/validateEncryption`, { ...customerKey(key), waitSeconds: 61 });
  await api('POST', `/api/operator${account.replace('/api', '')}/validateEncryption`, {});
  await api('POST', '/api/operator/keys/validate', { keyIdentifier: key, owner: 'contoso' });
  await api('GET', '/api/operator/identities');
  await api('GET', '/api/operator/drills');
  await api('POST', '/api/operator/identities/confirmDenials', {});
  const claim = '/api/operator/claims?kind=vault&value=';
  await api('GET', `${claim}busy-kv.vault.azure.net`);
  await api('GET', `${claim}weak-kv.vault.azure.net`);
  await api('GET', '/api/operator/claims?kind=nothing');
  await api('DELETE', `${claim}busy-kv.vault.azure.net`);
  await api('POST', '/api/operator/accounts/busy/repairIdentity', { identity: { useSystemAssignedIdentity: true } });
  await api('GET', '/api/operator/keys/usage');
  await api('GET', '/api/operator/rings');
  await api('POST', '/api/operator/rings/audit/rotate');
  await api('POST', '/api/operator/rewraps', {});
  await api('POST', '/api/operator/rewraps', { account: 'nobody' });
  await recorded(caller(world.stack.host.url, {}))('GET', account);

  await api('PUT', '/api/accounts/plain', newAccount());
  await api('POST', '/api/operator/rewraps', { account: 'plain' });
  await api('PUT', '/api/accounts/plain/tokenKeys/one', { properties: { keyValue: 'AAAA' } });
  await got(202, api('DELETE', '/api/accounts/plain'));
  await api('GET', '/api/accounts/plain');
  await api('PUT', '/api/accounts/plain', newAccount());
  await got(200, api('POST', '/api/accounts/plain/recover'));
  await got(200, api('DELETE', '/api/accounts/plain?now=true'));
  await api('DELETE', '/api/accounts/plain');
});

test('the calls of an account on a key of another tenant match the document', async () => {
  const controls = { identity: keyVaultControl(world.stack.identity.url), keyVault: world.stack.keyVault };
  const identity = await registerApplication('fabrikam', controls);
  const key = await vaultWithKey(world, 'fabrikam-kv', { tenantId: tenantOf('fabrikam') });
  await installApplication('fabrikam', 'fabrikam-kv', controls);
  const { location, properties } = withCustomerKey('fabrikam', key);
  const encryption = { ...properties.encryption, identity };
  await got(201, api('PUT', '/api/accounts/across', { location, properties: { ...properties, encryption } }));
  await api('POST', '/api/operator/looks', { account: 'across' });
  expect((await accountOf(api, 'across')).properties.encryption.identity).toMatchObject(identity);
});

test('the calls of secrets match the document: written, revealed one and many, damaged, deleted', async () => {
  for (const [kind, { name, body }] of Object.entries(secrets)) {
    const [all, one] = [`${account}/${kind}`, `${account}/${kind}/${name}`];
    await api('PUT', one, body);
    await api('PUT', one, body);
    await api('PUT', one, body, { 'if-none-match': '*' });
    await api('PUT', one, { properties: {}, more: 1 });
    await api('PUT', `${all}/${name.replace(/.$/, '2')}`, body);
    await api('GET', one);
    await api('GET', `${all}?$top=1`);
    await api('GET', `${all}?$skipToken=%00`);
    await api('POST', `${one}/reveal`);
    await api('POST', `${all}/reveal?$top=1`);
    await damage(kind, name);
    await api('POST', `${one}/reveal`);
    await api('POST', `${all}/reveal`);
    await api('DELETE', `${all}/${name.replace(/.$/, '2')}`);
    await api('DELETE', `${all}/${name.replace(/.$/, '2')}`);
    await api('GET', `${all}/${name.replace(/.$/, '2')}`);
  }
  await api('PUT', `${account}/jobInputs/trailer`, secrets.jobInputs.body);
  await api('POST', `${account}/jobInputs/trailer/resolve`);
  await api('POST', `${account}/jobInputs/nothing/resolve`);
});

const accountsTable = () =>
  TableClient.fromConnectionString(world.stack.azurite.connectionString, 'keywardaccounts', {
    allowInsecureConnection: true,
  });
const entityOf = (partition: string, rowKey: string) => accountsTable().getEntity<{ data: string }>(partition, rowKey);

/** Overwrites a stored secret with other bytes. */
async function damage(kind: string, name: string): Promise<void> {
  const row = await entityOf('busy', `secret:${kind}:${name}`);
  const value = JSON.parse(row.data);
  value.sealed = value.sealed.replace(/.{8}$/, 'AAAAAAAA');
  await accountsTable().updateEntity(
    { partitionKey: 'busy', rowKey: row.rowKey ?? '', data: JSON.stringify(value) },
    'Merge',
  );
}

test('the calls of keys match the document: rotated, not usable, disabled, restored, unreachable', async () => {
  const usage = '/api/operator/keys/usage?keyIdentifier=https://busy-kv.vault.azure.net/keys/cmk';
  const before = await versionOf(api, 'busy');
  await rotate(world, 'busy-kv');
  await api('POST', '/api/operator/rewraps', { keyIdentifier: 'https://busy-kv.vault.azure.net/keys/cmk' });
  await api('POST', '/api/operator/rewraps', { account: 'busy' });
  await api('GET', usage);
  await api('GET', usage.replace('usage', 'accounts').concat(`&version=${before}&$top=1`));
  await api('GET', usage.replace('usage', 'accounts').concat('&version=1'));
  await become('Accessible');
  await api('GET', '/api/accounts/busy-2');

  // A next version that expires tomorrow, which gives a warning; and one that must not wrap.
  const exp = new Date(Date.now() + 86_400_000).toISOString();
  await world.stack.keyVault('POST', '/vaults/busy-kv/keys/cmk', { kty: 'RSA', size: 2048, exp });
  await api('POST', '/api/operator/rewraps', { account: 'busy' });
  await api('GET', account);
  await world.stack.keyVault('POST', '/vaults/busy-kv/keys/cmk', { kty: 'EC', curve: 'P-256' });
  await api('POST', '/api/operator/rewraps', { account: 'busy' });
  await api('POST', '/api/operator/rewraps', { keyIdentifier: 'https://busy-kv.vault.azure.net/keys/cmk' });
  await become('Accessible');
  await api('GET', usage);

  await world.stack.keyVault('POST', '/faults', { vault: 'busy-kv', action: 'status', status: 503 });
  await become('Unreachable');
  await api('POST', '/api/operator/accounts/busy/rotateAccountKey');
  await api('PATCH', account, customerKey('https://busy-kv.vault.azure.net/keys/another'));
  await world.stack.keyVault('DELETE', '/faults');
  await become('Accessible');
});

test('events of another tenant, their handshakes, and health match the document', async () => {
  const validation = { eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent', data: { validationCode: 'c' } };
  await got(200, api('POST', '/api/events', [{ ...validation, id: '1', topic: '/', subject: '' }]));
  await got(202, api('POST', '/api/events', { specversion: '1.0', id: '1', type: 'any', source: '/', subject: '' }));
  await api('POST', '/api/events', []);
  await got(200, api('OPTIONS', '/api/events', undefined, { 'webhook-request-origin': 'eventgrid.azure.net' }));
  await got(200, api('GET', '/api/health/live'));
  await got(200, api('GET', '/api/health/ready'));
  await world.stack.keyVault('POST', '/faults', { vault: operatorVault, action: 'status', status: 503, body: 'empty' });
  await got(503, api('GET', '/api/health/ready'));
  await world.stack.keyVault('DELETE', '/faults');
});

test('the repair of an identity and the release of a claim match the document', async () => {
  const claim = '/api/operator/claims?kind=vault&value=lost-kv.vault.azure.net';
  await api('PUT', '/api/accounts/lost', withCustomerKey('contoso', await vaultWithKey(world, 'lost-kv')));
  const identities = keyVaultControl(world.stack.identity.url);
  const spare = { tenantId: homeTenantId, kind: 'userAssigned' };
  const made = await identities<{ objectId: string; resourceId: string }>('PUT', '/identities/spare', spare);
  const permissions = 'cryptoServiceEncryptionUser';
  await world.stack.keyVault('PUT', `/vaults/lost-kv/grants/${made.objectId}`, { permissions });
  await world.stack.keyVault('DELETE', `/vaults/lost-kv/grants/${appPrincipalId}`);
  await api('POST', '/api/operator/looks', { account: 'lost' });
  const identity = { useSystemAssignedIdentity: false, userAssignedIdentity: made.resourceId };
  await got(200, api('POST', '/api/operator/accounts/lost/repairIdentity', { identity }));
  await got(200, api('DELETE', '/api/accounts/lost'));
  await got(200, api('DELETE', claim));
});

test('the calls of a customer’s link match the document', async () => {
  const links = '/api/operator/owners/contoso/links';
  const { body } = await got(201, api('POST', links, { hours: 1 }));
  await api('POST', links, { hours: 0 });
  await api('GET', links);
  const token = new URL(body.address).hash.slice(1);
  const customer = recorded(caller(world.stack.host.url, { authorization: `Bearer ${token}` }));
  await got(200, customer('GET', '/api/customer/keys'));
  await got(200, customer('GET', '/api/customer/receipts'));
  const keyIdentifier = 'https://busy-kv.vault.azure.net/keys/cmk';
  await got(200, customer('POST', '/api/customer/dryRun', { keyIdentifier }));
  await got(200, customer('GET', `/api/customer/plan?keyIdentifier=${keyIdentifier}&location=westeurope`));
  await got(200, customer('POST', '/api/customer/whatIf', { act: 'deleteKey', keyIdentifier }));
  await got(200, api('DELETE', `${links}/${body.id}`));
  await api('DELETE', `${links}/${body.id}`);
  await customer('GET', '/api/customer/keys');
});

test('an account whose key is deleted matches the document: refused, read, listed and deleted', async () => {
  const { body } = await api('GET', account);
  const version = body.properties.encryption.keyVaultProperties.currentKeyIdentifier.split('/').at(-1);
  await world.stack.keyVault('PATCH', `/vaults/busy-kv/keys/cmk/${version}`, { enabled: false });
  await become('Inaccessible');
  await api('PATCH', account, { tags: {} });
  await api('POST', `${account}/contentKeys/reveal`);
  await api('POST', '/api/operator/looks', { account: 'busy' });
  await api('GET', '/api/accounts');
  await api('DELETE', account);
  await api('GET', '/api/openapi.json');
});

test('the calls of data keys match the document: generated, wrapped, unwrapped, wrapped again, refused, destroyed', async () => {
  const keys = '/api/accounts/tenant/dataKeys';
  await api('PUT', '/api/accounts/tenant', newAccount());
  const context = { table: 'patients' };
  const { body } = await api('POST', `${keys}/generate`, { count: 2, length: 16, context });
  const [{ wrapped, plaintext }] = body.value;
  await api('POST', `${keys}/generateWithoutPlaintext`, {});
  const noContext = { k: 'v'.repeat(513) };
  const outcomesOf = ({ body: { value } }: Awaited<ReturnType<typeof api>>) =>
    value.map((one: { error?: { code: string; target?: string } }) => one.error?.target ?? one.error?.code ?? 'ok');
  const own = [{ plaintext, context }, { plaintext: 'AAAA' }, { plaintext }];
  expect(outcomesOf(await api('POST', `${keys}/wrap`, { value: own }))).toEqual(['ok', 'value.1.plaintext', 'ok']);
  const sent = [{ wrapped }, { wrapped: 'not base64' }, { wrapped, context: noContext }, { wrapped, context }];
  expect(outcomesOf(await api('POST', `${keys}/unwrap`, { value: sent }))).toEqual([
    'DataKeyNotAuthentic',
    'value.1.wrapped',
    'value.2.context.k',
    'ok',
  ]);
  await api('POST', `${keys}/rewrap`, { value: [{ wrapped, context }, { wrapped: 'AAAA' }] });
  for (const hostile of [
    { count: 101 },
    { count: 0 },
    { length: 24 },
    { context: { '': 'x' } },
    { context: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [n, ''])) },
    { context: { k: 'v'.repeat(513) } },
    { context: { k: 1 } },
  ])
    await refused(400, 'InvalidRequestContent', api('POST', `${keys}/generate`, hostile));
  for (const hostile of [{ value: [] }, { value: [{ wrapped: 1 }] }, { value: Array(101).fill({ wrapped }) }])
    await refused(400, 'InvalidRequestContent', api('POST', `${keys}/unwrap`, hostile));
  await refused(404, 'AccountNotFound', api('POST', '/api/accounts/nowhere/dataKeys/generate', {}));

  // A lease that is renewed between two calls has another ETag.
  const askTwice = async () => {
    const { headers } = await api('GET', '/api/accounts/tenant/keyStatus');
    return api('GET', '/api/accounts/tenant/keyStatus', undefined, { 'if-none-match': headers.get('etag') ?? '' });
  };
  await until('304', askTwice, ({ status }) => status === 304);
  const nonce = { 'x-keyward-nonce': 'short' };
  await refused(400, 'InvalidParameter', api('GET', '/api/accounts/tenant/keyStatus', undefined, nonce));
  await api('GET', '/api/keyStatus/jwks');

  const generations = '/api/operator/accounts/tenant/dataKeyGenerations';
  const destroy = (generation: number) =>
    api('POST', `${generations}/${generation}/destroy`, {
      notSeenSince: new Date(Date.now() + 3_600_000).toISOString(),
    });
  await refused(409, 'Conflict', destroy(1));
  await refused(404, 'NotFound', destroy(2));
  await refused(400, 'InvalidParameter', destroy(0));
  await got(202, api('POST', '/api/operator/accounts/tenant/rotateAccountKey'));
  await until(
    'superseded',
    () => destroy(1),
    ({ status: seenStatus }) => seenStatus === 200,
  );
  const { body: used } = await got(200, api('GET', generations));
  expect(used.value).toMatchObject([
    { generation: 1, destroyedAt: expect.any(String) },
    { generation: 2, isNewest: true },
  ]);
  const { body: lost } = await api('POST', `${keys}/unwrap`, { value: [{ wrapped, context }] });
  expect(lost.value).toMatchObject([{ error: { code: 'DataKeyGenerationDestroyed' } }]);
});

test('the erasure of an account that was deleted 20 minutes ago matches the document, and its audit verifies after it', async () => {
  const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const clock = { now: () => Date.now() - 20 * 60_000, monotonic: () => performance.now() };
  const earlier = await compose(world.stack.settings, silent, { clock });
  const actor = { kind: 'principal', id: 'ada@leaving.example' } as const;
  await putAccount({ name: 'leaving', input: { owner: 'leaving', location }, actor }, earlier);
  await deleteAccount('leaving', {}, actor, earlier);
  const audit = '/api/operator/accounts/leaving/audit';
  const { body: before } = await got(200, api('GET', audit));
  expect(JSON.stringify(before)).toContain(actor.id);
  const { body } = await got(200, api('POST', `${audit}/erase`, { accountId: before.value[0].chain }));
  expect(body).toMatchObject({ result: 'erased', left: [] });
  const { body: after } = await got(200, api('GET', audit));
  expect(JSON.stringify(after)).not.toContain(actor.id);
  expect(after.value).toHaveLength(before.value.length);
  expect((await got(200, api('POST', `${audit}/verify`, {}))).body).toMatchObject({ result: 'whole' });
});

test('the audit of a deleted account, of its key, and of the service matches the document: verified, and broken', async () => {
  const audit = '/api/operator/accounts/busy/audit';
  const { body } = await got(200, api('GET', `${audit}?$top=100`));
  const announced = body.value
    .slice(-3)
    .map(({ sequence, hash }: { sequence: number; hash: string }) => ({ sequence, hash }));
  await got(200, api('POST', `${audit}/verify`, { announced }));
  await api('GET', `${audit}?$top=2`);
  await api('GET', '/api/operator/accounts/busy/instances');
  await api('GET', '/api/operator/accounts/nobody/audit');
  const key = 'https://busy-kv.vault.azure.net/keys/cmk';
  const bindings = await got(200, api('GET', `/api/operator/bindings?keyIdentifier=${key}`));
  const binding = `/api/operator/bindings/${bindings.body.value[0].bindingId}/audit`;
  await api('GET', binding);
  await api('POST', `${binding}/verify`, {});
  await api('GET', '/api/operator/audit');
  await api('POST', '/api/operator/audit/verify', {});
  await api('GET', '/api/operator/audit/verification');
  await api('GET', '/api/operator/audit/checkpoints');
  await api('GET', '/api/operator/accounts/busy/revocationReceipts');
  await api('GET', '/api/operator/accounts/absent/revocationReceipts');
  await api('GET', '/api/audit/jwks');
  const { rowKey } = await entityOf('busy', `audit:${body.value[2].chain}:0000000003`);
  await accountsTable().updateEntity({ partitionKey: 'busy', rowKey: rowKey ?? '', data: '{' }, 'Merge');
  const broken = await got(200, api('POST', `${audit}/verify`, {}));
  expect(broken.body.broken).toMatchObject({ sequence: 3, flaw: 'Edited' });
  expect((await got(200, api('GET', audit))).body.value[2]).toEqual({ sequence: 3, unreadable: true });
});

test('the overview matches the document: accounts, keys, an owner and the time line, whole and filtered', async () => {
  const { body: accounts } = await got(200, api('GET', '/api/operator/accounts?$top=2'));
  expect(accounts.value).toHaveLength(2);
  await got(200, api('GET', accounts.nextLink.replace(/^.*\/api/, '/api')));
  await got(200, api('GET', '/api/operator/accounts?state=CustomerKeyInaccessible&served=no'));
  await got(200, api('GET', '/api/operator/keys'));
  const [{ owner }] = accounts.value;
  await got(200, api('GET', `/api/operator/owners/${owner}`));
  await refused(404, 'NotFound', api('GET', '/api/operator/owners/no-such-owner'));
  const { body: timeline } = await got(200, api('GET', '/api/operator/timeline?order=oldest&$top=3'));
  expect(timeline.value).toHaveLength(3);
  await got(200, api('GET', timeline.nextLink.replace(/^.*\/api/, '/api')));
  for (const query of [
    'state=down',
    'status=bad',
    'cause=KeyLost',
    'served=maybe',
    'owner=%20',
    'key=media',
    'name=a_b',
  ])
    await refused(400, 'InvalidParameter', api('GET', `/api/operator/accounts?${query}`));
  for (const query of ['from=yesterday', 'to=02:00', 'order=up', 'type=Other', '$skipToken=/'])
    await refused(400, 'InvalidParameter', api('GET', `/api/operator/timeline?${query}`));
});

test('no response contains what the document does not describe', () => {
  expect(faults).toEqual([]);
});

test('every success of the document was seen, and every kind of error', () => {
  const promised = judge.operations.flatMap(({ id, spec }) =>
    Object.keys(spec.responses)
      .filter((status) => status < '300')
      .map((status) => `${id} ${status}`),
  );
  expect(promised.filter((one) => !seen.has(one))).toEqual([]);
  const refusals = new Set([...seen].map((one) => Number(one.split(' ')[1])).filter((status) => status >= 400));
  expect([...refusals].sort()).toEqual([400, 401, 403, 404, 409, 412, 413, 500, 503]);
});

test('every warning of an account was seen, and a damaged secret', () => {
  const words = [
    'NewVersionUnusable',
    'NewerVersionAvailable',
    'KeyNearExpiry',
    'olderAccountKeys',
    'KeyMaterialMismatch',
  ];
  expect(words.filter((word) => !described.includes(word))).toEqual([]);
});
