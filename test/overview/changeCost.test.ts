/** What a change costs with its writes to the overview. */
import { expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { documentedCost } from '../documentedCosts.ts';
import { useLab } from '../lab.ts';

const world = useLab();

/** A port whose calls are counted: each is one call to the tables. */
function counted<T extends object>(port: T, count: () => void): T {
  return new Proxy(port, {
    get(target, name, receiver) {
      const member = Reflect.get(target, name, receiver);
      if (typeof member !== 'function') return member;
      return (...args: unknown[]) => {
        count();
        return member.apply(target, args);
      };
    },
  });
}

test('a new account under the system key costs eight table requests with its writes to the overview', async () => {
  const { lab } = world;
  await lab.account('eight-1', 'eight');
  await lab.service.overview.settled();
  const before = lab.tableRequests();
  await lab.account('eight-2', 'eight');
  await lab.service.overview.settled();
  expect(lab.tableRequests() - before).toBe(8);
});

test('each change costs the transactions of the overview that docs/costs.md states', async () => {
  const { lab } = world;
  let calls = 0;
  const count = () => {
    calls += 1;
  };
  const { overviewIndex, timelineIndex } = lab.service;
  const service = await lab.another({
    overviewIndex: counted(overviewIndex, count),
    timelineIndex: counted(timelineIndex, count),
  });
  const cost = async (change: () => Promise<unknown>) => {
    await service.overview.settled();
    calls = 0;
    await change();
    await service.overview.settled();
    return calls;
  };
  const [key, other] = [await lab.vaultWithKey('change-a'), await lab.vaultWithKey('change-b')];
  const under = (keyIdentifier: string) => ({
    encryption: { type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } } as const,
  });
  const put = (name: string, keyIdentifier?: string) => {
    const input = { owner: 'changing', location, ...(keyIdentifier === undefined ? {} : under(keyIdentifier)) };
    return putAccount({ name, input, actor: tester }, service);
  };
  await put('change-1', key);
  await put('change-2', other);
  const created = [await cost(() => put('change-s')), await cost(() => put('change-c', key))];
  expect(created).toEqual(documentedCost('account created, system key / customer key'));
  const tags = () => patchAccount({ name: 'change-s', actor: tester, input: { tags: { a: 'b' } } }, service);
  expect([await cost(tags)]).toEqual(documentedCost('account: any other change, with its audit entries'));
  const move = () =>
    patchAccount({ name: 'change-c', actor: tester, input: under(other), permissions: { mayRelease: true } }, service);
  expect([await cost(move)]).toEqual(documentedCost('account moved to another key'));
  const remove = (name: string) => cost(() => deleteAccount(name, {}, tester, service));
  const deleted = [await remove('change-s'), await remove('change-c')];
  expect(deleted).toEqual(documentedCost('account deleted, system key / customer key'));
});
