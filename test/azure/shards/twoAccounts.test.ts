import { expect, test } from 'vitest';
import { stateOf } from '../../../src/core/accounts/account.ts';
import { listAccounts } from '../../../src/core/accounts/readAccount.ts';
import { accountChain } from '../../../src/core/audit/chains.ts';
import { verifyChain } from '../../../src/core/audit/verifyChain.ts';
import { useLab } from '../../lab.ts';
import { openedKey, rotateKey, versionOf } from '../../rotation/support.ts';

const seconds = 1000;
const world = useLab({ storageAccounts: 2 });
const names = Array.from({ length: 8 }, (_, number) => `divided-${number}`);

const states = async () => Promise.all(names.map(async (name) => stateOf(await world.lab.view(name))));
const all = <T>(value: T): T[] => names.map(() => value);

test('INV-1, INV-6: on two storage accounts Keyward creates, rotates, blocks, restores, lists and verifies as on one', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('divided-kv');
  for (const name of names) await lab.account(name, 'contoso', key);
  const first: unknown[] = [];
  for await (const { partitionKey } of lab.table('accounts').listEntities()) first.push(partitionKey);
  const inFirst = names.filter((name) => first.includes(name));
  expect(inFirst.length).toBeGreaterThan(0);
  expect(inFirst.length).toBeLessThan(names.length);

  const keys = await Promise.all(names.map((name) => openedKey(name, lab)));
  const version = await rotateKey('divided-kv', lab);
  await lab.advance(600 * seconds);
  expect(await Promise.all(names.map((name) => versionOf(name, lab)))).toEqual(all(version));
  expect(await Promise.all(names.map((name) => openedKey(name, lab)))).toEqual(keys);

  await lab.keyVault('PATCH', '/vaults/divided-kv/keys/cmk', { enabled: false });
  await lab.advance(120 * seconds);
  expect(await states()).toEqual(all('CustomerKeyInaccessible'));
  await lab.keyVault('PATCH', '/vaults/divided-kv/keys/cmk', { enabled: true });
  await lab.advance(120 * seconds);
  expect(await states()).toEqual(all('Enabled'));

  const { accounts } = await listAccounts(100, undefined, lab.service);
  expect(accounts.map(({ record }) => record.name)).toEqual(names);
  for (const name of names) {
    const chain = await accountChain(name, undefined, lab.service);
    expect(await verifyChain(chain, {}, lab.service)).toMatchObject({ result: 'whole' });
  }
});
