/** The counted figures of `npm run bench -- rotation`, at a small size. */
import { expect, test } from 'vitest';
import { measureCalls, measureEvent, namesOf } from '../../bench/rotation/measure.ts';
import { seedAccounts } from '../../bench/seed.ts';
import { useLab } from '../lab.ts';

const world = useLab();

test('a re-wrap costs the vault two calls an account, and the simple loop more than three and a half times that', async () => {
  const accounts = 120;
  const { perAccount, naivePerAccount } = await measureCalls(accounts, world.lab);
  // Beside two calls per account: the look, the read of the new version, and the vault's challenge.
  expect(perAccount * accounts).toBeLessThanOrEqual(2 * accounts + 4);
  expect(naivePerAccount / 2.05).toBeGreaterThanOrEqual(3.5);
});

test('an event costs the same for any number of accounts on other keys', async () => {
  const { lab } = world;
  const names = namesOf('event', 20);
  await seedAccounts(names, await lab.vaultWithKey('event-kv'), lab.service);
  const others = await lab.vaultWithKey('others-kv');
  await seedAccounts(namesOf('few', 30), others, lab.service);
  await measureEvent('event-kv', names, lab);
  lab.clock.set(lab.clock.now() + 300_000);
  const few = await measureEvent('event-kv', names, lab);
  await seedAccounts(namesOf('many', 120), others, lab.service);
  lab.clock.set(lab.clock.now() + 300_000);
  const many = await measureEvent('event-kv', names, lab);
  expect(many / few).toBeLessThanOrEqual(1.05);
});
