/** INV-15: a deferred change holds no authority. INV-14: a change that leaves a customer's vault is not deferred. */
import { describe, expect, test } from 'vitest';
import type { RequestedChange } from '../../src/core/ams/operation.ts';
import { beginOperation, continueOperation } from '../../src/core/ams/runOperation.ts';
import { accountEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { failure, useLab } from '../lab.ts';

const world = useLab();
const place = { subscriptionId: '11111111-1111-4111-8111-111111111111', resourceGroup: 'group' };
const under = (keyIdentifier: string) =>
  ({ type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } }) as const;

const change = (account: string, input: object, mayRelease = false): RequestedChange => ({
  account,
  method: 'put',
  input: { place, owner: 'contoso', location, ...input },
  actor: tester,
  mayRelease,
});
const silence = (vault: string) =>
  world.lab.keyVault<{ id: string }>('POST', '/faults', { vault, action: 'status', status: 503, body: 'empty' });
const entriesOf = async (account: string) =>
  accountEntries(account, (await world.lab.view(account)).record.instanceId, world.lab.service);

describe('a change that meets a silent vault', () => {
  test('INV-15: a deferred change is stored without its caller and roles, and runs as Keyward, with the operation as trigger', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('deferred-kv');
    await beginOperation(change('deferred', {}), {}, lab.service);
    const { id: fault } = await silence('deferred-kv');
    const { operation } = await beginOperation(change('deferred', { encryption: under(key) }, true), {}, lab.service);
    const row = await lab.table('operations').getEntity<{ data: string }>(operation.id.slice(0, 8), operation.id);
    const { pending } = JSON.parse(row.data);
    expect(Object.keys(pending.change).toSorted()).toEqual(['account', 'input', 'method']);
    expect(row.data).not.toContain(tester.id);

    await lab.keyVault('DELETE', `/faults/${fault}`);
    await continueOperation(operation.id, lab.service);
    const [deferred, changed] = (await entriesOf('deferred')).slice(-2);
    expect(deferred).toMatchObject({ type: 'ChangeDeferred', actor: tester, eventId: operation.id });
    expect(changed).toMatchObject({
      type: 'AccountKeyChanged',
      actor: { kind: 'keyward', id: 'operations' },
      trigger: 'operation',
      eventId: operation.id,
    });
  });

  test.each([
    ['the system key', { type: 'SystemKey' } as const],
    ['a key in another vault', under('https://leaving-to.vault.azure.net/keys/cmk')],
  ])('INV-14: a change from a customer key to %s is not deferred, even with Keys.Release', async (_, encryption) => {
    const { lab } = world;
    const account = `leaving-${encryption.type.toLowerCase()}`;
    const key = await lab.vaultWithKey(`${account}-kv`);
    await lab.keyVault('POST', '/vaults', { name: 'leaving-to' }).catch(() => undefined);
    await beginOperation(change(account, { encryption: under(key) }), {}, lab.service);
    await silence(`${account}-kv`);
    const error = await failure(beginOperation(change(account, { encryption }, true), {}, lab.service));
    expect(error.code).toMatch(/VaultUnavailable|CustomerKeyUnreachable/);
    expect((await lab.view(account)).record.encryption).toMatchObject({ keyIdentifier: key });
  });
});

test('INV-13: a forged row of an operation does not run', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('forged-kv');
  await beginOperation(change('forged', { encryption: under(key) }), {}, lab.service);
  const day = new Date(lab.clock.now()).toISOString().slice(0, 10).replaceAll('-', '');
  const id = `${day}-00000000-0000-4000-8000-00000000abcd`;
  const pending = {
    change: {
      account: 'forged',
      method: 'patch',
      input: { place, encryption: { type: 'SystemKey' } },
      mayRelease: true,
    },
    conditions: {},
    failure: { code: 'ServiceUnavailable', message: '' },
  };
  const value = { id, account: 'forged', place, startedAt: lab.clock.now(), status: 'InProgress', pending };
  await lab.table('operations').createEntity({ partitionKey: day, rowKey: id, v: 1, data: JSON.stringify(value) });
  expect(await failure(continueOperation(id, lab.service))).toMatchObject({ code: 'StateDamaged' });
  expect((await lab.view('forged')).record.encryption.type).toBe('CustomerKey');
});
