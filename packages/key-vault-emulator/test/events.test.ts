import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openStage, SERVICE, type Stage, startWebhook, type Webhook } from './helpers.ts';

let stage: Stage;
let webhook: Webhook;
beforeAll(async () => {
  stage = await openStage({ timings: { eventRetryMs: [10, 20], deleteDelayMs: 0, recoverDelayMs: 0 } });
});
afterAll(() => stage.stop());
beforeEach(async () => {
  webhook = await startWebhook();
});
afterEach(async () => {
  await stage.control('PUT', '/events/mode', { mode: 'normal' });
  await stage.control('PUT', '/clock', { offsetMs: 0 });
  await webhook.stop();
});

const SUBSCRIPTION = '00000000-0000-4000-8000-000000000001';
const topicOf = (vault: string) =>
  `/subscriptions/${SUBSCRIPTION}/resourceGroups/rg-keyward-local/providers/Microsoft.KeyVault/vaults/${vault}`;

async function subscribedVault(settings: Record<string, unknown> = {}, vaultSettings: Record<string, unknown> = {}) {
  const { name } = await stage.vault(vaultSettings);
  const subscription = { endpoint: webhook.url, destination: 'azureFunction', ...settings };
  await stage.control('PUT', `/vaults/${name}/eventSubscriptions/keyward`, subscription);
  return name;
}

/** Waits for `count` notifications, and a little longer for a surplus one. */
async function arrived(count: number) {
  await expect.poll(() => webhook.events().length).toBeGreaterThanOrEqual(count);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(webhook.events()).toHaveLength(count);
  return webhook.events();
}

const types = (events: { eventType?: string; type?: string }[]) => events.map((event) => event.eventType ?? event.type);

describe('events of keys', () => {
  it('KeyNewVersionCreated arrives as an array of one event in the Event Grid schema', async () => {
    const name = await subscribedVault();
    const kid = await stage.key(name, 'cmk', { nbf: 1_559_081_980, exp: 4_000_000_000 });
    const version = kid.split('/').at(-1);
    const [event] = await arrived(1);
    expect(event).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      topic: topicOf(name),
      subject: 'cmk',
      eventType: 'Microsoft.KeyVault.KeyNewVersionCreated',
      eventTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/),
      data: {
        Id: kid,
        VaultName: name,
        ObjectType: 'Key',
        ObjectName: 'cmk',
        Version: version,
        NBF: '1559081980',
        EXP: '4000000000',
      },
      dataVersion: '1',
      metadataVersion: '1',
    });
    expect(webhook.received[0]?.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'aeg-event-type': 'Notification',
      'aeg-subscription-name': 'KEYWARD',
      'aeg-delivery-count': '0',
      'aeg-data-version': '1',
      'aeg-metadata-version': '1',
    });
  });

  it('KeyNewVersionCreated arrives as a single CloudEvent, without NBF and EXP when they are not set', async () => {
    const name = await subscribedVault({ schema: 'cloudEvents', headers: { authorization: 'Bearer of-event-grid' } });
    const kid = await stage.key(name, 'cmk');
    await arrived(1);
    const [delivered] = webhook.received;
    expect(JSON.parse(delivered?.body ?? '')).toEqual({
      id: expect.any(String),
      source: topicOf(name),
      subject: 'cmk',
      type: 'Microsoft.KeyVault.KeyNewVersionCreated',
      time: expect.any(String),
      data: { Id: kid, VaultName: name, ObjectType: 'Key', ObjectName: 'cmk', Version: kid.split('/').at(-1) },
      specversion: '1.0',
    });
    expect(delivered?.headers).toMatchObject({
      'content-type': 'application/cloudevents+json; charset=utf-8',
      'aeg-event-type': 'Notification',
      authorization: 'Bearer of-event-grid',
    });
  });

  it('creation, import and rotation emit KeyNewVersionCreated through both APIs', async () => {
    const name = await subscribedVault();
    await stage.keyClient(name).createRsaKey('cmk', { keySize: 2048 });
    await stage.keyClient(name).rotateKey('cmk');
    await stage.control('POST', `/vaults/${name}/keys/cmk/rotate`);
    const { default: pool } = await import('../../../test/fixtures/rsaKeys.json', { with: { type: 'json' } });
    await stage.control('PUT', `/vaults/${name}/keys/other`, { jwk: pool.keys[2]?.jwk });
    const events = await arrived(4);
    expect(new Set(types(events))).toEqual(new Set(['Microsoft.KeyVault.KeyNewVersionCreated']));
    expect(events.map((event) => event.subject).sort()).toEqual(['cmk', 'cmk', 'cmk', 'other']);
  });

  it('no event follows the disabling, change, deletion, recovery or purge of a key, or a role assignment', async () => {
    const { name } = await stage.vault({ recoveryLevel: 'Recoverable+Purgeable' });
    await stage.key(name, 'cmk');
    const body = { endpoint: webhook.url, destination: 'azureFunction' };
    await stage.control('PUT', `/vaults/${name}/eventSubscriptions/keyward`, body);
    await stage.control('PATCH', `/vaults/${name}/keys/cmk`, { enabled: false });
    await stage.control('PATCH', `/vaults/${name}/keys/cmk`, {
      exp: 4_000_000_000,
      keyOps: ['wrapKey'],
      enabled: true,
    });
    await stage.control('DELETE', `/vaults/${name}/keys/cmk`);
    await stage.control('POST', `/vaults/${name}/keys/cmk/recover`);
    await stage.control('DELETE', `/vaults/${name}/keys/cmk`);
    await stage.control('POST', `/vaults/${name}/keys/cmk/purge`);
    await stage.control('DELETE', `/vaults/${name}/grants/${SERVICE}`);
    await stage.control('PUT', `/vaults/${name}/grants/${SERVICE}`, { permissions: ['get'] });
    await stage.control('PATCH', `/vaults/${name}`, { firewall: 'ForbiddenByFirewall' });
    await stage.control('DELETE', `/vaults/${name}`);
    await arrived(0);
  });

  it('a Managed HSM emits no events', async () => {
    const name = await subscribedVault({}, { kind: 'managedhsm' });
    await stage.key(name, 'cmk');
    await arrived(0);
  });
});

describe('events of access policies', () => {
  it('each change of an access policy or the permission model emits VaultAccessPolicyChanged', async () => {
    const name = await subscribedVault({}, { authModel: 'policy' });
    await stage.control('PUT', `/vaults/${name}/grants/${SERVICE}`, { permissions: ['get'] });
    await stage.control('DELETE', `/vaults/${name}/grants/${SERVICE}`);
    await stage.control('PATCH', `/vaults/${name}`, { authModel: 'rbac' });
    await stage.control('PATCH', `/vaults/${name}`, { authModel: 'rbac' });
    const events = await arrived(3);
    expect(new Set(types(events))).toEqual(new Set(['Microsoft.KeyVault.VaultAccessPolicyChanged']));
    expect(events[0]).toMatchObject({
      topic: topicOf(name),
      subject: name,
      data: { Id: `https://${name}.vault.azure.net/`, VaultName: name, ObjectType: 'Vault', ObjectName: name },
    });
  });
});

describe('events of time', () => {
  const exp = () => new Date(Date.now() + 60 * 86_400_000).toISOString();

  it('KeyNearExpiry comes 30 days before expiry and KeyExpired at expiry, once each, for the current version', async () => {
    const name = await subscribedVault();
    await stage.key(name, 'cmk', { exp: exp() });
    const current = await stage.key(name, 'cmk', { exp: exp() });
    await arrived(2);
    await stage.control('POST', '/clock/advance', { days: 29 });
    await arrived(2);
    await stage.control('POST', '/clock/advance', { days: 2 });
    await stage.control('POST', '/clock/advance', { days: 1 });
    expect((await arrived(3)).at(-1)).toMatchObject({
      eventType: 'Microsoft.KeyVault.KeyNearExpiry',
      data: { Id: current, EXP: expect.stringMatching(/^\d+$/) },
    });
    await stage.control('POST', '/clock/advance', { days: 29 });
    expect(types(await arrived(4)).at(-1)).toBe('Microsoft.KeyVault.KeyExpired');
  });

  it('the Notify action moves KeyNearExpiry, and a new exp emits the event again', async () => {
    const name = await subscribedVault();
    await stage.key(name, 'cmk', { exp: exp() });
    await stage.control('PUT', `/vaults/${name}/keys/cmk/rotationpolicy`, {
      lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P10D' }, action: { type: 'Notify' } }],
    });
    await stage.control('POST', '/clock/advance', { days: 49 });
    await arrived(1);
    await stage.control('POST', '/clock/advance', { days: 2 });
    expect(types(await arrived(2)).at(-1)).toBe('Microsoft.KeyVault.KeyNearExpiry');
    const later = new Date(Date.now() + 59 * 86_400_000).toISOString();
    await stage.control('PATCH', `/vaults/${name}/keys/cmk`, { exp: later });
    expect(types(await arrived(3)).at(-1)).toBe('Microsoft.KeyVault.KeyNearExpiry');
  });

  it('expiry events cover only versions created or changed after the subscription', async () => {
    const { name } = await stage.vault();
    await stage.key(name, 'cmk', { exp: exp() });
    const body = { endpoint: webhook.url, destination: 'azureFunction' };
    await stage.control('PUT', `/vaults/${name}/eventSubscriptions/keyward`, body);
    await stage.control('POST', '/clock/advance', { days: 61 });
    await arrived(0);
  });

  it('a rotation by policy emits KeyNewVersionCreated', async () => {
    const name = await subscribedVault();
    await stage.control('POST', `/vaults/${name}/keys/cmk`, { kty: 'EC', curve: 'P-256' });
    await stage.control('PUT', `/vaults/${name}/keys/cmk/rotationpolicy`, {
      lifetimeActions: [{ trigger: { timeAfterCreate: 'P90D' }, action: { type: 'rotate' } }],
    });
    await stage.control('POST', '/clock/advance', { days: 91 });
    const events = await arrived(2);
    expect(events[0].data.Version).not.toBe(events[1].data.Version);
  });
});

describe('delivery', () => {
  const deliveries = async (vault: string) => {
    const all = await stage.control<{ event: { topic: string }; deliveries: unknown[] }[]>('GET', '/events');
    return all.filter(({ event }) => event.topic === topicOf(vault)).flatMap((one) => one.deliveries);
  };

  it('a delivery is retried with the same event id until it succeeds', async () => {
    const name = await subscribedVault();
    webhook.answers.push(500, 404, 302);
    await stage.key(name, 'cmk');
    const events = await arrived(4);
    expect(new Set(events.map((event) => event.id)).size).toBe(1);
    expect(webhook.received.map(({ headers }) => headers['aeg-delivery-count'])).toEqual(['0', '1', '2', '3']);
    expect(await deliveries(name)).toMatchObject([{ state: 'delivered', attempts: 4, lastOutcome: 200 }]);
  });

  it.each([
    [400, 'webhook', 1],
    [401, 'webhook', 1],
    [403, 'azureFunction', 1],
    [413, 'webhook', 1],
    [401, 'azureFunction', 2],
    [404, 'webhook', 2],
  ])('a status %i from a destination of type %s leads to %i attempts', async (status, destination, attempts) => {
    const name = await subscribedVault({ destination });
    webhook.answers.push(status);
    await stage.key(name, 'cmk');
    await arrived(attempts);
    const state = attempts === 1 ? 'failed' : 'delivered';
    expect(await deliveries(name)).toMatchObject([{ state, attempts }]);
  });

  it('the mode `drop` delivers no event', async () => {
    const name = await subscribedVault();
    await stage.control('PUT', '/events/mode', { mode: 'drop' });
    await stage.key(name, 'cmk');
    await arrived(0);
    expect(await deliveries(name)).toMatchObject([{ state: 'dropped', attempts: 0 }]);
  });

  it('the mode `twice` delivers each event twice', async () => {
    const name = await subscribedVault();
    await stage.control('PUT', '/events/mode', { mode: 'twice' });
    await stage.key(name, 'cmk');
    const [first, second] = await arrived(2);
    expect(first).toEqual(second);
  });

  it('held events can be released out of order, and an event can be redelivered later', async () => {
    const name = await subscribedVault();
    await stage.control('PUT', '/events/mode', { mode: 'hold' });
    for (const key of ['a', 'b', 'c']) await stage.key(name, key);
    await arrived(0);
    expect(await stage.control('POST', '/events/release', {})).toEqual({ released: 3 });
    const events = await arrived(3);
    expect(events.map((event) => event.subject)).toEqual(['c', 'b', 'a']);
    await stage.control('POST', `/events/${events[1].id}/redeliver`);
    expect((await arrived(4)).at(-1)).toEqual(events[1]);
  });

  it('no event is delivered after its subscription was deleted', async () => {
    const name = await subscribedVault();
    webhook.answers.push(500);
    await stage.control('PUT', '/timings', { eventRetryMs: [60] });
    await stage.key(name, 'cmk');
    await expect.poll(() => webhook.events().length).toBe(1);
    await stage.control('DELETE', `/vaults/${name}/eventSubscriptions/keyward`);
    await expect.poll(() => deliveries(name)).toMatchObject([{ state: 'dropped', attempts: 1 }]);
    await stage.control('PUT', '/timings', { eventRetryMs: [10, 20] });
  });
});

describe('the handshake', () => {
  const subscribe = async (schema: string) => {
    const { name } = await stage.vault();
    const made = stage.control<{ state: string; validationCode: string }>(
      'PUT',
      `/vaults/${name}/eventSubscriptions/keyward`,
      { endpoint: webhook.url, schema },
    );
    return { name, made };
  };

  it('the handshake succeeds when the webhook returns the code of the validation event', async () => {
    const { name, made } = await subscribe('eventGrid');
    expect(await made).toMatchObject({ state: 'Succeeded' });
    const [validation] = webhook.received;
    expect(validation?.headers['aeg-event-type']).toBe('SubscriptionValidation');
    expect(JSON.parse(validation?.body ?? '')).toMatchObject([
      {
        topic: topicOf(name),
        eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent',
        data: { validationCode: expect.any(String), validationUrl: expect.stringContaining('/control/validate?code=') },
      },
    ]);
  });

  it('a subscription without the code waits until its validation URL is called', async () => {
    webhook.handshake = 'ignore';
    const { name, made } = await subscribe('eventGrid');
    expect(await made).toMatchObject({ state: 'AwaitingManualAction' });
    await stage.key(name, 'cmk');
    await arrived(0);
    const [{ data }] = JSON.parse(webhook.received[0]?.body ?? '');
    expect((await fetch(data.validationUrl)).status).toBe(200);
    expect((await fetch(data.validationUrl)).status).toBe(404);
    await stage.key(name, 'cmk');
    await arrived(1);
  });

  it('the handshake for CloudEvents is an OPTIONS request that the webhook must allow', async () => {
    const { made } = await subscribe('cloudEvents');
    expect(await made).toMatchObject({ state: 'Succeeded' });
    expect(webhook.received[0]).toMatchObject({
      method: 'OPTIONS',
      headers: { 'webhook-request-origin': 'eventgrid.azure.net' },
    });
  });

  it.each([
    ['eventGrid', 'refuse'],
    ['cloudEvents', 'refuse'],
    ['cloudEvents', 'ignore'],
  ] as const)(
    'the handshake fails for %s when the endpoint says %s, and leaves no subscription',
    async (schema, handshake) => {
      webhook.handshake = handshake;
      const { name, made } = await subscribe(schema);
      await expect(made).rejects.toThrow('endpoint: the validation handshake');
      expect(await stage.control('GET', `/vaults/${name}`)).toMatchObject({ subscriptions: [] });
    },
  );

  it('a destination of type Azure Function needs no handshake', async () => {
    webhook.handshake = 'refuse';
    await subscribedVault();
    expect(webhook.received).toEqual([]);
  });
});

describe('events of Azure Resource Manager', () => {
  it('a deleted vault or role assignment emits ResourceDeleteSuccess to the subscribers of the Azure subscription', async () => {
    const subscriptionId = 'DDDDDDDD-0000-4000-8000-000000000001';
    const { name } = await stage.vault({ subscriptionId, resourceGroup: 'rg-contoso' });
    const path = `/subscriptions/${subscriptionId.toLowerCase()}/eventSubscriptions/resources`;
    await stage.control('PUT', path, { endpoint: webhook.url });
    await stage.control('PUT', `/vaults/${name}/grants/${SERVICE}`, { permissions: ['get'], key: 'cmk' });
    await stage.control('DELETE', `/vaults/${name}/grants/${SERVICE}?key=cmk`);
    await stage.control('DELETE', `/vaults/${name}`);
    const [role, vault] = await arrived(2);
    const id = `/subscriptions/${subscriptionId}/resourceGroups/rg-contoso/providers/Microsoft.KeyVault/vaults/${name}`;
    expect(role).toMatchObject({
      eventType: 'Microsoft.Resources.ResourceDeleteSuccess',
      topic: `/subscriptions/${subscriptionId}`,
      data: {
        operationName: 'Microsoft.Authorization/roleAssignments/delete',
        resourceUri: expect.stringContaining(`${id}/keys/cmk/providers/Microsoft.Authorization/roleAssignments/`),
      },
    });
    expect(vault).toMatchObject({
      eventType: 'Microsoft.Resources.ResourceDeleteSuccess',
      subject: id.replace('resourceGroups', 'resourcegroups'),
      data: { operationName: 'Microsoft.KeyVault/vaults/delete', resourceUri: id, status: 'Succeeded', subscriptionId },
      dataVersion: '2',
    });
    await stage.control('DELETE', path);
  });
});
