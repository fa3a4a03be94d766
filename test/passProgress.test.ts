/** What readiness and the console say of passes that run for hours. */
import { expect, test } from 'vitest';
import { passesNow } from '../src/core/passProgress.ts';
import type { RingPass, StoredRing } from '../src/core/rings/storedRing.ts';

const none: StoredRing = { rows: [], state: undefined } as unknown as StoredRing;
const pass: RingPass = { round: 1, startAt: 1_000, isClean: false, visited: 250, found: 1, stuck: 0, moved: 1 };
const rotating = (of: RingPass): StoredRing =>
  ({
    ...none,
    state: { value: { sealing: 2, since: 0, rotation: { phase: 'moving', to: 2, since: 0, pass: of } }, etag: '' },
  }) as unknown as StoredRing;
const run = { startedAt: 1_000, chains: 300, brokenCount: 0, broken: [], pages: 3, lastPage: '', table: 'accounts' };

const at = (now: number, ring: StoredRing, last?: { chains: number }) =>
  passesNow({
    clock: { now: () => now },
    verifications: { read: async () => ({ value: { run, ...(last && { last }) } as never, etag: '' }) },
    ringStore: { read: async () => ({ rings: { system: none, 'at-rest': ring, audit: none } }) as never },
    overviewIndex: { counts: async () => ({ value: { accounts: 1_000 }, etag: '' }) },
  });

test('the end of a pass is expected when the rest takes as long as what is done', async () => {
  // 300 of 1,200 chains in 3 s: 900 more take 9 s. 250 of 1,000 accounts in 3 s: 750 more take 9 s.
  expect(await at(4_000, rotating(pass), { chains: 1_200 })).toEqual([
    { name: 'auditVerification', startedAt: 1_000, done: 300, of: 1_200, expectedEndAt: 13_000 },
    { name: 'ringRotation', ring: 'at-rest', startedAt: 1_000, done: 250, of: 1_000, expectedEndAt: 13_000 },
  ]);
});

test('no end is expected of a first verification, or while the rows of the tables are renewed', async () => {
  const rows = { ...pass, visited: 1_000, rows: { table: 'accounts' } };
  expect(await at(4_000, rotating(rows))).toEqual([
    { name: 'auditVerification', startedAt: 1_000, done: 300 },
    { name: 'ringRotation', ring: 'at-rest', startedAt: 1_000, done: 1_000 },
  ]);
});
