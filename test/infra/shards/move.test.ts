import { setImmediate } from 'node:timers/promises';
import type { TableClient } from '@azure/data-tables';
import { expect, test } from 'vitest';
import type { ClientIn } from '../../../infra/shards/copyRanges.ts';
import { type MoveOptions, moveState } from '../../../infra/shards/move.ts';
import { rowOf } from '../../../src/azure/rowForm.ts';
import {
  entityOf,
  layoutIn,
  undivided as noMoves,
  ownerOf,
  rangeOf as rangeIn,
} from '../../../src/azure/shards/layout.ts';
import { layoutKey } from '../../../src/azure/shards/layoutKeys.ts';
import type { TableName } from '../../../src/azure/tableNames.ts';
import { openTables, type Table } from '../../../src/azure/tables.ts';
import { LostRace, Unavailable } from '../../../src/core/base/errors.ts';
import { rowAuthentication } from '../../azure/rows.ts';
import { type MemoryAccounts, memoryAccounts } from '../../azure/shards/accounts.ts';
import { isExhaustive } from '../../exhaustive.ts';

const authentication = rowAuthentication();
const tables = ['accounts', 'bindings', 'overview'] as const satisfies readonly TableName[];
const names = Array.from({ length: 24 }, (_, number) => `name-${number}`);
const options = { together: 64, settleMs: 60_000 };

/** Storage accounts, a clock that only waiting moves, and the calls that are in progress. */
async function world(accounts: MemoryAccounts, order: readonly number[]) {
  let now = 0;
  const inProgress = new Set<Promise<unknown>>();
  const clock = { now: () => now, monotonic: () => now };
  return {
    accounts,
    clock,
    process: () => openTables(accounts.process(order, clock), authentication),
    during<T>(call: Promise<T>): Promise<T> {
      inProgress.add(call);
      const end = () => inProgress.delete(call);
      call.then(end, end);
      return call;
    },
    /** A wait is longer than any call: those that are in progress end in it. Others begin in it, and may last on. */
    async sleep(ms: number) {
      await Promise.allSettled(inProgress);
      for (let step = 0; step < 4; step++) {
        now += ms / 4;
        for (let turn = 0; turn < 5; turn++) await setImmediate();
        await Promise.allSettled(inProgress);
      }
    },
  };
}

type World = Awaited<ReturnType<typeof world>>;

/** A service with rows in one account. */
async function undivided(count: number, partitions = names): Promise<World> {
  const accounts = memoryAccounts(count);
  const rings = accounts.clientIn(0, 'keywardrings');
  await rings.createTable();
  await rings.createEntity({ partitionKey: 'system', rowKey: 'state' });
  const one = await world(
    accounts,
    Array.from({ length: count }, (_, account) => account),
  );
  const open = one.process();
  for (const table of tables)
    for (const partitionKey of partitions) {
      await open(table).put(rowOf({ partitionKey, rowKey: 'record' }, { count: 0 }, { text: 'ä', follows: true }));
      await open(table).put(rowOf({ partitionKey, rowKey: 'more' }, { table }));
    }
  return one;
}

const moveIn = (
  { accounts, sleep }: World,
  how: Partial<MoveOptions> = {},
  clientIn: ClientIn = accounts.clientIn,
): Promise<void> => {
  const named = how.named ?? accounts.connectionStrings.length;
  return moveState(clientIn, { named, accounts: named, ...options, ...how }, { sleep, say: () => undefined });
};

/** Every row, with the account that has it. */
async function placesOf({ accounts }: World, table: TableName) {
  const found: { account: number; place: string; partitionKey: string }[] = [];
  for (const account of accounts.connectionStrings.keys()) {
    const client = accounts.clientIn(account, `keyward${table}`);
    await client.createTable();
    for await (const { partitionKey = '', rowKey } of client.listEntities())
      found.push({ account, partitionKey, place: `${partitionKey}/${rowKey}` });
  }
  return found;
}

async function layoutOf({ accounts }: World) {
  const row = await accounts.clientIn(0, 'keywardrings').getEntity<{ data: string }>('!layout', 'layout');
  return layoutIn(row) ?? expect.fail();
}

/** Each row once, and in the account of its range. */
async function assertInPlace(one: World): Promise<void> {
  const layout = await layoutOf(one);
  expect(layout.moving).toBeUndefined();
  for (const table of tables) {
    const rows = await placesOf(one, table);
    expect(new Set(rows.map(({ place }) => place)).size).toBe(rows.length);
    for (const { account, partitionKey } of rows) expect(account).toBe(ownerOf(layout, partitionKey));
  }
}

async function contentOf(open: (name: TableName) => Table) {
  const found: unknown[] = [];
  for (const table of tables)
    for (const { partitionKey, rowKey, value } of await open(table).query(
      `PartitionKey ge ''`,
      Number.POSITIVE_INFINITY,
    ))
      found.push([table, partitionKey, rowKey, value]);
  return found;
}

test('A state in one storage account is divided among three and moved back to one, with each row unchanged', async () => {
  const one = await undivided(3);
  const before = await contentOf(one.process());
  await moveIn(one);
  await assertInPlace(one);
  expect((await layoutOf(one)).accounts).toBe(3);
  const used = new Set((await placesOf(one, 'accounts')).map(({ account }) => account));
  expect([...used].toSorted()).toEqual([0, 1, 2]);
  expect(await contentOf(one.process())).toEqual(before);

  await moveIn(one, { accounts: 1 });
  await assertInPlace(one);
  expect((await layoutOf(one)).accounts).toBe(1);
  expect(await contentOf(one.process())).toEqual(before);
  // The two accounts can be used again.
  await moveIn(one, { accounts: 2 });
  await assertInPlace(one);
  expect(await contentOf(one.process())).toEqual(before);
});

test('INV-7: writers that race with a move lose no row, double none, and write at one place only', async () => {
  const one = await undivided(2);
  const [inserted, counts] = [new Set<string>(), new Map<string, number>()];
  let [isEnded, refused, number] = [false, 0, 0];
  async function write(open: (name: TableName) => Table, writer: number): Promise<void> {
    const partitionKey = names[number % names.length] ?? '';
    const table = open(tables[number % tables.length] ?? 'accounts');
    const rowKey = `row-${writer}-${number++}`;
    if ((await table.insert(rowOf({ partitionKey, rowKey }, {}))) !== undefined)
      inserted.add(`${table.name}/${partitionKey}/${rowKey}`);
    const record = await table.read<{ count: number }>({ partitionKey, rowKey: 'record' });
    if (record === undefined) expect.fail(`${partitionKey} is lost`);
    await table.replace(rowOf({ partitionKey, rowKey: 'record' }, { count: record.value.count + 1 }), record.etag);
    const place = `${table.name}/${partitionKey}`;
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  async function writer(index: number): Promise<void> {
    for (const open = one.process(); !isEnded; )
      await one.during(write(open, index)).catch((error: unknown) => {
        if (error instanceof Unavailable) refused += 1;
        else if (!(error instanceof LostRace)) throw error;
      });
  }
  const writers = [0, 1, 2].map(writer);
  await moveIn(one);
  isEnded = true;
  await Promise.all(writers);

  await assertInPlace(one);
  const open = one.process();
  for (const table of tables) {
    const rows = await open(table).query<{ count: number }>(`PartitionKey ge ''`, Number.POSITIVE_INFINITY);
    const kept = rows
      .filter(({ rowKey }) => rowKey.startsWith('row-'))
      .map((row) => `${table}/${row.partitionKey}/${row.rowKey}`);
    expect(kept.toSorted()).toEqual([...inserted].filter((place) => place.startsWith(`${table}/`)).toSorted());
    for (const { partitionKey, rowKey, value } of rows)
      if (rowKey === 'record') expect(value?.count).toBe(counts.get(`${table}/${partitionKey}`) ?? 0);
  }
  expect(refused).toBeGreaterThan(0);
  expect(inserted.size).toBeGreaterThan(0);
});

/** A command that dies with its n-th write, which has its effect or not. */
function dyingAt(accounts: MemoryAccounts, last: number, how: 'before' | 'after') {
  let [writes, isDead] = [0, false];
  const writing = new Set(['createEntity', 'upsertEntity', 'updateEntity', 'deleteEntity', 'submitTransaction']);
  const clientIn: ClientIn = (account, table) =>
    new Proxy(accounts.clientIn(account, table), {
      get(client, name: keyof TableClient) {
        const value = client[name];
        if (typeof value !== 'function') return value;
        const call = (...given: unknown[]) => (value as (...given: unknown[]) => unknown).apply(client, given);
        if (!writing.has(name))
          return (...given: unknown[]) => {
            if (isDead) throw new Error('dead');
            return call(...given);
          };
        return async (...given: unknown[]) => {
          const isLast = ++writes === last;
          if (isDead || (isLast && how === 'before')) {
            isDead = true;
            throw new Error('dead');
          }
          isDead = isLast;
          const result = await call(...given);
          if (isLast) throw new Error('dead');
          return result;
        };
      },
    });
  return { clientIn, writes: () => writes };
}

test('INV-7: a move that dies with any of its writes is completed by a second run, and readers see every row in between', async () => {
  const few = names.slice(0, 6);
  const counted = await undivided(2, few);
  const counting = dyingAt(counted.accounts, Number.POSITIVE_INFINITY, 'before');
  await moveIn(counted, { together: 128 }, counting.clientIn);
  expect(counting.writes()).toBeGreaterThan(20);
  // A step that is odd: a death before a write and one after it take turns.
  for (let last = 1; last <= counting.writes(); last += isExhaustive ? 1 : 5) {
    const one = await undivided(2, few);
    const before = await contentOf(one.process());
    const dying = dyingAt(one.accounts, last, last % 2 === 0 ? 'before' : 'after');
    await moveIn(one, { together: 128 }, dying.clientIn).catch(() => undefined);
    expect(await contentOf(one.process()), `after write ${last}`).toEqual(before);
    await moveIn(one, { together: 128 });
    await assertInPlace(one);
    expect(await contentOf(one.process()), `after the second run, ${last}`).toEqual(before);
  }
});

test('While a range moves its rows are read and not written, with 503 and a time to retry', async () => {
  const one = await undivided(2);
  const open = one.process();
  let during: { read: unknown; error: unknown } | undefined;
  const sleep = async (ms: number) => {
    await one.sleep(ms);
    const layout = await layoutOf(one).catch(() => undefined);
    if (layout?.moving === undefined || during !== undefined) return;
    const moving = names.find((name) => layout.moving?.ranges.includes(rangeIn(name))) ?? '';
    const key = { partitionKey: moving, rowKey: 'record' };
    const error = await open('accounts')
      .put(rowOf(key, {}))
      .catch((reason: unknown) => reason);
    during = { read: (await open('accounts').read(key))?.value, error };
  };
  await moveIn({ ...one, sleep });
  expect(during?.read).toEqual({ count: 0 });
  expect(during?.error).toBeInstanceOf(Unavailable);
  expect(during?.error).toMatchObject({ code: 'StorageUnavailable', retryAfterSeconds: 30 });
});

test('A second command does not move rows while another one does', async () => {
  const one = await undivided(2);
  const service = one.accounts.clientIn(0, 'keywardservice');
  await service.createTable();
  await service.createEntity({ partitionKey: 'shards', rowKey: 'command', holder: 'another' });
  const renewing = async (ms: number) => {
    await one.sleep(ms);
    await service.updateEntity({ partitionKey: 'shards', rowKey: 'command', holder: 'another' }, 'Replace');
  };
  await expect(moveIn({ ...one, sleep: renewing })).rejects.toThrow('Another command moves rows now');
});

test('An account that has the rows of another Keyward is not taken into the state', async () => {
  const one = await undivided(2);
  const rings = one.accounts.clientIn(1, 'keywardrings');
  await rings.createTable();
  await rings.createEntity({ partitionKey: 'system', rowKey: 'state' });
  await expect(moveIn(one)).rejects.toThrow('Storage account 2 of the settings has the rows of a Keyward already');
  await expect(layoutOf(one)).rejects.toThrow();
});

/** A process with older settings, which writes to the first account before each look at its rows. */
function writtenAgain({ accounts }: World, isRunning: () => Promise<boolean>): ClientIn {
  let number = 0;
  return (account, table) => {
    const client = accounts.clientIn(account, table);
    if (account !== 0 || table !== 'keywardaccounts') return client;
    return new Proxy(client, {
      get(target, name: keyof TableClient) {
        if (name !== 'listEntities') return target[name];
        return (...given: Parameters<TableClient['listEntities']>) => {
          const pages = target.listEntities(...given);
          async function* rows() {
            if (await isRunning())
              for (const partitionKey of names)
                await target.upsertEntity({ partitionKey, rowKey: 'late', number: number++ }, 'Replace');
            yield* pages;
          }
          return Object.assign(rows(), { byPage: pages.byPage.bind(pages) });
        };
      },
    });
  };
}

test('A move of rows that are written all the time ends before the switch, and the rows can be written again', async () => {
  const one = await undivided(2);
  const clientIn = writtenAgain(one, async () => true);
  await expect(moveIn(one, {}, clientIn)).rejects.toThrow('Rows of the moving ranges are still written');
  const { moving, owners } = await layoutOf(one);
  expect([moving, new Set(owners)]).toEqual([undefined, new Set([0])]);
  const open = one.process();
  for (const partitionKey of names) await open('accounts').put(rowOf({ partitionKey, rowKey: 'record' }, { count: 1 }));
  await moveIn(one);
  await assertInPlace(one);
});

test('A move of rows that are written all the time after the switch ends too, and a second run completes it', async () => {
  const one = await undivided(2);
  const clientIn = writtenAgain(one, async () => (await layoutOf(one)).owners.some((owner) => owner > 0));
  await expect(moveIn(one, { together: 128 }, clientIn)).rejects.toThrow('Rows of the moving ranges are still written');
  expect((await layoutOf(one)).moving).toBeDefined();
  await moveIn(one);
  await assertInPlace(one);
});

test('A growth to two accounts that was interrupted is completed by a command that names three', async () => {
  const one = await undivided(3);
  // A process completes the growth at its first call, so the rows are read before.
  const before = await contentOf(one.process());
  const rings = one.accounts.clientIn(0, 'keywardrings');
  await rings.createEntity(entityOf(layoutKey, { ...noMoves, id: 'one', revision: 1, joining: 2 }));
  await moveIn(one, { accounts: 3 });
  await assertInPlace(one);
  expect((await layoutOf(one)).accounts).toBe(3);
  expect(await contentOf(one.process())).toEqual(before);
});
