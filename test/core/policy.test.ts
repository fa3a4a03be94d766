import { describe, expect, it } from 'vitest';
import { type Confirmation, confirmationOf, defaultPolicy, policySchema } from '../../src/core/policy.ts';
import { designCauses, designPolicy } from './builders.ts';

describe('the policy', () => {
  it('has the defaults of the design', () => {
    expect(defaultPolicy).toEqual(designPolicy);
  });

  it.each<[string[], Confirmation]>([
    [['KeyDisabled'], { looks: 2, overMs: 0, needsControlLook: false }],
    [['KeyNotFound', 'KeyOperationNotAllowed'], { looks: 3, overMs: 30_000, needsControlLook: false }],
    [['KeyPermissionDenied', 'IdentityNotAuthorized'], { looks: 3, overMs: 60_000, needsControlLook: true }],
    [['VaultNotFound'], { looks: 3, overMs: 900_000, needsControlLook: true }],
  ])('believes %j after %j', (causes, expected) => {
    for (const cause of designCauses.denied.filter((word) => causes.includes(word)))
      expect(confirmationOf(cause, defaultPolicy)).toEqual(expected);
  });

  it('takes its confirmations from its own numbers', () => {
    const policy = policySchema.parse({ confirmKeyDisabledLooks: '5', confirmVaultNotFoundSeconds: 1800 });
    expect(confirmationOf('KeyDisabled', policy).looks).toBe(5);
    expect(confirmationOf('VaultNotFound', policy).overMs).toBe(1_800_000);
  });

  it.each<[string, unknown]>([
    ['lookIntervalHealthySeconds', '0'],
    ['lookIntervalHealthySeconds', '-1'],
    ['lookIntervalHealthySeconds', 'soon'],
    ['lookIntervalHealthySeconds', '86401'],
    ['lookIntervalHealthySeconds', 'Infinity'],
    ['confirmKeyDisabledLooks', '1.5'],
    ['confirmKeyDisabledLooks', '0'],
    ['accountsPerMessage', '1001'],
    ['lookIntervalSuspectSeconds', '9'],
  ])('refuses %s = %j, by name', (name, value) => {
    const result = policySchema.safeParse({ [name]: value });
    expect(result.error?.issues.map((issue) => issue.path)).toEqual([[name]]);
  });
});
