import { describe, expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import type { KeyVault } from '../../src/core/customerKey/ports.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import { renderAccount } from '../../src/functions/http/accounts/accountJson.ts';
import { bindingEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { oneIn } from '../exhaustive.ts';
import { useLab } from '../lab.ts';
import { openedKey, rewrapsOf, rotateKey, seconds, vaultId, versionOf, watchAudit } from './support.ts';

const world = useLab();
const iso = (at: number): string => new Date(at).toISOString();

async function warnings(name: string): Promise<Record<string, unknown>[]> {
  const { encryption } = renderAccount(await world.lab.view(name), world.lab.service.policy).properties;
  return 'warnings' in encryption ? encryption.warnings : [];
}

describe('a new version that cannot be used', () => {
  const past = () => iso(world.lab.clock.now() - 3600 * seconds);
  const future = () => iso(world.lab.clock.now() + 30 * 86_400 * seconds);
  const kinds: [string, string, () => Record<string, unknown>][] = [
    ['elliptic', 'KeyTypeUnsupported', () => ({ kty: 'EC', curve: 'P-256', size: undefined })],
    ['disabled', 'KeyDisabled', () => ({ enabled: false })],
    ['expired', 'KeyExpired', () => ({ exp: past() })],
    ['early', 'KeyNotYetValid', () => ({ nbf: future() })],
    ['nounwrap', 'KeyOperationNotAllowed', () => ({ keyOps: ['wrapKey'] })],
  ];

  test.each(oneIn(2, kinds))(
    'a new version that cannot be used, %s: every account stays, %s is warned of and audited once, and a good version after it is used',
    async (kind, cause, more) => {
      const { lab } = world;
      const vault = `bad-${kind}-kv`;
      await lab.account(`bad-${kind}`, 'contoso', await lab.vaultWithKey(vault));
      const before = await versionOf(`bad-${kind}`, lab);
      const bad = await rotateKey(vault, lab, more());
      await lab.advance(900 * seconds);
      expect(await versionOf(`bad-${kind}`, lab)).toBe(before);
      expect(await warnings(`bad-${kind}`)).toMatchObject([{ code: 'NewVersionUnusable', keyVersion: bad, cause }]);
      expect((await watchAudit(`bad-${kind}`, lab)).filter((type) => type === 'NewVersionUnusable')).toHaveLength(1);
      const good = await rotateKey(vault, lab);
      await lab.advance(300 * seconds);
      expect(await versionOf(`bad-${kind}`, lab)).toBe(good);
      expect(await warnings(`bad-${kind}`)).toEqual([]);
    },
  );

  test('a new version in a vault that has lost purge protection: every account stays until the vault has it again', async () => {
    const { lab } = world;
    await lab.account('purge', 'contoso', await lab.vaultWithKey('purge-kv'));
    const before = await versionOf('purge', lab);
    await lab.keyVault('PATCH', '/vaults/purge-kv', { recoveryLevel: 'Recoverable+Purgeable' });
    const next = await rotateKey('purge-kv', lab);
    await lab.advance(300 * seconds);
    expect(await versionOf('purge', lab)).toBe(before);
    expect(await warnings('purge')).toMatchObject([{ code: 'NewVersionUnusable', cause: 'PurgeProtectionMissing' }]);
    await lab.keyVault('PATCH', '/vaults/purge-kv', { recoveryLevel: 'Recoverable' });
    await lab.advance(300 * seconds);
    expect(await versionOf('purge', lab)).toBe(next);
  });

  test('a new version whose blob does not open: nothing is stored, it is tried again with one account, and used once it opens', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('wrong-kv');
    for (const name of ['wrong-a', 'wrong-b', 'wrong-c']) await lab.account(name, 'contoso', key);
    const [before, accountKey] = [await versionOf('wrong-a', lab), await openedKey('wrong-a', lab)];
    const next = await rotateKey('wrong-kv', lab);
    let wraps = 0;
    const wrap: KeyVault['wrap'] = (publicKey, plain) => {
      wraps += 1;
      return lab.service.keyVault.wrap(publicKey, plain.toReversed());
    };
    const wrongly = await lab.another({ keyVault: { ...lab.service.keyVault, wrap } });
    for (const _ of [1, 2]) {
      lab.clock.set(lab.clock.now() + 300 * seconds);
      await workOnVault({ vault: vaultId('wrong-kv'), requestedBy: 'sweep' }, wrongly);
    }
    expect(wraps).toBe(2);
    expect(lab.log.some(({ fields }) => fields.cause === 'KeyMaterialMismatch')).toBe(true);
    expect(await versionOf('wrong-a', lab)).toBe(before);
    expect(await openedKey('wrong-a', lab)).toBe(accountKey);
    expect(await warnings('wrong-a')).toMatchObject([{ code: 'NewVersionUnusable', cause: 'KeyMaterialMismatch' }]);
    expect((await watchAudit('wrong-a', lab)).filter((type) => type === 'NewVersionUnusable')).toHaveLength(1);
    await lab.advance(600 * seconds);
    for (const name of ['wrong-a', 'wrong-b', 'wrong-c']) expect(await versionOf(name, lab)).toBe(next);
    expect(await warnings('wrong-a')).toEqual([]);
  });
});

describe('a row that was swapped', () => {
  test('a swapped row is KeyMaterialMismatch: nothing is stored for it, all others are re-wrapped, and it raises an alarm and is counted', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('swapped-kv');
    for (const name of ['swapped-a', 'swapped-b', 'swapped-c']) await lab.account(name, 'contoso', key);
    const [a, b] = [await lab.service.accounts.read('swapped-a'), await lab.service.accounts.read('swapped-b')];
    if (a?.value.lifecycle !== 'active' || b?.value.lifecycle !== 'active') throw new Error('unexpected');
    const { wrappedAccountKey } = b.value;
    await lab.service.accounts.save({ ...a, value: { ...a.value, wrappedAccountKey } }, []);
    const before = await versionOf('swapped-a', lab);
    const next = await rotateKey('swapped-kv', lab);
    await lab.advance(300 * seconds);
    const view = await lab.view('swapped-a');
    expect(view.record).toMatchObject({ wrappedAccountKey, encryption: { version: before } });
    for (const name of ['swapped-b', 'swapped-c']) expect(await versionOf(name, lab)).toBe(next);
    expect(view.watch?.rotation).toMatchObject({ to: next, done: 2, failed: 1, isWaiting: true });
    expect(await watchAudit('swapped-a', lab)).not.toContain('RotationCompleted');
    expect(
      lab.log.some(
        ({ level, fields }) =>
          level === 'error' && fields.account === 'swapped-a' && fields.cause === 'KeyMaterialMismatch',
      ),
    ).toBe(true);
    // Without that row the rotation is complete.
    await deleteAccount('swapped-a', {}, tester, lab.service);
    await lab.advance(300 * seconds);
    expect((await lab.view('swapped-b')).watch?.rotation).toBeUndefined();
  });
});

describe('rotation', () => {
  test('a rotation is audited when it starts and when it is complete, with the number of accounts', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('audited-kv');
    for (const name of ['audited-a', 'audited-b']) await lab.account(name, 'contoso', key);
    const next = await rotateKey('audited-kv', lab);
    await lab.advance(300 * seconds);
    expect(await watchAudit('audited-a', lab)).toEqual([
      'WatchCreated',
      'NewVersionFound',
      'RotationStarted',
      'RotationCompleted',
    ]);
    const { watch } = await lab.view('audited-a');
    const [last] = (await bindingEntries(watch?.binding.id ?? '', lab.service)).toReversed();
    expect(last).toMatchObject({ key: next, accounts: 2 });
  });

  test('two rotations in a row, the second before the first was found, end on the newest version', async () => {
    const { lab } = world;
    await lab.account('twice', 'contoso', await lab.vaultWithKey('twice-kv'));
    await rotateKey('twice-kv', lab);
    const newest = await rotateKey('twice-kv', lab);
    await lab.advance(300 * seconds);
    expect(await versionOf('twice', lab)).toBe(newest);
    expect(await rewrapsOf('twice', lab)).toHaveLength(1);
  });

  test('a rotation half-way, with the first old version disabled in between, delays no other account', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('wedge-kv');
    for (const name of ['wedge-a', 'wedge-b', 'wedge-c', 'wedge-d']) await lab.account(name, 'contoso', key);
    const first = await versionOf('wedge-a', lab);
    const few = await lab.another({ policy: { ...lab.service.policy, accountsPerMessage: 2 } });
    const second = await rotateKey('wedge-kv', lab);
    lab.clock.set(lab.clock.now() + 300 * seconds);
    await workOnVault({ vault: vaultId('wedge-kv'), requestedBy: 'sweep' }, few);
    const moved = (
      await Promise.all(['wedge-a', 'wedge-b', 'wedge-c', 'wedge-d'].map((name) => versionOf(name, lab)))
    ).filter((version) => version === second);
    expect(moved).toHaveLength(2);
    expect((await lab.view('wedge-a')).watch?.rotation).toMatchObject({
      to: second,
      done: 2,
      failed: 0,
      isWaiting: false,
    });
    // The rest is still on the first version, which is disabled now. A third version arrives.
    await lab.keyVault('PATCH', `/vaults/wedge-kv/keys/cmk/${first}`, { enabled: false });
    const third = await rotateKey('wedge-kv', lab);
    await lab.advance(400 * seconds);
    expect(await versionOf('wedge-a', lab)).toBe(third);
    expect(await versionOf('wedge-d', lab)).toBe(first);
    // After the first version is enabled again, they are re-wrapped.
    await lab.keyVault('PATCH', `/vaults/wedge-kv/keys/cmk/${first}`, { enabled: true });
    await lab.advance(400 * seconds);
    expect(await versionOf('wedge-d', lab)).toBe(third);
  });

  test('a rotation leaves pinned accounts, which show NewerVersionAvailable', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('pin-kv');
    await lab.account('pin-follow', 'contoso', key);
    const version = await versionOf('pin-follow', lab);
    await lab.account('pin-pinned', 'contoso', `${key}/${version}`);
    const next = await rotateKey('pin-kv', lab);
    await lab.advance(300 * seconds);
    expect(await versionOf('pin-pinned', lab)).toBe(version);
    expect(await warnings('pin-pinned')).toEqual([{ code: 'NewerVersionAvailable', keyVersion: next }]);
    expect(await versionOf('pin-follow', lab)).toBe(next);
  });

  test('an account shows a warning when its version expires soon and when it has expired; an expired version still unwraps and can be left', async () => {
    const { lab } = world;
    await lab.account('expiring', 'contoso', await lab.vaultWithKey('expiring-kv'));
    const at = lab.clock.now();
    await lab.keyVault('PATCH', '/vaults/expiring-kv/keys/cmk', { exp: iso(at + 1000 * seconds) });
    await lab.advance(300 * seconds);
    expect(await warnings('expiring')).toMatchObject([{ code: 'KeyNearExpiry' }]);
    await lab.keyVault('POST', '/clock/advance', { seconds: 1400 });
    await lab.advance(1100 * seconds);
    expect(await warnings('expiring')).toMatchObject([{ code: 'KeyExpired' }]);
    await openedKey('expiring', lab);
    const next = await rotateKey('expiring-kv', lab);
    await lab.advance(300 * seconds);
    expect(await versionOf('expiring', lab)).toBe(next);
    expect(await warnings('expiring')).toEqual([]);
  });
});
