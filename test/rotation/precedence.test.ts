import { expect, test } from 'vitest';
import { namesOf } from '../../bench/rotation/measure.ts';
import { seedAccounts } from '../../bench/seed.ts';
import { verdictOn } from '../../src/core/accounts/account.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import { useLab } from '../lab.ts';
import { rotateKey, seconds, vaultId, versionOf } from './support.ts';

/** 2 % of 400 calls a second: four accounts a second. */
const world = useLab({ settings: { KEYWARD_VAULT_SHARE_PERCENT: '2' } });

test('a rotation that the vault throttles with a Retry-After ends its message, and another message continues after that time', async () => {
  const { lab } = world;
  await lab.account('later', 'contoso', await lab.vaultWithKey('later-kv'));
  const target = await rotateKey('later-kv', lab);
  lab.clock.set(lab.clock.now() + 30 * seconds);
  // The look and the read of the version succeed; the first unwrap of the re-wrap does not.
  await workOnVault({ vault: vaultId('later-kv'), lookNow: {}, requestedBy: 'event' }, await throttledOnce());
  const waiting = (lab.queue.nextAt() ?? 0) - lab.clock.now();
  expect(waiting).toBeGreaterThan(6 * seconds);
  expect(waiting).toBeLessThanOrEqual(8 * seconds);
  expect(await versionOf('later', lab)).not.toBe(target);
  await lab.advance(9 * seconds);
  expect(await versionOf('later', lab)).toBe(target);
});

test('looks come before re-wraps: another key of the vault is confirmed to be disabled during a long rotation', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('busy-kv');
  const names = namesOf('busy', 100);
  await seedAccounts(names, key, lab.service);
  await lab.keyVault('POST', '/vaults/busy-kv/keys/other', { kty: 'RSA', size: 2048 });
  await lab.account('other', 'busy-kv', 'https://busy-kv.vault.azure.net/keys/other');
  const target = await rotateKey('busy-kv', lab);
  await lab.keyVault('PATCH', '/vaults/busy-kv/keys/other', { enabled: false });

  lab.clock.set(lab.clock.now() + 300 * seconds);
  const began = lab.clock.now();
  await workOnVault({ vault: vaultId('busy-kv'), requestedBy: 'sweep' }, lab.service);
  const verdict = verdictOn(await lab.view('other'));
  expect(verdict).toMatchObject({ status: 'Inaccessible', cause: 'KeyDisabled' });
  // The second look: ten seconds after the first, and at most one batch of re-wraps later.
  expect((verdict?.since ?? 0) - began).toBeLessThanOrEqual(13 * seconds);
  expect(lab.clock.now() - began).toBeGreaterThan(20 * seconds);
  for (const name of names) expect(await versionOf(name, lab)).toBe(target);
});

/** A process whose second unwrap is answered 429, with seven seconds to wait. */
async function throttledOnce() {
  const { keyVault } = world.lab.service;
  let unwraps = 0;
  const unwrap: typeof keyVault.unwrap = async (...asked) => {
    unwraps += 1;
    if (unwraps !== 2) return keyVault.unwrap(...asked);
    return { ok: false, cause: 'Throttled', observed: { status: 429, retryAfterSeconds: 7, durationMs: 1 } };
  };
  return world.lab.another({ keyVault: { ...keyVault, unwrap }, rings: world.lab.service.rings });
}
