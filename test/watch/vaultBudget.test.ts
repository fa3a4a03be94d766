import { describe, expect, it } from 'vitest';
import {
  afterAnswer,
  afterRefusal,
  type Budget,
  costOf,
  newBudget,
  refill,
  spend,
  waitMs,
} from '../../src/core/watch/vaultBudget.ts';

const rsa3072 = { keyType: 'RSA', bits: 3072 };

describe('what an operation costs', () => {
  // Key Vault docs, "service limits": per 10 s, divided by ten.
  it.each([
    ['RSA', 2048, 400],
    ['RSA', 3072, 100],
    ['RSA', 4096, 50],
    ['RSA-HSM', 2048, 200],
    ['RSA-HSM', 3072, 50],
    ['RSA-HSM', 4096, 25],
  ])('an operation on a %s %i key: %i a second', (keyType, bits, perSecond) => {
    expect(1 / costOf({ keyType, bits })).toBeCloseTo(perSecond);
  });

  it('operations are weighted: one RSA-4096-HSM operation is eight RSA-2048-HSM ones', () => {
    const [dear, cheap] = [costOf({ keyType: 'RSA-HSM', bits: 4096 }), costOf({ keyType: 'RSA-HSM', bits: 2048 })];
    expect(dear / cheap).toBeCloseTo(8);
  });

  it('an operation on a key without a description costs that of the cheapest key, because only looks have such keys', () => {
    expect(costOf(undefined)).toBe(costOf({ keyType: 'RSA', bits: 2048 }));
  });
});

/** A vault as Key Vault limits it: a bucket with the calls of one second, and 429 when it is empty. */
function vaultOf(perSecond: number) {
  let tokens = perSecond;
  let at = 0;
  return (now: number): boolean => {
    tokens = Math.min(perSecond, tokens + ((now - at) / 1000) * perSecond);
    at = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

/** Calls as fast as the budget permits, for a minute; returns the served calls of each half. */
function run(perSecond: number, share: number, retryAfterSeconds?: number) {
  const serves = vaultOf(perSecond);
  const cost = costOf(rsa3072);
  const served = [0, 0];
  let refused = 0;
  let budget: Budget = newBudget;
  for (let now = 1; now < 60_000; now += 1) {
    budget = refill(budget, share, now);
    if (waitMs(budget, cost, share) > 0) continue;
    budget = spend(budget, cost);
    if (serves(now)) {
      budget = afterAnswer(budget, now);
      served[now < 30_000 ? 0 : 1] = (served[now < 30_000 ? 0 : 1] ?? 0) + 1;
    } else {
      refused += 1;
      budget = afterRefusal(budget, now, retryAfterSeconds, now);
    }
  }
  return { perSecond: (served[1] ?? 0) / 30, refused };
}

describe('the pace', () => {
  it.each([1, 0.5, 0.25, 0.1])(
    'the pace is the share %d of the documented limit, and no call is throttled',
    (share) => {
      const { perSecond, refused } = run(100, share);
      expect(perSecond).toBeLessThanOrEqual(100 * share + 0.1);
      expect(perSecond).toBeGreaterThan(99 * share);
      expect(refused).toBe(0);
    },
  );

  it.each([
    [80, undefined],
    [50, undefined],
    [20, undefined],
    [8, undefined],
    [80, 1],
    [50, 1],
    [20, 1],
    [8, 1],
  ])('the pace settles in 30 s near what the vault can serve, %i a second, with Retry-After %s', (left, retryAfter) => {
    const { perSecond } = run(left, 1, retryAfter);
    expect(perSecond).toBeGreaterThan(left * 0.9);
    expect(perSecond).toBeLessThanOrEqual(left * 1.1);
  });

  it('refusals of calls that ran in parallel slow the pace once', () => {
    const slowed = afterRefusal(newBudget, 1000, undefined, 1050);
    expect(slowed.pace).toBeLessThan(1);
    expect(afterRefusal(slowed, 1040, undefined, 1060)).toMatchObject({ pace: slowed.pace, refusals: 1 });
    expect(afterRefusal(slowed, 1050, undefined, 1200).pace).toBeLessThan(slowed.pace);
  });

  it('no call is made before a Retry-After is over', () => {
    const budget = refill(afterRefusal(newBudget, 1000, 5, 1000), 1, 3000);
    expect(waitMs(budget, 0.01, 1)).toBe(3000);
  });

  it('the pause doubles with each refusal in a row when there is no Retry-After', () => {
    let budget = newBudget;
    const waits = [1, 2, 3, 4].map((n) => {
      budget = afterRefusal({ ...budget, at: n * 20_000 }, n * 20_000, undefined, n * 20_000);
      return waitMs(budget, 0, 1);
    });
    expect(waits).toEqual([100, 200, 400, 800]);
    expect(afterAnswer(budget, 90_000).refusals).toBe(0);
  });

  it('budget spent in advance counts against the waiting calls', () => {
    const budget = spend(refill(newBudget, 0.25, 60_000), 0.5);
    expect(waitMs(budget, 0.01, 0.25)).toBeGreaterThan(1500);
  });
});
