import { expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { saveAccount } from '../../src/core/accounts/writeAccount.ts';
import { accountChain } from '../../src/core/audit/chains.ts';
import { verifyChain } from '../../src/core/audit/verifyChain.ts';
import { LostRace } from '../../src/core/base/errors.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';

const world = useLab();

test('INV-7: a save of a record that was deleted or changed since it was read loses the race and writes nothing', async () => {
  const { service } = world.lab;
  await world.lab.account('gone', 'contoso');
  const read = await service.accounts.read('gone');
  if (read === undefined) expect.fail();
  await deleteAccount('gone', {}, tester, service);
  const saving = saveAccount(read, read.value, [{ type: 'AccountUpdated', actor: tester }], service);
  await expect(saving).rejects.toThrow(LostRace);
  expect(await service.accounts.read('gone')).toBeUndefined();
});

test('INV-6: a delayed delete writes no older head to the tombstone', async () => {
  const { service } = world.lab;
  await world.lab.account('buried', 'contoso');
  const { accounts } = service;
  const read = async () => (await accounts.read('buried')) ?? expect.fail();
  const replaceWithTombstone = async () => {
    throw new Error('held up');
  };
  await failure(deleteAccount('buried', {}, tester, { ...service, accounts: { ...accounts, replaceWithTombstone } }));
  const heldUp = await read();
  expect(heldUp.value.lifecycle).toBe('deleting');
  const refused = { type: 'CallRefused', actor: tester, asked: 'RepairIdentity', code: 'AuthorizationFailed' } as const;
  await saveAccount(heldUp, heldUp.value, [refused], service);
  await accounts.replaceWithTombstone(await read());
  await expect(accounts.replaceWithTombstone(heldUp)).rejects.toThrow(LostRace);
  const chain = await accountChain('buried', undefined, service);
  expect(await verifyChain(chain, {}, service)).toMatchObject({ result: 'whole', entries: 3 });
});
