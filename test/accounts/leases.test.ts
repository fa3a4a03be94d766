import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { type AccountView, verdictOn } from '../../src/core/accounts/account.ts';
import { createLeases } from '../../src/core/accounts/leases.ts';
import type { Leases } from '../../src/core/accounts/processState.ts';
import type { Bytes } from '../../src/core/base/bytes.ts';
import { type Cause, causes, classOf } from '../../src/core/base/causes.ts';
import type { Clock } from '../../src/core/base/effects.ts';
import { defaultPolicy, type Policy } from '../../src/core/base/policy.ts';
import type { WatchStatus } from '../../src/core/base/vocabulary.ts';
import type { Answer, KeyVault } from '../../src/core/customerKey/ports.ts';
import type { Verdict } from '../../src/core/watch/watch.ts';
import { failure, useLab } from '../lab.ts';

const seconds = 1000;
const { leaseSeconds, leaseGraceSeconds } = defaultPolicy;
const world = useLab();

/** Two independent clocks, as on a real machine. */
interface TwoClocks extends Clock {
  wallMs: number;
  monotonicMs: number;
  pass(ms: number): void;
}

function twoClocks(): TwoClocks {
  return {
    wallMs: world.lab.clock.now(),
    monotonicMs: 5_000,
    now() {
      return this.wallMs;
    },
    monotonic() {
      return this.monotonicMs;
    },
    pass(ms) {
      this.wallMs += ms;
      this.monotonicMs += ms;
    },
  };
}

type Unwrap = KeyVault['unwrap'];

interface Bench {
  readonly leases: Leases;
  readonly clock: TwoClocks;
  readonly unwraps: () => number;
  /** The vault's answer from now on; undefined: the emulator's answer. */
  answers(instead: Unwrap | undefined): void;
  /** Uses the account's key. Returns the buffer itself, so that a test can see its content later. */
  use(view: AccountView): Promise<Bytes>;
  /** `served`, or the code and cause of the refusal. */
  outcome(view: AccountView): Promise<string>;
}

const realClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** The test moves the timers and the clock of the leases' cache. */
function fakeTime(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  vi.spyOn(performance, 'now').mockImplementation(() => Date.now());
}

const opened: Leases[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  for (const leases of opened.splice(0)) leases.clear();
});

/** Leases of a separate process over the real vault, tables and rings, with a clock that the test sets. */
async function bench(options: { policy?: Partial<Policy>; jitter?: number; clock?: Clock } = {}): Promise<Bench> {
  const clock = twoClocks();
  let count = 0;
  let instead: Unwrap | undefined;
  const { keyVault: real, random } = world.lab.service;
  const keyVault: KeyVault = {
    ...real,
    unwrap: (...asked) => {
      count += 1;
      return (instead ?? real.unwrap)(...asked);
    },
  };
  const service = await world.lab.another();
  const jitterByte = () => Uint8Array.of(options.jitter ?? 0);
  const leases = createLeases({
    log: service.log,
    rings: service.rings,
    accounts: service.accounts,
    serialize: service.serialize,
    requestLook: service.requestLook,
    keyVault,
    clock: options.clock ?? clock,
    random: { ...random, bytes: (length) => (length === 1 ? jitterByte() : random.bytes(length)) },
    policy: { ...defaultPolicy, ...options.policy },
  });
  opened.push(leases);
  const use = (view: AccountView) => leases.withAccountKey(view, (accountKey) => accountKey);
  return {
    leases,
    clock,
    unwraps: () => count,
    answers(unwrap) {
      instead = unwrap;
    },
    use,
    async outcome(view) {
      try {
        return isZero(await use(view)) ? 'zeroed' : 'served';
      } catch (error) {
        const { code, extras } = error as { code: string; extras: { info?: { cause?: string } } };
        return `${code} ${extras.info?.cause}`;
      }
    },
  };
}

const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
const refusedWith =
  (cause: Cause): Unwrap =>
  async (): Promise<Answer<Bytes>> => ({ ok: false, cause, observed: { durationMs: 1 } });
const unreachable = refusedWith('VaultUnavailable');

let made = 0;
/** An account under a customer key of its own. */
async function anAccount(): Promise<AccountView> {
  made += 1;
  const name = `lease-${made}`;
  return world.lab.account(name, 'contoso', await world.lab.vaultWithKey(`${name}-kv`));
}

/** The account as a call finds it after a look with this status. */
function withVerdict(view: AccountView, status: WatchStatus, cause?: Cause): AccountView {
  const verdict = verdictOn(view);
  const { encryption } = view.record;
  if (verdict === undefined || view.watch === undefined || encryption.type !== 'CustomerKey')
    throw new Error('The account has no watch.');
  const changed: Verdict = { ...verdict, status, ...(cause === undefined ? {} : { cause }) };
  return { ...view, watch: { ...view.watch, versions: { [encryption.version]: changed } } };
}

/** Calls every ten seconds; the outcome of each call. */
async function inUseFor(ms: number, view: AccountView, { clock, outcome }: Bench): Promise<string[]> {
  const outcomes: string[] = [];
  for (let passed = 0; passed < ms; passed += 10 * seconds) {
    clock.pass(Math.min(10 * seconds, ms - passed));
    outcomes.push(await outcome(view));
  }
  return outcomes;
}

describe('INV-4: no unwrapped account key outlives its lease', () => {
  test('INV-4: a key is opened once within its lease, and it is the account’s key each time', async () => {
    const [{ clock, unwraps, use }, view] = [await bench(), await anAccount()];
    const first = Buffer.from(await use(view));
    clock.pass(0.7 * leaseSeconds * seconds);
    expect(Buffer.from(await use(view))).toEqual(first);
    expect(isZero(first)).toBe(false);
    expect(unwraps()).toBe(1);
  });

  const leaps: [string, (clock: TwoClocks) => void][] = [
    ['both clocks go on', (clock) => clock.pass(leaseSeconds * seconds)],
    ['only the monotonic clock advances', (clock) => (clock.monotonicMs += leaseSeconds * seconds)],
    ['the wall clock leaps forward', (clock) => (clock.wallMs += leaseSeconds * seconds)],
    ['the wall clock is set back by a lease', (clock) => (clock.wallMs -= leaseSeconds * seconds)],
    ['the wall clock is set back by a day', (clock) => (clock.wallMs -= 86_400 * seconds)],
    [
      'the wall clock is set back again and again while time passes',
      (clock) => {
        for (let n = 0; n < leaseSeconds; n++) {
          clock.monotonicMs += seconds;
          clock.wallMs -= 1;
        }
      },
    ],
  ];
  test.each(leaps)('INV-4: a lease ends when %s: the key is wiped and unwrapped again', async (_, leap) => {
    const [{ clock, unwraps, use, outcome, answers }, view] = [await bench(), await anAccount()];
    const key = await use(view);
    leap(clock);
    answers(refusedWith('KeyDisabled'));
    expect(await outcome(view)).toBe('CustomerKeyUnreachable KeyDisabled');
    expect(isZero(key)).toBe(true);
    expect(unwraps()).toBe(2);
  });

  test.each([0, 1, 127, 255])('INV-4: jitter byte %i makes no lease longer than leaseSeconds', async (jitter) => {
    const [{ clock, use, outcome, answers }, view] = [await bench({ jitter }), await anAccount()];
    const key = await use(view);
    answers(refusedWith('KeyDisabled'));
    clock.pass(leaseSeconds * seconds);
    expect(await outcome(view)).toBe('CustomerKeyUnreachable KeyDisabled');
    expect(isZero(key)).toBe(true);
  });

  test('accounts opened together are not renewed together', async () => {
    const [early, late] = [await bench({ jitter: 255 }), await bench({ jitter: 0 })];
    const view = await anAccount();
    for (const { use, clock } of [early, late]) {
      await use(view);
      clock.pass(0.75 * leaseSeconds * seconds);
      await use(view);
    }
    expect([early.unwraps(), late.unwraps()]).toEqual([2, 1]);
  });

  test('a key in use is renewed before its lease ends, and the old buffer is wiped', async () => {
    const [{ clock, unwraps, use }, view] = [await bench(), await anAccount()];
    const old = await use(view);
    const copy = Buffer.from(old);
    clock.pass(0.85 * leaseSeconds * seconds);
    const renewed = await use(view);
    expect(unwraps()).toBe(2);
    expect(isZero(old)).toBe(true);
    expect(Buffer.from(renewed)).toEqual(copy);
  });

  test('a lease that no call uses is wiped by a timer', async () => {
    const [{ leases, use }, view] = [await bench({ clock: realClock }), await anAccount()];
    fakeTime();
    const key = await use(view);
    expect([isZero(key), leases.size()]).toEqual([false, 1]);
    // The timer of the cache runs a millisecond after the end.
    await vi.advanceTimersByTimeAsync(leaseSeconds * seconds + 1);
    expect([isZero(key), leases.size()]).toEqual([true, 0]);
  });

  test('a lease in grace that no call uses is wiped by a timer, at the end of lease and grace at the latest', async () => {
    const [{ use, answers }, view] = [await bench({ clock: realClock }), await anAccount()];
    fakeTime();
    const key = await use(view);
    answers(unreachable);
    await vi.advanceTimersByTimeAsync(0.84 * leaseSeconds * seconds);
    await use(view);
    await vi.advanceTimersByTimeAsync((0.16 * leaseSeconds + leaseGraceSeconds) * seconds);
    expect(isZero(key)).toBe(true);
  });

  test('clear() wipes all leased keys', async () => {
    const [{ leases, use }, views] = [await bench(), [await anAccount(), await anAccount()]];
    const keys = await Promise.all(views.map(use));
    expect([keys.some(isZero), leases.size()]).toEqual([false, 2]);
    leases.clear();
    expect([keys.every(isZero), leases.size()]).toEqual([true, 0]);
  });
});

describe('INV-4: one unwrap is in progress for any number of waiting callers', () => {
  test('a hundred callers at once cause one unwrap when there is no lease', async () => {
    const [{ unwraps, outcome, leases }, view] = [await bench(), await anAccount()];
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => outcome(view)));
    expect(new Set(outcomes)).toEqual(new Set(['served']));
    expect([unwraps(), leases.size()]).toEqual([1, 1]);
  });

  test('a hundred callers at once cause one unwrap when the lease is due for renewal', async () => {
    const [{ clock, unwraps, use, outcome }, view] = [await bench(), await anAccount()];
    await use(view);
    clock.pass(0.85 * leaseSeconds * seconds);
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => outcome(view)));
    expect(new Set(outcomes)).toEqual(new Set(['served']));
    expect(unwraps()).toBe(2);
  });

  test('a failed unwrap fails all callers that waited, and the next caller tries again', async () => {
    const [{ unwraps, outcome, answers }, view] = [await bench(), await anAccount()];
    answers(unreachable);
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => outcome(view)));
    expect(new Set(outcomes)).toEqual(new Set(['CustomerKeyUnreachable VaultUnavailable']));
    expect(unwraps()).toBe(1);
    answers(undefined);
    expect(await outcome(view)).toBe('served');
  });

  test('a key that another caller’s renewal replaces at the same time is never used after it was wiped', async () => {
    const [{ clock, outcome, answers }, view] = [await bench(), await anAccount()];
    const { unwrap } = world.lab.service.keyVault;
    answers(async (...asked) => {
      await sleep(Math.random() * 5);
      return unwrap(...asked);
    });
    const outcomes: string[] = [];
    const calls: Promise<unknown>[] = [];
    for (let n = 0; n < 60; n++) {
      calls.push(outcome(view).then((one) => outcomes.push(one)));
      if (n % 3 === 0) clock.pass(0.17 * leaseSeconds * seconds);
      if (n % 2 === 0) await sleep(Math.random() * 4);
    }
    await Promise.all(calls);
    expect(outcomes).toEqual(Array(60).fill('served'));
  });
});

describe('INV-4: a denied look stops renewal at once and ends any grace', () => {
  const denied: [WatchStatus, Cause][] = [
    ['Suspect', 'KeyDisabled'],
    ['Suspect', 'KeyPermissionDenied'],
    ['Inaccessible', 'KeyNotFound'],
  ];
  test.each(denied)(
    'INV-4: %s (%s): the key is used to the end of its lease and never renewed',
    async (status, cause) => {
      const [one, view] = [await bench(), await anAccount()];
      const key = await one.use(view);
      const afterwards = withVerdict(view, status, cause);
      const outcomes = await inUseFor(leaseSeconds * seconds - 1, afterwards, one);
      expect(new Set(outcomes)).toEqual(new Set(['served']));
      one.clock.pass(1);
      expect(await one.outcome(afterwards)).toBe(`CustomerKeyUnreachable ${cause}`);
      expect([isZero(key), one.unwraps()]).toEqual([true, 1]);
    },
  );

  test('INV-4: an account without a lease receives none while its key is Suspect', async () => {
    const [{ unwraps, outcome }, view] = [await bench(), await anAccount()];
    expect(await outcome(withVerdict(view, 'Suspect', 'KeyDisabled'))).toBe('CustomerKeyUnreachable KeyDisabled');
    expect(unwraps()).toBe(0);
  });

  test('INV-4: a denied look ends grace: the next call wipes the key', async () => {
    const [one, view] = [await bench(), await anAccount()];
    const key = await one.use(view);
    one.answers(unreachable);
    const outcomes = await inUseFor((leaseSeconds + 60) * seconds, view, one);
    expect(outcomes.at(-1)).toBe('served');
    expect(await one.outcome(withVerdict(view, 'Suspect', 'KeyDisabled'))).toBe('CustomerKeyUnreachable KeyDisabled');
    expect(isZero(key)).toBe(true);
  });

  test('INV-4: a vault that denies the renewal itself, before any look, gives no grace', async () => {
    const [one, view] = [await bench(), await anAccount()];
    const key = await one.use(view);
    one.answers(refusedWith('KeyDisabled'));
    const outcomes = await inUseFor((leaseSeconds + 30) * seconds, view, one);
    expect(outcomes.lastIndexOf('served')).toBeLessThan(leaseSeconds / 10);
    expect(outcomes.at(-1)).toBe('CustomerKeyUnreachable KeyDisabled');
    expect(isZero(key)).toBe(true);
  });

  test('INV-4: a denied renewal stays denied during the outage that follows', async () => {
    const [one, view] = [await bench(), await anAccount()];
    await one.use(view);
    one.answers(refusedWith('KeyDisabled'));
    one.clock.pass(0.9 * leaseSeconds * seconds);
    await one.use(view);
    one.answers(unreachable);
    const outcomes = await inUseFor(leaseSeconds * seconds, view, one);
    expect(outcomes.lastIndexOf('served')).toBeLessThan(0.1 * (leaseSeconds / 10));
  });
});

describe('INV-4: only a vault that does not answer gives grace', () => {
  const isUnanswered = (cause: Cause) => classOf(cause) === 'unreachable' || cause === 'IdentityReplaced';
  const unanswered = causes.filter(isUnanswered);
  test.each(unanswered)('INV-4: %s: served through the lease and well into grace', async (cause) => {
    const [one, view] = [await bench(), await anAccount()];
    await one.use(view);
    one.answers(refusedWith(cause));
    const outcomes = await inUseFor((leaseSeconds + 0.5 * leaseGraceSeconds) * seconds, view, one);
    expect(new Set(outcomes)).toEqual(new Set(['served']));
  });

  const answered = causes.filter((cause) => !isUnanswered(cause));
  test.each(answered)('INV-4: %s: not served after the lease', async (cause) => {
    const [one, view] = [await bench(), await anAccount()];
    await one.use(view);
    one.answers(refusedWith(cause));
    const outcomes = await inUseFor((leaseSeconds + 20) * seconds, view, one);
    // A retry does not help when the bytes are wrong, so the answer is not 503.
    const code = cause === 'KeyMaterialMismatch' ? cause : 'CustomerKeyUnreachable';
    expect(outcomes.slice(-2)).toEqual(Array(2).fill(`${code} ${cause}`));
  });

  test('INV-4: no key is used after lease + grace, and then it is wiped', async () => {
    const [one, view] = [await bench(), await anAccount()];
    const key = await one.use(view);
    one.answers(unreachable);
    const outcomes = await inUseFor((leaseSeconds + leaseGraceSeconds) * seconds, view, one);
    expect(outcomes.at(-1)).toBe('CustomerKeyUnreachable VaultUnavailable');
    expect(outcomes.slice(0, -1)).toEqual(Array(outcomes.length - 1).fill('served'));
    expect(isZero(key)).toBe(true);
  });

  test('INV-4: the wall clock alone ends a lease too', async () => {
    const [one, view] = [await bench(), await anAccount()];
    const key = await one.use(view);
    one.answers(unreachable);
    await inUseFor((leaseSeconds + 10) * seconds, view, one);
    one.clock.wallMs -= 86_400 * seconds;
    expect(await one.outcome(view)).toBe('CustomerKeyUnreachable VaultUnavailable');
    expect(isZero(key)).toBe(true);
  });

  test('a process in grace calls the vault again every ten seconds, not at every call', async () => {
    const [one, view] = [await bench(), await anAccount()];
    await one.use(view);
    one.answers(unreachable);
    await inUseFor(leaseSeconds * seconds, view, one);
    const before = one.unwraps();
    for (let n = 0; n < 100; n++) {
      one.clock.pass(0.5 * seconds);
      await one.use(view);
    }
    expect(one.unwraps() - before).toBeLessThanOrEqual(5);
  });

  test('a lease is renewed to its full length when the vault answers again', async () => {
    const [one, view] = [await bench(), await anAccount()];
    await one.use(view);
    one.answers(unreachable);
    await inUseFor((leaseSeconds + 100) * seconds, view, one);
    one.answers(undefined);
    one.clock.pass(10 * seconds);
    await one.use(view);
    const before = one.unwraps();
    one.clock.pass(0.7 * leaseSeconds * seconds);
    expect(await one.outcome(view)).toBe('served');
    expect(one.unwraps()).toBe(before);
  });
});

describe('INV-2: an outage never counts as a refusal of the key', () => {
  test('INV-2: a process with a lease serves while the vault is down; a new process returns 503 CustomerKeyUnreachable', async () => {
    const [running, fresh, view] = [await bench(), await bench(), await anAccount()];
    await running.use(view);
    const { vaultName } = view.watch?.binding ?? {};
    await world.lab.keyVault('POST', '/faults', { vault: vaultName, action: 'status', status: 503, body: 'empty' });
    try {
      const outcomes = await inUseFor((leaseSeconds + 0.5 * leaseGraceSeconds) * seconds, view, running);
      expect(new Set(outcomes)).toEqual(new Set(['served']));
      const error = await failure(fresh.use(view));
      expect([error.name, error.code]).toEqual(['Unavailable', 'CustomerKeyUnreachable']);
      expect(error).toMatchObject({ retryAfterSeconds: expect.any(Number) });
      expect(await fresh.outcome(view)).toBe('CustomerKeyUnreachable VaultUnavailable');
    } finally {
      await world.lab.keyVault('DELETE', '/faults');
    }
    expect(await fresh.outcome(view)).toBe('served');
  });

  test.each([0, 255])('INV-2: for every jitter (%i), lease and grace are served to their end', async (jitter) => {
    const [one, view] = [await bench({ jitter }), await anAccount()];
    await one.use(view);
    one.answers(unreachable);
    const outcomes = await inUseFor((leaseSeconds + leaseGraceSeconds) * seconds - seconds, view, one);
    expect(outcomes).toEqual(Array(outcomes.length).fill('served'));
  });
});

describe('a lease is for one key', () => {
  test('an account that changes to another key is opened under that key', async () => {
    const [{ unwraps, use, outcome, answers }, view] = [await bench(), await anAccount()];
    const before = Buffer.from(await use(view));
    const moved = await world.lab.move(view.record.name, await world.lab.vaultWithKey(`${view.record.name}-next-kv`));
    expect(Buffer.from(await use(moved))).toEqual(before);
    expect(unwraps()).toBe(2);
    const third = await world.lab.move(view.record.name, await world.lab.vaultWithKey(`${view.record.name}-last-kv`));
    answers(refusedWith('KeyDisabled'));
    expect(await outcome(third)).toBe('CustomerKeyUnreachable KeyDisabled');
  });

  test('two accounts do not share a lease', async () => {
    const [{ use }, a, b] = [await bench(), await anAccount(), await anAccount()];
    expect(Buffer.from(await use(a))).not.toEqual(Buffer.from(await use(b)));
  });

  test('an account under the system key is opened without a call to any vault', async () => {
    const [{ unwraps, outcome }, view] = [await bench(), await world.lab.account('lease-system', 'contoso')];
    expect(await outcome(view)).toBe('served');
    expect(unwraps()).toBe(0);
  });
});
