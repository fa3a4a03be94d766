import { expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/delete.ts';
import { saveAccount } from '../../src/core/accounts/write.ts';
import { LostRace } from '../../src/core/errors.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { useLab } from '../lab.ts';

const world = useLab();

test('INV-7: a record that is gone since it was read is a race lost, like one that has changed, and nothing is written', async () => {
  const { service } = world.lab;
  await world.lab.account('gone', 'contoso');
  const read = await service.accounts.read('gone');
  if (read === undefined) expect.fail();
  await deleteAccount('gone', {}, tester, service);
  const saving = saveAccount(read, read.value, [{ type: 'AccountUpdated', actor: tester }], service);
  await expect(saving).rejects.toThrow(LostRace);
  expect(await service.accounts.read('gone')).toBeUndefined();
});
