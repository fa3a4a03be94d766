import { describe, expect, it } from 'vitest';
import {
  type Confirmation,
  confirmationOf,
  defaultPolicy,
  isDenying,
  type Policy,
  readPolicy,
} from '../../src/core/base/policy.ts';
import { deniedCauses, designCauses, designPolicy, harmlessCauses } from '../builders.ts';

/** @throws where the settings are refused */
function policyOf(given: Parameters<typeof readPolicy>[0]): Policy {
  const policy = readPolicy(given);
  if (Array.isArray(policy)) throw new Error(JSON.stringify(policy));
  return policy;
}

describe('the policy', () => {
  it('the policy has the defaults of the design', () => {
    expect(defaultPolicy).toEqual(designPolicy);
  });

  it.each<[string[], Confirmation]>([
    [['KeyDisabled'], { looks: 2, overMs: 0, needsControlLook: false }],
    [['KeyNotFound', 'KeyOperationNotAllowed'], { looks: 3, overMs: 30_000, needsControlLook: false }],
    [['KeyPermissionDenied', 'IdentityNotAuthorized'], { looks: 3, overMs: 60_000, needsControlLook: true }],
    [['VaultNotFound'], { looks: 3, overMs: 900_000, needsControlLook: true }],
    [
      ['VaultFirewallDenied', 'VaultPrivateLinkDenied', 'NetworkPerimeterDenied'],
      { looks: 3, overMs: 900_000, needsControlLook: true },
    ],
  ])('the policy confirms %j after %j', (causes, expected) => {
    for (const cause of [...designCauses.denied, ...designCauses.networkPolicy].filter((word) => causes.includes(word)))
      expect(confirmationOf(cause, defaultPolicy)).toEqual(expected);
  });

  it('INV-2: only the customer’s denials lead to Inaccessible, and the network’s when the operator’s policy says so', () => {
    const denying = (policy: typeof defaultPolicy) =>
      [...deniedCauses, ...harmlessCauses].filter((cause) => isDenying(cause, policy));
    expect(denying(defaultPolicy)).toEqual(deniedCauses);
    const strict = policyOf({ networkPolicyDisables: 'true' });
    expect(denying(strict)).toEqual([...deniedCauses, ...designCauses.networkPolicy]);
  });

  it.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
    ['no', false],
  ])('the policy reads networkPolicyDisables = %j as %s', (text, expected) => {
    expect(policyOf({ networkPolicyDisables: text }).networkPolicyDisables).toBe(expected);
  });

  it('the policy derives its confirmations from its own numbers', () => {
    const policy = policyOf({ confirmKeyDisabledLooks: '5', confirmVaultNotFoundSeconds: '1800' });
    expect(confirmationOf('KeyDisabled', policy).looks).toBe(5);
    expect(confirmationOf('VaultNotFound', policy).overMs).toBe(1_800_000);
  });

  it.each<[string, string]>([
    ['lookIntervalHealthySeconds', '0'],
    ['lookIntervalHealthySeconds', '-1'],
    ['lookIntervalHealthySeconds', 'soon'],
    ['lookIntervalHealthySeconds', '86401'],
    ['lookIntervalHealthySeconds', 'Infinity'],
    ['confirmKeyDisabledLooks', '1.5'],
    ['confirmKeyDisabledLooks', '0'],
    ['accountsPerMessage', '1001'],
    ['networkPolicyDisables', 'perhaps'],
    ['leaseSeconds', '0'],
    ['leaseGraceSeconds', '-1'],
    ['lookIntervalSuspectSeconds', '9'],
  ])('the policy refuses %s = %j and names it', (name, value) => {
    expect(readPolicy({ [name]: value })).toEqual([{ name, message: expect.stringMatching(/^(must|is neither)/) }]);
  });
});
