import { describe, expect, it } from 'vitest';
import { callerBudget } from '../../src/core/base/callerBudget.ts';

describe('the budget of a caller', () => {
  it('the budget of a caller admits one minute of calls at once, then one call for each part of a minute that passes', () => {
    let now = 0;
    const budget = callerBudget({ monotonic: () => now }, 60);
    const spend = (times: number) => Array.from({ length: times }, () => budget.spend('a'));
    expect(spend(60)).toEqual(Array(60).fill(0));
    expect(spend(1)).toEqual([1]);
    now = 1_000;
    expect(spend(2)).toEqual([0, 1]);
    now = 3_600_000;
    expect(spend(61).filter((seconds) => seconds > 0)).toHaveLength(1);
  });

  it('the budget of a caller returns how long to wait, in whole seconds that suffice', () => {
    let now = 0;
    const budget = callerBudget({ monotonic: () => now }, 4);
    for (let n = 0; n < 4; n++) budget.spend('a');
    const seconds = budget.spend('a');
    expect(seconds).toBe(15);
    now = seconds * 1_000;
    expect(budget.spend('a')).toBe(0);
  });

  it('the budget of a caller does not affect other callers', () => {
    const budget = callerBudget({ monotonic: () => 0 }, 1);
    expect([budget.spend('a'), budget.spend('b'), budget.spend('a')]).toEqual([0, 0, 60]);
  });

  it('a budget of 0 admits every call', () => {
    const budget = callerBudget({ monotonic: () => 0 }, 0);
    expect(Array.from({ length: 100 }, () => budget.spend('a'))).toEqual(Array(100).fill(0));
  });
});
