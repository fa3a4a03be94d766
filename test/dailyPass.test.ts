import { expect, test } from 'vitest';
import { Unavailable } from '../src/core/base/errors.ts';
import { vaultIdOf } from '../src/core/customerKey/binding.ts';
import { beginDailyPass, clearRange, type DailyWork, divideAccounts, processAccounts } from '../src/core/dailyPass.ts';
import { progressOf } from '../src/core/dailyProgress.ts';
import type { Service } from '../src/core/service.ts';
import { allRanges } from '../src/core/vaultWork/ranges.ts';
import { staleRowMs } from '../src/core/watch/boundAccounts.ts';
import { useLab } from './lab.ts';

const world = useLab();

const named = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => `daily-${String(n).padStart(4, '0')}`);

/** The service, which notes the accounts that it reads, and the messages of the pass. */
async function noting(replace: Partial<Service> = {}) {
  const { lab } = world;
  const [read, sent]: [string[], DailyWork[]] = [[], []];
  const { accounts } = lab.service;
  const service = await lab.another({
    dailyQueue: { send: async (work) => void sent.push(work) },
    accounts: {
      ...accounts,
      async read(name) {
        read.push(name);
        return accounts.read(name);
      },
    },
    ...replace,
  });
  return { service, read, sent };
}

test('the daily pass processes every account once, in messages that any host can take, also accounts that come during the pass', async () => {
  const { lab } = world;
  const names = named(450);
  for (const name of names) await lab.service.directory.put(name);
  const { service, read, sent } = await noting();
  await beginDailyPass(service);
  const ranges = allRanges(service.policy.sweepRanges);
  expect(sent.splice(0)).toEqual([{ visit: 'accounts' }, ...ranges.map((range) => ({ visit: 'rows', ...range }))]);
  expect(await divideAccounts(undefined, service)).toBeUndefined();
  expect(read).toEqual([]);
  const messages = ranges.length + sent.length;
  expect(await service.dailyPass.read()).toEqual({
    startedAt: lab.clock.now(),
    messages,
    isDivided: true,
    bounds: { names: ['daily-0199', 'daily-0399', 'daily-0449'], each: 1, pages: 3 },
  });
  // Into the middle of the first page, so that it is longer than a page now.
  await lab.service.directory.put('daily-0007-new');
  const queue = sent.splice(0).reverse();
  expect(queue.length).toBeGreaterThan(2);
  for (let work = queue.pop(); work !== undefined; work = queue.pop()) {
    if (work.visit !== 'accounts') throw new Error(work.visit);
    const after = await processAccounts(work.after, service, work.until);
    if (after !== undefined) queue.push({ ...work, after });
  }
  expect(read.toSorted()).toEqual([...names, 'daily-0007-new'].toSorted());
});

test.each([
  ['text that is no name', { names: ['a b'], each: 1, pages: 1 }],
  ['numbers', { names: [12_345], each: 1, pages: 1 }],
  ['more names than a pass leaves', { names: Array(65).fill('name'), each: 1, pages: 65 }],
  ['no bounds', undefined],
])('INV-13: a row of the daily pass in which another writer put %s divides no other pass', async (_, bounds) => {
  const { lab } = world;
  const data = JSON.stringify({ startedAt: 1, messages: 1, isDivided: true, bounds });
  await lab.table('service').upsertEntity({ partitionKey: 'dailyPass', rowKey: 'last', v: 1, data }, 'Replace');
  expect((await lab.service.dailyPass.read())?.bounds.names).toEqual([]);
});

test('the daily pass is expected to end at the speed that it had until now, once all accounts are in messages', () => {
  const state = { startedAt: 1_000, messages: 100, isDivided: true };
  const done75 = { startedAt: 1_000, messages: 100, left: 25 };
  expect(progressOf(state, 25, 61_000)).toEqual({ ...done75, expectedEndAt: 81_000 });
  expect(progressOf({ ...state, isDivided: false }, 25, 61_000)).toEqual(done75);
  expect(progressOf(state, 0, 61_000)).toEqual({ ...done75, left: 0 });
  // Other work in the queue does not count as more than everything.
  expect(progressOf(state, 400, 61_000)).toEqual({ ...done75, left: 100 });
});

test('tables that do not answer for one account return the message to the queue after its other accounts', async () => {
  const { lab } = world;
  const names = named(3);
  for (const name of names) await lab.service.directory.put(name);
  const { accounts } = lab.service;
  const seen: string[] = [];
  const { service } = await noting({
    accounts: {
      ...accounts,
      async read(name) {
        seen.push(name);
        if (name === names[0]) throw new Unavailable('StorageUnavailable', 'The tables do not answer.', 5);
        return undefined;
      },
    },
  });
  await expect(processAccounts(undefined, service, names[2])).rejects.toThrow('The tables do not answer.');
  expect(seen).toEqual(expect.arrayContaining(names));
});

test('the ranges of the daily pass together delete the stale rows of every vault', async () => {
  const { lab } = world;
  const ids: string[] = [];
  for (const vault of ['daily-a', 'daily-b', 'daily-c']) {
    await lab.account(vault, 'contoso', await lab.vaultWithKey(vault));
    const [id = ''] = await lab.service.vaults.bindings(vaultIdOf(`${vault}.vault.azure.net`));
    const [row] = (await lab.service.bindings.accounts(id, { limit: 1 })).rows;
    await lab.service.bindings.putAccount(id, {
      name: `${vault}-gone`,
      instanceId: 'gone',
      version: row?.value.version ?? '',
      follows: true,
    });
    ids.push(id);
  }
  lab.clock.set(lab.clock.now() + staleRowMs + 1_000);
  let cleared = 0;
  for (const range of allRanges(4)) {
    const part = await clearRange({ visit: 'rows', ...range }, lab.service);
    expect(part.next).toBeUndefined();
    cleared += part.cleared;
  }
  expect(cleared).toBe(3);
  for (const id of ids) expect((await lab.service.bindings.accounts(id, { limit: 10 })).rows).toHaveLength(1);
});

test('a message of the daily pass that takes longer than a minute continues behind its last page of vaults', async () => {
  const { lab } = world;
  const host = 'daily-page.vault.azure.net';
  for (let n = 0; n < 300; n += 1) await lab.service.vaults.addBinding(host, `many-${n}`);
  await lab.service.vaults.addBinding('daily-next.vault.azure.net', 'next');
  const { bindings } = lab.service;
  const readWatch: typeof bindings.readWatch = async () => {
    lab.clock.set(lab.clock.now() + 1_000);
    return undefined;
  };
  const service = await lab.another({ bindings: { ...bindings, readWatch } });
  const first = await clearRange({ visit: 'rows', range: 0, of: 1 }, service);
  expect(first.next).toBeDefined();
  let next = first.next;
  while (next !== undefined) next = (await clearRange({ visit: 'rows', range: 0, of: 1, after: next }, service)).next;
});
