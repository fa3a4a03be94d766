import { expect, test } from 'vitest';
import { stateOf, verdictOn } from '../../src/core/accounts/account.ts';
import { statusOf } from '../../src/core/accounts/served.ts';
import { countKeys, keyChecks } from '../../src/core/health.ts';
import { countsBy } from '../../src/core/overview/counts.ts';
import { listIndexedAccounts } from '../../src/core/overview/listAccounts.ts';
import { listKeys } from '../../src/core/overview/listKeys.ts';
import { lookNow } from '../../src/core/vaultWork/lookNow.ts';
import { sweepIfOverdue, timedSweep } from '../../src/core/vaultWork/sweep.ts';
import { startLab } from '../../src/local/lab/lab.ts';
import { blindnesses, secondsUntilSeen } from '../../src/local/matrix/blindness.ts';
import { damage } from '../../src/local/matrix/damage.ts';
import { failure, keyPool, useLab } from '../lab.ts';

const world = useLab();
const second = 1_000;

/** Time without the sweep's timer: messages are delivered as they become visible. */
const withoutTimer = (ms: number): Promise<void> => world.lab.advance(ms, 'withoutTimer');

test('readiness fails within 180 s after the sweep timer stopped, and is well again after one sweep', async () => {
  const { lab } = world;
  await lab.account('blind', 'contoso', await lab.vaultWithKey('blind'));
  const ask = keyChecks(lab.service);
  await timedSweep(lab.service);
  await withoutTimer(10 * second);
  expect(await ask()).toBeUndefined();
  await withoutTimer(171 * second);
  expect(await ask()).toBe('KeyChecksLate');
  await timedSweep(lab.service);
  await withoutTimer(10 * second);
  expect(await ask()).toBeUndefined();
});

test('INV-2: when looks stop, each list and count shows the key as Unknown, and one sweep shows it as Accessible again', async () => {
  const { lab } = world;
  await lab.account('unseen', 'unseen', await lab.vaultWithKey('unseen'));
  await lab.account('unseen-by-system', 'unseen');
  const shown = async () => {
    const keys = await listKeys({ owner: 'unseen' }, 10, undefined, lab.service);
    const accounts = await listIndexedAccounts({ owner: 'unseen' }, 10, undefined, lab.service);
    const { byStatus } = (await countKeys(lab.service)) ?? {};
    return {
      get: statusOf(await lab.view('unseen'), lab.service.policy),
      keys: keys.keys.map(({ worst, versions }) => [worst.status, ...versions.map(({ verdict }) => verdict?.status)]),
      accounts: accounts.accounts.map(({ key, served }) => [key?.status, served]),
      counts: [keys.counts, accounts.counts].map((counts = {}) => [
        countsBy('status', counts),
        countsBy('served', counts),
      ]),
      // Keys of earlier tests too.
      health: Object.entries(byStatus ?? {}).flatMap(([status, count]) => (count > 0 ? [status] : [])),
    };
  };
  const well = {
    get: 'Accessible',
    keys: [['Accessible', 'Accessible']],
    accounts: [
      [undefined, 'yes'],
      ['Accessible', 'yes'],
    ],
    counts: Array(2).fill([{ Accessible: 1 }, { yes: 2 }]),
    health: ['Accessible'],
  };
  await timedSweep(lab.service);
  await withoutTimer(10 * second);
  expect(await shown()).toEqual(well);
  await withoutTimer(400 * second);
  expect(await shown()).toEqual({
    get: 'Unknown',
    keys: [['Unknown', 'Unknown']],
    accounts: [
      [undefined, 'yes'],
      ['Unknown', 'no'],
    ],
    counts: Array(2).fill([{ Unknown: 1 }, { yes: 1, untilLeaseEnd: 1 }]),
    health: ['Unknown'],
  });
  await timedSweep(lab.service);
  await withoutTimer(10 * second);
  expect(await shown()).toEqual(well);
});

test('of two processes that find the sweep overdue, one runs it; a revocation is then found without the timer', async () => {
  const { lab } = world;
  await lab.account('overdue', 'contoso', await lab.vaultWithKey('overdue'));
  const [one, other] = [lab.service, await lab.another()];
  await timedSweep(one);
  await withoutTimer(119 * second);
  expect(await sweepIfOverdue(one)).toBe(false);
  await lab.keyVault('PATCH', '/vaults/overdue/keys/cmk', { enabled: false });
  await withoutTimer(2 * second);
  const ran = await Promise.all([sweepIfOverdue(one), sweepIfOverdue(other)]);
  expect(ran.filter(Boolean)).toHaveLength(1);
  await withoutTimer(40 * second);
  expect(stateOf(await lab.view('overdue'))).toBe('CustomerKeyInaccessible');
  const [line] = lab.log.filter(
    ({ message }) => message === 'The sweep timer is overdue, so another call ran the sweep',
  );
  expect(line).toMatchObject({ level: 'error', fields: { lateMs: 121 * second } });
});

test('a mark of the future, left by a wrong clock, does not keep the sweep from running', async () => {
  const { lab } = world;
  await lab.service.sweepMark.write(lab.clock.now() + 3_600_000);
  expect(await sweepIfOverdue(lab.service)).toBe(true);
  expect(await sweepIfOverdue(lab.service)).toBe(false);
});

test('a denial that a lease or a change meets requests a look, which blocks the account without a sweep', async () => {
  const { lab } = world;
  for (const name of ['met-by-lease', 'met-by-change']) {
    await lab.account(name, name, await lab.vaultWithKey(name));
    await withoutTimer(30 * second);
    await lab.keyVault('PATCH', `/vaults/${name}/keys/cmk`, { enabled: false });
    const { leases } = await lab.another();
    const view = await lab.view(name);
    const call =
      name === 'met-by-lease'
        ? leases.withAccountKey(view, () => undefined)
        : lab.move(name, await lab.vaultWithKey(`${name}-2`));
    expect(await failure(call)).toMatchObject({ extras: { info: { cause: 'KeyDisabled' } } });
    await withoutTimer(26 * second);
    expect(stateOf(await lab.view(name)), name).toBe('CustomerKeyInaccessible');
  }
});

test.each(['a read', 'an operator'] as const)(
  'INV-13, INV-2: a read of an account names its damaged watch, and a look that %s requests restores it without a sweep',
  async (asker) => {
    const { lab } = world;
    const name = `damaged-${asker.slice(-4)}`.replace(' ', '');
    const { record } = await lab.account(name, name, await lab.vaultWithKey(name));
    const bindingId = record.encryption.type === 'CustomerKey' ? record.encryption.binding.id : '';
    await withoutTimer(10 * second);
    await damage(lab, { table: 'bindings', partitionKey: bindingId, rowKey: 'watch' }, () => ({ data: '{' }));
    if (asker === 'an operator') await lookNow({ account: name }, lab.service);
    else {
      const read = await failure(lab.view(name));
      expect(read).toMatchObject({ code: 'StateDamaged', extras: { info: { row: `bindings/${bindingId}/watch` } } });
      await withoutTimer(1 * second);
    }
    expect(verdictOn(await lab.view(name))?.status).toBe('Accessible');
  },
);

test.each(['account', 'key'] as const)(
  'INV-2: a look that the operator requests by %s restores a deleted watch, and a revoked key then blocks the account',
  async (by) => {
    const { lab } = world;
    const name = `deleted-by-${by}`;
    const key = await lab.vaultWithKey(name);
    const { record } = await lab.account(name, name, key);
    const bindingId = record.encryption.type === 'CustomerKey' ? record.encryption.binding.id : '';
    await lab.table('bindings').deleteEntity(bindingId, 'watch');
    await lab.keyVault('PATCH', `/vaults/${name}/keys/cmk`, { enabled: false });
    const [watch] = await lookNow(by === 'account' ? { account: name } : { keyIdentifier: key }, lab.service);
    expect(Object.values(watch?.versions ?? {}).map(({ status }) => status)).toEqual(['Suspect']);
    await withoutTimer(26 * second);
    expect(stateOf(await lab.view(name))).toBe('CustomerKeyInaccessible');
  },
);

test.each(Object.keys(blindnesses))(
  'INV-5: a fault that could hide a revocation is reported, or has no effect, within 180 s (%s)',
  async (what) => {
    const lab = await startLab({ keyPool });
    try {
      const { [what]: blindness = expect.fail() } = blindnesses;
      expect(await secondsUntilSeen(lab, blindness, 'blinded')).toBeLessThanOrEqual(180);
    } finally {
      await lab.stop();
    }
  },
);
