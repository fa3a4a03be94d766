/**
 * What the adapters rely on in the Table service, by the SDK's own client: one suite for Azurite and for the emulator
 * in memory. Expected values are Microsoft's ("Table Storage error codes", "Understanding the Table service data
 * model", "Performing entity group transactions"); where Azurite differs from them, the row says so.
 */
import {
  odata,
  RestError,
  TableClient,
  type TableEntity,
  TableServiceClient,
  TableTransaction,
} from '@azure/data-tables';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Azurite, startAzurite } from '../../../src/local/azurite.ts';
import { createTableEmulator } from '../src/tableEmulator.ts';

type Access = Pick<ReturnType<typeof createTableEmulator>, 'connectionString'> &
  Partial<Pick<ReturnType<typeof createTableEmulator>, 'httpClient'>>;

const outcomes = {
  noTable: { status: 404, code: 'TableNotFound' },
  tableExists: { status: 409, code: 'TableAlreadyExists' },
  noEntity: { status: 404, code: 'ResourceNotFound' },
  exists: { status: 409, code: 'EntityAlreadyExists' },
  changed: { status: 412, code: 'UpdateConditionNotSatisfied' },
  keyOutOfRange: { status: 400, code: 'OutOfRangeInput' },
  slashInPath: { status: 400, code: 'OutOfRangeInput' },
  keyTooLarge: { status: 400, code: 'KeyValueTooLarge' },
  propertyTooLarge: { status: 400, code: 'PropertyValueTooLarge' },
  entityTooLarge: { status: 400, code: 'EntityTooLarge' },
  twice: { status: 400, code: 'InvalidDuplicateRow' },
  invalid: { status: 400, code: 'InvalidInput' },
  bodyTooLarge: { status: 413, code: 'RequestBodyTooLarge' },
} as const;
type Outcome = { readonly status: number | undefined; readonly code: string | undefined };

/** Azurite names these keys `InvalidInput`, and fails where a path holds a slash. */
const ofAzurite = {
  ...outcomes,
  keyOutOfRange: outcomes.invalid,
  keyTooLarge: outcomes.invalid,
  slashInPath: { status: 500, code: undefined },
};

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite();
});
afterAll(() => azurite.stop());

const implementations: readonly (readonly [string, () => Access, Readonly<Record<keyof typeof outcomes, Outcome>>])[] =
  [
    ['Azurite', () => azurite, ofAzurite],
    ['the table emulator', createTableEmulator, outcomes],
  ];

async function outcomeOf(call: Promise<unknown>): Promise<Outcome | 'done'> {
  try {
    await call;
    return 'done';
  } catch (error) {
    if (!(error instanceof RestError)) throw error;
    const details = error.details as { odataError?: { code?: string } } | undefined;
    return { status: error.statusCode, code: error.code ?? details?.odataError?.code };
  }
}

describe.each(implementations)('%s', (implementation, access, refused) => {
  let opened: Access;
  let table: TableClient;
  let tableCount = 0;
  const options = () => ({ ...opened, allowInsecureConnection: true, retryOptions: { maxRetries: 0 } });
  const tableNamed = (name: string) => TableClient.fromConnectionString(opened.connectionString, name, options());
  beforeAll(() => {
    opened = access();
  });
  beforeEach(async () => {
    tableCount += 1;
    table = tableNamed(`things${tableCount}`);
    await table.createTable();
  });

  const key = { partitionKey: 'p', rowKey: 'r' };
  const get = (rowKey = 'r') => table.getEntity<Record<string, unknown>>('p', rowKey);
  const keysOf = async (filter?: string, maxPageSize = 1000) => {
    const pages: string[][] = [];
    const query = filter === undefined ? {} : { queryOptions: { filter } };
    for await (const page of table.listEntities(query).byPage({ maxPageSize }))
      pages.push(page.map(({ partitionKey, rowKey }) => `${partitionKey}/${rowKey}`));
    return pages;
  };
  const all = async (filter?: string) => (await keysOf(filter)).flat();

  test(`${implementation} creates a table once, and deletes it with its entities`, async () => {
    await table.createEntity(key);
    expect(await outcomeOf(table.createTable())).toBe('done');
    expect(await get()).toMatchObject(key);
    const service = TableServiceClient.fromConnectionString(opened.connectionString, options());
    const names: (string | undefined)[] = [];
    for await (const { name } of service.listTables()) names.push(name);
    expect(names).toContain(table.tableName);
    await table.deleteTable();
    expect(await outcomeOf(get())).toEqual(refused.noTable);
    expect(await outcomeOf(table.createEntity(key))).toEqual(refused.noTable);
    expect(await outcomeOf(table.submitTransaction([['create', key]]))).toEqual(refused.noTable);
    expect(await outcomeOf(all())).toEqual(refused.noTable);
  });

  test(`${implementation} names tables without regard to case, and refuses a name that begins with a digit`, async () => {
    await table.createEntity(key);
    expect(await tableNamed(table.tableName.toUpperCase()).getEntity('p', 'r')).toMatchObject(key);
    expect(await outcomeOf(tableNamed('1things').createTable())).toMatchObject({ status: 400 });
  });

  test(`${implementation} returns an entity of every type as it was stored, without properties that are null`, async () => {
    const entity = {
      partitionKey: "it's a % + & = ü 🗝",
      rowKey: 'r 1:ä',
      text: 'a "text" of\r\n two {lines}',
      empty: '',
      number: 1,
      fraction: 1.5,
      isTrue: true,
      none: null,
      long: 9_007_199_254_740_993n,
      at: new Date(86_400_000),
      bytes: new Uint8Array([0, 255]),
      guid: { type: 'Guid', value: '3f2504e0-4f89-41d3-9a0c-0305e82c3301' },
    };
    const { etag } = await table.createEntity(entity as unknown as TableEntity);
    const { none: _, ...stored } = entity;
    const { timestamp, ...read } = await table.getEntity(entity.partitionKey, entity.rowKey);
    const { bytes, ...others } = stored;
    expect(read).toMatchObject({ ...others, etag });
    expect([...(read.bytes as Uint8Array)]).toEqual([...bytes]);
    expect(read).not.toHaveProperty('none');
    expect(Math.abs(Date.parse(String(timestamp)) - Date.now())).toBeLessThan(60_000);
    expect(await all(odata`PartitionKey eq ${entity.partitionKey}`)).toEqual([`${entity.partitionKey}/r 1:ä`]);
  });

  test(`${implementation} inserts an entity once`, async () => {
    await table.createEntity({ ...key, value: 1 });
    expect(await outcomeOf(table.createEntity({ ...key, value: 2 }))).toEqual(refused.exists);
    expect(await get()).toMatchObject({ value: 1 });
  });

  test(`${implementation} replaces, merges and deletes an entity only under the ETag that it has now`, async () => {
    const { etag: first = '' } = await table.createEntity({ ...key, old: 1 });
    const { etag: second = '' } = await table.updateEntity({ ...key, middle: 1 }, 'Replace', { etag: first });
    expect(await get()).toMatchObject({ etag: second, middle: 1 });
    expect(await get()).not.toHaveProperty('old');
    expect(second).not.toBe(first);
    for (const mode of ['Replace', 'Merge'] as const)
      expect(await outcomeOf(table.updateEntity({ ...key, wrong: 1 }, mode, { etag: first }))).toEqual(refused.changed);
    expect(await outcomeOf(table.deleteEntity('p', 'r', { etag: first }))).toEqual(refused.changed);
    const { etag: third = '' } = await table.updateEntity({ ...key, last: 1 }, 'Merge', { etag: second });
    expect(await get()).toMatchObject({ etag: third, middle: 1, last: 1 });
    await table.deleteEntity('p', 'r', { etag: third });
    expect(await outcomeOf(get())).toEqual(refused.noEntity);
  });

  test(`${implementation} updates and deletes no entity that does not exist, and upserts one that does not`, async () => {
    const wildcard = { etag: '*' };
    expect(await outcomeOf(table.updateEntity(key, 'Replace', wildcard))).toEqual(refused.noEntity);
    expect(await outcomeOf(table.updateEntity(key, 'Merge', wildcard))).toEqual(refused.noEntity);
    expect(await outcomeOf(table.deleteEntity('p', 'r', wildcard))).toEqual(refused.noEntity);
    await table.upsertEntity({ ...key, old: 1 }, 'Replace');
    await table.upsertEntity({ ...key, value: 1 }, 'Merge');
    expect(await get()).toMatchObject({ old: 1, value: 1 });
    await table.upsertEntity({ ...key, value: 2 }, 'Replace');
    expect(await get()).not.toHaveProperty('old');
  });

  test(`${implementation} gives each of many concurrent writes an ETag of its own, and lets one of two rivals win`, async () => {
    await table.createEntity(key);
    const { etag } = await get();
    const rivals = await Promise.all(
      [1, 2, 3].map((value) => outcomeOf(table.updateEntity({ ...key, value }, 'Replace', { etag }))),
    );
    expect(rivals.filter((outcome) => outcome === 'done')).toHaveLength(1);
    expect(rivals.filter((outcome) => outcome !== 'done')).toEqual([refused.changed, refused.changed]);
    const written = await Promise.all(Array.from({ length: 20 }, () => table.upsertEntity(key, 'Replace')));
    expect(new Set(written.map((one) => one.etag)).size).toBe(20);
  });

  describe('entity group transactions', () => {
    const row = (rowKey: string, more: object = {}) => ({ partitionKey: 'p', rowKey, ...more });

    test(`${implementation} carries out a transaction of every operation, and answers with the ETags in order`, async () => {
      await table.createEntity(row('replaced', { old: 1 }));
      await table.createEntity(row('merged', { old: 1 }));
      await table.createEntity(row('deleted'));
      const { etag } = await get('replaced');
      const transaction = new TableTransaction();
      transaction.updateEntity(row('replaced', { text: 'two\r\n\r\nlines' }), 'Replace', { etag });
      transaction.updateEntity(row('merged', { value: 1 }), 'Merge');
      transaction.deleteEntity('p', 'deleted');
      transaction.createEntity(row('created'));
      transaction.upsertEntity(row('upserted'), 'Replace');
      const { subResponses } = await table.submitTransaction(transaction.actions);
      expect(await all()).toEqual(['p/created', 'p/merged', 'p/replaced', 'p/upserted']);
      expect(await get('replaced')).toMatchObject({ text: 'two\r\n\r\nlines', etag: subResponses[0]?.etag });
      expect(await get('replaced')).not.toHaveProperty('old');
      expect(await get('merged')).toMatchObject({ old: 1, value: 1, etag: subResponses[1]?.etag });
      expect(subResponses.map(({ status }) => status)).toEqual([204, 204, 204, 204, 204]);
    });

    const stale = { etag: `W/"datetime'2000-01-01T00%3A00%3A00.0000000Z'"` };
    test.each([
      ['an insert of an existing entity', ['create', row('there')], 'exists'],
      ['an update under an older ETag', ['update', row('there'), 'Replace', stale], 'changed'],
      ['an update of a missing entity', ['update', row('missing'), 'Replace', { etag: '*' }], 'noEntity'],
      ['a delete of a missing entity', ['delete', row('missing')], 'noEntity'],
      ['a key with a slash', ['upsert', row('a/b'), 'Replace'], 'keyOutOfRange'],
      ['a second operation on one entity', ['upsert', row('first'), 'Replace'], 'twice'],
    ] as const)(`${implementation} refuses a transaction with %s as a whole`, async (_, action, outcome) => {
      await table.createEntity(row('there', { value: 1 }));
      const first = ['create', row('first')] as const;
      const call = table.submitTransaction([first, action] as unknown as TableTransaction['actions']);
      expect(await outcomeOf(call)).toEqual(refused[outcome]);
      expect(await all()).toEqual(['p/there']);
      expect(await get('there')).toMatchObject({ value: 1 });
    });

    test(`${implementation} takes 100 operations in a transaction and refuses 101`, async () => {
      const creations = (count: number, prefix: string) =>
        Array.from({ length: count }, (_, index): ['create', TableEntity] => ['create', row(`${prefix}${index}`)]);
      await table.submitTransaction(creations(100, 'a'));
      expect(await outcomeOf(table.submitTransaction(creations(101, 'b')))).toEqual(refused.invalid);
      expect(await all()).toHaveLength(100);
    });

    test(`${implementation} refuses a transaction of more than 4 MiB`, async () => {
      const text = 'x'.repeat(32_000);
      const actions = Array.from({ length: 70 }, (_, index): ['create', TableEntity<object>] => [
        'create',
        row(`r${index}`, { a: text, b: text }),
      ]);
      expect(await outcomeOf(table.submitTransaction(actions))).toEqual(refused.bodyTooLarge);
      expect(await all()).toEqual([]);
    });
  });

  describe('limits', () => {
    const named = (partitionKey: string, more: object = {}) => ({ partitionKey, rowKey: '1', ...more });

    test.each(['/', '\\', '#', '?', '\t', '\n', '\u0085'])(
      `${implementation} refuses a key with the character %j, inserted or upserted`,
      async (character) => {
        const entity = named(`a${character}b`);
        expect(await outcomeOf(table.createEntity(entity))).toEqual(refused.keyOutOfRange);
        const outcome = character === '/' ? refused.slashInPath : refused.keyOutOfRange;
        expect(await outcomeOf(table.upsertEntity(entity, 'Replace'))).toEqual(outcome);
        expect(await all()).toEqual([]);
      },
    );

    test(`${implementation} takes a key of 512 characters and refuses one of 513`, async () => {
      expect(await outcomeOf(table.createEntity(named('k'.repeat(512))))).toBe('done');
      expect(await outcomeOf(table.createEntity(named('k'.repeat(513))))).toEqual(refused.keyTooLarge);
    });

    test(`${implementation} takes 32,768 UTF-16 characters in a property, or 65,536 bytes, and refuses one more`, async () => {
      await table.createEntity(named('text', { value: 'ü'.repeat(32_768) }));
      await table.createEntity(named('bytes', { value: new Uint8Array(65_536) }));
      for (const value of ['x'.repeat(32_769), new Uint8Array(65_537)])
        expect(await outcomeOf(table.createEntity(named('more', { value })))).toEqual(refused.propertyTooLarge);
      expect(await all()).toEqual(['bytes/1', 'text/1']);
    });

    test(`${implementation} refuses an entity of more than 1 MiB`, async () => {
      const properties = (count: number) =>
        Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${index}`, 'x'.repeat(32_000)]));
      expect(await outcomeOf(table.upsertEntity(named('less', properties(16))))).toBe('done');
      expect(await outcomeOf(table.upsertEntity(named('more', properties(40))))).toEqual(refused.entityTooLarge);
    });
  });

  describe('queries', () => {
    const entities: readonly TableEntity<Record<string, unknown>>[] = [
      { partitionKey: 'b', rowKey: '2', count: 2, isNew: true, at: '2026-01-02' },
      { partitionKey: 'a', rowKey: '1', count: 1, isNew: false },
      { partitionKey: 'b', rowKey: '10', count: 10, isNew: false, at: '2026-01-10' },
      { partitionKey: "it's", rowKey: 'A', count: -1.5 },
      { partitionKey: 'B', rowKey: 'a', isNew: true },
    ];
    beforeEach(async () => {
      for (const entity of entities) await table.createEntity(entity);
    });

    test(`${implementation} lists entities in the order of their keys, by code unit`, async () => {
      expect(await all()).toEqual(['B/a', 'a/1', 'b/10', 'b/2', "it's/A"]);
    });

    test.each([
      [odata`PartitionKey eq ${'b'}`, ['b/10', 'b/2']],
      [odata`PartitionKey eq ${"it's"}`, ["it's/A"]],
      [odata`PartitionKey eq ${'b'} and RowKey gt ${'10'}`, ['b/2']],
      [odata`PartitionKey eq ${'b'} and RowKey ge ${'10'} and RowKey lt ${'2'}`, ['b/10']],
      [odata`PartitionKey gt ${'a'} and RowKey le ${'2'}`, ['b/10', 'b/2']],
      [odata`PartitionKey ge ${''}`, ['B/a', 'a/1', 'b/10', 'b/2', "it's/A"]],
      [odata`PartitionKey lt ${'b'}`, ['B/a', 'a/1']],
      [odata`RowKey eq ${'2'}`, ['b/2']],
      [odata`RowKey ne ${'2'}`, ['B/a', 'a/1', 'b/10', "it's/A"]],
      [odata`isNew eq ${true}`, ['B/a', 'b/2']],
      [odata`PartitionKey eq ${'b'} and isNew eq ${true}`, ['b/2']],
      [odata`at lt ${'2026-01-05'}`, ['b/2']],
      [odata`count gt ${1}`, ['b/10', 'b/2']],
      [odata`(PartitionKey gt ${'b'} or (PartitionKey eq ${'b'} and RowKey gt ${'10'})) and isNew eq ${true}`, ['b/2']],
      [odata`not (PartitionKey eq ${'b'})`, ['B/a', 'a/1', "it's/A"]],
      [odata`PartitionKey eq ${'a'} or PartitionKey eq ${'B'} and RowKey eq ${'none'}`, ['a/1']],
    ])(`${implementation} finds by %s exactly what fits`, async (filter, expected) => {
      expect(await all(filter)).toEqual(expected);
    });

    test.each(['PartitionKey eq', "PartitionKey is 'b'", "(PartitionKey eq 'b'"])(
      `${implementation} refuses the filter %s`,
      async (filter) => {
        expect(await outcomeOf(all(filter))).toEqual(refused.invalid);
      },
    );

    test(`${implementation} returns pages with a continuation over partitions, and none where nothing follows`, async () => {
      expect(await keysOf(undefined, 2)).toEqual([['B/a', 'a/1'], ['b/10', 'b/2'], ["it's/A"]]);
      expect(await keysOf(odata`PartitionKey eq ${'b'}`, 2)).toEqual([['b/10', 'b/2']]);
      expect(await keysOf(odata`count gt ${0}`, 1)).toEqual([['a/1'], ['b/10'], ['b/2']]);
    });

    test(`${implementation} continues a list behind what was read, over entities that came and went since`, async () => {
      const pages = table.listEntities().byPage({ maxPageSize: 2 });
      await pages.next();
      await table.deleteEntity('b', '10');
      await table.createEntity({ partitionKey: 'a', rowKey: '0' });
      await table.createEntity({ partitionKey: 'b', rowKey: '11' });
      const { value = [] } = await pages.next();
      expect(value.map(({ rowKey = '' }) => rowKey)).toEqual(['11', '2']);
    });

    test(`${implementation} returns only the selected properties`, async () => {
      const query = { filter: odata`RowKey eq ${'2'}`, select: ['RowKey', 'count'] };
      const { value } = await table.listEntities({ queryOptions: query }).next();
      expect(value).toEqual({ etag: expect.any(String), rowKey: '2', count: 2 });
    });
  });
});

test('the table emulator answers any sequence of calls as Azurite does', async () => {
  const keys = ['a', 'b', 'c'];
  const key = fc.record({ partitionKey: fc.constant('p'), rowKey: fc.constantFrom(...keys) });
  const entity = fc.record({ key, value: fc.nat(9), isStale: fc.boolean() });
  const call = fc.oneof(
    entity.map((of) => ({ kind: 'create' as const, of })),
    entity.map((of) => ({ kind: 'replace' as const, of })),
    entity.map((of) => ({ kind: 'merge' as const, of })),
    entity.map((of) => ({ kind: 'upsert' as const, of })),
    entity.map((of) => ({ kind: 'delete' as const, of })),
    fc.array(entity, { minLength: 2, maxLength: 3 }).map((of) => ({ kind: 'transaction' as const, of })),
  );
  let count = 0;
  const stale = `W/"datetime'2000-01-01T00%3A00%3A00.0000000Z'"`;
  const run = async (calls: readonly (typeof call extends fc.Arbitrary<infer C> ? C : never)[], access: Access) => {
    const options = { ...access, allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
    const table = TableClient.fromConnectionString(access.connectionString, `any${count}`, options);
    await table.createTable();
    const seen: unknown[] = [];
    for (const { kind, of } of calls) {
      const actions = kind === 'transaction' ? of : [of];
      const etag = actions.some(({ isStale }) => isStale) ? stale : '*';
      const rows = actions.map(({ key, value }) => ({ ...key, [`v${value % 2}`]: value }));
      const [row = { partitionKey: '', rowKey: '' }] = rows;
      const made = {
        create: () => table.createEntity(row),
        replace: () => table.updateEntity(row, 'Replace', { etag }),
        merge: () => table.updateEntity(row, 'Merge', { etag }),
        upsert: () => table.upsertEntity(row, 'Merge'),
        delete: () => table.deleteEntity(row.partitionKey, row.rowKey, { etag }),
        transaction: () => {
          const transaction = new TableTransaction();
          const [first, ...others] = rows;
          if (first !== undefined) transaction.updateEntity(first, 'Replace', { etag });
          for (const other of others) transaction.createEntity(other);
          return table.submitTransaction(transaction.actions);
        },
      }[kind];
      seen.push([kind, await outcomeOf(made())]);
    }
    for await (const { etag: _, timestamp: _at, ...row } of table.listEntities()) seen.push(row);
    return seen;
  };
  await fc.assert(
    fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 8 }), async (calls) => {
      count += 1;
      expect(await run(calls, createTableEmulator())).toEqual(await run(calls, azurite));
    }),
    { numRuns: 25 },
  );
});
