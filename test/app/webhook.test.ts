/**
 * Events of vaults in other tenants, through the real handshakes and deliveries of the emulator, with tokens of the
 * issuer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Answer, caller, until } from '../../src/local/client.ts';
import { apiAudience, homeTenantId, operatorToken, subscriptionId } from '../../src/local/operator.ts';
import {
  accountOf,
  got,
  refused,
  requestsTo,
  rotate,
  useStack,
  vaultWithKey,
  versionOf,
  withCustomerKey,
} from './support.ts';

const world = useStack({ settings: { KEYWARD_AUTH: 'entra', KEYWARD_LOOK_SPACING_SECONDS: '1' } });
/** Azure docs, event-grid/secure-webhook-delivery and the scripts beside it: application and role. */
const eventGrid = '4962773b-9cdb-44cf-a8bf-237846a00ab7';
const role = 'AzureEventGridSecureWebhookSubscriber';

let api: ReturnType<typeof caller>;
let token: string;
const hook = () => `${world.stack.host.url}/api/events`;

async function tokenOf(name: string, more: Record<string, unknown>): Promise<string> {
  const control = async (method: string, path: string, body: unknown) => {
    const response = await fetch(`${world.stack.identity.url}/control${path}`, { method, body: JSON.stringify(body) });
    return (await response.json()) as Record<string, string>;
  };
  await control('PUT', `/identities/${name}`, { tenantId: homeTenantId, kind: 'application', secret: 's', ...more });
  return (await control('POST', '/token', { identity: name, resource: apiAudience })).access_token ?? '';
}

beforeAll(async () => {
  api = caller(world.stack.host.url, { authorization: `Bearer ${await operatorToken(world.stack.identity)}` });
  token = await tokenOf('event-grid', { clientId: eventGrid, roles: [role] });
});

const sendAs = (authorization: string, body: unknown): Promise<Answer> =>
  caller(world.stack.host.url, authorization === '' ? {} : { authorization })('POST', '/api/events', body);
const send = (body: unknown) => sendAs(`Bearer ${token}`, body);

const vaultId = (name: string) =>
  `/subscriptions/${subscriptionId}/resourceGroups/g/providers/Microsoft.KeyVault/vaults/${name}`;
const newVersion = (vault: string, more: Record<string, unknown> = {}) => ({
  id: 'e-1',
  topic: vaultId(vault),
  subject: 'cmk',
  eventType: 'Microsoft.KeyVault.KeyNewVersionCreated',
  data: { VaultName: vault, ObjectType: 'Key', ObjectName: 'cmk', ...more },
});

/**
 * An account under a key whose vault delivers to the webhook, subscribed by an application in the customer's tenant.
 */
async function account(name: string, schema: 'eventGrid' | 'cloudEvents' = 'eventGrid'): Promise<void> {
  const key = await vaultWithKey(world, name);
  const made = await world.stack.keyVault<{ state: string }>('PUT', `/vaults/${name}/eventSubscriptions/keyward`, {
    endpoint: hook(),
    destination: 'webhook',
    schema,
    headers: { authorization: `Bearer ${token}` },
  });
  // The handshake has succeeded: otherwise it would wait for a manual validation.
  expect(made.state).toBe('Succeeded');
  await got(201, api('PUT', `/api/accounts/${name}`, withCustomerKey(name, key)));
}

const onVersion = (name: string, version: string) =>
  until(
    `${name} is on the new version`,
    () => versionOf(api, name),
    (seen) => seen === version,
    6000,
  );

test.each(['eventGrid', 'cloudEvents'] as const)(
  "in the schema %s the webhook's handshake succeeds, and a new version is used within seconds",
  async (schema) => {
    const name = `hook-${schema.toLowerCase()}`.slice(0, 20);
    await account(name, schema);
    await onVersion(name, await rotate(world, name));
  },
);

test('a resource event at the webhook causes a look at the vault', async () => {
  const name = 'hook-resource';
  await account(name);
  await sleep(1100);
  const before = (await requestsTo(world, name, 'unwrapkey')).length;
  const event = { id: 'r-1', type: 'Microsoft.Resources.ResourceDeleteSuccess', source: '/', subject: vaultId(name) };
  await got(202, send(event));
  await until(
    'a look',
    () => requestsTo(world, name, 'unwrapkey'),
    (looks) => looks.length > before,
    6000,
  );
});

describe('INV-5: events at the webhook', () => {
  test('INV-5: forged, repeated and reordered events at the webhook change only the time of the next look', async () => {
    const name = 'hook-forged';
    await account(name);
    await world.stack.keyVault('PUT', '/events/mode', { mode: 'drop' });
    const latest = await rotate(world, name);
    await world.stack.keyVault('PUT', '/events/mode', { mode: 'normal' });
    const forged = ['f'.repeat(32), '0'.repeat(32)].map((Version) =>
      newVersion(name, { Version, Id: `https://evil.example/keys/cmk/${Version}`, EXP: '1' }),
    );
    await got(
      202,
      send([...forged, ...forged.toReversed(), { ...forged[0], eventType: 'Microsoft.KeyVault.KeyExpired' }]),
    );
    await onVersion(name, latest);
    const { etag } = await accountOf(api, name);
    for (let again = 0; again < 5; again += 1) await got(202, send(forged));
    await sleep(2500);
    const after = await accountOf(api, name);
    expect(after).toMatchObject({ etag, properties: { state: 'Enabled', encryption: { status: 'Accessible' } } });
  });

  test('events of other types, of unknown vaults, and messages that are no events are acknowledged by the webhook', async () => {
    await got(202, send([{ eventType: 'Contoso.Other' }, { id: 7 }, newVersion('nobodys-kv')]));
    await got(202, send({ specversion: '1.0', type: 'x'.repeat(5000), source: '', data: { vaultName: ['a'] } }));
    expect(await requestsTo(world, 'nobodys-kv')).toEqual([]);
  });

  test('INV-5: elements of a delivery that are no events do not keep the webhook from the event among them', async () => {
    const name = 'hook-mixed';
    await account(name);
    await world.stack.keyVault('PUT', '/events/mode', { mode: 'drop' });
    const latest = await rotate(world, name);
    await world.stack.keyVault('PUT', '/events/mode', { mode: 'normal' });
    await got(202, send([1, null, 'event', [newVersion('hook-other')], { eventType: 7 }, newVersion(`${name} `)]));
    await onVersion(name, latest);
    const said = world.records.map(({ message }) => message).filter((one) => one.includes('of another tenant'));
    expect(said.at(-1)).toContain('"strange":5');
  });

  test('one delivery to the webhook wakes at most a hundred vaults, and leaves the others to the sweep', async () => {
    await got(202, send(Array.from({ length: 150 }, (_, n) => newVersion(`many-${n}`))));
    const said = world.records.map(({ message }) => message).filter((one) => one.includes('of another tenant'));
    expect(said.at(-1)).toContain('"left":50');
  });
});

test.each<[title: string, body: unknown]>([
  ['no JSON', '{'],
  ['a text', '"event"'],
  ['null', null],
  ['no event at all', []],
  ['more events than Event Grid sends', Array.from({ length: 5001 }, () => ({}))],
  ['nested deeper than can be read', `${'['.repeat(100_000)}`],
  ['a validation event without its code', [{ eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent' }]],
])('a body at the webhook that is %s is rejected, without effect', async (_title, body) => {
  await refused(400, 'InvalidRequestContent', send(body));
});

test("a body at the webhook that is larger than Event Grid's limit is rejected", async () => {
  await refused(413, 'RequestTooLarge', send([{ data: 'x'.repeat(1024 * 1024) }]));
});

describe('a delivery of another sender', () => {
  test('a delivery without a token, or with a function key, gets 401, and without the role 403', async () => {
    const { keys } = world.stack.host;
    await refused(401, 'AuthenticationFailed', sendAs('', [newVersion('x')]));
    await refused(401, 'AuthenticationFailed', sendAs('Bearer a.b.c', [newVersion('x')]));
    const withKey = caller(world.stack.host.url, { 'x-functions-key': keys.master });
    await refused(401, 'AuthenticationFailed', withKey('POST', '/api/events', [newVersion('x')]));
    const roleless = await tokenOf('event-grid-2', { clientId: '4962773b-9cdb-44cf-a8bf-237846a00ab8', roles: [] });
    await refused(403, 'AuthorizationFailed', sendAs(`Bearer ${roleless}`, [newVersion('x')]));
  });

  // Azure docs, event-grid/secure-webhook-delivery: the customer's application that writes the subscription has the
  // role too.
  test('the application that wrote the subscription has the role, and is not allowed to deliver', async () => {
    const writer = await tokenOf('writer', { roles: [role] });
    const validation = [
      { eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent', data: { validationCode: 'c' } },
    ];
    await refused(403, 'AuthorizationFailed', sendAs(`Bearer ${writer}`, [newVersion('x')]));
    await refused(403, 'AuthorizationFailed', sendAs(`Bearer ${writer}`, validation));
  });

  test('the role of the webhook admits to no other route', async () => {
    const others = caller(world.stack.host.url, { authorization: `Bearer ${token}` });
    await refused(403, 'AuthorizationFailed', others('GET', '/api/accounts'));
    await refused(403, 'AuthorizationFailed', others('GET', '/api/health/ready'));
  });
});

describe('the handshake of CloudEvents', () => {
  const options = (headers: Record<string, string>) => fetch(hook(), { method: 'OPTIONS', headers });

  test('the public handshake of CloudEvents consents to Event Grid, for POST', async () => {
    const response = await options({ 'webhook-request-origin': 'eventgrid.azure.net', 'webhook-request-rate': '120' });
    expect(response.status).toBe(200);
    expect(response.headers.get('webhook-allowed-origin')).toBe('eventgrid.azure.net');
    expect(response.headers.get('webhook-allowed-rate')).toBe('*');
    expect(response.headers.get('allow')).toContain('POST');
    expect(await response.text()).toBe('');
  });

  // CloudEvents, HTTP 1.1 Web Hooks for Event Delivery, 4.2: without the header there is no consent, for any status.
  test.each(['', 'evil.example', 'eventgrid.azure.net.evil.example', 'eventgrid.azure.net, evil.example', '*'])(
    'the public handshake of CloudEvents consents to no other origin: %j',
    async (origin) => {
      const response = await options(origin === '' ? {} : { 'webhook-request-origin': origin });
      expect(response.headers.get('webhook-allowed-origin')).toBeNull();
      expect(await response.text()).toBe('');
    },
  );
});
