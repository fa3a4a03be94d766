import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../src/local/client.ts';
import { homeTenantId, location, subscriptionId } from '../../src/local/operator.ts';
import {
  accountOf,
  got,
  requestsTo,
  rotate,
  useStack,
  vaultWithKey,
  versionOf,
  type World,
  withCustomerKey,
} from './support.ts';

const spacingMs = 1000;
/** No timer runs: only events cause work here. */
const world = useStack({ settings: { KEYWARD_LOOK_SPACING_SECONDS: String(spacingMs / 1000) } });
const principal = '22222222-2222-4222-8222-222222222222';

const hookOf = ({ stack }: World, functionName: string) =>
  `${stack.host.url}/runtime/webhooks/EventGrid?functionName=${functionName}&code=${stack.host.keys.eventgrid_extension}`;

interface Emitted {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly event: Record<string, unknown>;
  readonly deliveries: { state: string; lastOutcome?: number | string }[];
}

const eventsOf = (type: string) =>
  world.stack
    .keyVault<Emitted[]>('GET', '/events')
    .then((events) => events.filter((event) => event.type.endsWith(`.${type}`)));

/** Posts as Event Grid does, and returns the status. */
async function deliver(functionName: string, events: unknown): Promise<number> {
  const response = await fetch(hookOf(world, functionName), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'aeg-event-type': 'Notification' },
    body: JSON.stringify(events),
  });
  await response.body?.cancel();
  return response.status;
}

async function account(name: string, more: Record<string, unknown> = {}): Promise<void> {
  const key = await vaultWithKey(world, name, more);
  await got(201, world.api('PUT', `/api/accounts/${name}`, withCustomerKey(name, key)));
}

const onVersion = (name: string, version: string, withinMs = 6000) =>
  until(
    `${name} is on the new version`,
    () => versionOf(world.api, name),
    (seen) => seen === version,
    withinMs,
  );

/** Waits until all work on a vault is done: nothing new for longer than any pause between polls. */
async function settled(vault: string): Promise<void> {
  let seen = -1;
  let quietSince = Date.now();
  while (Date.now() - quietSince < 2200) {
    const now = (await requestsTo(world, vault)).length;
    if (now !== seen) quietSince = Date.now();
    seen = now;
    await sleep(100);
  }
}

const looksAt = (vault: string) => requestsTo(world, vault, 'unwrapkey');

beforeEach(() => world.stack.keyVault('PUT', '/events/mode', { mode: 'normal' }));

describe('a new version of a key is followed within seconds of its event', () => {
  test('a new version is used within seconds of its event in the Event Grid schema', async () => {
    await account('grid-kv');
    const before = await accountOf(world.api, 'grid-kv');
    const latest = await rotate(world, 'grid-kv');
    await onVersion('grid-kv', latest);
    const after = await accountOf(world.api, 'grid-kv');
    // The customer's identifier, the account and its key stay. Only the version that wraps the key is new.
    expect(after.properties.encryption.keyVaultProperties.keyIdentifier).toBe(
      before.properties.encryption.keyVaultProperties.keyIdentifier,
    );
    expect(after.properties.encryption.accountKeyGeneration).toBe(before.properties.encryption.accountKeyGeneration);
    expect(after.properties.accountId).toBe(before.properties.accountId);
    expect(after.etag).not.toBe(before.etag);
    const [event] = (await eventsOf('KeyNewVersionCreated')).filter((one) => JSON.stringify(one).includes(latest));
    expect(event?.deliveries).toEqual([expect.objectContaining({ state: 'delivered', lastOutcome: 202 })]);
  });

  test('a new version is used within seconds of its event in the CloudEvents schema', async () => {
    await account('cloud-kv');
    await world.stack.keyVault('PUT', '/vaults/cloud-kv/eventSubscriptions/keyward', {
      endpoint: hookOf(world, 'keyEvents'),
      destination: 'azureFunction',
      schema: 'cloudEvents',
    });
    const latest = await rotate(world, 'cloud-kv');
    await onVersion('cloud-kv', latest);
  });

  test('a new version is used within seconds of its event for all accounts of the key, and for no other key of the vault', async () => {
    await account('many-kv');
    const key = 'https://many-kv.vault.azure.net/keys/cmk';
    for (const name of ['many-1', 'many-2', 'many-3'])
      await got(201, world.api('PUT', `/api/accounts/${name}`, withCustomerKey('many-kv', key)));
    await world.stack.keyVault('PUT', '/events/mode', { mode: 'drop' });
    await world.stack.keyVault('POST', '/vaults/many-kv/keys/other', { kty: 'RSA', size: 2048 });
    await world.stack.keyVault('PUT', '/events/mode', { mode: 'normal' });
    const other = withCustomerKey('many-kv', 'https://many-kv.vault.azure.net/keys/other');
    await got(201, world.api('PUT', '/api/accounts/many-other', other));
    const { etag } = await accountOf(world.api, 'many-other');
    const before = (await requestsTo(world, 'many-kv')).length;
    const latest = await rotate(world, 'many-kv');
    for (const name of ['many-kv', 'many-1', 'many-2', 'many-3']) await onVersion(name, latest);
    expect((await accountOf(world.api, 'many-other')).etag).toBe(etag);
    const since = (await world.stack.keyVault<{ requests: { key?: string }[] }>('GET', '/requests?vault=many-kv'))
      .requests;
    expect(since.slice(before).filter((one) => one.key === 'other')).toEqual([]);
  });

  test('a new version is used within seconds of its event with field names in another case and numbers as text', async () => {
    await account('odd-kv');
    await world.stack.keyVault('PUT', '/events/mode', { mode: 'drop' });
    const latest = await rotate(world, 'odd-kv');
    const event = {
      id: 7,
      EventType: 'microsoft.keyvault.keynewversioncreated',
      ' topic ': '/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/ODD-KV',
      data: { objecttype: 'KEY', OBJECTNAME: 'CMK', NBF: '1', exp: null },
    };
    expect(await deliver('keyEvents', [event])).toBe(202);
    await onVersion('odd-kv', latest);
  });
});

describe('INV-5: events select what to look at', () => {
  test('INV-5: doubled, repeated, late and reordered events change nothing', async () => {
    await account('order-kv');
    await world.stack.keyVault('PUT', '/events/mode', { mode: 'hold' });
    await rotate(world, 'order-kv');
    await rotate(world, 'order-kv');
    await world.stack.keyVault('PUT', '/events/mode', { mode: 'twice' });
    const latest = await rotate(world, 'order-kv');
    await onVersion('order-kv', latest);
    const { etag } = await accountOf(world.api, 'order-kv');

    await world.stack.keyVault('POST', '/events/release', { order: 'reverse' });
    const announced = (await eventsOf('KeyNewVersionCreated')).filter(({ event }) =>
      JSON.stringify(event).includes('order-kv'),
    );
    expect(announced).toHaveLength(4);
    for (const { id } of announced) await world.stack.keyVault('POST', `/events/${id}/redeliver`);
    await settled('order-kv');
    expect((await accountOf(world.api, 'order-kv')).etag).toBe(etag);
    expect(await versionOf(world.api, 'order-kv')).toBe(latest);
  });

  test('INV-5: events about a version that cannot be used leave the account on its version, with a warning', async () => {
    await account('unusable-kv');
    const { etag } = await accountOf(world.api, 'unusable-kv');
    const made = await world.stack.keyVault<{ key: { kid: string } }>('POST', '/vaults/unusable-kv/keys/cmk', {
      kty: 'RSA',
      size: 2048,
      enabled: false,
    });
    const warned = await until(
      'a warning',
      () => accountOf(world.api, 'unusable-kv'),
      ({ properties }) => properties.encryption.warnings.length > 0,
    );
    const keyVersion = made.key.kid.split('/').at(-1);
    expect(warned.properties.encryption.warnings).toEqual([
      expect.objectContaining({ code: 'NewVersionUnusable', keyVersion, cause: 'KeyDisabled' }),
    ]);
    // The warning changes what a GET returns, and so its ETag, but not the revision that it begins with.
    expect(warned.etag.startsWith(etag.slice(0, -1))).toBe(true);
    expect(warned).toMatchObject({ properties: { state: 'Enabled', encryption: { status: 'Accessible' } } });
  });
});

describe.concurrent('INV-5: forged events', () => {
  test('INV-5: forged events change nothing, and many events cannot shorten a confirmation', async () => {
    await account('storm-kv');
    await world.stack.keyVault('PATCH', '/vaults/storm-kv/keys/cmk', { enabled: false });
    const begun = (await looksAt('storm-kv')).length;
    const topic = `/subscriptions/${subscriptionId}/resourceGroups/g/providers/Microsoft.KeyVault/vaults/storm-kv`;
    const forged = ['KeyNewVersionCreated', 'KeyNearExpiry', 'KeyExpired', 'VaultAccessPolicyChanged'].map((type) => ({
      id: randomUUID(),
      topic,
      subject: 'cmk',
      eventType: `Microsoft.KeyVault.${type}`,
      data: {
        VaultName: 'storm-kv',
        ObjectType: 'Key',
        ObjectName: 'cmk',
        Version: 'f'.repeat(32),
        Id: 'https://evil/',
      },
    }));
    const startedAt = Date.now();
    let looks: unknown[] = [];
    // A busy machine may need longer for the first look.
    while (Date.now() < startedAt + 2200 || (looks.length === 0 && Date.now() < startedAt + 30_000)) {
      expect(await deliver('keyEvents', forged)).toBe(202);
      await sleep(50);
      looks = (await looksAt('storm-kv')).slice(begun);
    }
    expect(looks.length).toBeGreaterThan(0);
    // Looks begin at least a second apart, and one that began before the events can arrive after them.
    expect(looks.length).toBeLessThanOrEqual(2 + Math.floor((Date.now() - startedAt) / spacingMs));
    await world.stack.keyVault('PATCH', '/vaults/storm-kv/keys/cmk', { enabled: true });
  });
});

describe.concurrent('an event about a vault', () => {
  /** A look soon after another counts as one: so the time without looks must pass first. */
  async function lookedAt(name: string, act: () => Promise<unknown>) {
    await account(name);
    await account(`${name}-b`);
    await settled(name);
    const before = { mine: (await looksAt(name)).length, other: (await requestsTo(world, `${name}-b`)).length };
    await act();
    await until(
      'a look',
      () => looksAt(name),
      (looks) => looks.length > before.mine,
      6000,
    );
    expect((await requestsTo(world, `${name}-b`)).length).toBe(before.other);
    return accountOf(world.api, name);
  }

  async function subscribeToResources(): Promise<void> {
    await world.stack.keyVault('PUT', `/subscriptions/${subscriptionId}/eventSubscriptions/keyward`, {
      endpoint: hookOf(world, 'resourceEvents'),
      destination: 'azureFunction',
    });
  }

  test('VaultAccessPolicyChanged causes a look at that vault, and at no other', async () => {
    const name = 'policy-kv';
    const seen = await lookedAt(name, async () => {
      // Switched to access policies without an entry: two denials begin with one event.
      await world.stack.keyVault('PATCH', `/vaults/${name}`, { authModel: 'policy' });
    });
    expect((await eventsOf('VaultAccessPolicyChanged')).filter(({ subject }) => subject === name)).toHaveLength(1);
    expect(seen.properties.state).toBe('Enabled');
    await until(
      'Suspect',
      () => accountOf(world.api, name),
      ({ properties }) => properties.encryption.status === 'Suspect',
    );
    expect((await accountOf(world.api, name)).properties.encryption.cause).toBe('KeyPermissionDenied');
  });

  test('ResourceDeleteSuccess of a role assignment causes a look at that vault, and at no other', async () => {
    const name = 'assignment-kv';
    await subscribeToResources();
    await lookedAt(name, () => world.stack.keyVault('DELETE', `/vaults/${name}/grants/${principal}`));
    const seen = await until(
      'Suspect',
      () => accountOf(world.api, name),
      ({ properties }) => properties.encryption.status === 'Suspect',
    );
    expect(seen.properties).toMatchObject({ state: 'Enabled', encryption: { cause: 'KeyPermissionDenied' } });
  });

  test('ResourceDeleteSuccess of the vault causes a look at that vault, and at no other', async () => {
    const name = 'removed-kv';
    await subscribeToResources();
    await account(name);
    await account(`${name}-b`);
    await settled(name);
    const other = (await requestsTo(world, `${name}-b`)).length;
    await world.stack.keyVault('DELETE', `/vaults/${name}`);
    const seen = await until(
      'Suspect',
      () => accountOf(world.api, name),
      ({ properties }) => properties.encryption.status === 'Suspect',
    );
    expect(seen.properties).toMatchObject({ state: 'Enabled', encryption: { cause: 'VaultNotFound' } });
    expect((await requestsTo(world, `${name}-b`)).length).toBe(other);
  });
});

test('with function keys the webhook for other tenants takes the key in its address', async () => {
  await account('keyed-kv');
  const endpoint = `${world.stack.host.url}/api/events?code=${world.stack.host.keys.function}`;
  await world.stack.keyVault('PUT', '/vaults/keyed-kv/eventSubscriptions/keyward', {
    endpoint,
    destination: 'webhook',
  });
  await onVersion('keyed-kv', await rotate(world, 'keyed-kv'));
  const response = await fetch(endpoint.replace('code=', 'code=x'), { method: 'POST', body: '[{}]' });
  expect(response.status).toBe(401);
});

test('an event for a vault without accounts is acknowledged', async () => {
  const name = 'left-kv';
  await world.stack.createCustomerVault(name, { tenantId: homeTenantId, location });
  await world.stack.keyVault('POST', `/vaults/${name}/keys/cmk`, { kty: 'RSA', size: 2048 });
  const [event] = (await eventsOf('KeyNewVersionCreated')).filter((one) => JSON.stringify(one).includes(name));
  await until(
    'delivered',
    async () => (await eventsOf('KeyNewVersionCreated')).find(({ id }) => id === event?.id)?.deliveries[0]?.state,
    (state) => state === 'delivered',
  );
  expect(await requestsTo(world, name)).toEqual([]);
});
