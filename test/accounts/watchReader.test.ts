import { expect, test } from 'vitest';
import { createWatchReader, invalidatingWatches } from '../../src/core/accounts/watchReader.ts';
import type { Stored } from '../../src/core/base/stored.ts';
import type { WatchStatus } from '../../src/core/base/vocabulary.ts';
import type { WatchStore } from '../../src/core/watch/ports.ts';
import type { Verdict, Watch } from '../../src/core/watch/watch.ts';

function bench() {
  let ms = 0;
  let reads = 0;
  let statuses: readonly WatchStatus[] = ['Accessible'];
  const watch = (): Watch =>
    ({
      binding: { id: 'b' },
      versions: Object.fromEntries(statuses.map((status, n) => [`v${n}`, { status } as Verdict])),
    }) as unknown as Watch;
  const store: WatchStore = {
    readWatch: async () => {
      reads += 1;
      return { value: watch(), etag: String(reads) };
    },
    createWatch: async () => undefined,
    saveWatch: async (saved: Stored<Watch>) => saved,
  };
  const reader = createWatchReader({ now: () => ms, monotonic: () => ms });
  return {
    stored: invalidatingWatches(store, reader),
    watch,
    pass(by: number) {
      ms += by;
    },
    become(...all: readonly WatchStatus[]) {
      statuses = all;
    },
    reads: () => reads,
    async readTimes(times: number) {
      for (let n = 0; n < times; n += 1) await reader.read('b', store);
    },
    status: async () => (await reader.read('b', store))?.versions.v0?.status,
  };
}

test('a watch that is read 32 times a second is read from the tables every time', async () => {
  const { readTimes, reads, pass } = bench();
  for (let second = 1; second <= 3; second += 1) {
    await readTimes(32);
    expect(reads()).toBe(second * 32);
    pass(1_000);
  }
});

test('a watch that is read a thousand times a second costs 32 reads of the tables, and is never older than a second', async () => {
  const { readTimes, reads, pass, become, status } = bench();
  await readTimes(1_000);
  expect(reads()).toBe(32);
  become('Inaccessible');
  pass(999);
  expect(await status()).toBe('Accessible');
  pass(1);
  expect(await status()).toBe('Inaccessible');
});

test.each<readonly WatchStatus[]>([['Suspect'], ['Inaccessible'], ['Unreachable'], ['Accessible', 'Suspect']])(
  'INV-3: a watch that says %s, or any other version of it, is read from the tables every time',
  async (...statuses) => {
    const { readTimes, reads, become } = bench();
    become(...statuses);
    await readTimes(200);
    expect(reads()).toBe(200);
  },
);

test('INV-3: a process that has stored another verdict serves no copy of the previous one', async () => {
  const { readTimes, become, status, stored, watch } = bench();
  await readTimes(100);
  become('Inaccessible');
  await stored.saveWatch({ value: watch(), etag: '' }, []);
  expect(await status()).toBe('Inaccessible');
});
