/** INV-15: a queue message is only a wake-up, with any content. */
import { expect, test } from 'vitest';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { olderKeyWaitMs } from '../../src/core/rings/durations.ts';
import { rekeySecrets } from '../../src/core/secrets/rekeySecrets.ts';
import { dailyMessage } from '../../src/functions/triggers/dailyPass.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';
import { bytes, moveAll, put, reveal } from './support.ts';

const world = useLab();
const older = async (account: string) => (await world.lab.view(account)).record.olderAccountKeys;

test('INV-15: a message that claims the progress of a pass is dropped', async () => {
  const forged = { visit: 'secrets', account: 'bank', since: 1, after: 'secret;', found: 0, stuck: 0 };
  expect(dailyMessage.safeParse(forged).success).toBe(false);
});

test('INV-15: any number of messages alone destroys no older account key while a secret is under it', async () => {
  const { lab } = world;
  await lab.account('bank', 'contoso');
  for (const name of ['a', 'b']) await put(lab.service, 'bank', 'tokenKeys', name, bytes(name));
  await rotateAccountKey('bank', {}, tester, lab.service);
  lab.clock.set(lab.clock.now() + olderKeyWaitMs);
  // A pass that saves nothing: each message finds both secrets under the older key.
  const { secrets } = lab.service;
  const idle = await lab.another({ secrets: { ...secrets, replace: async () => undefined } });
  for (let n = 0; n < 5; n++) await rekeySecrets({ visit: 'secrets', account: 'bank' }, idle);
  expect((await older('bank'))?.phase).toBe('moving');
  expect(await reveal(lab.service, 'bank', 'tokenKeys', 'a')).toBe('61');
});

test('INV-15: progress that another writer put into the record is not used', async () => {
  const { lab } = world;
  await lab.account('edited', 'contoso');
  await put(lab.service, 'edited', 'tokenKeys', 'a', bytes('a'));
  await rotateAccountKey('edited', {}, tester, lab.service);
  const table = lab.table('accounts');
  const { data } = await table.getEntity<{ data: string }>('edited', 'record');
  const record = JSON.parse(data);
  const forged = { ...record.olderAccountKeys, phase: 'retiring', pass: { after: 'secret;', found: 0, stuck: 0 } };
  const key = { partitionKey: 'edited', rowKey: 'record' };
  await table.updateEntity({ ...key, data: JSON.stringify({ ...record, olderAccountKeys: forged }) }, 'Merge');
  expect(await failure(rekeySecrets({ visit: 'secrets', account: 'edited' }, lab.service))).toMatchObject({
    code: 'StateDamaged',
  });
});

test('INV-15: the write that destroys older keys counts again itself, even when earlier messages have stored that no secret is left', async () => {
  const { lab } = world;
  await lab.account('counted', 'contoso');
  for (const name of ['a', 'b', 'c']) await put(lab.service, 'counted', 'tokenKeys', name, bytes(name));
  await rotateAccountKey('counted', {}, tester, lab.service);
  const stored = await lab.service.accounts.read('counted');
  if (stored?.value.lifecycle !== 'active' || stored.value.olderAccountKeys === undefined) expect.fail();
  const { olderAccountKeys } = stored.value;
  // As in a record that was set back, which says that every secret was processed.
  const pass = { after: 'secret;', found: 0, stuck: 0 };
  const since = lab.clock.now();
  const value = { ...stored.value, olderAccountKeys: { ...olderAccountKeys, phase: 'retiring', since, pass } } as const;
  await lab.service.accounts.save({ ...stored, value }, []);
  await rekeySecrets({ visit: 'secrets', account: 'counted' }, lab.service);
  expect(await older('counted')).toMatchObject({ phase: 'retiring' });
  await moveAll(lab, 'counted');
  expect(await older('counted')).toBeUndefined();
  for (const name of ['a', 'b', 'c']) await reveal(lab.service, 'counted', 'tokenKeys', name);
});
