import { beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../src/azure/settings.ts';
import { openAccountKey } from '../../src/core/accounts/accountKey.ts';
import { hex } from '../../src/core/base/bytes.ts';
import { ringNames } from '../../src/core/base/vocabulary.ts';
import { bindingOf } from '../../src/core/customerKey/binding.ts';
import { parseKeyIdentifier } from '../../src/core/customerKey/keyIdentifier.ts';
import type { KeyRef } from '../../src/core/customerKey/ports.ts';
import { ownEntries } from '../../src/local/entries.ts';
import { homeTenantId } from '../../src/local/operator.ts';
import { failure, useLab } from '../lab.ts';
import { bytes, put, reveal } from '../secrets/support.ts';
import { minutes, operatorVault, type RingWorld, ringWorld, rotateWhole, serviceEntries, stored } from './support.ts';

const world = useLab();
let rings: RingWorld;

const keyIn = (vault: string, key: string): KeyRef => {
  const identifier = parseKeyIdentifier(`https://${vault}.vault.azure.net/keys/${key}`, 'public');
  return bindingOf(identifier, homeTenantId, { useSystemAssignedIdentity: true });
};

beforeAll(async () => {
  const { lab } = world;
  await lab.vaultWithKey('keyward-recovery');
  const operatorKeys = { ...lab.service.operatorKeys, recovery: keyIn('keyward-recovery', 'cmk') };
  rings = await ringWorld(lab, { operatorKeys });
  await rings.service.rings();
  await rings.advance(5 * minutes);
});

const rowsOf = async () => {
  const all = await Promise.all(ringNames.map((ring) => stored(ring, rings.service)));
  return all.flatMap(({ rows }) => rows);
};

describe('the recovery key', () => {
  test('the newest version of the recovery key wraps every KEK too, and is proven', async () => {
    const { lab } = world;
    const versions = async () =>
      new Set((await rowsOf()).filter(({ role }) => role === 'recovery').map(({ key }) => key));
    expect((await rowsOf()).map(({ ring, role }) => `${ring} ${role}`).toSorted()).toEqual(
      ringNames.flatMap((ring) => [`${ring} operator`, `${ring} recovery`]).toSorted(),
    );
    const [before] = await versions();
    await lab.keyVault('POST', '/vaults/keyward-recovery/keys/cmk', { kty: 'RSA', size: 2048, fixture: 1 });
    await rings.advance(5 * minutes);
    expect((await versions()).size).toBe(1);
    expect(await versions()).not.toContain(before);
  });

  test('the recovery key wraps a new KEK before anything is sealed with it', async () => {
    const { lab } = world;
    await lab.keyVault('POST', '/faults', { vault: 'keyward-recovery', action: 'status', status: 503 });
    await rotateWhole('system', rings);
    const { system } = await rings.service.rings('fresh');
    expect(system.newest.generation).toBe(1);
    await lab.keyVault('DELETE', '/faults');
    await rings.advance(40 * minutes, 2 * minutes);
    const now = await rings.service.rings('fresh');
    expect(now.system.newest.generation).toBe(2);
    const { rows } = await stored('system', rings.service);
    expect(rows.map(({ generation, role }) => `${generation} ${role}`).toSorted()).toEqual([
      '2 operator',
      '2 recovery',
    ]);
  });
});

// docs/operator-keys.md, "To other keys".
test('the operator changes both keys for others, and back again: the app accepts the settings, and nothing becomes unreadable', async () => {
  const { lab } = world;
  await lab.vaultWithKey('keyward-moved');
  await lab.keyVault('POST', '/vaults/keyward-moved/keys/at-rest', { kty: 'RSA', size: 2048, fixture: 3 });
  await lab.account('move-s', 'contoso');
  await put(rings.service, 'move-s', 'tokenKeys', 'k', bytes('token'));
  for (const [vault, system] of [
    ['keyward-moved', 'cmk'],
    [operatorVault, 'system'],
  ] as const) {
    const identifier = (name: string, at: string = vault) => `https://${at}.vault.azure.net/keys/${name}`;
    const settings = readSettings({
      KEYWARD_TENANT_ID: homeTenantId,
      KEYWARD_SYSTEM_KEY: identifier(system),
      KEYWARD_AT_REST_KEY: identifier('at-rest'),
      KEYWARD_RECOVERY_KEY: identifier('cmk', 'keyward-recovery'),
      AzureWebJobsStorage: 'UseDevelopmentStorage=true',
    });
    expect(settings.KEYWARD_SYSTEM_KEY).toBe(identifier(system));
    const operatorKeys = {
      system: keyIn(vault, system),
      atRest: keyIn(vault, 'at-rest'),
      recovery: keyIn('keyward-recovery', 'cmk'),
    };
    const moved = await ringWorld(lab, { operatorKeys });
    expect(await reveal(moved.service, 'move-s', 'tokenKeys', 'k')).toBe(hex(bytes('token')));
    expect((await moved.service.rings()).system.isRestored(2)).toBe(true);
    lab.clock.set(lab.clock.now() + 5 * minutes);
    await moved.advance(1 * minutes);
    const operators = (await rowsOf()).filter(({ role }) => role === 'operator');
    expect(operators.map(({ key }) => key.startsWith(`https://${vault}.`))).toEqual([true, true, true]);
    // A process that starts now needs neither the old keys nor the recovery key.
    const restarted = await rings.another({ operatorKeys });
    expect((await restarted.rings()).system.isRestored(2)).toBe(false);
    expect(await reveal(restarted, 'move-s', 'tokenKeys', 'k')).toBe(hex(bytes('token')));
  }
});

test('another recovery key replaces the previous one', async () => {
  const { lab } = world;
  await lab.vaultWithKey('keyward-recovery-2');
  for (const vault of ['keyward-recovery-2', 'keyward-recovery']) {
    const changed = await ringWorld(lab, {
      operatorKeys: { ...lab.service.operatorKeys, recovery: keyIn(vault, 'cmk') },
    });
    lab.clock.set(lab.clock.now() + 5 * minutes);
    await changed.advance(1 * minutes);
    const recovery = (await rowsOf()).filter(({ role }) => role === 'recovery');
    expect(recovery.map(({ key }) => key.startsWith(`https://${vault}.`))).toEqual([true, true, true]);
  }
});

// docs/operator-keys.md, "Losing the operator's vault". This test is the last one, because the loss is permanent.
test('the recovery drill: the operator’s vault is lost for good, and everything opens again under new keys in a new vault', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('drill-kv');
  await lab.account('drill-s', 'contoso');
  await lab.account('drill-c', 'contoso', key);
  const names = ['drill-s', 'drill-c'];
  for (const name of names) await put(rings.service, name, 'tokenKeys', 'k', bytes(`token of ${name}`));
  const opens = async (name: string, service = rings.service) => {
    const opened = await openAccountKey((await lab.view(name)).record, service);
    return opened.ok ? hex(opened.value) : opened.cause;
  };
  const keys = await Promise.all(names.map((name) => opens(name)));
  const entries = (await ownEntries(rings.service)).length;

  await lab.keyVault('DELETE', `/vaults/${operatorVault}`);
  const lost = await rings.another({ operatorKeys: rings.service.operatorKeys });
  expect((await lost.rings()).system.isRestored(2)).toBe(true);
  const without = await rings.another({ operatorKeys: lab.service.operatorKeys });
  expect((await failure(without.rings())).code).toBe('ServiceUnavailable');

  for (const name of ['system', 'at-rest']) {
    const vault = `keyward-new-${name}`;
    await lab.vaultWithKey(vault);
  }
  const operatorKeys = {
    system: keyIn('keyward-new-system', 'cmk'),
    atRest: keyIn('keyward-new-at-rest', 'cmk'),
    recovery: keyIn('keyward-recovery', 'cmk'),
  };
  const restored = await ringWorld(lab, { operatorKeys });
  for (const [n, name] of names.entries()) {
    expect(await opens(name, restored.service)).toBe(keys[n]);
    expect(await reveal(restored.service, name, 'tokenKeys', 'k')).toBe(hex(bytes(`token of ${name}`)));
  }
  lab.clock.set(lab.clock.now() + 5 * minutes);
  await restored.advance(1 * minutes);
  const operators = (await rowsOf()).filter(({ role }) => role === 'operator').map(({ key: by }) => by);
  expect(operators.every((by) => by.startsWith('https://keyward-new-'))).toBe(true);
  expect(operators).toHaveLength(3);
  expect((await serviceEntries(restored.service, entries)).toSorted()).toEqual([
    'RingRestored at-rest/1',
    'RingRestored audit/1',
    'RingRestored system/2',
  ]);

  // From now on the recovery key is not needed.
  await lab.keyVault('POST', '/faults', { vault: 'keyward-recovery', action: 'status', status: 503 });
  const fresh = await rings.another({ operatorKeys });
  for (const [n, name] of names.entries()) expect(await opens(name, fresh)).toBe(keys[n]);
  expect((await fresh.rings()).system.isRestored(2)).toBe(false);
  const again = (await ownEntries(restored.service)).length;
  await lab.keyVault('DELETE', '/faults');
  await lab.keyVault('POST', '/vaults/keyward-new-system/keys/cmk', { kty: 'RSA', size: 2048, fixture: 1 });
  await restored.advance(5 * minutes);
  expect(await serviceEntries(restored.service, again)).toEqual(['RingRewrapped system/2']);
});
