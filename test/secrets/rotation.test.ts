import { describe, expect, test } from 'vitest';
import { openAccountKey } from '../../src/core/accounts/accountKey.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { fromBase64, hex } from '../../src/core/base/bytes.ts';
import { parseSecret } from '../../src/core/crypto/secretEnvelope.ts';
import { olderKeyWaitMs } from '../../src/core/rings/durations.ts';
import { rekeySecrets } from '../../src/core/secrets/rekeySecrets.ts';
import type { Service } from '../../src/core/service.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';
import { auditOf, bytes, keyId, moveAll, put, reveal } from './support.ts';

const world = useLab();

const generationsOf = async (account: string): Promise<number[]> =>
  (await world.lab.service.secrets.page(account, { limit: 1000 })).rows.map(
    ({ value }) => parseSecret(fromBase64(value.sealed)).generation,
  );

async function filled(account: string, count: number, keyIdentifier?: string): Promise<void> {
  await world.lab.account(account, 'contoso', keyIdentifier);
  const puts = Array.from({ length: count }, (_, n) =>
    put(world.lab.service, account, 'contentKeys', keyId(n), bytes(`${n}`)),
  );
  await Promise.all(puts);
}

async function allReadable(account: string, count: number, service: Service = world.lab.service): Promise<void> {
  const values = await Promise.all(
    Array.from({ length: count }, (_, n) => reveal(service, account, 'contentKeys', keyId(n))),
  );
  expect(values).toEqual(Array.from({ length: count }, (_, n) => hex(bytes(`${n}`))));
}

/** A process whose writes of secrets wait until another event has happened. */
const heldUp = (until: () => Promise<unknown>) => {
  const { accounts, secrets } = world.lab.service;
  let first = true;
  const wait = async () => {
    if (!first) return;
    first = false;
    await until();
  };
  return world.lab.another({
    accounts: {
      ...accounts,
      saveWithSecret: async (...change) => {
        await wait();
        return accounts.saveWithSecret(...change);
      },
    },
    // A pass that encrypts the value again writes the secret alone.
    secrets: {
      ...secrets,
      replace: async (...change) => {
        await wait();
        return secrets.replace(...change);
      },
    },
  });
};

describe('an account that leaves the system key', () => {
  test('an account that leaves the system key gets a new account key; its secrets stay readable, are encrypted again in the background, and the older key is destroyed', async () => {
    const { lab } = world;
    await filled('leaving', 130);
    const other = await lab.another();
    await allReadable('leaving', 3, other);
    await lab.move('leaving', await lab.vaultWithKey('leaving-kv'));
    // A process with a lease of the older key and a slightly older record.
    await allReadable('leaving', 130, other);
    await put(lab.service, 'leaving', 'contentKeys', keyId(130), bytes('130'));
    expect(new Set(await generationsOf('leaving'))).toEqual(new Set([1, 2]));
    await moveAll(lab, 'leaving');
    expect(new Set(await generationsOf('leaving'))).toEqual(new Set([2]));
    await allReadable('leaving', 131, other);
    expect((await lab.view('leaving')).record.olderAccountKeys).toBeUndefined();
    expect((await auditOf(lab, 'leaving')).map(({ type }) => type).filter((type) => type !== 'SecretWritten')).toEqual([
      'AccountCreated',
      'AccountKeyChanged',
      'OlderAccountKeysRetiring',
      'OlderAccountKeysDestroyed',
    ]);
  });
});

describe('rotating an account key after a suspected leak', () => {
  test.each([
    ['the system key', undefined],
    ['a customer key', 'leak-kv'],
  ])(
    'a rotation of the account key under %s: new key, secrets always readable and encrypted again, progress on the account, audit',
    async (_, vault) => {
      const { lab } = world;
      const name = vault === undefined ? 'leak-s' : 'leak-c';
      await filled(name, 5, vault === undefined ? undefined : await lab.vaultWithKey(vault));
      const opened = async () => {
        const answer = await openAccountKey((await lab.view(name)).record, lab.service);
        return answer.ok ? hex(answer.value) : answer.cause;
      };
      const leaked = await opened();
      const { record } = await rotateAccountKey(name, {}, tester, lab.service);
      expect(record).toMatchObject({
        accountKeyGeneration: 2,
        olderAccountKeys: { phase: 'moving', keys: [{ generation: 1 }] },
      });
      expect(await opened()).not.toBe(leaked);
      await allReadable(name, 5);
      // Again before the first rotation is complete: all three generations are readable.
      await put(lab.service, name, 'contentKeys', keyId(5), bytes('5'));
      await rotateAccountKey(name, {}, tester, lab.service);
      await put(lab.service, name, 'contentKeys', keyId(6), bytes('6'));
      expect(new Set(await generationsOf(name))).toEqual(new Set([1, 2, 3]));
      await allReadable(name, 7);
      await moveAll(lab, name);
      expect(new Set(await generationsOf(name))).toEqual(new Set([3]));
      await allReadable(name, 7);
      const all = (await auditOf(lab, name)).map(({ type }) => type);
      const types = all.filter((type) => type !== 'SecretWritten');
      expect(types.slice(1)).toEqual([
        'AccountKeyRotated',
        'AccountKeyRotated',
        'OlderAccountKeysRetiring',
        'OlderAccountKeysDestroyed',
      ]);
    },
  );

  test('a rotation of the account key keeps the key version, with any fault of a newer version', async () => {
    const { lab } = world;
    await filled('unmoved', 1, await lab.vaultWithKey('unmoved-kv'));
    const before = (await lab.view('unmoved')).record.encryption;
    await lab.keyVault('POST', '/vaults/unmoved-kv/keys/cmk', { kty: 'RSA', size: 2048, keyOps: ['sign', 'verify'] });
    const { record } = await rotateAccountKey('unmoved', {}, tester, lab.service);
    expect(record).toMatchObject({ accountKeyGeneration: 2, encryption: before });
    await allReadable('unmoved', 1);
  });

  test('INV-12: a rotation of the account key rests on a fresh unwrap, never on a lease', async () => {
    const { lab } = world;
    await filled('fresh', 1, await lab.vaultWithKey('fresh-kv'));
    await reveal(lab.service, 'fresh', 'contentKeys', keyId(0));
    await lab.keyVault('PATCH', '/vaults/fresh-kv/keys/cmk', { enabled: false });
    expect((await failure(rotateAccountKey('fresh', {}, tester, lab.service))).code).toBe('CustomerKeyUnreachable');
    await reveal(lab.service, 'fresh', 'contentKeys', keyId(0));
  });

  test('an older key is destroyed only after the wait, when a second full pass finds nothing', async () => {
    const { lab } = world;
    await filled('waiting', 3);
    await rotateAccountKey('waiting', {}, tester, lab.service);
    const phase = async () => (await lab.view('waiting')).record.olderAccountKeys?.phase;
    const began = lab.clock.now();
    const first = await rekeySecrets({ visit: 'secrets', account: 'waiting' }, lab.service);
    const second = first && (await rekeySecrets(first.work, lab.service));
    expect([first?.delayMs, second?.delayMs, await phase()]).toEqual([
      60_000,
      began + olderKeyWaitMs - lab.clock.now(),
      'moving',
    ]);
    lab.clock.set(lab.clock.now() + olderKeyWaitMs);
    const third = second && (await rekeySecrets(second.work, lab.service));
    expect(await phase()).toBe('retiring');
    expect(third && (await rekeySecrets(third.work, lab.service))).toBeUndefined();
    expect(await phase()).toBeUndefined();
  });

  test('a pass that dies at any effect starts again, and nothing is lost', async () => {
    const { lab } = world;
    await filled('mortal', 12);
    await rotateAccountKey('mortal', {}, tester, lab.service);
    let saves = 0;
    const dying = await lab.another({
      secrets: {
        ...lab.service.secrets,
        replace: async (ref, value, etag) => {
          if (++saves % 3 === 0) throw new Error('died before the save');
          const saved = await lab.service.secrets.replace(ref, value, etag);
          if (saves % 4 === 0) throw new Error('died after the save');
          return saved;
        },
      },
    });
    for (let n = 0; n < 4; n++) {
      await rekeySecrets({ visit: 'secrets', account: 'mortal' }, dying).catch(() => undefined);
      await allReadable('mortal', 12);
    }
    await moveAll(lab, 'mortal');
    await allReadable('mortal', 12);
    expect(new Set(await generationsOf('mortal'))).toEqual(new Set([2]));
  });
});

describe('INV-1, for data under an account key: a writer paused between encrypt and save, across a whole rotation', () => {
  const wholeRotation = (account: string) => async () => {
    await rotateAccountKey(account, {}, tester, world.lab.service);
    await moveAll(world.lab, account);
    expect((await world.lab.view(account)).record.olderAccountKeys).toBeUndefined();
  };

  test('INV-1: a paused writer that creates a secret seals it again before the caller receives the response', async () => {
    await filled('late-a', 2);
    const late = await heldUp(wholeRotation('late-a'));
    await put(late, 'late-a', 'contentKeys', keyId(2), bytes('2'));
    expect(new Set(await generationsOf('late-a'))).toEqual(new Set([2]));
    await allReadable('late-a', 3);
  });

  test('INV-1: a paused writer that replaces a secret loses the race, reads again, and its own value is stored in the end', async () => {
    const { lab } = world;
    await filled('late-b', 2);
    const late = await heldUp(wholeRotation('late-b'));
    await put(late, 'late-b', 'contentKeys', keyId(1), bytes('new'));
    expect(await reveal(lab.service, 'late-b', 'contentKeys', keyId(1))).toBe(hex(bytes('new')));
    expect(new Set(await generationsOf('late-b'))).toEqual(new Set([2]));
  });

  test('INV-1: a paused writer that saves while the older key is retiring, when the pass may already have passed its row', async () => {
    const { lab } = world;
    await filled('late-c', 2);
    const late = await heldUp(async () => {
      await rotateAccountKey('late-c', {}, tester, lab.service);
      let next = await rekeySecrets({ visit: 'secrets', account: 'late-c' }, lab.service);
      while (next !== undefined && (await lab.view('late-c')).record.olderAccountKeys?.phase !== 'retiring') {
        lab.clock.set(lab.clock.now() + next.delayMs);
        next = await rekeySecrets(next.work, lab.service);
      }
    });
    await put(late, 'late-c', 'contentKeys', keyId(2), bytes('2'));
    expect(new Set(await generationsOf('late-c'))).toEqual(new Set([2]));
    await moveAll(lab, 'late-c');
    await allReadable('late-c', 3);
  });

  test('INV-1: a pass that is itself paused across the next rotation overwrites nothing', async () => {
    const { lab } = world;
    await filled('late-d', 3);
    await rotateAccountKey('late-d', {}, tester, lab.service);
    const late = await heldUp(wholeRotation('late-d'));
    await rekeySecrets({ visit: 'secrets', account: 'late-d' }, late);
    expect(new Set(await generationsOf('late-d'))).toEqual(new Set([3]));
    await allReadable('late-d', 3);
  });
});
