/** Changes of an account while its audit grows all the time: entries block no change, and no entry is lost. */
import { expect, test } from 'vitest';
import { etagOf } from '../../src/core/accounts/account.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { saveAccount } from '../../src/core/accounts/writeAccount.ts';
import { LostRace } from '../../src/core/base/errors.ts';
import type { Service } from '../../src/core/service.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { useLab } from '../lab.ts';
import { audited, auditOf, bytes, put, reveal } from '../secrets/support.ts';

const world = useLab();

/** A process that an audited reveal overtakes at each wait for a vault, and the number of its waits. */
async function overtaken(account: string): Promise<{ service: Service; unwraps: () => number }> {
  const { lab } = world;
  const other = await lab.another();
  let unwraps = 0;
  const { keyVault } = lab.service;
  const unwrap: typeof keyVault.unwrap = async (...call) => {
    // The process also unwraps with the operator's keys when it opens its rings.
    if (call[0].keyName === 'cmk') {
      unwraps += 1;
      await reveal(other, account, 'tokenKeys', 'k');
    }
    return keyVault.unwrap(...call);
  };
  return { service: await lab.another({ keyVault: { ...keyVault, unwrap } }), unwraps: () => unwraps };
}

async function expectWholeChain(account: string, types: Record<string, number>): Promise<void> {
  const entries = await auditOf(world.lab, account);
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, n) => n + 1));
  expect(entries.slice(1).map(({ previousHash }) => previousHash)).toEqual(entries.slice(0, -1).map((one) => one.hash));
  const { audit } = (await world.lab.view(account)).record;
  expect(audit).toEqual({ sequence: entries.length, hash: entries.at(-1)?.hash });
  for (const [type, count] of Object.entries(types))
    expect(entries.filter((one) => one.type === type)).toHaveLength(count);
}

test('INV-6, INV-7: an account key is rotated in one round of vault calls, with If-Match too, while every reveal is audited', async () => {
  const { lab } = world;
  await audited(lab, 'busy-r');
  await lab.move('busy-r', await lab.vaultWithKey('busy-r-kv'));
  await put(lab.service, 'busy-r', 'tokenKeys', 'k', bytes('k'));
  const { service, unwraps } = await overtaken('busy-r');
  const ifMatch = etagOf((await lab.view('busy-r')).record);
  const { record } = await rotateAccountKey('busy-r', { ifMatch }, tester, service);
  expect(record.accountKeyGeneration).toBe(3);
  expect(unwraps()).toBe(2);
  await expectWholeChain('busy-r', { AccountKeyRotated: 1, SecretsRevealed: 2 });
  expect(await reveal(await lab.another(), 'busy-r', 'tokenKeys', 'k')).toBe('6b');
});

test('INV-6, INV-7: an account’s key is changed in one round of vault calls, with If-Match too, while every reveal is audited', async () => {
  const { lab } = world;
  await audited(lab, 'busy-c');
  await put(lab.service, 'busy-c', 'tokenKeys', 'k', bytes('k'));
  const keyIdentifier = await lab.vaultWithKey('busy-c-kv');
  const { service, unwraps } = await overtaken('busy-c');
  const encryption = { type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } } as const;
  const ifMatch = etagOf((await lab.view('busy-c')).record);
  await patchAccount({ name: 'busy-c', input: { encryption }, conditions: { ifMatch }, actor: tester }, service);
  expect(unwraps()).toBe(1);
  await expectWholeChain('busy-c', { AccountKeyChanged: 1, SecretsRevealed: 1 });
});

test('INV-1: a change does not overwrite a wrapped key that was resealed in between, although no caller sees that reseal', async () => {
  const { lab } = world;
  await lab.account('resealed', 'contoso');
  const read = await lab.service.accounts.read('resealed');
  if (read?.value.lifecycle !== 'active') expect.fail();
  const resealed = { ...read.value, wrappedAccountKey: 'sealed again' };
  await lab.service.accounts.save({ value: resealed, etag: read.etag }, []);
  const saving = saveAccount(read, read.value, [{ type: 'AccountUpdated', actor: tester }], lab.service);
  await expect(saving).rejects.toThrow(LostRace);
  expect((await lab.view('resealed')).record.wrappedAccountKey).toBe('sealed again');
});

test('INV-7: a writer that another change overtook loses, and writes nothing', async () => {
  const { lab } = world;
  await lab.account('changed', 'contoso');
  const read = await lab.service.accounts.read('changed');
  if (read === undefined) expect.fail();
  await patchAccount({ name: 'changed', input: { tags: { a: 'b' } }, actor: tester }, lab.service);
  const saving = saveAccount(read, read.value, [{ type: 'AccountUpdated', actor: tester }], lab.service);
  await expect(saving).rejects.toThrow(LostRace);
  expect((await lab.view('changed')).record.tags).toEqual({ a: 'b' });
  await expectWholeChain('changed', { AccountUpdated: 1 });
});
