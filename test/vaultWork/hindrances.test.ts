/** What could keep a look from its key: times of a wrong clock, a busy vault, wrong wrapped keys. */
import { expect, test } from 'vitest';
import { stateOf, verdictOn } from '../../src/core/accounts/account.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import { accountEntries, bindingEntries } from '../../src/local/entries.ts';
import { startLab } from '../../src/local/lab/lab.ts';
import { underWrongClock } from '../../src/local/matrix/clockMatrix.ts';
import { keyPool, useLab } from '../lab.ts';

const world = useLab();
const day = 86_400_000;

test('INV-2, INV-5: with the clock of one of two hosts a day ahead and then right, revocations block and outages do not', async () => {
  const lab = await startLab({ keyPool });
  try {
    expect(await underWrongClock(lab, 'a day ahead and then right')).toEqual({ missed: [], wrong: [] });
  } finally {
    await lab.stop();
  }
}, 30_000);

test('INV-5: a worker and a budget of a host whose clock is a day ahead do not keep a revocation from its vault', async () => {
  const { lab } = world;
  const vault = vaultIdOf('ahead.vault.azure.net');
  await lab.account('ahead', 'ahead', await lab.vaultWithKey('ahead'));
  const ahead = await lab.another({
    clock: { now: () => lab.clock.now() + day, monotonic: () => lab.clock.monotonic() },
  });
  await workOnVault({ vault, requestedBy: 'sweep' }, ahead);
  // It dies at its work.
  expect(await ahead.vaults.beginWork(vault, 60_000)).toBeDefined();
  await lab.keyVault('PATCH', '/vaults/ahead/keys/cmk', { enabled: false });
  await lab.advance(96_000);
  expect(stateOf(await lab.view('ahead'))).toBe('CustomerKeyInaccessible');
});

test('INV-5: however many requests meet a vault that has a worker, one message waits', async () => {
  const { lab } = world;
  const vault = vaultIdOf('busy.vault.azure.net');
  await lab.account('busy', 'busy', await lab.vaultWithKey('busy'));
  await lab.advance(61_000);
  const before = lab.queue.length;
  expect(await lab.service.vaults.beginWork(vault, 60_000)).toBeDefined();
  for (let n = 0; n < 20; n++) await workOnVault({ vault, requestedBy: 'sweep' }, lab.service);
  expect(lab.queue.length - before).toBe(1);
});

test('INV-2: accounts with the wrapped key of another account, first in order, do not hide a revocation from the last', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('samples');
  const names = Array.from({ length: 8 }, (_, n) => `sample-${n}`);
  for (const name of names) await lab.account(name, 'samples', key);
  const { wrappedAccountKey } = (await lab.view('sample-7')).record;
  for (const name of names.slice(0, 7)) {
    const { record, etag } = await lab.view(name);
    await lab.service.accounts.save({ value: { ...record, wrappedAccountKey }, etag }, []);
  }
  await lab.advance(61_000);
  expect(verdictOn(await lab.view('sample-7'))?.status).toBe('Accessible');
  await lab.keyVault('PATCH', '/vaults/samples/keys/cmk', { enabled: false });
  await lab.advance(96_000);
  expect(stateOf(await lab.view('sample-7'))).toBe('CustomerKeyInaccessible');
});

test('a key that is enabled while its refusal is written to the audit of forty accounts works again within 38 s, and each account has both entries', async () => {
  const { lab } = world;
  const vault = vaultIdOf('many.vault.azure.net');
  const key = await lab.vaultWithKey('many');
  const names = Array.from({ length: 40 }, (_, n) => `many-${n}`);
  for (const name of names) await lab.account(name, 'many', key);
  const enable = (enabled: boolean) => lab.keyVault('PATCH', '/vaults/many/keys/cmk', { enabled });
  let enabledAt: number | undefined;
  const accounts: typeof lab.service.accounts = {
    ...lab.service.accounts,
    // Each entry takes two seconds, and the key is back before the first one is written.
    async save(...change) {
      if (enabledAt === undefined) await enable(true);
      enabledAt ??= lab.clock.now();
      lab.clock.set(lab.clock.now() + 2_000);
      return lab.service.accounts.save(...change);
    },
  };
  const slow = await lab.another({ accounts });
  await lab.advance(61_000);
  await enable(false);
  for (let look = 0; look < 2; look++) {
    lab.clock.set(lab.clock.now() + 10_000);
    await workOnVault({ vault, lookNow: {}, requestedBy: 'admin' }, slow);
  }
  const { record } = await lab.view('many-0');
  if (record.encryption.type !== 'CustomerKey') expect.fail();
  const changes = await bindingEntries(record.encryption.binding.id, lab.service);
  const restored = changes.find(({ after, before }) => after === 'Accessible' && before === 'Inaccessible');
  expect(Date.parse(restored?.at ?? '') - (enabledAt ?? 0)).toBeLessThanOrEqual(38_000);

  await lab.advance(10_000);
  for (const name of names) {
    const { instanceId } = (await lab.view(name)).record;
    const types = (await accountEntries(name, instanceId, lab.service)).map(({ type }) => type);
    expect(types).toEqual(['AccountCreated', 'CustomerKeyInaccessible', 'CustomerKeyRestored']);
  }
});
