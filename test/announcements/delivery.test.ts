/**
 * Announcements through crashes, lost races and a failing topic, in virtual time: the topic receives exactly the
 * entries of the chains.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { announceWaiting, backlogOf, isLate, wakeAnnouncing } from '../../src/core/announcements/outboxPass.ts';
import type { OutboxRow } from '../../src/core/announcements/ports.ts';
import { LostRace } from '../../src/core/base/errors.ts';
import type { DailyWork } from '../../src/core/dailyPass.ts';
import type { Service } from '../../src/core/service.ts';
import { until } from '../../src/local/client.ts';
import { accountEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { createVirtualQueue } from '../../src/local/lab/virtualTime.ts';
import { location } from '../../src/local/operator.ts';
import { dying } from '../dying.ts';
import { failure, useLab } from '../lab.ts';
import { arrived, expectAnnounced } from './support.ts';

const world = useLab({ announces: true });
const minute = 60_000;

const topic = () => {
  if (world.lab.topic === undefined) throw new Error('The laboratory has a topic.');
  return world.lab.topic;
};
const seen = () => arrived(topic().published);
const ids = (name: string) => seen().flatMap(({ id, data }) => (data.accountName === name ? [id] : []));

const create = (name: string, service: Service = world.lab.service) =>
  putAccount({ name, input: { owner: 'contoso', location }, actor: tester }, service);
const tag = (name: string, value: string, service: Service = world.lab.service) =>
  patchAccount({ name, input: { tags: { value } }, actor: tester }, service);

async function entriesOf(name: string) {
  const stored = await world.lab.service.accounts.read(name);
  return accountEntries(name, stored?.value.instanceId ?? '', world.lab.service);
}

const rowsOf = async (name: string): Promise<OutboxRow[]> => {
  const { lab } = world;
  const { rows } = await lab.service.outbox.page({ before: lab.clock.now() + 1, limit: 1000 });
  return rows.filter(({ subject }) => subject.kind === 'account' && subject.name === name);
};
const quiet = (name: string) =>
  until(
    `nothing of ${name} waits`,
    () => rowsOf(name),
    (rows) => rows.length === 0,
  );

/** A process that sweeps: its sweep, and the messages that the sweep causes. */
async function sweeper(replace: Partial<Service> = {}) {
  const daily = createVirtualQueue<DailyWork>(world.lab.clock);
  const service = await world.lab.another({ dailyQueue: daily, ...replace });
  const messages: { readonly after?: string | undefined }[] = [];
  const drain = async () => {
    for (let at = daily.nextAt(); at !== undefined; at = daily.nextAt()) {
      world.lab.clock.set(Math.max(world.lab.clock.now(), at));
      await daily.deliver(async (message) => {
        if (message.visit !== 'announcements') return;
        messages.push(message);
        await announceWaiting(message.after, service);
      });
    }
  };
  return {
    service,
    daily,
    messages,
    async sweep() {
      await wakeAnnouncing(service);
      await drain();
    },
  };
}

const pass = (ms: number) => world.lab.clock.set(world.lab.clock.now() + ms);

/** A process that stops after its n-th effect: none of its later calls has an effect. */
async function dyingAt(effect: number, when: 'before' | 'after') {
  const { mortalPort } = dying(effect, when);
  const { outbox, topic: remote, rings } = world.lab.service;
  if (remote === undefined) throw new Error('The laboratory has a topic.');
  return world.lab.another({ outbox: mortalPort(outbox), topic: mortalPort(remote), rings });
}

describe('INV-6: each entry in a chain is announced at least once, wherever a process crashes:', () => {
  // In order: the row is written, [the batch], the entry is published, the row is removed.
  test.each([
    [1, 'before', 'the row is written: nothing has happened', 0, 0],
    [1, 'after', 'the batch is committed: nothing is announced, and the row goes in time', 0, 1],
    [2, 'before', 'it is published', 1, 1],
    [2, 'after', 'the row is removed: it is announced again', 1, 1],
    [3, 'before', 'the row is removed, again', 1, 1],
    [3, 'after', 'nothing more is to be done', 1, 0],
  ] as const)('%d, %s: before %s', async (effect, when, _, standing, rows) => {
    const name = `dying-${effect}-${when}`;
    const mortal = await dyingAt(effect, when);
    await create(name, mortal).catch(() => undefined);
    await until(
      'it is dead',
      () => rowsOf(name),
      (left) => left.length === rows,
    );
    expect(await entriesOf(name)).toHaveLength(standing);

    const { sweep, service } = await sweeper();
    pass(1.1 * minute);
    await sweep();
    if (standing > 0) {
      await quiet(name);
      expectAnnounced(await entriesOf(name), seen());
      return;
    }
    expect(ids(name)).toEqual([]);
    // As far as is known the batch may still be running, and that is not the topic's fault.
    expect(await rowsOf(name)).toHaveLength(rows);
    pass(5 * minute);
    expect(await isLate(await announcerOf(service), service)).toBe(false);
    pass(10 * minute);
    await sweep();
    await quiet(name);
    expect(ids(name)).toEqual([]);
  });

  test('INV-6: a batch with an unknown result is announced if it was committed', async () => {
    const { lab } = world;
    const { accounts, rings } = lab.service;
    // Written as if by another process, and reported as lost. The store of the laboratory would announce it.
    const silent = await lab.another({ topic: undefined, rings });
    const create_: typeof accounts.create = async (record, entries) => {
      await silent.accounts.create(record, entries);
      throw new Error('no answer');
    };
    const service = await lab.another({ accounts: { ...accounts, create: create_ }, rings });
    expect((await failure(create('unsure', service))).message).toBe('no answer');
    expect(ids('unsure')).toEqual([]);
    const { sweep } = await sweeper();
    pass(1.1 * minute);
    await sweep();
    expectAnnounced(await entriesOf('unsure'), seen());
  });

  test('an outbox that cannot be written refuses the change before any other write', async () => {
    const { lab } = world;
    const { outbox, rings } = lab.service;
    const put = async () => {
      throw new TypeError('no');
    };
    const service = await lab.another({ outbox: { ...outbox, put }, rings });
    await failure(create('refused', service));
    expect(await lab.service.accounts.read('refused')).toBeUndefined();
  });
});

const announcerOf = async ({ announcer }: Service) => {
  if (announcer === undefined) throw new Error('It announces.');
  return announcer;
};

describe('INV-6: of writers that race for a sequence number', () => {
  test('INV-6: each committed entry is announced with its hash, and the rows of lost races are removed at once', async () => {
    await create('raced');
    const writers = await Promise.all(
      Array.from({ length: 4 }, () => world.lab.another({ rings: world.lab.service.rings })),
    );
    await Promise.all(writers.map((service, index) => tag('raced', String(index), service)));
    await quiet('raced');
    const entries = await entriesOf('raced');
    expect(entries).toHaveLength(5);
    expectAnnounced(entries, seen());
  });

  test('INV-6: an entry whose answer was lost, and whose writer was then overtaken, is announced too', async () => {
    const { lab } = world;
    const { accounts, rings } = lab.service;
    await create('overtaken');
    const silent = await lab.another({ topic: undefined, rings });
    let tries = 0;
    const save: typeof accounts.save = async (record, entries) => {
      tries += 1;
      const etag = await silent.accounts.save(record, entries);
      if (tries === 1) throw new LostRace('reported as lost');
      return etag;
    };
    const service = await lab.another({ accounts: { ...accounts, save }, rings });
    await tag('overtaken', 'a', service);
    await quiet('overtaken');
    expectAnnounced(await entriesOf('overtaken'), seen());
  });

  test('INV-6: an entry is announced once although its position in the chain held a row that is no entry', async () => {
    const { lab } = world;
    await create('taken');
    const chain = (await entriesOf('taken'))[0]?.chain ?? '';
    const table = lab.table('accounts');
    const taken = { partitionKey: 'taken', rowKey: `audit:${chain}:0000000002` };
    await table.createEntity({ ...taken, v: 1, data: '{' });
    await tag('taken', 'x');
    await quiet('taken');
    expectAnnounced(await entriesOf('taken'), seen());
  });
});

describe('a topic that fails', () => {
  test('a failing topic delays no transition; all entries arrive when it works again, in the order of each chain', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `late-${index}`);
    topic().fail({ status: 503 });
    for (const name of names) {
      await create(name);
      await tag(name, 'x');
    }
    expect(names.flatMap(ids)).toEqual([]);
    const { sweep, service, daily } = await sweeper();
    pass(4 * minute);
    await sweep();
    const announcer = await announcerOf(service);
    expect(await isLate(announcer, service)).toBe(true);
    expect(await backlogOf(announcer, service)).toMatchObject({ waiting: 24, isComplete: true });
    expect(daily.length).toBe(0);
    // A retry that this process still has to make, 200 ms after the previous one, would come in between.
    await sleep(300);
    topic().fail();
    await sweep();
    for (const name of names) {
      await quiet(name);
      expectAnnounced(await entriesOf(name), seen());
      // A process that was about to retry may have logged it too.
      expect([...new Set(ids(name).map((id) => id.split('/')[1]))]).toEqual(['1', '2']);
    }
    expect(await isLate(announcer, service)).toBe(false);
  });

  test('a topic that hangs: the number of waiting entries is limited, and the sweep publishes the rest', async () => {
    const { lab } = world;
    const [first] = await entriesOf('raced');
    if (first === undefined) throw new Error('There is an entry.');
    // 2,000 entries at once, none of them stored: the test counts what waits in the process.
    const rows: string[] = [];
    const outbox = { ...lab.service.outbox, put: async ({ id }: OutboxRow) => void rows.push(id) };
    let publishing = 0;
    const hanging = { publish: () => new Promise<never>(() => (publishing += 1)) };
    const service = await lab.another({ outbox, topic: hanging, rings: lab.service.rings });
    const announcer = await announcerOf(service);
    for (let n = 0; n < 2_000; n += 1) {
      const written = await announcer.commit(
        { kind: 'service' },
        [{ ...first, sequence: n + 1 }],
        async () => 'written',
      );
      expect(written).toBe('written');
    }
    expect(rows).toHaveLength(2_000);
    expect(publishing).toBe(1);
    announcer.report();
    const deferred = lab.log.flatMap(({ fields }) => (fields.result === 'deferred' ? (fields.value ?? 0) : []));
    expect(deferred.reduce((sum, value) => sum + value, 0)).toBe(1_000);
  });

  test('a topic that refuses one entry receives the others, and the log names the position of the refused one', async () => {
    topic().fail({ status: 503 });
    for (const name of ['before-it', 'poison', 'behind-it']) await create(name);
    await until(
      'they were tried',
      () => rowsOf('behind-it'),
      (rows) => rows.length === 1,
    );
    topic().fail({ status: 400, about: ({ subject }) => subject === '/accounts/poison' });
    const { sweep, service } = await sweeper();
    pass(1.1 * minute);
    await sweep();
    for (const name of ['before-it', 'behind-it']) expectAnnounced(await entriesOf(name), seen());
    const [row] = await rowsOf('poison');
    const line = world.lab.log.find(({ message }) => message.startsWith('The announcement topic refused an event'));
    expect(line?.fields).toEqual({ chain: row?.chain, sequence: 1, count: 1, status: '400' });
    // It has an alert of its own, and does not change readiness.
    pass(10 * minute);
    expect(await isLate(await announcerOf(service), service)).toBe(false);
    topic().fail();
    await wakeAnnouncing(service);
    await sweep();
    expectAnnounced(await entriesOf('poison'), seen());
  });
});

describe('a pass', () => {
  test('a pass over the outbox processes page by page, skips refused and unreadable rows, and leaves nothing else', async () => {
    const { lab } = world;
    topic().fail({ status: 503 });
    const names = ['paged-0', 'paged-1', 'paged-2'];
    for (const name of names) await create(name);
    await until(
      'they were tried',
      async () => (await Promise.all(names.map(rowsOf))).flat(),
      (all) => all.length === names.length,
    );
    const rows = (await Promise.all(names.map(rowsOf))).flat().toSorted((x, y) => (x.chain < y.chain ? -1 : 1));
    const [first, ...others] = rows.flatMap(({ subject }) => (subject.kind === 'account' ? [subject.name] : []));
    const [row] = rows;
    if (first === undefined || row === undefined) throw new Error('There are rows.');
    // One and a half pages of rows for one entry, and one damaged row, all before the others.
    for (let n = 0; n < 150; n += 1) await lab.service.outbox.put({ ...row, id: `again-${n}` });
    const damaged = { partitionKey: '0', rowKey: '0', v: 1, data: '{', at: new Date(0).toISOString() };
    await lab.table('outbox').createEntity(damaged);
    topic().fail({ status: 400, about: ({ subject }) => subject === `/accounts/${first}` });
    // Each page takes longer than a message may, so another message continues.
    const { outbox } = lab.service;
    const page: typeof outbox.page = (asked) => {
      pass(1.1 * minute);
      return outbox.page(asked);
    };
    const { sweep, messages } = await sweeper({ outbox: { ...outbox, page } });
    pass(1.1 * minute);
    await sweep();
    for (const name of others) await quiet(name);
    expect(messages.map(({ after }) => after === undefined)).toEqual([true, false]);
    expect(ids(first)).toEqual([]);
    expect(await rowsOf(first)).toHaveLength(151);
    expect(lab.log.some(({ message }) => message === 'Skipped unreadable outbox rows')).toBe(true);
    topic().fail();
    await sweep();
    await quiet(first);
    expect(ids(first)).toHaveLength(151);
    // The entry about the damaged row is published too.
    await lab.table('outbox').deleteEntity('0', '0');
    await until(
      'nothing waits',
      async () => (await lab.service.outbox.page({ before: lab.clock.now() + 1, limit: 10 })).rows,
      (left) => left.length === 0,
    );
  });

  test('a pass over the outbox publishes nothing that was not written with the audit key', async () => {
    const { lab } = world;
    await create('forged');
    await quiet('forged');
    const [real] = await entriesOf('forged');
    const row = {
      id: 'forged',
      chain: real?.chain ?? '',
      subject: { kind: 'account', name: 'forged', owner: 'contoso' } as const,
      at: lab.clock.now(),
    };
    const hash = 'x'.repeat(43);
    const silent = await lab.another({ topic: undefined, rings: lab.service.rings });
    const stored = await silent.accounts.read('forged');
    if (real === undefined || stored === undefined) throw new Error('There is an account.');
    await silent.accounts.save(stored, [{ ...real, sequence: 2, type: 'CustomerKeyInaccessible', hash }]);
    await lab.service.outbox.put({ ...row, first: 2, hashes: [hash] });
    const { sweep, service } = await sweeper();
    pass(1.1 * minute);
    await sweep();
    expect(ids('forged')).toEqual([real].map(({ chain, sequence }) => `${chain}/${sequence}`));
    const line = lab.log.find(({ message }) => message === 'A waiting audit entry did not verify');
    expect(line).toMatchObject({ level: 'error', fields: { chain: real.chain, sequence: 2 } });
    pass(10 * minute);
    expect(await isLate(await announcerOf(service), service)).toBe(false);
    await lab.service.outbox.remove({ ...row, first: 2, hashes: [hash] });
  });

  test('a pass over the outbox is woken even when all rows are unreadable', async () => {
    const { lab } = world;
    const { outbox, rings } = lab.service;
    const page: typeof outbox.page = async (asked) =>
      asked.limit > 100 ? { rows: [], unreadable: 1_000, next: 'a/b' } : outbox.page(asked);
    const { sweep, messages } = await sweeper({ outbox: { ...outbox, page }, rings });
    await sweep();
    expect(messages).toHaveLength(1);
  });

  test('one pass runs at a time: another wake-up has no effect, and a page to continue waits', async () => {
    const { lab } = world;
    const { sweep, service, daily } = await sweeper();
    const ticket = await service.vaults.beginWork('announcements', minute);
    if (ticket === undefined) throw new Error('No worker holds the lock.');
    await announceWaiting(undefined, service);
    expect(daily.length).toBe(0);
    await announceWaiting('a/b', service);
    expect(daily.nextAt()).toBe(lab.clock.now() + 5_000);
    await service.vaults.endWork('announcements', ticket);
    await sweep();
    expect(daily.length).toBe(0);
  });

  test('a pass over the outbox does nothing without a topic, and no row is written either', async () => {
    const { lab } = world;
    const service = await lab.another({ topic: undefined, rings: lab.service.rings });
    await create('unannounced', service);
    await sleep(20);
    expect(service.announcer).toBeUndefined();
    expect(await rowsOf('unannounced')).toEqual([]);
    await wakeAnnouncing(service);
    await announceWaiting(undefined, service);
    expect(ids('unannounced')).toEqual([]);
  });
});
