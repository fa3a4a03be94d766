import { describe, expect, test } from 'vitest';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import type { Bytes } from '../../src/core/base/bytes.ts';
import { accountSubkey, atRestSubkey, wipeAccountKey } from '../../src/core/crypto/subkeys.ts';
import type { DailyWork } from '../../src/core/dailyPass.ts';
import { processAccounts } from '../../src/core/dailyPass.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { useLab } from '../lab.ts';
import { bytes, put, reveal } from '../secrets/support.ts';

const world = useLab();
const instanceId = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
const zeroes = new Uint8Array(32);

describe('INV-4: no unwrapped account key outlives its lease', () => {
  test('INV-4: the subkeys of an account key are wiped with it', () => {
    const accountKey: Bytes = new Uint8Array(32).fill(1);
    const subkeys = (['contentKeys', 'jobInputs', 'tokenKeys'] as const).map((kind) =>
      accountSubkey(accountKey, instanceId, kind),
    );
    expect(new Set(subkeys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(3);
    wipeAccountKey(accountKey);
    for (const key of [accountKey, ...subkeys]) expect(key).toEqual(zeroes);
  });

  test('INV-4: the end of a lease wipes the key and its subkeys', async () => {
    const { lab } = world;
    await lab.account('wiped', 'contoso', await lab.vaultWithKey('wiped-kv'));
    await put(lab.service, 'wiped', 'contentKeys', instanceId, bytes('key'));
    const view = await lab.view('wiped');
    const held = await lab.service.leases.withAccountKey(view, (key) => [
      key,
      accountSubkey(key, view.record.instanceId, 'contentKeys'),
    ]);
    expect(held).not.toContainEqual(zeroes);
    lab.clock.set(lab.clock.now() + 301_000);
    await reveal(lab.service, 'wiped', 'contentKeys', instanceId);
    expect(held).toEqual([zeroes, zeroes]);
  });

  test('two accounts under one at-rest KEK have two subkeys', () => {
    const kek = { generation: 1, key: new Uint8Array(32).fill(2) };
    const other = instanceId.replace(/.$/, '2');
    expect(atRestSubkey(kek, instanceId)).not.toEqual(atRestSubkey(kek, other));
    expect(atRestSubkey(kek, instanceId)).toEqual(atRestSubkey(kek, instanceId));
  });
});

test('the daily pass starts a pass again whose wake-up was lost', async () => {
  const { lab } = world;
  const sent: DailyWork[] = [];
  const send = async (message: DailyWork) => void sent.push(message);
  const service = await lab.another({ dailyQueue: { send } });
  await lab.account('lost', 'contoso');
  await lab.account('unmoved', 'contoso');
  await rotateAccountKey('lost', {}, tester, service);
  sent.length = 0;
  await processAccounts(undefined, service);
  expect(sent).toEqual([{ visit: 'secrets', account: 'lost' }]);
});
