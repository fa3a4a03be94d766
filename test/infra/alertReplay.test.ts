/**
 * Replays faults on the laboratory, and evaluates the deployed alert rules over the log that the app writes. The faults
 * of audit chains and rotations are in nightWalk.test.ts. A rule without a replay is evaluated over lines that are made
 * from its own query: that shows its window and its threshold, and not that the app writes such a line. That the code
 * has each message, alerts.test.ts compares.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { boundOf } from '../../src/core/accounts/account.ts';
import type { Observed } from '../../src/core/customerKey/ports.ts';
import { processAccounts } from '../../src/core/dailyPass.ts';
import { sweepIfOverdue, timedSweep } from '../../src/core/vaultWork/sweep.ts';
import { appPrincipalId, operatorVault } from '../../src/local/operator.ts';
import { failure, useLab } from '../lab.ts';
import { firesAt } from './kql.ts';
import { minute, type Replay, rules, startReplay } from './replay.ts';

/** What the vault seems to answer, for a test that sets it. */
const vault: { names?: false; answers?: 'other bytes' | 'an error' } = {};
const seen = <A extends { readonly observed: Observed }>(answer: A): A =>
  vault.names === undefined
    ? answer
    : {
        ...answer,
        observed: { ...answer.observed, principal: { principalId: appPrincipalId }, isPrincipalAssumed: true },
      };
const world = useLab({
  keyVault: (real) => ({
    ...real,
    async unwrap(...about) {
      if (vault.answers === 'an error') throw new TypeError('A fault of Keyward.');
      const answer = seen(await real.unwrap(...about));
      return vault.answers === 'other bytes' && answer.ok
        ? { ...answer, value: new Uint8Array(answer.value.length) }
        : answer;
    },
  }),
});

async function account(name: string): Promise<void> {
  await world.lab.account(name, `owner-${name}`, await world.lab.vaultWithKey(name));
}
const patch = (name: string, body: object) => world.lab.keyVault('PATCH', `/vaults/${name}/keys/cmk`, body);
const silent = (name: string) =>
  world.lab.keyVault('POST', '/faults', { vault: name, action: 'status', status: 503, body: 'empty' });

interface Fault {
  readonly rules: readonly string[];
  play(replay: Replay): Promise<void>;
}

const faults: Readonly<Record<string, Fault>> = {
  'a customer disables its key': {
    rules: ['key-taken-away'],
    async play(replay) {
      await account('r-disabled');
      await patch('r-disabled', { enabled: false });
      await replay.minutes(3);
    },
  },
  'one customer’s vault does not answer for 20 minutes, and the service calls every three minutes': {
    rules: ['key-unreachable', 'customer-refused'],
    async play(replay) {
      await account('r-silent');
      await silent('r-silent');
      const { leases } = await world.lab.another();
      for (let call = 0; call < 8; call++) {
        await failure(leases.withAccountKey(await world.lab.view('r-silent'), () => undefined));
        await replay.minutes(3);
      }
    },
  },
  'the vaults of four customers stop answering': {
    rules: ['keys-unreachable'],
    async play(replay) {
      for (const name of ['r-four-1', 'r-four-2', 'r-four-3', 'r-four-4']) {
        await account(name);
        await silent(name);
      }
      await replay.minutes(3);
    },
  },
  'the grants of the operator’s and a customer’s vault are gone': {
    rules: ['control-look-fails'],
    async play(replay) {
      await account('r-grants');
      for (const name of [operatorVault, 'r-grants'])
        await world.lab.keyVault('POST', '/faults', { vault: name, action: 'forbidden', inner: 'ForbiddenByRbac' });
      await replay.minutes(3);
      for (const { id, vault: at } of await world.lab.keyVault<{ id: number; vault?: string }[]>('GET', '/faults'))
        if (at === operatorVault) await world.lab.keyVault('DELETE', `/faults/${id}`);
    },
  },
  'three customers’ vaults deny a principal that nothing names': {
    rules: ['identity-replaced'],
    async play(replay) {
      const names = ['r-unnamed-1', 'r-unnamed-2', 'r-unnamed-3'];
      for (const name of names) await account(name);
      vault.names = false;
      for (const name of names) await world.lab.keyVault('DELETE', `/vaults/${name}/grants/${appPrincipalId}`);
      await replay.minutes(8);
      delete vault.names;
    },
  },
  'the vault returns other bytes than the account key': {
    rules: ['account-key-damaged'],
    async play(replay) {
      await account('r-bytes');
      vault.answers = 'other bytes';
      await replay.minutes(2);
      delete vault.answers;
    },
  },
  'Keyward fails on each look for ten minutes': {
    rules: ['binding-work-fails', 'keys-not-checked'],
    async play(replay) {
      await account('r-fails');
      await replay.minutes(2);
      vault.answers = 'an error';
      await replay.minutes(10);
      delete vault.answers;
    },
  },
  'the timer stops, and a call runs the sweep': {
    rules: ['no-sweep', 'sweep-overdue'],
    async play() {
      await account('r-timer');
      await timedSweep(world.lab.service);
      world.lab.clock.set(world.lab.clock.now() + 12 * minute);
      await sweepIfOverdue(world.lab.service);
    },
  },
  'sweeps are three minutes apart': {
    rules: ['sweeps-slow'],
    async play() {
      await timedSweep(world.lab.service);
      world.lab.clock.set(world.lab.clock.now() + 3 * minute);
      await timedSweep(world.lab.service);
    },
  },
  'another writer changes the record of an account': {
    rules: ['stored-row-damaged'],
    async play(replay) {
      await account('r-record');
      const table = world.lab.table('accounts');
      const { data } = await table.getEntity<{ data: string }>('r-record', 'record');
      const edited = {
        partitionKey: 'r-record',
        rowKey: 'record',
        data: data.replace('owner-r-record', 'owner-forged'),
      };
      await table.updateEntity(edited, 'Merge');
      await failure(world.lab.view('r-record'));
      await replay.minutes(1);
    },
  },
  'the rows by which an account is watched are deleted': {
    rules: ['account-not-watched'],
    async play(replay) {
      await account('r-bound');
      const { record } = await world.lab.view('r-bound');
      if (record.encryption.type !== 'CustomerKey') throw new Error('The account has a customer key.');
      const row = boundOf(record, record.encryption);
      const stored = await world.lab.service.bindings.readAccount(record.encryption.binding.id, row);
      if (stored !== undefined) await world.lab.service.bindings.removeAccount(record.encryption.binding.id, stored);
      await processAccounts(undefined, { ...world.lab.service, dailyQueue: { send: async () => undefined } });
      await replay.minutes(1);
    },
  },
  'the queue takes no message': {
    rules: ['wake-up-not-sent'],
    async play(replay) {
      await account('r-queue');
      const queue = { send: () => Promise.reject(new Error('The queue does not answer.')) };
      for (let run = 0; run < 11; run++) {
        await timedSweep({ ...world.lab.service, queue });
        await replay.minutes(1);
      }
    },
  },
};

describe('the alert rules', () => {
  beforeAll(async () => {
    for (const name of ['r-healthy-1', 'r-healthy-2']) await account(name);
  });

  test('are all silent in a healthy hour', async () => {
    const replay = startReplay(world.lab, 11 * minute);
    await replay.minutes(60);
    expect(replay.firing()).toEqual([]);
  });

  test.each(Object.entries(faults))('fire when %s', async (_, { rules: expected, play }) => {
    const replay = startReplay(world.lab);
    await play(replay);
    expect(replay.firing()).toEqual(expect.arrayContaining([...expected]));
  });

  const replayed = Object.values(faults).flatMap((fault) => fault.rules);
  const others = rules.filter(({ name, query }) => !replayed.includes(name) && query.startsWith('AppTraces'));

  test.each(others)(
    '$name, which has no replay, fires on lines that fit its query, and not after its window',
    (rule) => {
      const now = 1_795_435_200_000;
      const [, message = ''] = /startswith "([^"]+)"/.exec(rule.query) ?? [];
      const words = [...rule.query.matchAll(/tostring\(fields\.(\w+)\) == "([^"]+)"/g)].map(([, field, word]) => [
        field,
        word,
      ]);
      const numbers = [...rule.query.matchAll(/(?:todouble|toint)\(fields\.(\w+)\) > (\d+)/g)].map(
        ([, field, least]) => [field, Number(least) + 1],
      );
      const fields = JSON.stringify({ value: 1_000_000, ...Object.fromEntries([...words, ...numbers]) });
      const line = { TimeGenerated: now, Message: `${message.replace(/ ?\{$/, '')} ${fields}` };
      const enough = Array.from({ length: rule.threshold + 1 }, () => line);
      expect(firesAt(rule, now, { AppTraces: enough })).toBe(true);
      expect(firesAt(rule, now, { AppTraces: [] })).toBe(false);
      expect(firesAt(rule, now + 61 * minute, { AppTraces: enough })).toBe(false);
    },
  );
});
