/**
 * Injects a fault at every table and queue call of an operation. Then the caller tries again. After that the state must
 * be as after one successful operation, every audit chain whole, and every entry published or in the outbox. For each
 * way to commit an entry, at least one operation runs with a topic: then the calls of publishing get faults too.
 *
 * The tables are in memory, because Azurite takes half of the time. The table emulator's contract suite compares it
 * with Azurite for every kind of request that the app sends. The operations that commit in different ways run on
 * Azurite too. Kinds of faults take turns from call to call, and every second call gets one. An exhaustive run
 * injects every kind at every call in memory, and runs every operation on Azurite.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serviceChain } from '../../src/core/audit/serviceAudit.ts';
import type { Service } from '../../src/core/service.ts';
import { ownEntries } from '../../src/local/entries.ts';
import { firstBrokenLink } from '../chain.ts';
import { isExhaustive } from '../exhaustive.ts';
import { type Fault, faultsFor } from './faults.ts';
import { type Operation, operations } from './operations.ts';
import { type Bench, openStage, type Stage } from './stage.ts';
import { brokenChains, reader, stateOf, unannounced } from './storedState.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
});

afterAll(() => stage?.stop());

/** By then the entries of the set-up are published, so that their calls do not count as those of the operation. */
const announcedWithinMs = 20;

let cases = 0;
let accounts = 0;
const nextName = () => {
  accounts += 1;
  return `faulty-${accounts}`;
};

interface Case {
  readonly at: number;
  readonly fault: Fault;
}

interface Outcome extends Case {
  readonly problem: unknown;
}

/** Injects one fault. Returns the differences afterwards. */
async function spoil(
  operation: Operation,
  expected: unknown,
  { at, fault }: Case,
  bench: Bench,
): Promise<Outcome | undefined> {
  const account = nextName();
  const { setUp, act, afterwards } = operation;
  const { proxy } = bench;
  const given = await setUp(bench, account);
  if (operation.announces) await sleep(announcedWithinMs);
  const attempt = () => act(bench, account, given).then(() => undefined, codeOf);
  proxy.arm(at, fault);
  const first = await attempt();
  if (!proxy.disarm().hit) return undefined;
  cases += 1;
  const problems: unknown[] = [];
  if (first !== undefined) {
    const again = await attempt();
    if (!isOrderly(first) || (again !== undefined && again !== 'PreconditionFailed')) problems.push({ first, again });
  }
  await afterwards?.(bench, account);
  const stored = reader(bench.witness);
  // Before the state, because its reveal is a use of the key, which is audited.
  problems.push(...(await brokenChains(account, stored)).map((link) => ({ brokenAt: link })));
  const seen = await stateOf(account, stored).catch(codeOf);
  if (JSON.stringify(seen) !== JSON.stringify(expected)) problems.push(seen);
  if (operation.announces) problems.push(...(await unannounced(account, stored, stage.topic)));
  return problems.length === 0 ? undefined : { at, fault, problem: problems };
}

/** An expected error: unavailable for a moment, or, with a condition of the caller, a lost race. */
const isOrderly = (code: string) => code === 'StorageUnavailable' || code === 'PreconditionFailed';

const codeOf = (error: Error & { code?: string }): string => error.code ?? String(error);

interface Range {
  readonly benches: readonly Bench[];
  /** The turn of the kinds of faults, at the first call. */
  readonly turn: number;
  /** Every kind of fault at every call. */
  readonly isWhole: boolean;
}

async function expectSameState(operation: Operation, { benches, turn, isWhole }: Range): Promise<void> {
  const all = operation.announces ? benches.map((one) => ({ ...one, service: one.announcing })) : benches;
  const [bench] = all;
  if (bench === undefined) throw new Error('There is no bench.');
  const reference = nextName();
  const given = await operation.setUp(bench, reference);
  await sleep(announcedWithinMs);
  bench.proxy.arm(1);
  await operation.act(bench, reference, given);
  await sleep(announcedWithinMs);
  const { methods } = bench.proxy.disarm();
  expect(methods.some((method) => method !== 'GET')).toBe(true);
  const expected = await stateOf(reference, reader(bench.witness));

  const faulty = methods
    .map((method, index) => ({ method, index }))
    .filter(({ index }) => isExhaustive || (turn + index) % 2 === 0);
  const todo = faulty.flatMap(({ method, index }) =>
    faultsFor(method, turn + index, isWhole).map((fault) => ({ at: index + 1, fault })),
  );
  const wrong: Outcome[] = [];
  const work = async (one: Bench) => {
    for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
      const outcome = await spoil(operation, expected, next, one);
      if (outcome !== undefined) wrong.push(outcome);
    }
  };
  await Promise.all(all.map(work));
  expect(wrong).toEqual([]);
}

async function expectWholeServiceChain(witness: Service): Promise<void> {
  const { audit } = await witness.rings();
  const head = (await witness.serviceAudit.head())?.value;
  const entries = await ownEntries(witness);
  if (head === undefined) throw new Error('The service’s chain has no head.');
  expect(await firstBrokenLink(serviceChain, entries, head, (kek) => audit.kek(kek))).toBe(undefined);
  // The entry comes before the release: a claim whose release failed after it has one more.
  const released = new Set(entries.flatMap((entry) => (entry.type === 'ClaimReleased' ? [entry.claim] : [])));
  expect(released.size).toBeGreaterThan(isExhaustive ? 10 : 3);
}

const timeoutMs = 120_000;
const numbered = Object.entries(operations).map(([title, operation], turn) => [title, operation, turn] as const);

describe('INV-1, INV-6, INV-7: after a storage fault at any call and one retry of the caller, the state is as after one success:', () => {
  test.each(numbered)(
    '%s',
    (_title, operation, turn) => expectSameState(operation, { benches: stage.inMemory, turn, isWhole: isExhaustive }),
    timeoutMs,
  );

  test.each(numbered.filter(([, { onAzurite }]) => isExhaustive || onAzurite))(
    '%s (with Azurite)',
    (_title, operation, turn) => expectSameState(operation, { benches: stage.onAzurite, turn, isWhole: false }),
    timeoutMs,
  );

  test('the storage faults number hundreds', () => {
    expect(cases).toBeGreaterThan(isExhaustive ? 1000 : 100);
  });

  test('the service’s own chain, with the releases of claims, is whole after all storage faults', () =>
    expectWholeServiceChain(stage.witness));
});
