import { HttpRequest } from '@azure/functions';
import { describe, expect, test } from 'vitest';
import { etagOf } from '../../src/core/accounts/account.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { listAccountsOf } from '../../src/core/accounts/readAccount.ts';
import type { Operation, RequestedChange } from '../../src/core/ams/operation.ts';
import { deleteOrphanedSecrets } from '../../src/core/ams/orphanedSecrets.ts';
import type { StoredResource } from '../../src/core/ams/ports.ts';
import { getResource, listResources } from '../../src/core/ams/readResource.ts';
import { pathOfResource, type ResourceRef } from '../../src/core/ams/resource.ts';
import { revealResource } from '../../src/core/ams/revealResource.ts';
import { beginOperation, cancelCreation, continueOperation } from '../../src/core/ams/runOperation.ts';
import { clearOperations, findOperation } from '../../src/core/ams/storedOperations.ts';
import { putResource, refuseExisting, removeResource } from '../../src/core/ams/writeResource.ts';
import { type Bytes, hex } from '../../src/core/base/bytes.ts';
import { Unavailable } from '../../src/core/base/errors.ts';
import { processAccounts } from '../../src/core/dailyPass.ts';
import { deleteSecret } from '../../src/core/secrets/deleteSecret.ts';
import { refOf } from '../../src/core/secrets/readSecret.ts';
import { putSecret } from '../../src/core/secrets/writeSecret.ts';
import type { Service } from '../../src/core/service.ts';
import { update } from '../../src/functions/ams/accounts.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { dyingAt, failure, useLab } from '../lab.ts';
import { bytes, keyId, put } from '../secrets/support.ts';

const world = useLab();
const hour = 3_600_000;
const place = { subscriptionId: '5B1C7C1E-53A1-4A67-9D0F-0C6D3D1F0A01', resourceGroup: 'Media' };

const placed = (name: string, service = world.lab.service) =>
  putAccount({ name, input: { owner: 'contoso', location, place }, actor: tester }, service);
const policy = (account: string): ResourceRef => ({ account, type: 'contentKeyPolicies', name: 'policy' });

const write = (ref: ResourceRef, values: readonly Bytes[], service: Service) =>
  putResource(
    ref,
    () => ({
      name: ref.name,
      properties: { keys: values.map(() => ({})) },
      secrets: values.map((given, index) => ({ kind: 'tokenKeys', at: ['keys', index, 'value'], value: { given } })),
    }),
    service,
  );

async function revealed(row: StoredResource): Promise<unknown> {
  const { keys } = await revealResource(row, hex, { actor: tester }, world.lab.service);
  return (keys as { value: string }[]).map(({ value }) => value);
}

const secretsOf = async (account: string) => (await world.lab.service.secrets.page(account, { limit: 100 })).rows;

describe('a resource and its secrets', () => {
  test.each<
    [
      what: string,
      before: readonly Bytes[],
      act: (ref: ResourceRef, service: Service) => Promise<unknown>,
      after: readonly (string[] | undefined)[],
    ]
  >([
    [
      'created',
      [],
      (ref, service) => write(ref, [bytes('one'), bytes('two')], service),
      [undefined, ['6f6e65', '74776f']],
    ],
    [
      'replaced',
      [bytes('old'), bytes('er')],
      (ref, service) => write(ref, [bytes('new')], service),
      [['6f6c64', '6572'], ['6e6577']],
    ],
    ['removed', [bytes('old')], removeResource, [['6f6c64'], undefined]],
  ])(
    '%s by a process that crashes between any two effects: no row names a missing secret, and the daily pass deletes orphaned ones',
    async (account, before, act, after) => {
      const { lab } = world;
      await placed(account);
      const later = await lab.another({ clock: { ...lab.clock, now: () => lab.clock.now() + 2 * hour } });
      for (let effect = 1; ; effect++) {
        const ref = { ...policy(account), name: `policy-${effect}` };
        if (before.length > 0) await write(ref, before, lab.service);
        const mortal = dyingAt(lab, effect);
        const done = await act(ref, await mortal.service).then(
          () => true,
          () => false,
        );
        const row = await getResource(ref, lab.service).catch(() => undefined);
        const seen = row === undefined ? undefined : await revealed(row);
        expect(after).toContainEqual(seen);
        expect(await deleteOrphanedSecrets({ visit: 'unnamed', account }, later)).toBeUndefined();
        const named = row?.value.secrets.map(({ name }) => name) ?? [];
        const left = (await secretsOf(account)).filter(({ value }) => value.of?.endsWith(`:${ref.name}`));
        expect(left.map(({ ref: { name } }) => name).toSorted()).toEqual(named.toSorted());
        if (row !== undefined) expect(await revealed(row)).toEqual(seen);
        await act(ref, lab.service);
        const last = await getResource(ref, lab.service).catch(() => undefined);
        expect(last === undefined ? undefined : await revealed(last)).toEqual(after.at(-1));
        if (done && !mortal.hasDied()) break;
        expect(effect).toBeLessThan(60);
      }
    },
  );

  test('the clearing of orphaned secrets leaves young secrets, and those that belong to no resource', async () => {
    const { lab } = world;
    await placed('young');
    await put(lab.service, 'young', 'tokenKeys', 'own', bytes('own'));
    const resources = { ...lab.service.resources, insert: () => Promise.reject(new Error('died')) };
    await failure(write(policy('young'), [bytes('one')], await lab.another({ resources })));
    const waiting = { ...lab.service.resources, insert: () => new Promise<never>(() => undefined) };
    void write(policy('young'), [bytes('two')], await lab.another({ resources: waiting }));
    await expect.poll(async () => (await secretsOf('young')).length).toBe(2);
    await deleteOrphanedSecrets({ visit: 'unnamed', account: 'young' }, lab.service);
    expect(await secretsOf('young')).toHaveLength(2);
    const later = await lab.another({ clock: { ...lab.clock, now: () => lab.clock.now() + 2 * hour } });
    await deleteOrphanedSecrets({ visit: 'unnamed', account: 'young' }, later);
    expect((await secretsOf('young')).map(({ ref }) => ref.name)).toEqual(['own']);
  });

  test('an orphaned secret that cannot be deleted stays, and stops the removal of no other one', async () => {
    const { lab } = world;
    await placed('partly');
    const of = pathOfResource(policy('partly'));
    for (const name of ['one', 'three', 'two'])
      await putSecret(refOf('partly', 'tokenKeys', name), { name, of, value: { given: bytes(name) } }, {}, lab.service);
    const { accounts } = lab.service;
    const later = await lab.another({
      clock: { ...lab.clock, now: () => lab.clock.now() + 2 * hour },
      accounts: {
        ...accounts,
        saveWithSecret: (record, entries, secret) =>
          secret.ref.name === 'three'
            ? Promise.reject(new Error('died'))
            : accounts.saveWithSecret(record, entries, secret),
      },
    });
    await deleteOrphanedSecrets({ visit: 'unnamed', account: 'partly' }, later);
    expect((await secretsOf('partly')).map(({ ref }) => ref.name)).toEqual(['three']);
  });

  test('the daily pass queues the clearing for every account that has an ARM path', async () => {
    const { lab } = world;
    await placed('asked');
    await lab.account('unasked', 'contoso');
    const sent: unknown[] = [];
    const dailyQueue = { send: async (message: unknown) => void sent.push(message) };
    await processAccounts(undefined, await lab.another({ dailyQueue }));
    expect(sent).toContainEqual({ visit: 'unnamed', account: 'asked' });
    expect(sent).not.toContainEqual({ visit: 'unnamed', account: 'unasked' });
  });

  test('a writer that is too late for the account’s delete leaves nothing behind', async () => {
    const { lab } = world;
    await placed('late');
    const resources = {
      ...lab.service.resources,
      async insert(...asked: Parameters<Service['resources']['insert']>) {
        await deleteAccount('late', {}, tester, lab.service);
        return lab.service.resources.insert(...asked);
      },
    };
    const error = await failure(write(policy('late'), [bytes('one')], await lab.another({ resources })));
    expect(error.code).toBe('AccountNotFound');
    await placed('late');
    expect(await lab.service.resources.read(policy('late'))).toBeUndefined();
    expect(await secretsOf('late')).toEqual([]);
  });

  test('a row that an earlier account of the name has left does not belong to the next account', async () => {
    const { lab } = world;
    await placed('reborn');
    const { row } = await write(policy('reborn'), [], lab.service);
    await deleteAccount('reborn', {}, tester, lab.service);
    await placed('reborn');
    await lab.service.resources.insert(policy('reborn'), row.value);
    expect((await failure(getResource(policy('reborn'), lab.service))).code).toBe('NotFound');
    expect((await write(policy('reborn'), [bytes('new')], lab.service)).created).toBe(true);
  });
});

const locator = (account: string, name = 'locator'): ResourceRef => ({ account, type: 'streamingLocators', name });

const create = (ref: ResourceRef, id: string, given: Bytes, service: Service) =>
  putResource(
    ref,
    (current) => {
      refuseExisting(current);
      // As handlers do: no two writes of a row are equal.
      const properties = { keys: [{}], id: service.random.uuid() };
      return {
        name: ref.name,
        properties,
        secrets: [{ kind: 'contentKeys', id, at: ['keys', 0, 'value'], value: { given } }],
      };
    },
    service,
  );

const [one, two] = [bytes('0123456789abcdef'), bytes('fedcba9876543210')];

describe('a content key whose id is given', () => {
  /** Another process, which waits at one call until the test releases it. */
  async function heldAt(port: 'resources' | 'secrets' | 'accounts', method: 'insert' | 'read' | 'saveWithSecret') {
    const { lab } = world;
    const [arrived, freed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const held = {
      ...lab.service[port],
      async [method](...asked: unknown[]) {
        arrived.resolve();
        await freed.promise;
        return (lab.service[port] as unknown as Record<string, (...asked: unknown[]) => unknown>)[method]?.(...asked);
      },
    };
    return { service: await lab.another({ [port]: held }), arrived: arrived.promise, free: freed.resolve };
  }

  const shown = async (ref: ResourceRef) => revealed(await getResource(ref, world.lab.service));

  test.each([
    ['before either row is there', 'resources', 'insert'],
    ['while the other’s row comes', 'accounts', 'saveWithSecret'],
    ['after the other’s row has come', 'secrets', 'read'],
  ] as const)(
    'a content key whose id is given is the one of the row that is saved, when two processes bring it %s',
    async (what, port, method) => {
      const { lab } = world;
      const account = `race-${method}`;
      const id = keyId(what.length);
      await placed(account);
      const winner = await heldAt('resources', 'insert');
      const first = create(locator(account), id, one, winner.service);
      await winner.arrived;
      const loser = await heldAt(port, method);
      const second = failure(create(locator(account), id, two, loser.service));
      await loser.arrived;
      winner.free();
      const { row } = await first;
      loser.free();
      expect((await second).code).toBe('Conflict');
      expect(await shown(locator(account))).toEqual([hex(one)]);
      expect((await getResource(locator(account), lab.service)).etag).toBe(row.etag);
    },
  );

  test('a content key with a given id stays in its row when its writer crashes before taking it, and another writer loses the race', async () => {
    const { lab } = world;
    await placed('dies');
    const { accounts } = lab.service;
    let changes = 0;
    const mortal: Service['accounts'] = {
      ...accounts,
      // The first writes the key, and the second takes it.
      saveWithSecret: (...change) =>
        ++changes === 2 ? Promise.reject(new Error('died')) : accounts.saveWithSecret(...change),
    };
    const loser = await heldAt('resources', 'insert');
    const died = failure(create(locator('dies'), keyId(7), one, await lab.another({ accounts: mortal })));
    expect((await died).message).toBe('died');
    const { secrets } = (await getResource(locator('dies'), lab.service)).value;
    await lab.service.resources.remove(locator('dies'), (await getResource(locator('dies'), lab.service)).etag);
    const second = failure(create(locator('dies'), keyId(7), two, loser.service));
    await loser.arrived;
    const now = lab.clock.now();
    const { instanceId } = (await lab.view('dies')).record;
    const value = { name: 'locator', instanceId, properties: { keys: [{}] }, secrets, createdAt: now, updatedAt: now };
    await lab.service.resources.insert(locator('dies'), value);
    loser.free();
    expect((await second).code).toBe('Conflict');
    expect(await shown(locator('dies'))).toEqual([hex(two)]);
  });

  test('a content key that was deleted by its own name and now belongs to another resource stays when the first resource is deleted', async () => {
    const { lab } = world;
    await placed('reused');
    await create(locator('reused', 'a'), keyId(2), one, lab.service);
    await deleteSecret(refOf('reused', 'contentKeys', keyId(2)), {}, lab.service);
    await create(locator('reused', 'b'), keyId(2), two, lab.service);
    await removeResource(locator('reused', 'a'), lab.service);
    expect(await shown(locator('reused', 'b'))).toEqual([hex(two)]);
  });

  test('a content key stays when a delete of the previous row is late', async () => {
    const { lab } = world;
    await placed('late-delete');
    const ref = locator('late-delete');
    await create(ref, keyId(3), one, lab.service);
    const resources = {
      ...lab.service.resources,
      async remove(...asked: Parameters<Service['resources']['remove']>) {
        const removed = await lab.service.resources.remove(...asked);
        await create(ref, keyId(3), two, await lab.another());
        return removed;
      },
    };
    expect(await removeResource(ref, await lab.another({ resources }))).toBe(true);
    expect(await shown(ref)).toEqual([hex(two)]);
  });

  test('a content key stays when a row that an earlier account of the name has left is removed, because that row is no resource', async () => {
    const { lab } = world;
    const ref = locator('stale-row');
    await placed('stale-row');
    const { row } = await create(ref, keyId(4), one, lab.service);
    await deleteAccount('stale-row', {}, tester, lab.service);
    await placed('stale-row');
    await lab.service.resources.insert(ref, row.value);
    await put(lab.service, 'stale-row', 'contentKeys', keyId(4), two);
    expect(await removeResource(ref, lab.service)).toBe(false);
    expect(await lab.service.secrets.read(refOf('stale-row', 'contentKeys', keyId(4)))).toBeDefined();
  });
});

test('a row that an earlier account has left does not block a new account, with any names in it', async () => {
  const { lab } = world;
  const ref = locator('in-the-way');
  await placed('in-the-way');
  const { row } = await create(ref, keyId(8), one, lab.service);
  await deleteAccount('in-the-way', {}, tester, lab.service);
  await placed('in-the-way');
  const resources = {
    ...lab.service.resources,
    insert: () => Promise.reject(new Unavailable('StorageUnavailable', '', 1)),
  };
  await failure(create(ref, keyId(8), one, await lab.another({ resources })));
  await lab.service.resources.insert(ref, row.value);
  await create(ref, keyId(8), two, lab.service);
  expect(await revealed(await getResource(ref, lab.service))).toEqual([hex(two)]);
});

test('INV-13: a damaged row stops no list, counts as naming the secrets written for it, and can be deleted', async () => {
  const { lab } = world;
  const account = `damaged-${lab.service.random.uuid().slice(0, 8)}`;
  await placed(account);
  await create(locator(account, 'b'), keyId(5), one, lab.service);
  await create(locator(account, 'a'), keyId(6), two, lab.service);
  const table = lab.table('accounts');
  const key = { partitionKey: account, rowKey: 'resource:streamingLocators:b' };
  const { data } = await table.getEntity<{ data: string }>(key.partitionKey, key.rowKey);
  await table.updateEntity({ ...key, data: data.replace('"secrets":[', '"secrets":[ ') }, 'Merge');
  const { rows } = await listResources({ account, type: 'streamingLocators' }, 100, undefined, lab.service);
  expect(rows.map(({ ref }) => ref.name)).toEqual(['a']);
  expect(lab.log).toContainEqual({
    level: 'error',
    message: 'A stored resource is malformed',
    fields: { account, resource: 'streamingLocators:b' },
  });
  expect((await failure(getResource(locator(account, 'b'), lab.service))).code).toBe('KeyMaterialMismatch');
  const later = await lab.another({ clock: { ...lab.clock, now: () => lab.clock.now() + 2 * hour } });
  await deleteOrphanedSecrets({ visit: 'unnamed', account }, later);
  expect(await secretsOf(account)).toHaveLength(2);
  expect(await removeResource(locator(account, 'b'), lab.service)).toBe(true);
  await deleteOrphanedSecrets({ visit: 'unnamed', account }, later);
  expect((await secretsOf(account)).map(({ ref }) => ref.name)).toEqual([keyId(6)]);
});

test('a row of a content key policy that names a job input reveals nothing: Secrets.Reveal is not Secrets.Resolve', async () => {
  const { lab } = world;
  await placed('kinds');
  await put(lab.service, 'kinds', 'jobInputs', 'in', bytes('https://media.example/a?sig=x'));
  const { row } = await write(policy('kinds'), [bytes('one')], lab.service);
  const secrets = [{ kind: 'jobInputs', name: 'in', at: ['keys', 0, 'value'] }] as const;
  await lab.service.resources.replace(row.ref, { ...row.value, secrets }, row.etag);
  expect((await failure(revealed(await getResource(row.ref, lab.service)))).code).toBe('KeyMaterialMismatch');
});

test.each<unknown>([7, 'jobs', 'nothing:of-ours', 'streamingLocators:a/b', 'jobs:a:b:c'])(
  'a secret that says it was written for %j belongs to no resource, and stops no clearing',
  async (of) => {
    const { lab } = world;
    const account = `strange-${lab.service.random.uuid().slice(0, 8)}`;
    await placed(account);
    await put(lab.service, account, 'tokenKeys', 'own', one);
    const row = await lab.service.secrets.read(refOf(account, 'tokenKeys', 'own'));
    if (row === undefined) throw new Error('unexpected');
    await lab.service.secrets.replace(row.ref, { ...row.value, of: of as string }, row.etag);
    const later = await lab.another({ clock: { ...lab.clock, now: () => lab.clock.now() + 2 * hour } });
    expect(await deleteOrphanedSecrets({ visit: 'unnamed', account }, later)).toBeUndefined();
    expect(await secretsOf(account)).toHaveLength(1);
  },
);

describe('an account is listed at the path in its record, and at no other path,', () => {
  const listed = async () =>
    (await listAccountsOf(place, 100, undefined, world.lab.service)).accounts.map(({ record }) => record.name);

  test('an account is listed at the path in its record, and at no other path, even when its creation died after its directory row was written', async () => {
    const { lab } = world;
    const accounts = { ...lab.service.accounts, create: () => Promise.reject(new Error('died')) };
    await failure(placed('unmade', await lab.another({ accounts })));
    expect(await lab.service.directory.find('unmade', place)).toBeDefined();
    expect(await listed()).not.toContain('unmade');
    // Created at another path afterwards, it is listed there.
    const elsewhere = { ...place, resourceGroup: 'another' };
    await putAccount(
      { name: 'unmade', input: { owner: 'contoso', location, place: elsewhere }, actor: tester },
      lab.service,
    );
    expect(await listed()).not.toContain('unmade');
  });

  test('an account is listed at the path in its record, and at no other path, even when its delete died before its directory row was removed', async () => {
    const { lab } = world;
    await placed('undone');
    expect(await listed()).toContain('undone');
    const directory = { ...lab.service.directory, remove: () => Promise.reject(new Error('died')) };
    await failure(deleteAccount('undone', {}, tester, await lab.another({ directory })));
    expect(await listed()).not.toContain('undone');
    await placed('undone');
    expect(await listed()).toContain('undone');
    await deleteAccount('undone', {}, tester, lab.service);
    expect(await lab.service.directory.find('undone', place)).toBeUndefined();
  });
});

describe('operations', () => {
  const day = 86_400_000;
  const operation = (at: number, more: Partial<Operation> = {}): Operation => ({
    id: `${new Date(at).toISOString().slice(0, 10).replaceAll('-', '')}-${world.lab.service.random.uuid()}`,
    account: 'a',
    place,
    startedAt: at,
    status: 'Succeeded',
    endedAt: at,
    ...more,
  });

  test('operations are stored for two days, and deleted after that', async () => {
    const { lab } = world;
    const now = lab.clock.now();
    const [old, recent] = [3, 2].map((days) => operation(now - days * day));
    if (old === undefined || recent === undefined) throw new Error('unexpected');
    for (const one of [old, recent, operation(now - 40 * day)]) await lab.service.operations.insert(one);
    while (await clearOperations(lab.service));
    const find = ({ id }: Operation) => findOperation(id, place.subscriptionId.toLowerCase(), lab.service);
    expect((await failure(find(old))).code).toBe('NotFound');
    expect(await find(recent)).toEqual(recent);
  });

  test('INV-3: a waiting operation is refused like any other change once the account is inaccessible', async () => {
    const { lab } = world;
    const held = await lab.vaultWithKey('held-kv');
    await lab.keyVault('POST', '/vaults/held-kv/keys/wanted', { kty: 'RSA', size: 2048, fixture: 1 });
    const wanted = 'https://held-kv.vault.azure.net/keys/wanted';
    const by = (keyIdentifier: string) =>
      ({ type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } }) as const;
    await putAccount(
      { name: 'waiting', input: { owner: 'contoso', location, place, encryption: by(held) }, actor: tester },
      lab.service,
    );
    await lab.keyVault('POST', '/faults', { vault: 'held-kv', action: 'status', status: 503, body: 'empty' });
    const change = {
      account: 'waiting',
      method: 'patch',
      input: { place, encryption: by(wanted) },
      actor: tester,
      mayRelease: false,
    } as const;
    const { operation: begun } = await beginOperation(change, {}, lab.service);
    expect(begun.status).toBe('InProgress');
    await lab.keyVault('DELETE', '/faults');
    await lab.keyVault('PATCH', '/vaults/held-kv/keys/cmk', { enabled: false });
    await lab.advance(180_000);
    await continueOperation(begun.id, lab.service);
    const ended = await findOperation(begun.id, place.subscriptionId, lab.service);
    expect(ended).toMatchObject({ status: 'Failed', error: { code: 'CustomerKeyInaccessible' } });
    expect(ended.error?.message).toMatch(
      /KeyDisabled.*az keyvault key set-attributes|az keyvault key set-attributes.*KeyDisabled/,
    );
    expect(ended).not.toHaveProperty('pending');
    const { encryption } = (await lab.view('waiting')).record;
    expect(encryption).toMatchObject({ keyIdentifier: held });
    // A message that arrives twice finds it complete.
    await lab.keyVault('PATCH', '/vaults/held-kv/keys/cmk', { enabled: true });
    await continueOperation(begun.id, lab.service);
    expect(await findOperation(begun.id, place.subscriptionId, lab.service)).toEqual(ended);
  });

  describe('that wait for a silent vault', () => {
    const by = (keyIdentifier: string) =>
      ({ type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } }) as const;
    const change = (account: string, method: RequestedChange['method'], input: object): RequestedChange => ({
      account,
      method,
      input: { place, ...input },
      actor: tester,
      mayRelease: false,
    });
    async function silentVault(vault: string) {
      const key = await world.lab.vaultWithKey(vault);
      await world.lab.keyVault('POST', '/faults', { vault, action: 'status', status: 503, body: 'empty' });
      return by(key);
    }
    const ended = async ({ id }: Operation) => {
      await world.lab.keyVault('DELETE', '/faults');
      await continueOperation(id, world.lab.service);
      return findOperation(id, place.subscriptionId, world.lab.service);
    };

    test('waiting operations meet their caller’s conditions', async () => {
      const { lab } = world;
      const encryption = await silentVault('guarded-kv');
      await placed('guarded');
      const ifMatch = etagOf((await lab.view('guarded')).record);
      const input = { tags: { by: 'operation' }, encryption };
      const guarded = await beginOperation(change('guarded', 'patch', input), { ifMatch }, lab.service);
      await patchAccount({ name: 'guarded', input: { tags: { by: 'another' } }, actor: tester }, lab.service);
      const fresh = { owner: 'contoso', location, encryption };
      const creation = await beginOperation(change('fresh', 'put', fresh), { ifNoneMatch: '*' }, lab.service);
      await lab.keyVault('DELETE', '/faults');
      // Another caller creates it with the same key, so this operation did not.
      await putAccount({ name: 'fresh', input: { ...fresh, place }, actor: tester }, lab.service);
      for (const { operation: one } of [guarded, creation])
        expect(await ended(one)).toMatchObject({ status: 'Failed', error: { code: 'PreconditionFailed' } });
      expect((await lab.view('guarded')).record).toMatchObject({
        tags: { by: 'another' },
        encryption: { type: 'SystemKey' },
      });
    });

    test('waiting operations create nothing that was deleted in between; a creation that is requested afterwards continues', async () => {
      const { lab } = world;
      const input = { owner: 'contoso', location, encryption: await silentVault('ghost-kv') };
      const before = await beginOperation(change('Ghost', 'put', input), {}, lab.service);
      const elsewhere = await beginOperation(change('other', 'put', input), {}, lab.service);
      await cancelCreation('ghost', { ...place, resourceGroup: 'MEDIA' }, lab.service);
      await cancelCreation('other', { ...place, resourceGroup: 'elsewhere' }, lab.service);
      lab.clock.set(lab.clock.now() + 1);
      const after = await beginOperation(change('ghost', 'put', input), {}, lab.service);
      expect(await ended(before.operation)).toMatchObject({ status: 'Failed', error: { code: 'Conflict' } });
      const { tombstones } = await lab.service.accounts.tombstones('ghost', { limit: 1 });
      expect([await lab.service.accounts.read('ghost'), tombstones]).toEqual([undefined, []]);
      expect(await ended(after.operation)).toMatchObject({ status: 'Succeeded' });
      expect(await ended(elsewhere.operation)).toMatchObject({ status: 'Succeeded' });
    });

    test('waiting operations leave nothing of a creation that a DELETE could not see yet', async () => {
      const { lab } = world;
      const encryption = await silentVault('seen-kv');
      const input = { owner: 'contoso', location, encryption };
      const { operation: begun } = await beginOperation(change('unseen', 'put', input), {}, lab.service);
      await lab.keyVault('DELETE', '/faults');
      const accounts = {
        ...lab.service.accounts,
        async create(...asked: Parameters<Service['accounts']['create']>) {
          await cancelCreation('unseen', place, lab.service);
          expect(await deleteAccount('unseen', {}, tester, lab.service)).toBe(false);
          return lab.service.accounts.create(...asked);
        },
      };
      await continueOperation(begun.id, await lab.another({ accounts }));
      expect(await ended(begun)).toMatchObject({ status: 'Failed', error: { code: 'Conflict' } });
      expect(await lab.service.accounts.read('unseen')).toBeUndefined();
    });

    test('waiting operations do not run after their time, and report the last answer of the vault', async () => {
      const { lab } = world;
      const encryption = await silentVault('slow-kv');
      const begun = async (account: string) => {
        await placed(account);
        return (await beginOperation(change(account, 'patch', { encryption }), {}, lab.service)).operation;
      };
      const [late, tried] = [await begun('too-late'), await begun('tried')];
      await lab.keyVault('DELETE', '/faults');
      await lab.keyVault('POST', '/faults', { vault: 'slow-kv', action: 'status', status: 429, body: 'empty' });
      lab.clock.set(late.startedAt + 595_000);
      await continueOperation(tried.id, lab.service);
      lab.clock.set(tried.startedAt + 600_000);
      expect(await ended(tried)).toMatchObject({ status: 'Failed', error: { code: 'Throttled' } });
      expect(await ended(late)).toMatchObject({ status: 'Failed', error: { code: 'VaultUnavailable' } });
      for (const account of ['too-late', 'tried'])
        expect((await lab.view(account)).record.encryption.type).toBe('SystemKey');
    });
  });

  test('an operation that was given up without a result has failed', async () => {
    const { lab } = world;
    const now = lab.clock.now();
    const lost = operation(now - 13 * 60_000, { status: 'InProgress' });
    const young = operation(now - 9 * 60_000, { status: 'InProgress' });
    for (const one of [lost, young]) await lab.service.operations.insert(one);
    expect(await findOperation(lost.id, place.subscriptionId, lab.service)).toMatchObject({
      status: 'Failed',
      error: { code: 'ServiceUnavailable' },
    });
    expect(await findOperation(young.id, place.subscriptionId, lab.service)).toMatchObject({ status: 'InProgress' });
  });
});

test.each(['2021-06-01', '2021-11-01'])(
  'encryption properties that a body omits are those of the account at the time of the change, not of the earlier read (%s)',
  async (version) => {
    const { lab } = world;
    const { service } = lab;
    const account = `filled-${version}`;
    const by = (keyIdentifier: string) =>
      ({ type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } }) as const;
    const [old, next] = [await lab.vaultWithKey(`old-${version}`), await lab.vaultWithKey(`next-${version}`)];
    await putAccount(
      { name: account, input: { owner: 'contoso', location, place, encryption: by(old) }, actor: tester },
      service,
    );
    const seen = await lab.view(account);
    await patchAccount(
      { name: account, input: { encryption: by(next) }, actor: tester, permissions: { mayRelease: true } },
      service,
    );
    const body = { tags: { a: 'b' }, properties: { encryption: { type: 'CustomerKey' } } };
    const request = new HttpRequest({
      method: 'PATCH',
      url: `https://app.example/api?api-version=${version}`,
      params: { subscriptionId: place.subscriptionId, resourceGroupName: place.resourceGroup, accountName: account },
      query: { 'api-version': version },
      body: { string: JSON.stringify(body) },
    });
    const known = Promise.resolve({ view: seen, isRemembered: true });
    const answer = await update({ request, service, actor: tester, roles: new Set(), known });
    expect(answer.status).toBeLessThan(300);
    const { encryption, tags } = (await lab.view(account)).record;
    expect(encryption).toMatchObject({ keyIdentifier: next });
    expect(tags).toEqual({ a: 'b' });
  },
);
