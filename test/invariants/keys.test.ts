import { constants, createPublicKey, publicEncrypt } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { currentKeyIdentifier } from '../../src/core/accounts/account.ts';
import { openAccountKey } from '../../src/core/accounts/accountKey.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import type { KeyVault, RsaPublicKey } from '../../src/core/customerKey/ports.ts';
import { accountEntries, bindingEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { firstBrokenLink } from '../chain.ts';
import { dyingAt, failure, useLab } from '../lab.ts';

const seconds = 1000;
const world = useLab();
const systemAssigned = { useSystemAssignedIdentity: true } as const;
const by = (keyIdentifier: string) => ({
  encryption: { type: 'CustomerKey', keyIdentifier, identity: systemAssigned } as const,
});

/** The account key by a fresh remote unwrap, in hex; fails the test when it does not open. */
async function openedKey(name: string): Promise<string> {
  const { record } = await world.lab.view(name);
  const opened = await openAccountKey(record, world.lab.service);
  if (!opened.ok) throw new Error(`${name} does not open: ${opened.cause}`);
  return Buffer.from(opened.value).toString('hex');
}

const currentVersion = async (name: string): Promise<string> => {
  const { encryption } = (await world.lab.view(name)).record;
  return encryption.type === 'CustomerKey' ? (currentKeyIdentifier(encryption).split('/').at(-1) ?? '') : 'SystemKey';
};

describe('INV-1: Keyward never loses an account key', () => {
  const rsa = (oaepHash: string) => (key: RsaPublicKey, plain: Uint8Array) => {
    const [n, e] = [key.n, key.e].map((part) => Buffer.from(part).toString('base64url'));
    const publicKey = createPublicKey({ key: { kty: 'RSA', n: n ?? '', e: e ?? '' }, format: 'jwk' });
    return new Uint8Array(
      publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, plain),
    );
  };

  test('INV-1: the remote unwrap detects a wrap with another OAEP hash, and nothing is stored', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('sha1-kv');
    const keyVault: KeyVault = { ...lab.service.keyVault, wrap: rsa('sha1') };
    await lab.service.rings();
    const wrongly = await lab.another({ keyVault });
    const error = await failure(
      putAccount({ name: 'sha1', input: { owner: 'contoso', location, ...by(key) }, actor: tester }, wrongly),
    );
    expect(error.code).toBe('KeyMaterialMismatch');
    expect(await lab.service.accounts.read('sha1')).toBeUndefined();
  });

  test('INV-1: a rotation detects a wrap with another version’s public key, and the account stays on its version', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('stale-kv');
    await lab.account('stale', 'contoso', key);
    const [version, accountKey] = [await currentVersion('stale'), await openedKey('stale')];
    const { record } = await lab.view('stale');
    if (record.encryption.type !== 'CustomerKey') throw new Error('unexpected');
    const old = await lab.service.keyVault.describe(record.encryption.binding, version);
    if (!old.ok) throw new Error(old.cause);
    await lab.keyVault('POST', '/vaults/stale-kv/keys/cmk/rotate');
    const wrap: KeyVault['wrap'] = (_key, plain) => lab.service.keyVault.wrap(old.value.publicKey, plain);
    const wrongly = await lab.another({ keyVault: { ...lab.service.keyVault, wrap } });
    const { workOnVault } = await import('../../src/core/vaultWork/vaultWork.ts');
    const { vaultIdOf } = await import('../../src/core/customerKey/binding.ts');
    const vault = vaultIdOf('stale-kv.vault.azure.net');
    lab.clock.set(lab.clock.now() + 300 * seconds);
    await workOnVault({ vault, requestedBy: 'sweep' }, wrongly);
    expect(lab.log.some((line) => line.fields.cause === 'KeyMaterialMismatch')).toBe(true);
    expect(await currentVersion('stale')).toBe(version);
    expect(await openedKey('stale')).toBe(accountKey);
  });

  test('INV-1: a rotation re-wraps the same account key under the new version', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('rotate-kv');
    for (const name of ['rotate-a', 'rotate-b']) await lab.account(name, 'contoso', key);
    const [before, accountKeys] = [
      await currentVersion('rotate-a'),
      [await openedKey('rotate-a'), await openedKey('rotate-b')],
    ];
    await lab.keyVault('POST', '/vaults/rotate-kv/keys/cmk/rotate');
    await lab.advance(300 * seconds);
    expect(await currentVersion('rotate-a')).not.toBe(before);
    expect(await currentVersion('rotate-b')).toBe(await currentVersion('rotate-a'));
    expect([await openedKey('rotate-a'), await openedKey('rotate-b')]).toEqual(accountKeys);
    // The old version leaves the watch when it wraps no account key.
    await lab.advance(60 * seconds);
    const { watch } = await lab.view('rotate-a');
    expect(Object.keys(watch?.versions ?? {})).toEqual([await currentVersion('rotate-a')]);
  });

  test('INV-1: a new version that cannot be used is audited once, and all accounts stay on the old one', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('unusable-kv');
    await lab.account('unusable', 'contoso', key);
    const version = await currentVersion('unusable');
    await lab.keyVault('POST', '/vaults/unusable-kv/keys/cmk', { kty: 'RSA', size: 2048, keyOps: ['sign', 'verify'] });
    await lab.advance(900 * seconds);
    expect(await currentVersion('unusable')).toBe(version);
    const { watch } = await lab.view('unusable');
    expect(watch?.unusableVersion?.cause).toBe('KeyOperationNotAllowed');
    const entries = (await bindingEntries(watch?.binding.id ?? '', lab.service)).filter(
      (e) => e.type === 'NewVersionUnusable',
    );
    expect(entries).toHaveLength(1);
  });

  test('an account with a pinned key identifier stays on its version', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('pinned-kv');
    await lab.account('follower', 'contoso', key);
    const version = await currentVersion('follower');
    await lab.account('pinned', 'contoso', `${key}/${version}`);
    await lab.keyVault('POST', '/vaults/pinned-kv/keys/cmk/rotate');
    await lab.advance(400 * seconds);
    expect(await currentVersion('pinned')).toBe(version);
    expect(await currentVersion('follower')).not.toBe(version);
  });

  test('INV-1: a process that dies between any two effects of a key change leaves an account whose key unwraps, and the change can be repeated', async () => {
    const { lab } = world;
    const [from, to] = [await lab.vaultWithKey('from-kv'), await lab.vaultWithKey('to-kv')];
    const accountKeys = new Set<string>();
    for (let effect = 1; ; effect++) {
      const name = `dying-${effect}`;
      await lab.account(name, 'contoso', from);
      accountKeys.add(await openedKey(name));
      const { service, hasDied } = dyingAt(lab, effect);
      const moved = await patchAccount(
        { name, input: by(to), actor: tester, permissions: { mayRelease: true } },
        await service,
      ).then(
        () => true,
        () => false,
      );
      accountKeys.delete(await openedKey(name));
      await lab.move(name, to);
      expect((await lab.view(name)).record.encryption).toMatchObject({ keyIdentifier: to });
      expect(accountKeys.size).toBe(0);
      if (moved && !hasDied()) break;
      expect(effect).toBeLessThan(40);
    }
  });
});

describe('INV-7: two instances never overwrite each other', () => {
  test('INV-7: two simultaneous changes both take effect, one after the other, and both are in the audit', async () => {
    const { lab } = world;
    await lab.account('contended', 'contoso');
    const [one, two] = [lab.service, await lab.another()];
    await Promise.all(
      Array.from({ length: 4 }, (_, n) =>
        patchAccount({ name: 'contended', input: { tags: { n: String(n) } }, actor: tester }, n % 2 === 0 ? one : two),
      ),
    );
    const { record } = await lab.view('contended');
    const entries = await accountEntries('contended', record.instanceId, lab.service);
    expect(entries.map((entry) => entry.type)).toEqual(['AccountCreated', ...Array(4).fill('AccountUpdated')]);
    const { audit } = await lab.service.rings();
    expect(
      await firstBrokenLink(record.instanceId, entries, record.audit, (generation) => audit.kek(generation)),
    ).toBeUndefined();
  });

  test('INV-7: a look in flight during a change to another key does not change the account', async () => {
    const { lab } = world;
    const [from, to] = [await lab.vaultWithKey('left-kv'), await lab.vaultWithKey('joined-kv')];
    await lab.account('mover', 'contoso', from);
    await lab.move('mover', to);
    await lab.keyVault('DELETE', '/vaults/left-kv/keys/cmk');
    await lab.advance(600 * seconds);
    const view = await lab.view('mover');
    expect(view.watch?.versions[await currentVersion('mover')]?.status).toBe('Accessible');
  });
});

describe('INV-8: Keyward calls only Key Vault hosts of the cloud', () => {
  test('INV-8: a key identifier on another host is rejected before any request', async () => {
    const { lab } = world;
    await lab.account('hosts', 'contoso');
    const { requests: before } = await lab.keyVault<{ requests: unknown[] }>('GET', '/requests');
    for (const host of [
      'evil.example.com',
      'kv.vault.azure.net.evil.com',
      'a.b.vault.azure.net',
      '127.0.0.1',
      'kv.vault.azure.cn',
    ]) {
      const error = await failure(lab.move('hosts', `https://${host}/keys/cmk`));
      expect(`${host} ${error.code}`).toBe(`${host} VaultHostNotAllowed`);
    }
    const { requests: after } = await lab.keyVault<{ requests: unknown[] }>('GET', '/requests');
    expect(after).toHaveLength(before.length);
  });
});

describe('INV-10: an account uses only keys of its own owner', () => {
  test('INV-10: another owner gets one opaque refusal before any call to the vault, also after the account is deleted', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('owned-kv');
    await lab.account('owned', 'contoso', key);
    await deleteAccount('owned', {}, tester, lab.service);
    await lab.account('thief', 'fabrikam');
    await lab.keyVault('DELETE', '/requests');
    const real = await failure(lab.move('thief', key));
    const invented = await failure(lab.move('thief', `${key}-that-does-not-exist`));
    expect([real.code, real.message]).toEqual([invented.code, invented.message]);
    expect(real.code).toBe('OwnerMismatch');
    expect((await lab.keyVault<{ requests: unknown[] }>('GET', '/requests?vault=owned-kv')).requests).toEqual([]);
  });

  test('INV-10: a vault is claimed only by an account whose key has been proven', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('squatted-kv');
    await lab.account('squatter', 'fabrikam');
    await failure(lab.move('squatter', `${key}-that-does-not-exist`));
    await lab.account('rightful', 'contoso', key);
    expect((await failure(lab.move('squatter', key))).code).toBe('OwnerMismatch');
  });
});

describe('INV-11: rings', () => {
  test('INV-11: two processes that start simultaneously on empty tables use one ring', async () => {
    const { lab } = world;
    const others = await Promise.all([lab.another(), lab.another(), lab.another()]);
    const rings = await Promise.all(others.map((service) => service.rings()));
    const keys = new Set(rings.map(({ system }) => Buffer.from(system.newest.key).toString('hex')));
    expect(keys.size).toBe(1);
  });
});

describe('INV-12: no caller moves an account off a revoked key', () => {
  test('INV-12: an account whose key was just disabled, before any look, cannot change to another key or to the system key', async () => {
    const { lab } = world;
    const [from, to] = [await lab.vaultWithKey('revoked-kv'), await lab.vaultWithKey('refuge-kv')];
    await lab.account('fugitive', 'contoso', from);
    await lab.keyVault('PATCH', '/vaults/revoked-kv/keys/cmk', { enabled: false });
    expect((await failure(lab.move('fugitive', to))).code).toBe('CustomerKeyUnreachable');
    const back = patchAccount(
      {
        name: 'fugitive',
        input: { encryption: { type: 'SystemKey' } },
        actor: tester,
        permissions: {
          mayRelease: true,
        },
      },
      lab.service,
    );
    expect((await failure(back)).code).toBe('CustomerKeyUnreachable');
    expect((await lab.view('fugitive')).record.encryption).toMatchObject({ keyIdentifier: from });
  });

  test('INV-12: an account that leaves the system key gets a new account key, so that an older copy of its row decrypts nothing new', async () => {
    const { lab } = world;
    await lab.account('leaver', 'contoso');
    const before = await openedKey('leaver');
    await lab.move('leaver', await lab.vaultWithKey('leaver-kv'));
    expect(await openedKey('leaver')).not.toBe(before);
    expect((await lab.view('leaver')).record.accountKeyGeneration).toBe(2);
  });
});
