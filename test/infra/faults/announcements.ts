/** Faults of the announcement topic, and of the outbox before it. */
import { patchAccount } from '../../../src/core/accounts/putAccount.ts';
import { accountEntries } from '../../../src/local/entries.ts';
import { type Lab, tester } from '../../../src/local/lab/lab.ts';
import { type Faults, minute } from '../replay.ts';

function topicOf({ topic }: Lab) {
  if (topic === undefined) throw new Error('The laboratory has a topic.');
  return topic;
}

export const announcementFaults: Faults = {
  'the topic accepts no event for half an hour': {
    rules: ['topic-fails', 'announcements-late'],
    async play(replay, lab) {
      topicOf(lab).fail({ status: 503 });
      await lab.account('r-topic', 'owner-r-topic');
      for (let n = 0; n < 8; n++) {
        await patchAccount({ name: 'r-topic', input: { tags: { n: String(n) } }, actor: tester }, lab.service);
        await replay.minutes(1);
      }
      lab.clock.set(lab.clock.now() + 20 * minute);
      await replay.minutes(1);
      topicOf(lab).fail();
      await replay.minutes(1);
    },
  },
  'the topic refuses the events of one account': {
    rules: ['announcement-refused'],
    async play(replay, lab) {
      topicOf(lab).fail({ status: 400, about: ({ subject }) => subject === '/accounts/r-refused' });
      await lab.account('r-refused', 'owner-r-refused');
      await replay.minutes(3);
      topicOf(lab).fail();
      await replay.minutes(1);
    },
  },
  'another writer adds rows to the outbox': {
    rules: ['announcement-forged', 'announcements-unreadable'],
    async play(replay, lab) {
      const { record } = await lab.account('r-forged', 'owner-r-forged');
      const [real] = await accountEntries('r-forged', record.instanceId, lab.service);
      if (real === undefined) throw new Error('The account has an entry.');
      const silent = await lab.another({ topic: undefined, rings: lab.service.rings });
      const stored = await silent.accounts.read('r-forged');
      if (stored === undefined) throw new Error('There is an account.');
      const hash = 'x'.repeat(43);
      await silent.accounts.save(stored, [{ ...real, sequence: 2, type: 'CustomerKeyInaccessible', hash }]);
      const subject = { kind: 'account', name: 'r-forged', owner: 'owner-r-forged' } as const;
      const forged = { id: 'r', chain: real.chain, subject, at: lab.clock.now(), first: 2, hashes: [hash] };
      await lab.service.outbox.put(forged);
      const damaged = { partitionKey: '0', rowKey: '0', v: 1, data: '{', at: new Date(0).toISOString() };
      await lab.table('outbox').createEntity(damaged);
      await replay.minutes(3);
      await lab.service.outbox.remove(forged);
      await lab.table('outbox').deleteEntity('0', '0');
    },
  },
};
