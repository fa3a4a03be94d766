import { describe, expect, test } from 'vitest';
import { forceAccount, forceKey } from '../../src/core/rotation/forceRewrap.ts';
import { holdersOf, keyUsage } from '../../src/core/rotation/usage.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import { bindingEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';
import { openedKey, rewrapsOf, rotateKey, seconds, vaultId, versionOf } from './support.ts';

const world = useLab();

async function safe(key: string): Promise<Record<string, boolean>> {
  const { versions } = await keyUsage(key, world.lab.service);
  return Object.fromEntries(versions.map(({ version, safeToDisable }) => [version, safeToDisable]));
}

describe('usage by version', () => {
  test('an old version is safe to disable once no account uses it and it has not been the latest for 15 minutes', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('usage-kv');
    for (const name of ['usage-a', 'usage-b']) await lab.account(name, 'contoso', key);
    const old = await versionOf('usage-a', lab);
    await lab.account('usage-pinned', 'contoso', `${key}/${old}`);
    await lab.advance(300 * seconds);
    expect(await keyUsage(key, lab.service)).toMatchObject({
      asOf: lab.clock.now(),
      versions: [{ version: old, accounts: 3, pinned: 1, isLatest: true, safeToDisable: false }],
      rotations: [],
    });

    const next = await rotateKey('usage-kv', lab);
    await lab.advance(300 * seconds);
    const { versions } = await keyUsage(key, lab.service);
    expect(versions.find(({ version }) => version === old)).toMatchObject({ accounts: 1, pinned: 1, isLatest: false });
    expect(versions.find(({ version }) => version === next)).toMatchObject({ accounts: 2, pinned: 0, isLatest: true });

    // The pinned account prevents it for any time; afterwards no account does.
    await lab.advance(1200 * seconds);
    expect(await safe(key)).toEqual({ [old]: false, [next]: false });
    const { holders } = await holdersOf(key, old, { limit: 10 }, lab.service);
    expect(holders).toEqual([
      { account: 'usage-pinned', owner: 'contoso', follows: false, keyIdentifier: `${key}/${old}` },
    ]);
    await lab.move('usage-pinned', key);
    expect(await safe(key)).toEqual({ [old]: true, [next]: false });
  });

  test('an old version is not safe to disable in the first 15 minutes after a newer one was found, although no account uses it', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('wait-kv');
    await lab.account('wait', 'contoso', key);
    const old = await versionOf('wait', lab);
    const next = await rotateKey('wait-kv', lab);
    lab.clock.set(lab.clock.now() + 300 * seconds);
    await workOnVault({ vault: vaultId('wait-kv'), requestedBy: 'sweep' }, lab.service);
    expect(await versionOf('wait', lab)).toBe(next);
    lab.clock.set(lab.clock.now() + 890 * seconds);
    expect((await safe(key))[old]).toBe(false);
    lab.clock.set(lab.clock.now() + 11 * seconds);
    expect((await safe(key))[old]).toBe(true);
  });

  test('the usage of a key counts records, not rows: a row that is left behind prevents nothing', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('hint-kv');
    const view = await lab.account('hint', 'contoso', key);
    const old = await versionOf('hint', lab);
    await rotateKey('hint-kv', lab);
    await lab.advance(300 * seconds);
    const { encryption, instanceId } = view.record;
    if (encryption.type !== 'CustomerKey') throw new Error('unexpected');
    const row = { name: 'hint', instanceId, version: old, follows: true };
    await lab.service.bindings.putAccount(encryption.binding.id, row);
    await lab.advance(1200 * seconds);
    expect((await safe(key))[old]).toBe(true);
    expect((await holdersOf(key, old, { limit: 10 }, lab.service)).holders).toEqual([]);
  });

  test('the usage of a key lists the accounts of a version in pages', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('pages-kv');
    const names = Array.from({ length: 5 }, (_, n) => `pages-${n}`);
    for (const name of names) await lab.account(name, 'contoso', key);
    const version = await versionOf('pages-0', lab);
    const found: string[] = [];
    let after: string | undefined;
    do {
      const page = await holdersOf(key, version, { limit: 2, ...(after === undefined ? {} : { after }) }, lab.service);
      found.push(...page.holders.map(({ account }) => account));
      after = page.next;
    } while (after !== undefined);
    expect(found).toEqual(names);
    const forged = holdersOf(key, version, { limit: 2, after: 'x|audit:' }, lab.service);
    expect((await failure(forged)).code).toBe('InvalidParameter');
  });

  test('the usage of a key without bound accounts is refused', async () => {
    const error = await failure(keyUsage('https://absent-kv.vault.azure.net/keys/cmk', world.lab.service));
    expect(error.code).toBe('NotFound');
  });
});

describe('a re-wrap that an operator requests', () => {
  test('a requested re-wrap of one account puts it under the newest version at once, with its name in the audit', async () => {
    const { lab } = world;
    await lab.account('force', 'contoso', await lab.vaultWithKey('force-kv'));
    const accountKey = await openedKey('force', lab);
    const next = await rotateKey('force-kv', lab);
    await forceAccount('force', tester, lab.service);
    expect(await versionOf('force', lab)).toBe(next);
    expect(await openedKey('force', lab)).toBe(accountKey);
    expect(await rewrapsOf('force', lab)).toMatchObject([{ actor: tester }]);
    // And again under the same version: another blob.
    const before = (await lab.view('force')).record.wrappedAccountKey;
    await forceAccount('force', tester, lab.service);
    expect((await lab.view('force')).record.wrappedAccountKey).not.toBe(before);
    expect(await openedKey('force', lab)).toBe(accountKey);
    await lab.advance(120 * seconds);
    expect((await lab.view('force')).watch?.versions[next]?.status).toBe('Accessible');
  });

  test('a requested re-wrap of an account under the system key is refused', async () => {
    await world.lab.account('force-system', 'contoso');
    expect((await failure(forceAccount('force-system', tester, world.lab.service))).code).toBe('Conflict');
  });

  test('a requested re-wrap of a revoked key is refused, and nothing is stored', async () => {
    const { lab } = world;
    await lab.account('force-denied', 'contoso', await lab.vaultWithKey('denied-kv'));
    const before = (await lab.view('force-denied')).record.wrappedAccountKey;
    await lab.keyVault('PATCH', '/vaults/denied-kv/keys/cmk', { enabled: false });
    await failure(forceAccount('force-denied', tester, lab.service));
    expect((await lab.view('force-denied')).record.wrappedAccountKey).toBe(before);
  });

  test('a requested re-wrap of a key re-wraps every account on the latest version exactly once, also those already on it, and then ends', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('all-kv');
    const names = ['all-a', 'all-b', 'all-c'];
    for (const name of names) await lab.account(name, 'contoso', key);
    await forceKey(key, tester, lab.service);
    await lab.advance(600 * seconds);
    for (const name of names) {
      expect(await rewrapsOf(name, lab)).toHaveLength(1);
      await openedKey(name, lab);
    }
    const { watch } = await lab.view('all-a');
    expect([watch?.forced, watch?.rotation]).toEqual([undefined, undefined]);
    const entries = await bindingEntries(watch?.binding.id ?? '', lab.service);
    expect(entries.find(({ type }) => type === 'RotationCompleted')).toMatchObject({ actor: tester, accounts: 3 });
  });
});
