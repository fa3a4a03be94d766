/**
 * The audit through the running app: read after the account is deleted, and verified after another writer changed the
 * table.
 */
import { randomUUID } from 'node:crypto';
import { TableClient, type TableEntityResult } from '@azure/data-tables';
import { beforeAll, describe, expect, test } from 'vitest';
import { type AuditEntry, type ChainHead, hashOf } from '../../src/core/audit/auditEntry.ts';
import { until } from '../../src/local/client.ts';
import {
  customerKey,
  got,
  newAccount,
  refused,
  rotate,
  sweptUntil,
  useStack,
  vaultWithKey,
  versionOf,
  withCustomerKey,
} from './support.ts';

const world = useStack();
const tags = (n: number) => ({ tags: { n: String(n) } });

interface Row {
  readonly v: number;
  readonly data: string;
}
type StoredRow = TableEntityResult<Row>;

const tableNamed = (name: string) =>
  TableClient.fromConnectionString(world.stack.azurite.connectionString, name, { allowInsecureConnection: true });
const accounts = () => tableNamed('keywardaccounts');

const place = (id: string, sequence: number) => `audit:${id}:${String(sequence).padStart(10, '0')}`;

async function partitionOf(name: string): Promise<StoredRow[]> {
  const filter = `PartitionKey eq '${name}'`;
  const rows: StoredRow[] = [];
  for await (const row of accounts().listEntities<Row>({ queryOptions: { filter } })) rows.push(row as StoredRow);
  return rows;
}

const put = async (name: string, rowKey: string, value: unknown) => {
  await accounts().upsertEntity({ partitionKey: name, rowKey, v: 1, data: JSON.stringify(value) }, 'Replace');
};
const remove = async (name: string, rowKey: string) => {
  await accounts().deleteEntity(name, rowKey);
};
const stored = async <T>(name: string, rowKey: string): Promise<T> =>
  JSON.parse((await accounts().getEntity<Row>(name, rowKey)).data);

/** An account with six entries. */
async function sixEntries(name: string): Promise<string> {
  const { body } = await got(201, world.api('PUT', `/api/accounts/${name}`, newAccount()));
  for (let n = 1; n <= 5; n++) await got(200, world.api('PATCH', `/api/accounts/${name}`, tags(n)));
  return body.properties.accountId;
}

// biome-ignore lint/suspicious/noExplicitAny: JSON, as a caller sees it.
const verified = async (path: string, body: unknown = {}): Promise<any> =>
  (await got(200, world.api('POST', `/api/operator/${path}/verify`, body))).body;
const verify = (name: string, body?: unknown) => verified(`accounts/${name}/audit`, body);

/** Every page, by its nextLink. */
async function read(path: string): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  let next: string | undefined = path;
  while (next !== undefined) {
    const { body } = await got(200, world.api('GET', next.replace(world.stack.host.url, '')));
    entries.push(...body.value);
    next = body.nextLink;
  }
  return entries;
}

describe('reading the audit', () => {
  test('reading the audit returns entries as they are stored, without their salts, the newest last, in pages', async () => {
    const id = await sixEntries('paged');
    const entries = await read('/api/operator/accounts/Paged/audit?$top=4');
    expect(entries.map(({ sequence, type }) => [sequence, type])).toEqual([
      [1, 'AccountCreated'],
      ...[2, 3, 4, 5, 6].map((n) => [n, 'AccountUpdated']),
    ]);
    const { salt, format, ...shown } = await stored<AuditEntry>('paged', place(id, 6));
    expect([typeof salt, format]).toEqual(['string', 2]);
    expect(entries[5]).toEqual(shown);
    const { body } = await got(200, world.api('GET', '/api/operator/accounts/paged/audit?$top=4'));
    expect(body.nextLink).toBe(
      `${world.stack.host.url}/api/operator/accounts/paged/audit?accountId=${id}&%24top=4&%24skipToken=0000000004`,
    );
  });

  test('reading the audit continues after a row whose key is shorter than any of Keyward', async () => {
    const id = await sixEntries('short');
    await put('short', `audit:${id}:5`, {});
    const entries = await read('/api/operator/accounts/short/audit?$top=1');
    expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5, 6, 0]);
  });

  test('reading the audit works after the account was deleted, and keeps accounts of one name apart', async () => {
    const first = await sixEntries('reborn');
    await got(200, world.api('DELETE', '/api/accounts/reborn'));
    expect((await read('/api/operator/accounts/reborn/audit')).at(-1)).toMatchObject({
      type: 'AccountDeleted',
      chain: first,
    });
    const second = await sixEntries('reborn');
    const third = randomUUID();
    expect((await read('/api/operator/accounts/reborn/audit'))[0]).toMatchObject({ chain: second });
    expect(await read(`/api/operator/accounts/reborn/audit?accountId=${first.toUpperCase()}`)).toHaveLength(7);
    expect(await verify('reborn')).toMatchObject({ chain: second, result: 'whole', entries: 6 });
    const ofTheFirst = `/api/operator/accounts/reborn/audit/verify?accountId=${first}`;
    expect((await got(200, world.api('POST', ofTheFirst, {}))).body).toMatchObject({ chain: first, result: 'whole' });
    await refused(404, 'NotFound', world.api('GET', `/api/operator/accounts/reborn/audit?accountId=${third}`));
    await got(200, world.api('DELETE', '/api/accounts/reborn'));
    expect(await verify('reborn')).toMatchObject({ chain: second, result: 'whole', entries: 7 });
    const { body } = await got(200, world.api('GET', '/api/operator/accounts/reborn/instances'));
    expect(body.value.map((one: { accountId: string }) => one.accountId).toSorted()).toEqual(
      [first, second].toSorted(),
    );
    expect(body.value[0]).toMatchObject({ owner: 'contoso', deletedAt: expect.any(String), head: { sequence: 7 } });
  });

  test('the erasure of an audit is refused for a present account, and for one that was deleted just now', async () => {
    const accountId = await sixEntries('erasing');
    const erased = (body: object) => world.api('POST', '/api/operator/accounts/erasing/audit/erase', body);
    await refused(409, 'Conflict', erased({ accountId }));
    await refused(400, 'InvalidRequestContent', erased({}));
    await got(200, world.api('DELETE', '/api/accounts/erasing'));
    await refused(409, 'Conflict', erased({ accountId }));
    await refused(404, 'NotFound', erased({ accountId: randomUUID() }));
    expect((await read('/api/operator/accounts/erasing/audit')).every((entry) => !('erased' in entry))).toBe(true);
  });

  test('reading the audit of a key returns its bindings, each with a chain, and the service has one', async () => {
    const key = await vaultWithKey(world, 'audited-kv');
    await got(201, world.api('PUT', '/api/accounts/audited', newAccount()));
    await got(200, world.api('PATCH', '/api/accounts/audited', customerKey(key)));
    const { body } = await got(200, world.api('GET', `/api/operator/bindings?keyIdentifier=${key}`));
    const [{ bindingId, ...about }] = body.value;
    expect(about).toMatchObject({ key, identity: { useSystemAssignedIdentity: true }, head: { sequence: 1 } });
    const version = await rotate(world, 'audited-kv');
    await sweptUntil(world, 'audited', ({ properties: { encryption } }) =>
      encryption.keyVaultProperties.currentKeyIdentifier.endsWith(version),
    );
    const types = (await read(`/api/operator/bindings/${bindingId}/audit`)).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['WatchCreated', 'RotationStarted', 'RotationCompleted']));
    expect(await verified(`bindings/${bindingId}/audit`)).toMatchObject({ result: 'whole', entries: types.length });
    expect(await verified('audit')).toMatchObject({ chain: 'service', result: 'whole' });
    expect(await read('/api/operator/audit')).toEqual(expect.any(Array));
    await refused(404, 'NotFound', world.api('GET', `/api/operator/bindings/${'0'.repeat(32)}/audit`));
  });

  test("an audit entry of Keyward names the event that started the work, and the vault's response", async () => {
    await got(
      201,
      world.api('PUT', '/api/accounts/evented', withCustomerKey('contoso', await vaultWithKey(world, 'evented-kv'))),
    );
    const version = await rotate(world, 'evented-kv');
    await until(
      'the re-wrap',
      () => versionOf(world.api, 'evented'),
      (now) => now === version,
    );
    const [event] = (await world.stack.keyVault<{ id: string; subject: string }[]>('GET', '/events')).slice(-1);
    const [entry] = (await read('/api/operator/accounts/evented/audit')).slice(-1);
    expect(entry).toMatchObject({
      type: 'AccountKeyRewrapped',
      actor: { kind: 'keyward', id: 'rewrap' },
      eventId: event?.id,
      trigger: expect.stringMatching(/^(event|wake)$/),
      keyVaultRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test.each([
    ['accounts/nobody-here/audit', 404, 'AccountNotFound'],
    ['accounts/-/audit', 400, 'InvalidParameter'],
    ['accounts/paged/audit?accountId=x', 400, 'InvalidParameter'],
    ['accounts/paged/audit?$top=101', 400, 'InvalidParameter'],
    ['accounts/paged/audit?$skipToken=x', 400, 'InvalidParameter'],
    ['accounts/paged/instances?$skipToken=x', 400, 'InvalidParameter'],
    ['bindings', 400, 'InvalidParameter'],
    ['bindings/x/audit', 400, 'InvalidParameter'],
  ])('reading the audit of %s is rejected', async (path, status, code) => {
    await refused(status, code, world.api('GET', `/api/operator/${path}`));
  });

  test.each([
    [{ announced: [{ sequence: 0, hash: 'x' }] }, 'announced.0.sequence'],
    [{ announced: Array.from({ length: 201 }, () => ({ sequence: 1, hash: 'A'.repeat(43) })) }, 'announced'],
    [{ after: { sequence: 1 } }, 'after.hash'],
    [{ heads: [] }, 'heads'],
  ])('a verification with %o is rejected, and the response names the field', async (body, target) => {
    const { body: answer } = await refused(
      ...([400, 'InvalidRequestContent'] as const),
      world.api('POST', '/api/operator/accounts/paged/audit/verify', body),
    );
    expect(answer.error.target).toBe(target);
  });
});

describe('INV-6: a writer of the table without the audit key', () => {
  const tampered: [string, number, string, (name: string, id: string) => Promise<void>][] = [
    [
      'edits an entry',
      ...([3, 'Edited'] as const),
      async (name, id) => put(name, place(id, 3), { ...(await stored<AuditEntry>(name, place(id, 3))), after: 'else' }),
    ],
    ['writes over an entry', 3, 'Edited', (name, id) => put(name, place(id, 3), 'nonsense')],
    [
      'writes what is not even JSON',
      ...([2, 'Edited'] as const),
      async (name, id) => {
        await accounts().upsertEntity({ partitionKey: name, rowKey: place(id, 2), v: 1, data: '{' }, 'Replace');
      },
    ],
    ['removes an entry', 4, 'Missing', (name, id) => remove(name, place(id, 4))],
    [
      'puts two entries into each other’s place',
      ...([2, 'OutOfOrder'] as const),
      async (name, id) => {
        const [two, three] = [await stored(name, place(id, 2)), await stored(name, place(id, 3))];
        await put(name, place(id, 2), three);
        await put(name, place(id, 3), two);
      },
    ],
    [
      'swaps the sequence numbers of two entries',
      ...([2, 'Edited'] as const),
      async (name, id) => {
        const [two, three] = [
          await stored<AuditEntry>(name, place(id, 2)),
          await stored<AuditEntry>(name, place(id, 3)),
        ];
        await put(name, place(id, 2), { ...three, sequence: 2 });
        await put(name, place(id, 3), { ...two, sequence: 3 });
      },
    ],
    [
      'cuts off the end',
      ...([5, 'Missing'] as const),
      async (name, id) => {
        await remove(name, place(id, 5));
        await remove(name, place(id, 6));
      },
    ],
    [
      'cuts off the end and writes the hash that stands there into the head',
      ...([5, 'StateDamaged'] as const),
      async (name, id) => {
        const record = await stored<{ audit: ChainHead }>(name, 'record');
        const { sequence, hash } = await stored<AuditEntry>(name, place(id, 3));
        await put(name, 'record', { ...record, audit: { sequence, hash } });
        await remove(name, place(id, 6));
      },
    ],
    [
      'writes the chain anew from its middle, and its head',
      ...([4, 'Edited'] as const),
      async (name, id) => {
        const key = { generation: 1, key: new Uint8Array(32) };
        let previousHash = (await stored<AuditEntry>(name, place(id, 3))).hash;
        for (const sequence of [4, 5, 6]) {
          const { hash: _, ...entry } = await stored<AuditEntry>(name, place(id, sequence));
          const forged = { ...entry, after: 'forged', previousHash };
          previousHash = hashOf(forged, key);
          await put(name, place(id, sequence), { ...forged, hash: previousHash });
        }
        const record = await stored<{ audit: ChainHead }>(name, 'record');
        await put(name, 'record', { ...record, audit: { sequence: 6, hash: previousHash } });
      },
    ],
    [
      'writes over the head',
      ...([6, 'StateDamaged'] as const),
      async (name) => put(name, 'record', { ...(await stored<object>(name, 'record')), audit: 'none' }),
    ],
    [
      'puts in an entry of another account',
      ...([2, 'Foreign'] as const),
      async (name, id) => put(name, place(id, 2), await stored('donor', place(donor, 2))),
    ],
    [
      'names a generation of the audit ring that there is not',
      ...([5, 'KeyUnknown'] as const),
      async (name, id) =>
        put(name, place(id, 5), { ...(await stored<AuditEntry>(name, place(id, 5))), keyGeneration: 77 }),
    ],
    [
      'adds a row of a form that no entry has',
      ...([4, 'OutOfOrder'] as const),
      async (name, id) => put(name, `${place(id, 3)}x`, await stored(name, place(id, 3))),
    ],
  ];
  let donor = '';
  let watched = '';
  const claimOf = (vault: string) => `/api/operator/claims?kind=vault&value=${vault}.vault.azure.net`;
  /** The release of a claim is an entry of the service's own chain. */
  async function releaseClaim(vault: string): Promise<void> {
    const account = `/api/accounts/${vault}`;
    await got(201, world.api('PUT', account, withCustomerKey(vault, await vaultWithKey(world, vault))));
    await got(200, world.api('DELETE', account));
    await got(200, world.api('DELETE', claimOf(vault)));
  }
  beforeAll(async () => {
    donor = await sixEntries('donor');
    const key = await vaultWithKey(world, 'watched-kv');
    await got(201, world.api('PUT', '/api/accounts/watched', withCustomerKey('contoso', key)));
    watched = (await got(200, world.api('GET', `/api/operator/bindings?keyIdentifier=${key}`))).body.value[0].bindingId;
    // It is in the service's own chain.
    await refused(409, 'Conflict', world.api('DELETE', claimOf('watched-kv')));
  });

  test.each(tampered)(
    'INV-6: verification finds a writer of the table without the audit key who %s',
    async (_, sequence, flaw, tamper) => {
      const name = `t-${randomUUID().slice(0, 12)}`;
      const id = await sixEntries(name);
      expect(await verify(name)).toMatchObject({ result: 'whole', entries: 6 });
      await tamper(name, id);
      const seen = await verify(name);
      expect(seen).toMatchObject({
        chain: id,
        result: 'broken',
        broken: { sequence, flaw, meaning: expect.stringMatching(/\S/) },
      });
      const line = world.records.findLast(({ message }) =>
        message.startsWith('Audit verification found a broken chain'),
      );
      expect(line).toMatchObject({ level: 'error', message: expect.stringContaining(id) });
      // Reading continues, and invents nothing.
      const entries: (AuditEntry & { unreadable?: true })[] = await read(`/api/operator/accounts/${name}/audit`);
      for (const entry of entries) expect(entry.unreadable === true || entry.hash.length > 0).toBe(true);
    },
  );

  test('INV-6: only a published head shows that a writer restored the whole partition to an older state', async () => {
    const id = await sixEntries('rolledback');
    const before = await partitionOf('rolledback');
    await got(200, world.api('PATCH', '/api/accounts/rolledback', tags(6)));
    await got(200, world.api('PATCH', '/api/accounts/rolledback', tags(7)));
    const announced = (await read('/api/operator/accounts/rolledback/audit')).map(({ sequence, hash }) => ({
      sequence,
      hash,
    }));
    expect(await verify('rolledback', { announced })).toMatchObject({ result: 'whole', compared: 8 });

    for (const { rowKey } of await partitionOf('rolledback')) await remove('rolledback', rowKey ?? '');
    for (const { rowKey = '', ...row } of before)
      await accounts().createEntity({ ...row, partitionKey: 'rolledback', rowKey });
    expect(await verify('rolledback')).toMatchObject({ result: 'whole', entries: 6 });
    expect(await verify('rolledback', { announced })).toMatchObject({
      chain: id,
      result: 'broken',
      broken: { sequence: 7, flaw: 'Missing' },
      compared: 6,
    });
    // The account continues, and its chain grows past the published head.
    for (const n of [16, 17, 18]) await got(200, world.api('PATCH', '/api/accounts/rolledback', tags(n)));
    expect(await verify('rolledback')).toMatchObject({ result: 'whole', entries: 9 });
    expect(await verify('rolledback', { announced: announced.slice(-1) })).toMatchObject({
      broken: { sequence: 8, flaw: 'AnnouncedDiffers' },
    });
  });

  test.each([
    ['what is not even JSON', '{'],
    ['null', 'null'],
    ['a list', '[]'],
  ])(
    'INV-6: verification finds a writer who writes %s over a record, a tombstone, a watch and the service’s head',
    async (_, data) => {
      const over = (table: string, partitionKey: string, rowKey: string) =>
        tableNamed(table).upsertEntity({ partitionKey, rowKey, v: 1, data }, 'Replace');
      const name = `o-${randomUUID().slice(0, 12)}`;
      const id = await sixEntries(name);
      await over('keywardaccounts', name, 'record');
      const path = `/api/operator/accounts/${name}/audit`;
      const damaged = { result: 'broken', broken: { sequence: 6, flaw: 'StateDamaged' } };
      expect((await got(200, world.api('POST', `${path}/verify`, {}))).body).toMatchObject(damaged);
      const ofThisOne = async () => (await got(200, world.api('POST', `${path}/verify?accountId=${id}`, {}))).body;
      expect(await ofThisOne()).toMatchObject(damaged);
      expect(await read(`${path}?accountId=${id}`)).toHaveLength(6);
      await remove(name, 'record');
      await over('keywardaccounts', name, `tombstone:${id}`);
      expect(await ofThisOne()).toMatchObject(damaged);
      await refused(404, 'AccountNotFound', world.api('GET', path));
      const { body: list } = await got(200, world.api('GET', path.replace('audit', 'instances')));
      expect(list).toEqual({ value: [] });

      // The same for a binding and for the service, with an entry of each.
      const [binding, service] = [watched, 'audit'] as const;
      await over('keywardbindings', binding, 'watch');
      expect(await verified(`bindings/${binding}/audit`)).toMatchObject({ broken: { flaw: 'StateDamaged' } });
      expect(await read(`/api/operator/bindings/${binding}/audit`)).not.toEqual([]);
      await over('keywardservice', 'service', 'head');
      expect(await verified(service)).toMatchObject({ result: 'broken', broken: { flaw: 'StateDamaged' } });
      // The next entry of that chain repairs the head, from the last entry that verifies.
      await releaseClaim(`r-${randomUUID().slice(0, 12)}`);
      expect(await verified(service)).toMatchObject({ result: 'whole' });
    },
  );

  test('INV-6: verification finds a writer who removes the account and its tombstone, and leaves the entries', async () => {
    const id = await sixEntries('traceless');
    await remove('traceless', 'record');
    await refused(404, 'AccountNotFound', world.api('POST', '/api/operator/accounts/traceless/audit/verify', {}));
    const path = `/api/operator/accounts/traceless/audit/verify?accountId=${id}`;
    const { body } = await got(200, world.api('POST', path, {}));
    expect(body).toMatchObject({ result: 'broken', broken: { sequence: 1, flaw: 'BeyondHead' } });
    // Then the entries too: only the published heads are left.
    const { sequence, hash } = await stored<AuditEntry>('traceless', place(id, 6));
    for (const { rowKey } of await partitionOf('traceless')) await remove('traceless', rowKey ?? '');
    await refused(404, 'NotFound', world.api('POST', path, {}));
    const announced = await got(200, world.api('POST', path, { announced: [{ sequence, hash }] }));
    expect(announced.body).toMatchObject({ result: 'broken', broken: { sequence: 1, flaw: 'Missing' } });
  });
});
