/** The waiting window of a deletion: what it refuses, what continues in it, and how it ends. */
import { describe, expect, test } from 'vitest';
import { stateOf } from '../../src/core/accounts/account.ts';
import { deleteAccount, requestDeletion } from '../../src/core/accounts/deleteAccount.ts';
import { recoverAccount } from '../../src/core/accounts/pendingDeletion.ts';
import { purgeDeleted } from '../../src/core/accounts/purgeDeleted.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { hex } from '../../src/core/base/bytes.ts';
import { processAccounts } from '../../src/core/dailyPass.ts';
import { generateDataKeys } from '../../src/core/dataKeys/dataKeys.ts';
import { contextHashOf } from '../../src/core/dataKeys/encryptionContext.ts';
import { listIndexedAccounts } from '../../src/core/overview/listAccounts.ts';
import type { Service } from '../../src/core/service.ts';
import { accountEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { firstBrokenLink } from '../chain.ts';
import { dyingAt, failure, useLab } from '../lab.ts';
import { bytes, put, reveal } from '../secrets/support.ts';

const seconds = 1000;
const day = 86_400_000;
const world = useLab();

async function withSecret(name: string, key?: string) {
  await world.lab.account(name, `owner-of-${name}`, key);
  await put(world.lab.service, name, 'tokenKeys', 'one', bytes('the value'));
}

const revealed = (name: string, service: Service = world.lab.service) => reveal(service, name, 'tokenKeys', 'one');
const erase = (name: string, service: Service = world.lab.service) => requestDeletion(name, {}, tester, service);
const recover = (name: string, service: Service = world.lab.service) => recoverAccount(name, {}, tester, service);
const dataKey = (account: string) =>
  generateDataKeys(
    { count: 1, length: 32, contextHash: contextHashOf({}), isPlain: true },
    { account, actor: tester },
    world.lab.service,
  );
const later = (ms: number) => world.lab.clock.set(world.lab.clock.now() + ms);
const stateNow = async (name: string) => stateOf(await world.lab.view(name));
const scheduled = async () =>
  (await world.lab.service.purgeSchedule.due(world.lab.clock.now() + 100 * day, 100)).rows.map(({ name }) => name);

describe('an account with a secret', () => {
  test('a writer of a secret that is paused while its account is deleted writes nothing in the waiting window', async () => {
    const { lab } = world;
    await withSecret('paused');
    const { accounts } = lab.service;
    let isDeleted = false;
    const late = await lab.another({
      accounts: {
        ...accounts,
        saveWithSecret: async (...change) => {
          if (!isDeleted) await erase('paused');
          isDeleted = true;
          return accounts.saveWithSecret(...change);
        },
      },
    });
    const refusal = await failure(put(late, 'paused', 'tokenKeys', 'one', bytes('another')));
    expect(refusal.code).toBe('AccountPendingDeletion');
    await recover('paused');
    expect(await revealed('paused')).toBe(hex(bytes('the value')));
  });

  test('a deleted account with a secret refuses every use, and is as it was once it is recovered', async () => {
    const { lab } = world;
    await withSecret('returns');
    const before = await lab.view('returns');
    const deleted = await erase('returns');
    expect(deleted).toMatchObject({ record: { pendingDeletion: { deletedAt: lab.clock.now() } } });
    const refusals = await Promise.all([
      failure(revealed('returns')),
      failure(put(lab.service, 'returns', 'tokenKeys', 'two', bytes('x'))),
      failure(patchAccount({ name: 'returns', input: { tags: {} }, actor: tester }, lab.service)),
      failure(rotateAccountKey('returns', {}, tester, lab.service)),
      failure(dataKey('returns')),
    ]);
    expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(['AccountPendingDeletion']));
    expect(await stateNow('returns')).toBe('PendingDeletion');

    const recovered = await recover('returns');
    expect(recovered.record.wrappedAccountKey).toBe(before.record.wrappedAccountKey);
    expect(await stateNow('returns')).toBe('Enabled');
    expect(await revealed('returns')).toBe(hex(bytes('the value')));
    later(8 * day);
    await purgeDeleted(lab.service);
    expect(await revealed('returns')).toBe(hex(bytes('the value')));
    expect(await scheduled()).not.toContain('returns');
  });

  test('a second deletion, and a recovery of an account that is not deleted, change nothing', async () => {
    await withSecret('twice');
    const first = await erase('twice');
    later(day);
    expect(await erase('twice')).toMatchObject({ record: { pendingDeletion: Object(first).record.pendingDeletion } });
    await recover('twice');
    const { record } = await world.lab.view('twice');
    expect((await recover('twice')).record).toEqual(record);
  });

  test('a process that read the account just before the deletion refuses it 10 s later at the latest', async () => {
    const { lab } = world;
    const other = await lab.another();
    await withSecret('cached');
    await revealed('cached', other);
    await erase('cached');
    later(10 * seconds);
    expect((await failure(revealed('cached', other))).code).toBe('AccountPendingDeletion');
  });
});

test('an account that protects nothing is deleted at once; one with a data key waits', async () => {
  const { lab } = world;
  await lab.account('empty', 'contoso');
  await lab.account('wraps', 'contoso');
  await dataKey('wraps');
  expect(await erase('empty')).toBe('deleted');
  expect(await erase('wraps')).toMatchObject({ record: { name: 'wraps' } });
  expect(await erase('empty')).toBe('absent');
});

test('a service with a window of 0 days, and an explicit erase, destroy the key at once', async () => {
  const { lab } = world;
  for (const name of ['zero', 'explicit']) await withSecret(name);
  const noWindow = { ...lab.service, policy: { ...lab.service.policy, deleteAfterDays: 0 } };
  expect(await erase('zero', noWindow)).toBe('deleted');
  await erase('explicit');
  expect(await deleteAccount('explicit', {}, tester, lab.service)).toBe(true);
  for (const name of ['zero', 'explicit']) expect(await lab.service.accounts.read(name)).toBeUndefined();
});

describe('the end of the window', () => {
  test('INV-6: the first sweep after the window destroys the key, frees the name, and the chain has each step', async () => {
    const { lab } = world;
    await withSecret('ends');
    const { instanceId } = (await lab.view('ends')).record;
    await erase('ends');
    later(7 * day - 1 * seconds);
    await purgeDeleted(lab.service);
    expect(await stateNow('ends')).toBe('PendingDeletion');
    later(2 * seconds);
    expect((await failure(recover('ends'))).code).toBe('AccountPendingDeletion');
    await purgeDeleted(lab.service);
    expect(await lab.service.accounts.read('ends')).toBeUndefined();
    expect((await lab.service.secrets.page('ends', { limit: 1 })).rows).toEqual([]);
    expect(await scheduled()).not.toContain('ends');
    const entries = await accountEntries('ends', instanceId, lab.service);
    expect(entries.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['AccountCreated', 'AccountDeletionScheduled', 'AccountDeleted']),
    );
    expect(entries.at(-1)).toMatchObject({ type: 'AccountDeleted', actor: { kind: 'keyward', id: 'purge' } });
    const tombstone = (await lab.service.accounts.tombstone('ends', instanceId))?.value;
    const { audit } = await lab.service.rings();
    const head = tombstone?.audit ?? { sequence: 0, hash: '' };
    expect(await firstBrokenLink(instanceId, entries, head, (generation) => audit.kek(generation))).toBeUndefined();
    await lab.account('ends', 'another-owner');
    expect(await stateNow('ends')).toBe('Enabled');
  });

  test('a host whose clock is eight days ahead purges nothing', async () => {
    const { lab } = world;
    await withSecret('early');
    await erase('early');
    const clock = { ...lab.service.clock, now: () => lab.clock.now() + 8 * day };
    expect(await purgeDeleted(await lab.another({ clock }))).toBe(0);
    expect(await stateNow('early')).toBe('PendingDeletion');
    await recover('early');
    expect(await revealed('early')).toBe(hex(bytes('the value')));
  });

  test('INV-13: foreign rows of the schedule delay no purge, and are removed without an alarm', async () => {
    const { lab } = world;
    const partitionKey = 'purges';
    for (const rowKey of ['!', '2020!', '1970-01-01T00:00:00.000Z', 'x'.repeat(300)])
      await lab.table('directory').createEntity({ partitionKey, rowKey, v: 1, data: '{}' });
    lab.log.length = 0;
    await purgeDeleted(lab.service);
    expect(lab.log.filter(({ level }) => level === 'error')).toEqual([]);
    const left: unknown[] = [];
    const before = `PartitionKey eq '${partitionKey}' and RowKey lt '2020~'`;
    for await (const { rowKey } of lab.table('directory').listEntities({ queryOptions: { filter: before } }))
      left.push(rowKey);
    expect(left).toEqual([]);
  });

  test('the daily pass writes the schedule of a purge again that was lost', async () => {
    const { lab } = world;
    await withSecret('lost-row');
    await erase('lost-row');
    const row = { name: 'lost-row', purgeAt: Object((await lab.view('lost-row')).record.pendingDeletion).purgeAt };
    await lab.service.purgeSchedule.remove(row);
    expect(await scheduled()).not.toContain('lost-row');
    await processAccounts(undefined, lab.service);
    expect(await scheduled()).toContain('lost-row');
  });

  test('INV-1: a process that dies between any two effects of a deletion leaves an account that can be recovered', async () => {
    for (let effect = 1; ; effect++) {
      const name = `half-${effect}`;
      await withSecret(name);
      const { service, hasDied } = dyingAt(world.lab, effect);
      const isDone = await erase(name, await service).then(
        () => true,
        () => false,
      );
      await recover(name);
      expect(await revealed(name)).toBe(hex(bytes('the value')));
      if (isDone && !hasDied()) break;
      expect(effect).toBeLessThan(20);
    }
  });

  test('a process that dies between any two effects of a purge leaves the rest to the next sweep', async () => {
    const { lab } = world;
    for (let effect = 1; ; effect++) {
      const name = `purged-${effect}`;
      await withSecret(name, await lab.vaultWithKey(`purged-${effect}-kv`));
      await erase(name);
      later(7 * day);
      const { service, hasDied } = dyingAt(lab, effect);
      await purgeDeleted(await service).catch(() => 0);
      await purgeDeleted(lab.service);
      expect(await lab.service.accounts.read(name)).toBeUndefined();
      expect((await lab.service.secrets.page(name, { limit: 1 })).rows).toEqual([]);
      expect(await scheduled()).not.toContain(name);
      if (!hasDied()) break;
      expect(effect).toBeLessThan(40);
    }
  });
});

describe('the customer’s key in the window', () => {
  test('INV-3: a key that is revoked in the window blocks the recovered account until access returns', async () => {
    const { lab } = world;
    await withSecret('revoked', await lab.vaultWithKey('revoked-kv'));
    await erase('revoked');
    await lab.keyVault('PATCH', '/vaults/revoked-kv/keys/cmk', { enabled: false });
    await lab.advance(180 * seconds);
    expect(await stateNow('revoked')).toBe('PendingDeletion');
    expect((await failure(revealed('revoked'))).code).toBe('AccountPendingDeletion');
    await recover('revoked');
    expect(await stateNow('revoked')).toBe('CustomerKeyInaccessible');
    expect((await failure(revealed('revoked'))).code).toBe('CustomerKeyInaccessible');
    await lab.keyVault('PATCH', '/vaults/revoked-kv/keys/cmk', { enabled: true });
    await lab.advance(60 * seconds);
    expect(await revealed('revoked')).toBe(hex(bytes('the value')));
  });

  test('INV-1: an account whose key rotates in the window opens under the new version after its recovery', async () => {
    const { lab } = world;
    await withSecret('rotated', await lab.vaultWithKey('rotated-kv'));
    const before = (await lab.view('rotated')).record.wrappedAccountKey;
    await erase('rotated');
    await lab.keyVault('POST', '/vaults/rotated-kv/keys/cmk', { kty: 'RSA', size: 2048, fixture: 1 });
    await lab.advance(400 * seconds);
    await recover('rotated');
    expect((await lab.view('rotated')).record.wrappedAccountKey).not.toBe(before);
    expect(await revealed('rotated', await lab.another())).toBe(hex(bytes('the value')));
  });
});

test('the overview lists and counts an account whose deletion is pending apart from its key, until it is recovered', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('counted-kv');
  for (const name of ['counted-1', 'counted-2']) {
    await lab.account(name, 'counted', key);
    await put(lab.service, name, 'tokenKeys', 'one', bytes('x'));
  }
  const seen = async (state?: 'PendingDeletion') => {
    const filter = { owner: 'counted', ...(state === undefined ? {} : { state }) };
    const { accounts, counts } = await listIndexedAccounts(filter, 100, undefined, lab.service);
    const shown = Object.entries(counts ?? {}).filter(([name]) => !name.startsWith('part.'));
    return {
      names: accounts.map(({ account, state }) => `${account.name} ${state}`).sort(),
      counts: Object.fromEntries(shown),
    };
  };
  await erase('counted-1');
  expect(await seen()).toEqual({
    names: ['counted-1 PendingDeletion', 'counted-2 Enabled'],
    counts: {
      accounts: 2,
      keys: 1,
      'encryption.CustomerKey': 2,
      'state.Enabled': 1,
      'state.PendingDeletion': 1,
      'status.Accessible': 1,
      'served.yes': 1,
    },
  });
  expect((await seen('PendingDeletion')).names).toEqual(['counted-1 PendingDeletion']);
  await recover('counted-1');
  await erase('counted-2');
  await deleteAccount('counted-2', {}, tester, lab.service);
  expect(await seen()).toMatchObject({
    names: ['counted-1 Enabled'],
    counts: { accounts: 1, keys: 1, 'state.Enabled': 1, 'status.Accessible': 1 },
  });
});
