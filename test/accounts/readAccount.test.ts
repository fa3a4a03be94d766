import { expect, test } from 'vitest';
import { verdictOn } from '../../src/core/accounts/account.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { findAccount, listAccounts } from '../../src/core/accounts/readAccount.ts';
import type { Service } from '../../src/core/service.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { useLab } from '../lab.ts';

const world = useLab();

const keyOf = (keyIdentifier: string) =>
  ({
    encryption: { type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } },
  }) as const;

/** The names of the reads, at their start and at their end. */
function observed(service: Service): { service: Service; reads: string[] } {
  const reads: string[] = [];
  const recorded = async <T>(name: string, read: Promise<T>): Promise<T> => {
    reads.push(`${name} begins`);
    const result = await read;
    reads.push(`${name} ends`);
    return result;
  };
  const accounts = { ...service.accounts, read: (name: string) => recorded('record', service.accounts.read(name)) };
  const bindings = {
    ...service.bindings,
    readWatch: (id: string) => recorded('watch', service.bindings.readWatch(id)),
  };
  return { reads, service: { ...service, accounts, bindings } };
}

test('an account that was read before is read in parallel with its watch', async () => {
  await world.lab.account('twice', 'twice', await world.lab.vaultWithKey('twice-kv'));
  const { service, reads } = observed(await world.lab.another());
  await findAccount('twice', service);
  expect(reads).toEqual(['record begins', 'record ends', 'watch begins', 'watch ends']);
  reads.length = 0;
  const view = await findAccount('Twice', service);
  expect(reads.slice(0, 2).sort()).toEqual(['record begins', 'watch begins']);
  expect(reads).toHaveLength(4);
  expect(view).toEqual(await world.lab.view('twice'));
});

test('INV-7: a read returns the watch that the record names, after any change by another process', async () => {
  const { lab } = world;
  await lab.account('moved', 'moved', await lab.vaultWithKey('moved-kv'));
  const reader = await lab.another();
  const first = await findAccount('moved', reader);
  await patchAccount(
    {
      name: 'moved',
      input: keyOf(await lab.vaultWithKey('moved-2-kv')),
      actor: tester,
      permissions: {
        mayRelease: true,
      },
    },
    lab.service,
  );
  const second = await findAccount('moved', reader);
  expect([first, second].map((view) => view?.watch?.binding.vaultName)).toEqual(['moved-kv', 'moved-2-kv']);

  await patchAccount(
    { name: 'moved', input: { encryption: { type: 'SystemKey' } }, actor: tester, permissions: { mayRelease: true } },
    lab.service,
  );
  expect((await findAccount('moved', reader))?.watch).toBeUndefined();
  await deleteAccount('moved', {}, tester, lab.service);
  expect(await findAccount('moved', reader)).toBeUndefined();
  await putAccount({ name: 'moved', input: { owner: 'moved', location }, actor: tester }, lab.service);
  expect((await findAccount('moved', reader))?.record.encryption).toEqual({ type: 'SystemKey' });
});

test('a page of accounts reads each watch once, for any number of accounts that share a key', async () => {
  const { lab } = world;
  const [shared, own] = [await lab.vaultWithKey('listed-shared-kv'), await lab.vaultWithKey('listed-own-kv')];
  for (const name of ['listed-1', 'listed-2', 'listed-3']) await lab.account(name, 'contoso', shared);
  await lab.account('listed-4', 'fabrikam', own);
  await lab.account('listed-5', 'fabrikam');
  const { service, reads } = observed(await lab.another());
  const { accounts } = await listAccounts(5, 'listed-0', service);
  expect(accounts.map(({ record }) => record.name)).toEqual([
    'listed-1',
    'listed-2',
    'listed-3',
    'listed-4',
    'listed-5',
  ]);
  expect(accounts.map((view) => verdictOn(view)?.status)).toEqual([...Array(4).fill('Accessible'), undefined]);
  expect(reads.filter((read) => read === 'watch begins')).toHaveLength(2);
  expect(reads.filter((read) => read === 'record begins')).toHaveLength(5);
});
