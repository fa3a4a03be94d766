import { describe, expect, test } from 'vitest';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { validateEncryption } from '../../src/core/accounts/validateEncryption.ts';
import { KeywardError } from '../../src/core/base/errors.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import type { Check } from '../../src/core/customerKey/validationReport.ts';
import type { Service } from '../../src/core/service.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { appPrincipalId, location } from '../../src/local/operator.ts';
import { failure, useLab } from '../lab.ts';

const world = useLab();
const by = (keyIdentifier: string) => ({
  encryption: { type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } } as const,
});
const dryRun = (key: string, { owner = 'contoso', name = 'absent', wait = 0, service = world.lab.service } = {}) =>
  validateEncryption(name, { owner, location, ...by(key) }, wait, service);
const failed = (checks: readonly Check[]) => checks.flatMap(({ result, cause }) => (result === 'fail' ? [cause] : []));
const total = async (): Promise<number> => (await world.lab.keyVault<{ total: number }>('GET', '/requests')).total;
const grant = (vault: string, permissions: unknown) =>
  world.lab.keyVault('PUT', `/vaults/${vault}/grants/${appPrincipalId}`, { permissions });
const revoke = (vault: string) => world.lab.keyVault('DELETE', `/vaults/${vault}/grants/${appPrincipalId}`);

/** A key that violates three rules at once. */
async function badKey(vault: string): Promise<string> {
  const key = await world.lab.vaultWithKey(vault, { recoveryLevel: 'Recoverable+Purgeable', location: 'northeurope' });
  await world.lab.keyVault('PATCH', `/vaults/${vault}/keys/cmk`, { enabled: false });
  return key;
}

/** All rows of the tables that a dry run could change. */
async function stored(vault: string, { service }: { service: Service }): Promise<unknown> {
  const host = `${vault}.vault.azure.net`;
  return {
    claim: await service.claims.find('vault', host),
    bindings: await service.vaults.bindings(vaultIdOf(host)),
    account: await service.accounts.read('absent'),
  };
}

describe('a dry run', () => {
  test('a dry run passes every check for a good key, and proves it by a remote unwrap', async () => {
    const { valid, checks } = await dryRun(await world.lab.vaultWithKey('dry-good'));
    expect(valid).toBe(true);
    expect(checks.map(({ result }) => result)).toEqual(checks.map(() => 'pass'));
    expect(checks.find(({ name }) => name === 'unwrapProof')?.seen).toMatch(/request id [0-9a-f-]{36}/);
  });

  test('a dry run changes, stores and claims nothing, and the change that it allowed succeeds afterwards', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('dry-nothing');
    const before = await stored('dry-nothing', lab);
    await dryRun(key);
    expect(await stored('dry-nothing', lab)).toEqual(before);
    await dryRun(key, { owner: 'fabrikam' });
    await putAccount(
      { name: 'dry-real', input: { owner: 'contoso', location, ...by(key) }, actor: tester },
      lab.service,
    );
    expect(failed((await dryRun(key, { owner: 'fabrikam' })).checks)).toEqual(['OwnerMismatch']);
  });

  test('a dry run lists three failures of one key at once, each with what it found and the command that fixes it', async () => {
    const { valid, checks } = await dryRun(await badKey('dry-three'));
    expect(valid).toBe(false);
    const faults = checks.filter(({ result }) => result === 'fail');
    expect(faults.map(({ cause, seen }) => [cause, seen])).toEqual([
      ['KeyDisabled', 'disabled'],
      ['PurgeProtectionMissing', 'Recoverable+Purgeable'],
      ['RegionMismatch', 'northeurope'],
    ]);
    expect(faults[0]?.remedy).toMatch(/--vault-name dry-three --name cmk --version [0-9a-f]{32} --enabled true$/);
    expect(faults[2]?.message).toBe('The vault is in the region northeurope, and the account in westeurope.');
  });

  test('a dry run of an existing account checks against that account and does not change it', async () => {
    const { lab } = world;
    const before = await lab.account('dry-exists', 'contoso');
    const key = await badKey('dry-exists-kv');
    const { checks } = await validateEncryption('dry-exists', by(key), 0, lab.service);
    expect(failed(checks)).toEqual(['KeyDisabled', 'PurgeProtectionMissing', 'RegionMismatch']);
    expect(await lab.view('dry-exists')).toEqual(before);
    const foreign = validateEncryption('dry-exists', { owner: 'fabrikam', ...by(key) }, 0, lab.service);
    expect(await failure(foreign)).toMatchObject({ code: 'PropertyNotChangeable' });
  });

  test('a dry run needs an encryption and, for a new account, its owner and location', async () => {
    const { service } = world.lab;
    const key = 'https://dry-good.vault.azure.net/keys/cmk';
    for (const [input, target] of [
      [{ owner: 'contoso', location }, 'properties.encryption'],
      [{ location, ...by(key) }, 'properties.owner'],
      [{ owner: 'contoso', ...by(key) }, 'location'],
    ] as const) {
      const error = await failure(validateEncryption('absent', input, 0, service));
      expect(error).toMatchObject({ code: 'InvalidRequestContent', extras: { target } });
    }
    const system = { owner: 'contoso', location, encryption: { type: 'SystemKey' } } as const;
    expect(await validateEncryption('absent', system, 0, service)).toEqual({ valid: true, checks: [] });
  });

  test('a dry run distinguishes the right to read from the right to unwrap', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('dry-rights');
    const kid = (await lab.keyVault<{ versions: { key: { kid: string } }[] }>('GET', '/vaults/dry-rights/keys/cmk'))
      .versions[0]?.key.kid;
    await revoke('dry-rights');
    await grant('dry-rights', ['get', 'wrapKey']);
    const unproven = (await dryRun(key)).checks.filter(({ result }) => result !== 'pass');
    expect(unproven).toMatchObject([{ name: 'unwrapProof', result: 'fail', cause: 'KeyPermissionDenied' }]);
    await revoke('dry-rights');
    await grant('dry-rights', ['unwrapKey']);
    const unread = (await dryRun(kid ?? '')).checks;
    expect(unread.find(({ name }) => name === 'keyReadable')).toMatchObject({
      result: 'fail',
      cause: 'KeyPermissionDenied',
    });
    expect(unread.find(({ name }) => name === 'unwrapProof')).toMatchObject({
      result: 'unknown',
      message: expect.stringMatching(/may unwrap/),
    });
  });
});

test('INV-9: a dry run discloses no text of Key Vault, and of its facts only whom to grant and which address to admit', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('dry-quiet', { firewall: 'ForbiddenByFirewall' });
  const shut = (await dryRun(key)).checks;
  expect(failed(shut)).toEqual(['VaultFirewallDenied']);
  const other = await lab.vaultWithKey('dry-quiet-2');
  await revoke('dry-quiet-2');
  const denied = (await dryRun(other)).checks;
  expect(failed(denied)).toEqual(['KeyPermissionDenied']);
  for (const upstream of ['Client address', 'appid=', 'oid=', 'iss='])
    expect(JSON.stringify([shut, denied])).not.toContain(upstream);
  expect(JSON.stringify(shut).match(/127\.0\.0\.1/g)).toHaveLength(1);
});

describe('a dry run that waits for a grant', () => {
  /** Time passes in the dry run's own pauses; the grant arrives in the pause with this number. */
  async function withGrantAfter(pauses: number, vault: string) {
    const { lab } = world;
    const waits: number[] = [];
    const pause = async (ms: number) => {
      waits.push(ms);
      lab.clock.set(lab.clock.now() + ms);
      if (waits.length === pauses) await grant(vault, 'cryptoServiceEncryptionUser');
    };
    return { waits, service: await lab.another({ pause }) };
  }

  test('a dry run recognises a grant that has not arrived yet', async () => {
    const key = await world.lab.vaultWithKey('dry-fresh');
    await revoke('dry-fresh');
    const { checks } = await dryRun(key);
    expect(checks.find(({ result }) => result === 'fail')?.message).toMatch(/role assignments take up to 10 minutes/);
  });

  test('a dry run waits for a grant as long as requested, and no longer than necessary', async () => {
    const key = await world.lab.vaultWithKey('dry-wait');
    await revoke('dry-wait');
    const { waits, service } = await withGrantAfter(3, 'dry-wait');
    expect((await dryRun(key, { wait: 60, service })).valid).toBe(true);
    expect(waits).toEqual([5_000, 5_000, 5_000]);
  });

  test('a dry run reports a grant that does not arrive within the requested time', async () => {
    const key = await world.lab.vaultWithKey('dry-late');
    await revoke('dry-late');
    const { waits, service } = await withGrantAfter(100, 'dry-late');
    expect(failed((await dryRun(key, { wait: 12, service })).checks)).toEqual(['KeyPermissionDenied']);
    expect(waits).toEqual([5_000, 5_000]);
  });

  test('a dry run waits for a grant only, and for no other failure', async () => {
    const { waits, service } = await withGrantAfter(100, 'dry-three');
    await dryRun('https://dry-three.vault.azure.net/keys/cmk', { wait: 60, service });
    expect(waits).toEqual([]);
  });
});

describe('PUT and PATCH', () => {
  const refusals = async (key: string, owner = 'contoso', name = 'dry-same') => {
    const { lab } = world;
    const errors = [
      await failure(patchAccount({ name, input: by(key), actor: tester }, lab.service)),
      await failure(
        putAccount({ name: 'dry-never', input: { owner, location, ...by(key) }, actor: tester }, lab.service),
      ),
    ];
    return errors.map((error) => (error instanceof KeywardError ? error : expect.fail(String(error))));
  };

  test('PUT and PATCH refuse with the list of the dry run: failed checks first, then warnings', async () => {
    const { lab } = world;
    await lab.account('dry-same', 'contoso');
    const soon = new Date(lab.clock.now() + 86_400_000).toISOString();
    const rightsless = await lab.vaultWithKey('dry-rightsless');
    await revoke('dry-rightsless');
    await lab.vaultWithKey('dry-soon', { recoveryLevel: 'Recoverable+Purgeable' });
    await lab.keyVault('PATCH', '/vaults/dry-soon/keys/cmk', { exp: soon });
    for (const [key, expected] of [
      [await badKey('dry-same-kv'), ['KeyDisabled', 'PurgeProtectionMissing', 'RegionMismatch']],
      ['https://dry-soon.vault.azure.net/keys/cmk', ['PurgeProtectionMissing', 'KeyNearExpiry']],
      [rightsless, ['KeyPermissionDenied']],
      ['https://dry-absent.vault.azure.net/keys/cmk', ['VaultNotFound']],
    ] as const) {
      const { checks } = await dryRun(key, { name: 'dry-same' });
      const findings = checks.filter(({ result }) => result === 'fail' || result === 'warn');
      expect(findings.map(({ cause }) => cause).sort()).toEqual(expected.toSorted());
      for (const { code, extras } of await refusals(key)) {
        expect(code).toBe(expected[0]);
        expect(extras.details?.map((detail) => detail.code)).toEqual(expected);
        for (const { message } of findings) expect(JSON.stringify(extras.details)).toContain(message);
      }
    }
  });

  test('INV-10: another owner’s vault gets one opaque refusal, in the dry run too, before any call to it', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('dry-owned');
    await lab.account('dry-owner', 'contoso', key);
    await lab.account('dry-thief', 'mallory');
    const before = await total();
    const findings = new Set<string>();
    for (const input of [key, `${key}x`, `${key}/${'0'.repeat(32)}`]) {
      for (const { code, extras } of await refusals(input, 'mallory', 'dry-thief')) {
        expect(code).toBe('OwnerMismatch');
        expect(extras.details).toHaveLength(1);
      }
      const { valid, checks } = await dryRun(input, { owner: 'mallory' });
      expect(valid).toBe(false);
      findings.add(JSON.stringify(checks));
    }
    expect(findings.size).toBe(1);
    expect([...findings].join()).not.toMatch(/contoso|dry-owned/);
    expect(await total()).toBe(before);
  });

  test('INV-8: the dry run reports text that is no key identifier of the cloud, and makes no call', async () => {
    const before = await total();
    for (const [text, cause] of [
      ['https://evil.example/keys/cmk', 'VaultHostNotAllowed'],
      ['http://dry-good.vault.azure.net/keys/cmk', 'KeyIdentifierMalformed'],
      ['https://dry-good.vault.azure.net/secrets/cmk', 'KeyIdentifierMalformed'],
    ] as const)
      expect(failed((await dryRun(text)).checks)).toEqual([cause]);
    expect(await total()).toBe(before);
  });
});

describe('INV-10: with KEYWARD_OWNER_TAG a key must name its owner', () => {
  test('INV-10: a key without the owner’s tag is refused until it has the tag, by the dry run and by PUT', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('dry-tag');
    const service = await lab.another({ ownerTag: 'keyward-owner' });
    const put = () =>
      putAccount({ name: 'dry-tagged', input: { owner: 'contoso', location, ...by(key) }, actor: tester }, service);
    for (const tags of [{}, { 'keyward-owner': 'fabrikam' }]) {
      await lab.keyVault('PATCH', '/vaults/dry-tag/keys/cmk', { tags });
      expect(failed((await dryRun(key, { service })).checks)).toEqual(['OwnerMismatch']);
      const error = await failure(put());
      expect(error).toMatchObject({ code: 'OwnerMismatch' });
      expect(error.message).toContain('--vault-name dry-tag --name cmk --tags "keyward-owner=contoso"');
      expect(error.message).not.toContain('fabrikam');
    }
    await lab.keyVault('PATCH', '/vaults/dry-tag/keys/cmk', { tags: { 'keyward-owner': 'contoso' } });
    expect((await dryRun(key, { service })).valid).toBe(true);
    expect((await put()).created).toBe(true);
  });
});
