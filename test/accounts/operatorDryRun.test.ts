import { describe, expect, test } from 'vitest';
import { stateOf } from '../../src/core/accounts/account.ts';
import { validateKeyOf, validateKeyOfAccount } from '../../src/core/accounts/operatorDryRun.ts';
import { failure, useLab } from '../lab.ts';

const world = useLab();
const minute = 60_000;
const identity = { useSystemAssignedIdentity: true } as const;

describe("the operator's dry run", () => {
  test('the operator’s dry run checks the version in use of an inaccessible account, which itself refuses a dry run (INV-3)', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('dry-operator');
    await lab.account('dry-operator', 'contoso', key);
    await lab.keyVault('POST', '/vaults/dry-operator/keys/cmk', { kty: 'RSA', size: 2048, fixture: 1 });
    const { record } = await lab.view('dry-operator');
    const version = record.encryption.type === 'CustomerKey' ? record.encryption.version : '';
    await lab.keyVault('PATCH', `/vaults/dry-operator/keys/cmk/${version}`, { enabled: false });
    await lab.advance(3 * minute);
    expect(stateOf(await lab.view('dry-operator'))).toBe('CustomerKeyInaccessible');

    const { valid, checks } = await validateKeyOfAccount('dry-operator', 0, lab.service);
    expect(valid).toBe(false);
    const disabled = checks.find(({ cause }) => cause === 'KeyDisabled');
    expect(disabled).toMatchObject({ result: 'fail', whoActs: 'customer' });
    expect(disabled?.remedy).toContain(`--version ${version}`);
  });

  test('the operator’s dry run of an account under the system key has nothing to check', async () => {
    await world.lab.account('dry-system', 'contoso');
    const validation = await validateKeyOfAccount('dry-system', 0, world.lab.service);
    expect(validation).toEqual({ valid: true, checks: [] });
  });

  test('the operator’s dry run by key is for the owner that has claimed the vault, and compares no region unless one is named', async () => {
    const { lab } = world;
    const keyIdentifier = await lab.vaultWithKey('dry-claimed', { location: 'northeurope' });
    const unclaimed = await failure(validateKeyOf({ keyIdentifier, identity }, 0, lab.service));
    expect(unclaimed).toMatchObject({ code: 'InvalidRequestContent', extras: { target: 'owner' } });
    const named = await validateKeyOf({ keyIdentifier, identity, owner: 'contoso' }, 0, lab.service);
    expect(named.valid).toBe(true);
    expect(named.checks.find(({ name }) => name === 'region')?.result).toBe('unknown');
    const far = await validateKeyOf(
      { keyIdentifier, identity, owner: 'contoso', location: 'westeurope' },
      0,
      lab.service,
    );
    expect(far.checks.find(({ name }) => name === 'region')).toMatchObject({ cause: 'RegionMismatch' });
  });
});
