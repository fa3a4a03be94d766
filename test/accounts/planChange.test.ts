/** The decision table of a PUT or PATCH: state of the account, input and permissions → plan. */
import { describe, expect, test } from 'vitest';
import type { AccountView, Encryption } from '../../src/core/accounts/account.ts';
import { type AccountInput, type Permissions, planChange } from '../../src/core/accounts/planChange.ts';
import { bindingOf } from '../../src/core/customerKey/binding.ts';
import { parseKeyIdentifier } from '../../src/core/customerKey/keyIdentifier.ts';
import { aVerdict, aWatch, start, version1 } from '../builders.ts';

const homeTenantId = 'aaaaaaaa-0000-4000-8000-000000000001';
const cloud = 'public';
const configuration = { cloud, homeTenantId, operatorVaults: new Set(['keyward-operator.vault.azure.net']) } as const;
const actor = { kind: 'principal', id: 'tester' } as const;
const identity = { useSystemAssignedIdentity: true } as const;
const by = (vault: string, key = 'cmk') => ({
  encryption: { type: 'CustomerKey', keyIdentifier: `https://${vault}.vault.azure.net/keys/${key}`, identity } as const,
});
const bySystemKey = { encryption: { type: 'SystemKey' } } as const;

const customerKey = (vault: string): Encryption => {
  const { keyIdentifier } = by(vault).encryption;
  const binding = bindingOf(parseKeyIdentifier(keyIdentifier, cloud), homeTenantId, identity);
  return { type: 'CustomerKey', keyIdentifier, follows: true, version: version1, binding, reconciledEpoch: 0 };
};

function account(encryption: Encryption = { type: 'SystemKey' }): AccountView {
  const record = {
    lifecycle: 'active',
    name: 'media',
    instanceId: '7d0f3a52-0000-4000-8000-000000000001',
    owner: 'contoso',
    location: 'West Europe',
    createdAt: start,
    updatedAt: start,
    revision: 1,
    audit: { sequence: 1, hash: 'head' },
    tags: { team: 'media' },
    encryption,
    accountKeyGeneration: 1,
    wrappedAccountKey: '',
  } as const;
  return { record, etag: 'etag' };
}

const decide = (current: AccountView | undefined, input: AccountInput, permissions?: Permissions) => {
  try {
    const change =
      permissions === undefined ? { name: 'Media', input, actor } : { name: 'Media', input, actor, permissions };
    const plan = planChange(current, change, configuration);
    return plan.kind === 'refuseRelease'
      ? `refuseRelease ${plan.binding?.vaultName ?? 'to the system key'}`
      : plan.kind;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

const fresh = { owner: 'contoso', location: 'westeurope' };
const mayRelease = { mayRelease: true };
const onContoso = () => account(customerKey('contoso'));

describe('planChange', () => {
  test.each<[state: string, current: () => AccountView | undefined, input: AccountInput, Permissions?, plan?: string]>([
    ['no account', () => undefined, fresh, {}, 'create'],
    ['no account', () => undefined, { ...fresh, ...by('contoso') }, {}, 'create'],
    ['no account', () => undefined, {}, {}, 'InvalidRequestContent'],
    ['no account', () => undefined, { ...fresh, owner: '' }, {}, 'InvalidRequestContent'],
    ['no account', () => undefined, { ...fresh, location: ' ' }, {}, 'InvalidRequestContent'],
    ['no account', () => undefined, fresh, { owners: new Set(['contoso']) }, 'create'],
    ['no account', () => undefined, fresh, { owners: new Set(['fabrikam']) }, 'AuthorizationFailed'],
    ['no account', () => undefined, { ...fresh, ...by('keyward-operator') }, {}, 'OwnerMismatch'],
    ['an account under the system key', account, {}, {}, 'keep'],
    ['an account under the system key', account, { ...fresh, ...bySystemKey, tags: { team: 'media' } }, {}, 'keep'],
    ['an account under the system key', account, { tags: {} }, {}, 'saveSettings'],
    ['an account under the system key', account, { leaseSeconds: 60 }, {}, 'saveSettings'],
    ['an account under the system key', account, { owner: 'fabrikam' }, {}, 'PropertyNotChangeable'],
    ['an account under the system key', account, { location: 'northeurope' }, {}, 'PropertyNotChangeable'],
    ['an account under the system key', account, by('contoso'), {}, 'changeKey'],
    ['an account under the system key', account, by('keyward-operator'), {}, 'OwnerMismatch'],
    ['an account under a customer key', onContoso, by('contoso'), {}, 'keep'],
    ['an account under a customer key', onContoso, { ...by('contoso'), tags: {} }, {}, 'saveSettings'],
    ['an account under a customer key', onContoso, by('contoso', 'other'), {}, 'changeKey'],
    ['an account under a customer key', onContoso, by('fabrikam'), {}, 'refuseRelease fabrikam'],
    ['an account under a customer key', onContoso, bySystemKey, {}, 'refuseRelease to the system key'],
    ['an account under a customer key', onContoso, by('fabrikam'), mayRelease, 'changeKey'],
    ['an account under a customer key', onContoso, bySystemKey, mayRelease, 'changeKey'],
    ['an account under a customer key', onContoso, by('keyward-operator'), mayRelease, 'OwnerMismatch'],
  ])(
    'INV-10, INV-14: %s, row %#: the plan follows from the input and the permissions',
    (_state, current, input, permissions, plan) => {
      expect(decide(current(), input, permissions)).toBe(plan);
    },
  );

  test('a new account has the name as written, and defaults for absent settings', () => {
    const plan = planChange(undefined, { name: 'Media', input: fresh, actor }, configuration);
    expect(plan).toEqual({
      kind: 'create',
      account: { name: 'Media', ...fresh, tags: {}, auditKeyUse: false },
      encryption: { type: 'SystemKey' },
    });
  });

  test('INV-6: a change writes the verdicts that the chain lacks before its own entry', () => {
    const refusal = {
      epoch: 3,
      version: version1,
      to: 'CustomerKeyInaccessible',
      at: start,
      cause: 'KeyDisabled',
    } as const;
    const encryption = customerKey('contoso');
    const binding = encryption.type === 'CustomerKey' ? encryption.binding : undefined;
    const watch = aWatch({
      ...(binding === undefined ? {} : { binding }),
      epoch: 3,
      versions: { [version1]: aVerdict({ status: 'Inaccessible' }) },
      transitions: [refusal],
    });
    const plan = planChange(
      { ...account(encryption), watch },
      { name: 'media', input: { tags: {} }, actor },
      configuration,
    );
    expect(plan).toMatchObject({
      kind: 'saveSettings',
      next: { tags: {}, encryption: { reconciledEpoch: 3 } },
      facts: [
        { type: 'CustomerKeyInaccessible', epoch: 3 },
        { type: 'AccountUpdated', actor },
      ],
    });
  });
});
