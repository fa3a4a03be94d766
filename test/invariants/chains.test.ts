import { describe, expect, test } from 'vitest';
import { appendToChain } from '../../src/core/accounts/appendAuditEntry.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import type { AccountWriter } from '../../src/core/accounts/ports.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import type { Actor } from '../../src/core/audit/auditFacts.ts';
import { accountChain } from '../../src/core/audit/chains.ts';
import { verifyChain } from '../../src/core/audit/verifyChain.ts';
import type { Service } from '../../src/core/service.ts';
import { lookAtBinding } from '../../src/core/vaultWork/look.ts';
import { reconcile } from '../../src/core/vaultWork/reconcile.ts';
import { accountEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { useLab } from '../lab.ts';

const world = useLab();

/** A process that runs a function once, right before its first save of an account. */
function beforeSaving(happens: () => Promise<unknown>): Promise<Service> {
  const { accounts } = world.lab.service;
  let isDue = true;
  const save: AccountWriter['save'] = async (...asked) => {
    if (isDue) {
      isDue = false;
      await happens();
    }
    return accounts.save(...asked);
  };
  return world.lab.another({ accounts: { ...accounts, save } });
}

async function look(bindingId: string): Promise<void> {
  const { service, clock } = world.lab;
  const stored = (await service.bindings.readWatch(bindingId)) ?? expect.fail();
  clock.set(Math.max(clock.now(), stored.value.nextLookAt));
  await lookAtBinding(stored, { used: [] }, service);
}

const typesOf = async (name: string, instanceId: string) =>
  (await accountEntries(name, instanceId, world.lab.service)).map(({ type }) => type);

describe('INV-6: a verdict that is stored while an account is being deleted', () => {
  test.each(['the deletion continues', 'the watch is reconciled first'])(
    'INV-6: a verdict that is stored during the deletion of an account reaches its chain once: %s',
    async (how) => {
      const { lab } = world;
      const name = how.startsWith('the watch') ? 'gone-b' : 'gone-a';
      const { record } = await lab.account(name, 'contoso', await lab.vaultWithKey(`${name}-kv`));
      if (record.encryption.type !== 'CustomerKey') expect.fail();
      const { id } = record.encryption.binding;
      await lab.keyVault('PATCH', `/vaults/${name}-kv/keys/cmk`, { enabled: false });
      await look(id);
      const late = await beforeSaving(async () => {
        await look(id);
        expect((await lab.view(name)).watch?.epoch).toBe(1);
      });
      // Its work ends with the first save. The next worker does the rest.
      const dying = { ...late, secrets: { ...late.secrets, clear: () => Promise.reject(new Error('dead')) } };
      await expect(deleteAccount(name, {}, tester, dying)).rejects.toThrow('dead');
      if (how.startsWith('the watch')) {
        const stored = (await lab.service.bindings.readWatch(id)) ?? expect.fail();
        const limits = { until: lab.clock.now() + 1, max: 10 };
        expect((await reconcile(stored, limits, new Map(), lab.service)).watch?.value.transitions).toEqual([]);
      }
      await deleteAccount(name, {}, tester, lab.service);
      expect(await lab.service.accounts.read(name)).toBeUndefined();
      const types = ['AccountCreated', 'AccountDeleted', 'CustomerKeyInaccessible'];
      expect(await typesOf(name, record.instanceId)).toEqual(types);
      const chain = await accountChain(name, undefined, lab.service);
      expect(await verifyChain(chain, {}, lab.service)).toMatchObject({ result: 'whole', entries: 3 });
    },
  );
});

describe('an entry that is added during a change', () => {
  test('an entry that is added during a change does not fail the change, also with a condition of the caller', async () => {
    const { lab } = world;
    const view = await lab.account('beside', 'contoso');
    const fact = { type: 'SecretsRevealed', actor: tester, secrets: ['tokenKeys/a'] } as const;
    const busy = await beforeSaving(() => appendToChain(view.record, [fact], lab.service));
    const ifMatch = `"${view.record.instanceId}.1"`;
    const changed = await patchAccount(
      { name: 'beside', input: { tags: { a: 'b' } }, conditions: { ifMatch }, actor: tester },
      busy,
    );
    expect(changed.record).toMatchObject({ revision: 2, tags: { a: 'b' } });
    const types = ['AccountCreated', 'SecretsRevealed', 'AccountUpdated'];
    expect(await typesOf('beside', view.record.instanceId)).toEqual(types);
  });

  test('an entry that is added during a change does not hide another change', async () => {
    const { lab } = world;
    const view = await lab.account('changed', 'contoso');
    const busy = await beforeSaving(() =>
      patchAccount({ name: 'changed', input: { tags: { b: 'c' } }, actor: tester }, lab.service),
    );
    const ifMatch = `"${view.record.instanceId}.1"`;
    await expect(
      patchAccount({ name: 'changed', input: { tags: { a: 'b' } }, conditions: { ifMatch }, actor: tester }, busy),
    ).rejects.toMatchObject({
      code: 'PreconditionFailed',
    });
  });
});

describe('a refused call', () => {
  test('a refused call that is repeated has one entry a minute for each caller, account and call', async () => {
    const { lab } = world;
    const { record } = await lab.account('refusing', 'contoso');
    const other = { kind: 'principal', id: 'other' } as const;
    const tell = (asked: 'RepairIdentity' | 'UseForeignKey', actor: Actor = tester) =>
      lab.service.refusedCalls.audit({ asked, account: 'Refusing' }, 'Conflict', actor);
    const toldSoFar = async () =>
      (await accountEntries('refusing', record.instanceId, lab.service))
        .slice(1)
        .map(({ asked, actor }) => `${asked} ${actor.id}`);
    await Promise.all(Array.from({ length: 20 }, () => tell('RepairIdentity')));
    await tell('UseForeignKey');
    await tell('RepairIdentity', other);
    expect(await toldSoFar()).toEqual(['RepairIdentity tester', 'UseForeignKey tester', 'RepairIdentity other']);
    lab.clock.set(lab.clock.now() + 59_000);
    await tell('RepairIdentity');
    expect(await toldSoFar()).toHaveLength(3);
    lab.clock.set(lab.clock.now() + 1_000);
    await tell('RepairIdentity');
    expect(await toldSoFar()).toHaveLength(4);
    expect((await lab.view('refusing')).record.revision).toBe(1);
  });
});

describe('a change of settings', () => {
  test('the entry of a settings change has the values before and after, only of changed settings', async () => {
    const { lab } = world;
    const { record } = await lab.account('changed-settings', 'contoso');
    const proto = JSON.parse('{"__proto__":"x","team":"media"}');
    await patchAccount(
      { name: 'changed-settings', input: { tags: { team: 'media', cost: '1' } }, actor: tester },
      lab.service,
    );
    await patchAccount(
      { name: 'changed-settings', input: { tags: { team: 'media', cost: '2' }, auditKeyUse: true }, actor: tester },
      lab.service,
    );
    await patchAccount(
      { name: 'changed-settings', input: { tags: { team: 'media', cost: '2' }, auditKeyUse: true }, actor: tester },
      lab.service,
    );
    await patchAccount({ name: 'changed-settings', input: { tags: proto }, actor: tester }, lab.service);
    await patchAccount(
      { name: 'changed-settings', input: { tags: { long: 'x'.repeat(5_000) } }, actor: tester },
      lab.service,
    );
    const entries = await accountEntries('changed-settings', record.instanceId, lab.service);
    expect(entries.slice(1).map(({ before, after }) => [before, after])).toEqual([
      ['{"tags":{}}', '{"tags":{"cost":"1","team":"media"}}'],
      ['{"auditKeyUse":false,"tags":{"cost":"1"}}', '{"auditKeyUse":true,"tags":{"cost":"2"}}'],
      ['{"tags":{"cost":"2"}}', '{"tags":{"__proto__":"x"}}'],
      ['{"tags":{"__proto__":"x","team":"media"}}', expect.stringMatching(/^sha256:[0-9a-f]{64}$/)],
    ]);
  });

  test('a settings change has its own entry beside that of a key change in the same call', async () => {
    const { lab } = world;
    const { record } = await lab.account('both', 'contoso');
    const keyIdentifier = await lab.vaultWithKey('both-kv');
    const encryption = { type: 'CustomerKey', keyIdentifier, identity: { useSystemAssignedIdentity: true } } as const;
    await patchAccount(
      { name: 'both', input: { tags: { a: 'b' }, encryption }, actor: tester, permissions: { mayRelease: true } },
      lab.service,
    );
    expect((await typesOf('both', record.instanceId)).toSorted()).toEqual([
      'AccountCreated',
      'AccountKeyChanged',
      'AccountUpdated',
    ]);
  });
});
