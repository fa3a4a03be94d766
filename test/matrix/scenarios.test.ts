import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import { createPump } from '../../src/local/matrix/pump.ts';
import { clearFaults } from '../../src/local/matrix/row.ts';
import {
  accountWithOwnIdentity,
  createIdentity,
  grantEverywhere,
  identityOf,
  operatorVault,
  tokensForgottenMs,
} from '../../src/local/matrix/world.ts';
import { oneIn } from '../exhaustive.ts';
import { failure } from '../lab.ts';
import { minute, second, useStage } from './support.ts';

const world = useStage();

const accessible = 'Enabled Accessible';
const denied = { action: 'forbidden', inner: 'KeyDisabled' };
const outage = { action: 'status', status: 503, body: 'empty' };

describe('responses that change', () => {
  test('INV-2: a denied, a good and a denied look are two suspicions and no confirmation', async () => {
    const { stage } = world;
    await stage.account('flapping');
    await stage.pump.advancePastSweep();
    for (let time = 0; time < 5; time++) {
      await stage.fault('flapping', { ...denied, operation: 'unwrapkey', count: 1 });
      await stage.pump.advance(59 * second);
      expect(await stage.status('flapping'), `time ${time}`).toBe('Enabled Suspect KeyDisabled');
      await stage.pump.advance(10 * second);
      expect(await stage.status('flapping'), `time ${time}`).toBe(accessible);
      await stage.pump.advancePastSweep();
    }
  });

  test('a denial during an outage is Suspect, and only denials confirm it', async () => {
    const { stage } = world;
    await stage.account('in-outage');
    await stage.pump.advancePastSweep();
    await stage.fault('in-outage', outage);
    await stage.pump.advance(2 * minute);
    expect(await stage.status('in-outage')).toBe('Enabled Unreachable VaultUnavailable');
    await clearFaults(stage, 'in-outage');
    await stage.fault('in-outage', denied);
    await stage.pump.advance(59 * second);
    expect(await stage.status('in-outage')).toBe('Enabled Suspect KeyDisabled');
    await stage.pump.advance(11 * second);
    expect(await stage.status('in-outage')).toBe('CustomerKeyInaccessible Inaccessible KeyDisabled');
  });

  test('INV-2: an outage during the confirmation neither confirms nor clears', async () => {
    const { stage } = world;
    await stage.account('then-outage');
    await stage.pump.advancePastSweep();
    await stage.fault('then-outage', denied);
    await stage.pump.advance(59 * second);
    await clearFaults(stage, 'then-outage');
    await stage.fault('then-outage', outage);
    await stage.pump.advance(10 * minute);
    expect(await stage.status('then-outage')).toMatch(/^Enabled (Suspect|Unreachable)/);
    await clearFaults(stage, 'then-outage');
    await stage.fault('then-outage', denied);
    await stage.pump.advance(70 * second);
    expect(await stage.status('then-outage')).toBe('CustomerKeyInaccessible Inaccessible KeyDisabled');
    await clearFaults(stage, 'then-outage');
    await stage.fault('then-outage', outage);
    await stage.pump.advance(5 * minute);
    expect(await stage.status('then-outage'), 'an outage restores nobody').toMatch(/^CustomerKeyInaccessible/);
    await clearFaults(stage, 'then-outage');
    await stage.pump.advance(60 * second);
    expect(await stage.status('then-outage')).toBe(accessible);
  });

  test('one good look ends a confirmation, and the next denial begins a new one', async () => {
    const { stage } = world;
    await stage.account('recovers');
    await stage.pump.advancePastSweep();
    await stage.lab.keyVault('DELETE', '/vaults/recovers/keys/cmk');
    await stage.pump.advance(59 * second + 20 * second);
    expect(await stage.status('recovers')).toBe('Enabled Suspect KeyNotFound');
    await stage.lab.keyVault('POST', '/vaults/recovers/keys/cmk/recover');
    await stage.pump.advance(10 * second);
    expect(await stage.status('recovers')).toBe(accessible);
    await stage.lab.keyVault('DELETE', '/vaults/recovers/keys/cmk');
    await stage.pump.advancePastSweep();
    expect(await stage.status('recovers')).toBe('Enabled Suspect KeyNotFound');
    await stage.pump.advance(20 * second);
    expect(await stage.status('recovers'), 'earlier denials do not count').toBe('Enabled Suspect KeyNotFound');
  });
});

describe('INV-2: a fault of Keyward that affects every vault at once', () => {
  test('INV-2: when the identity is deleted and created again, every vault denies, no account is blocked, and grants restore', async () => {
    const { stage } = world;
    const names = ['mi-a', 'mi-b', 'mi-c'];
    for (const name of names) await accountWithOwnIdentity(stage, name, await stage.lab.vaultWithKey(name));
    await stage.pump.advancePastSweep();
    await sleep(tokensForgottenMs);
    for (const name of names) {
      await stage.identity('DELETE', `/identities/${identityOf(name)}`);
      await createIdentity(stage, name);
    }
    await stage.pump.advance(30 * minute);
    for (const name of names) expect(await stage.status(name)).toBe('Enabled Unreachable IdentityReplaced');
    for (const name of names) await grantEverywhere(stage, name, await createIdentity(stage, name));
    await stage.pump.advance(60 * second);
    for (const name of names) expect(await stage.status(name)).toBe(accessible);
  });

  test.each(oneIn(2, [['EAI_AGAIN'], ['ENOTFOUND']]))(
    'INV-2: when the resolver answers %s to every name for half an hour, no account is blocked and PUT is retried',
    async (code) => {
      const { stage } = world;
      const names = ['dns-a', 'dns-b'].map((name) => `${name}-${code.toLowerCase().replace('_', '')}`);
      for (const name of names) await stage.account(name);
      await stage.pump.advancePastSweep();
      const { id } = await stage.lab.keyVault<{ id: string }>('POST', '/faults', { action: 'network', code });
      await stage.pump.advance(30 * minute);
      for (const name of names) expect(await stage.status(name)).toBe('Enabled Unreachable DnsFailure');
      const made = stage.lab.account('dns-new', 'contoso', 'https://no-such-kv.vault.azure.net/keys/cmk');
      expect(await failure(made)).toMatchObject({ name: 'Unavailable', code: 'DnsFailure' });
      await stage.lab.keyVault('DELETE', `/faults/${id}`);
      await stage.pump.advance(60 * second);
      for (const name of names) expect(await stage.status(name)).toBe(accessible);
    },
  );
});

test('when one vault of many is deleted, its accounts are blocked after a quarter of an hour, and no other account is', async () => {
  const { stage } = world;
  const names = ['many-a', 'many-b', 'many-c', 'many-d'];
  for (const name of names) await stage.account(name);
  await stage.pump.advancePastSweep();
  await stage.lab.keyVault('DELETE', '/vaults/many-b');
  await stage.pump.advance(15 * minute);
  expect(await stage.status('many-b')).toBe('Enabled Suspect VaultNotFound');
  await stage.pump.advance(1 * minute + 10 * second);
  expect(await stage.status('many-b')).toBe('CustomerKeyInaccessible Inaccessible VaultNotFound');
  for (const name of names.filter((one) => one !== 'many-b')) expect(await stage.status(name)).toBe(accessible);
});

describe('the clock of an instance leaps', () => {
  test.each([
    ['an hour forward, and back when it is set right', 60 * minute],
    ['an hour back, and forward when it is set right', -60 * minute],
  ])(
    'when the clock of an instance leaps (%s), no denial is confirmed sooner, none is missed, and access is restored in time',
    async (_title, leap) => {
      const { stage } = world;
      const { lab } = stage;
      const name = leap > 0 ? 'leaps-on' : 'leaps-back';
      await stage.account(name);
      let skew = 0;
      const clock = { now: () => lab.clock.now() + skew, monotonic: () => lab.clock.monotonic() };
      const pump = createPump(lab, await lab.another({ clock }));
      await pump.advancePastSweep();
      skew = leap;
      await pump.advance(3 * minute);
      expect(await stage.status(name)).toBe(accessible);
      skew = 0;
      await lab.keyVault('DELETE', `/vaults/${name}/keys/cmk`);
      await pump.advance(15 * second);
      expect(await stage.status(name), 'too soon').not.toContain('Inaccessible');
      await pump.advance(2 * minute);
      expect(await stage.status(name)).toBe('CustomerKeyInaccessible Inaccessible KeyNotFound');
      skew = leap;
      await lab.keyVault('POST', `/vaults/${name}/keys/cmk/recover`);
      await pump.advance(70 * second);
      expect(await stage.status(name)).toBe(accessible);
    },
  );
});

describe('INV-7: evidence applies only to the binding it was made for, and only when it is newer', () => {
  const work = (vault: string) => ({ vault: vaultIdOf(`${vault}.vault.azure.net`), requestedBy: 'sweep' }) as const;

  /** A worker whose vault has answered, and that gets the answer only when the test releases it. */
  async function slowWorker(vault: string) {
    const { lab } = world.stage;
    const { keyVault, rings } = lab.service;
    const [given, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const unwrap: typeof keyVault.unwrap = async (...requested) => {
      const answer = await keyVault.unwrap(...requested);
      given.resolve();
      await released.promise;
      return answer;
    };
    const working = workOnVault(work(vault), await lab.another({ keyVault: { ...keyVault, unwrap }, rings }));
    await given.promise;
    return {
      async release() {
        released.resolve();
        await working;
      },
    };
  }

  test('INV-7: a good result that arrives after a newer denial restores no account', async () => {
    const { stage } = world;
    const { lab, pump } = stage;
    await stage.account('late-good');
    await pump.advancePastSweep();
    await lab.keyVault('PATCH', '/vaults/late-good/keys/cmk', { enabled: false });
    await pump.advance(59 * second);
    expect(await stage.status('late-good')).toBe('Enabled Suspect KeyDisabled');
    await lab.keyVault('PATCH', '/vaults/late-good/keys/cmk', { enabled: true });
    lab.clock.set(lab.clock.now() + 10 * second);
    const slow = await slowWorker('late-good');
    // Its lock on the vault has expired, so another worker takes over.
    await lab.keyVault('PATCH', '/vaults/late-good/keys/cmk', { enabled: false });
    lab.clock.set(lab.clock.now() + 10 * minute);
    const other = await lab.another();
    await workOnVault(work('late-good'), other);
    const before = await stage.status('late-good');
    expect(before).toBe('CustomerKeyInaccessible Inaccessible KeyDisabled');
    await slow.release();
    expect(await stage.status('late-good')).toBe(before);
  });

  test('INV-7: a denial that arrives after the account changed to another key does not affect the new key', async () => {
    const { stage } = world;
    const { lab, pump } = stage;
    await stage.account('moves-off');
    await lab.keyVault('POST', '/vaults/moves-off/keys/other', { kty: 'RSA', size: 2048, fixture: 1 });
    await pump.advancePastSweep();
    lab.clock.set(lab.clock.now() + 30 * second);
    await stage.fault('moves-off', { ...denied, key: 'cmk', operation: 'unwrapkey', count: 1 });
    const slow = await slowWorker('moves-off');
    await lab.move('moves-off', 'https://moves-off.vault.azure.net/keys/other');
    await slow.release();
    expect(await stage.status('moves-off')).toBe(accessible);
    await pump.advance(2 * minute);
    expect(await stage.status('moves-off')).toBe(accessible);
  });
});

test('the tests leave no fault on the operator’s vault', async () => {
  const faults = await world.stage.lab.keyVault<{ vault?: string }[]>('GET', '/faults');
  expect(faults.filter(({ vault }) => vault === operatorVault || vault === undefined)).toEqual([]);
});
