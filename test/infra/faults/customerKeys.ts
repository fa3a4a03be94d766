/** Faults of customers' keys, of their vaults, of the sweep, and of the identity that calls the vaults. */
import { boundOf } from '../../../src/core/accounts/account.ts';
import { vaultIdOf } from '../../../src/core/customerKey/binding.ts';
import type { KeyVault, Observed } from '../../../src/core/customerKey/ports.ts';
import { processAccounts } from '../../../src/core/dailyPass.ts';
import { sweepIfOverdue, timedSweep } from '../../../src/core/vaultWork/sweep.ts';
import { workOnVault } from '../../../src/core/vaultWork/vaultWork.ts';
import type { Lab } from '../../../src/local/lab/lab.ts';
import { appPrincipalId, operatorVault } from '../../../src/local/operator.ts';
import { failure } from '../../lab.ts';
import { rotateKey } from '../../rotation/support.ts';
import { type Faults, minute } from '../replay.ts';

/** What the vault seems to answer, for a fault that sets it. */
const vault: {
  names?: false;
  answers?: 'other bytes' | 'an error';
  afterRead?: (vaultHost: string) => Promise<unknown>;
} = {};
const seen = <A extends { readonly observed: Observed }>(answer: A): A =>
  vault.names === undefined
    ? answer
    : {
        ...answer,
        observed: { ...answer.observed, principal: { principalId: appPrincipalId }, isPrincipalAssumed: true },
      };

/** Key Vault as the faults change it. */
export const faultyKeyVault = (real: KeyVault): KeyVault => ({
  ...real,
  async describe(...about) {
    const answer = await real.describe(...about);
    await vault.afterRead?.(about[0].vaultHost);
    return answer;
  },
  async unwrap(...about) {
    if (vault.answers === 'an error') throw new TypeError('A fault of Keyward.');
    const answer = seen(await real.unwrap(...about));
    return vault.answers === 'other bytes' && answer.ok
      ? { ...answer, value: new Uint8Array(answer.value.length) }
      : answer;
  },
});

export async function account(lab: Lab, name: string): Promise<void> {
  await lab.account(name, `owner-${name}`, await lab.vaultWithKey(name));
}
const patch = (lab: Lab, name: string, body: object) => lab.keyVault('PATCH', `/vaults/${name}/keys/cmk`, body);
export const silent = (lab: Lab, name: string) =>
  lab.keyVault('POST', '/faults', { vault: name, action: 'status', status: 503, body: 'empty' });

export const customerKeyFaults: Faults = {
  'a customer disables its key': {
    rules: ['key-taken-away'],
    async play(replay, lab) {
      await account(lab, 'r-disabled');
      await patch(lab, 'r-disabled', { enabled: false });
      await replay.minutes(3);
    },
  },
  'one customer’s vault does not answer for 20 minutes, and the service calls every three minutes': {
    rules: ['key-unreachable', 'customer-refused'],
    async play(replay, lab) {
      await account(lab, 'r-silent');
      await silent(lab, 'r-silent');
      const { leases } = await lab.another();
      for (let call = 0; call < 8; call++) {
        await failure(leases.withAccountKey(await lab.view('r-silent'), () => undefined));
        await replay.minutes(3);
      }
    },
  },
  'the vaults of four customers stop answering': {
    rules: ['keys-unreachable'],
    async play(replay, lab) {
      for (const name of ['r-four-1', 'r-four-2', 'r-four-3', 'r-four-4']) {
        await account(lab, name);
        await silent(lab, name);
      }
      await replay.minutes(3);
    },
  },
  'the grants of the operator’s and a customer’s vault are gone': {
    rules: ['control-look-fails', 'own-identity-unavailable'],
    async play(replay, lab) {
      await account(lab, 'r-grants');
      for (const name of [operatorVault, 'r-grants'])
        await lab.keyVault('POST', '/faults', { vault: name, action: 'forbidden', inner: 'ForbiddenByRbac' });
      await replay.minutes(3);
      for (const { id, vault: at } of await lab.keyVault<{ id: number; vault?: string }[]>('GET', '/faults'))
        if (at === operatorVault) await lab.keyVault('DELETE', `/faults/${id}`);
    },
  },
  'three customers’ vaults deny a principal that nothing names': {
    rules: ['identity-replaced'],
    async play(replay, lab) {
      const names = ['r-unnamed-1', 'r-unnamed-2', 'r-unnamed-3'];
      for (const name of names) await account(lab, name);
      vault.names = false;
      for (const name of names) await lab.keyVault('DELETE', `/vaults/${name}/grants/${appPrincipalId}`);
      await replay.minutes(8);
      delete vault.names;
    },
  },
  'the vault returns other bytes than the account key': {
    rules: ['account-key-damaged'],
    async play(replay, lab) {
      await account(lab, 'r-bytes');
      vault.answers = 'other bytes';
      await replay.minutes(2);
      delete vault.answers;
    },
  },
  'Keyward fails on each look for ten minutes': {
    rules: ['binding-work-fails', 'keys-not-checked'],
    async play(replay, lab) {
      await account(lab, 'r-fails');
      await replay.minutes(2);
      vault.answers = 'an error';
      await replay.minutes(10);
      delete vault.answers;
    },
  },
  'the timer stops, and a call runs the sweep': {
    rules: ['no-sweep', 'sweep-overdue'],
    async play(_, lab) {
      await account(lab, 'r-timer');
      await timedSweep(lab.service);
      lab.clock.set(lab.clock.now() + 12 * minute);
      await sweepIfOverdue(lab.service);
    },
  },
  'the sweeps of three keys are three minutes apart': {
    rules: ['sweeps-slow', 'looks-late'],
    async play(replay, lab) {
      for (const name of ['r-late-1', 'r-late-2', 'r-late-3']) await account(lab, name);
      for (let sweep = 0; sweep < 4; sweep++) {
        lab.clock.set(lab.clock.now() + 3 * minute);
        await lab.advance(1);
      }
      await replay.minutes(0);
    },
  },
  'the vault stops answering after Keyward has read a new version': {
    rules: ['not-rewrapped'],
    async play(replay, lab) {
      await account(lab, 'r-rewrap');
      await rotateKey('r-rewrap', lab, { fixture: 1 });
      // The sweep reads the new version, then the worker that re-wraps.
      let reads = 0;
      vault.afterRead = async (host) => host.startsWith('r-rewrap.') && ++reads === 2 && silent(lab, 'r-rewrap');
      await replay.minutes(6);
      delete vault.afterRead;
    },
  },
  'the clock of a host that checks a key is a day ahead': {
    rules: ['time-from-future'],
    async play(replay, lab) {
      await account(lab, 'r-ahead');
      const ahead = { now: () => lab.clock.now() + 86_400_000, monotonic: () => lab.clock.monotonic() };
      const service = await lab.another({ clock: ahead });
      await workOnVault({ vault: vaultIdOf('r-ahead.vault.azure.net'), requestedBy: 'sweep' }, service);
      await replay.minutes(2);
    },
  },
  'another writer changes the record of an account': {
    rules: ['stored-row-damaged', 'account-passed-by'],
    async play(replay, lab) {
      await account(lab, 'r-record');
      const table = lab.table('accounts');
      const { data } = await table.getEntity<{ data: string }>('r-record', 'record');
      const edited = {
        partitionKey: 'r-record',
        rowKey: 'record',
        data: data.replace('owner-r-record', 'owner-forged'),
      };
      await table.updateEntity(edited, 'Merge');
      await processAccounts(undefined, { ...lab.service, dailyQueue: { send: async () => undefined } });
      await replay.minutes(1);
    },
  },
  'the rows by which an account is watched are deleted': {
    rules: ['account-not-watched'],
    async play(replay, lab) {
      await account(lab, 'r-bound');
      const { record } = await lab.view('r-bound');
      if (record.encryption.type !== 'CustomerKey') throw new Error('The account has a customer key.');
      const row = boundOf(record, record.encryption);
      const stored = await lab.service.bindings.readAccount(record.encryption.binding.id, row);
      if (stored !== undefined) await lab.service.bindings.removeAccount(record.encryption.binding.id, stored);
      await processAccounts(undefined, { ...lab.service, dailyQueue: { send: async () => undefined } });
      await replay.minutes(1);
    },
  },
  'the queue takes no message': {
    rules: ['wake-up-not-sent'],
    async play(replay, lab) {
      await account(lab, 'r-queue');
      const queue = { send: () => Promise.reject(new Error('The queue does not answer.')) };
      for (let run = 0; run < 11; run++) {
        await timedSweep({ ...lab.service, queue });
        await replay.minutes(1);
      }
    },
  },
};
