/** Faults of the operator's keys and of the rings. Each needs a laboratory of its own, because it damages the rings. */

import { bindingOf } from '../../../src/core/customerKey/binding.ts';
import { parseKeyIdentifier } from '../../../src/core/customerKey/keyIdentifier.ts';
import type { KeyVault } from '../../../src/core/customerKey/ports.ts';
import { maintainRings } from '../../../src/core/rings/maintainRings.ts';
import { requestRotation } from '../../../src/core/rings/rotateRing.ts';
import { type Lab, tester } from '../../../src/local/lab/lab.ts';
import { homeTenantId, operatorVault } from '../../../src/local/operator.ts';
import { minutes, ringWorld, rotateWhole } from '../../rings/support.ts';
import type { Faults } from '../replay.ts';
import { silent } from './customerKeys.ts';
import { flipped } from './storedRows.ts';

const recovery = bindingOf(
  parseKeyIdentifier('https://keyward-recovery.vault.azure.net/keys/cmk', 'public'),
  homeTenantId,
  { useSystemAssignedIdentity: true },
);

/** An account, and with it the rings. */
const withRings = (lab: Lab) => lab.account('acme', 'contoso');

export const operatorKeyFaults: Faults = {
  'the operator’s vault does not answer': {
    rules: ['operator-key-unanswered'],
    async play(replay, lab) {
      await withRings(lab);
      await silent(lab, operatorVault);
      await replay.minutes(1);
    },
  },
  'the newest version of an operator’s key is disabled': {
    rules: ['operator-key-unusable'],
    async play(replay, lab) {
      await withRings(lab);
      const version = { kty: 'RSA', size: 2048, fixture: 1, enabled: false };
      await lab.keyVault('POST', `/vaults/${operatorVault}/keys/system`, version);
      await replay.minutes(1);
    },
  },
  'a process starts when the system key is deleted and the recovery key is left': {
    rules: ['ring-by-recovery-key'],
    async play(_, lab) {
      await withRings(lab);
      await lab.vaultWithKey('keyward-recovery');
      const operatorKeys = { ...lab.service.operatorKeys, recovery };
      const rings = await ringWorld(lab, { operatorKeys });
      await rings.advance(5 * minutes);
      await lab.keyVault('DELETE', `/vaults/${operatorVault}/keys/system`);
      await (await rings.another({ operatorKeys })).rings();
    },
  },
  'the tables stop returning the rings to a process that has them': {
    rules: ['rings-not-read'],
    async play(_, lab) {
      await withRings(lab);
      let isDown = false;
      const { ringStore } = lab.service;
      const load = () => (isDown ? Promise.reject(new Error('The tables do not answer.')) : ringStore.load());
      const service = await lab.another({ ringStore: { ...ringStore, load } });
      await service.rings();
      isDown = true;
      lab.clock.set(lab.clock.now() + 2 * minutes);
      await service.rings();
    },
  },
  'Keyward fails on each read of the operator’s keys': {
    rules: ['ring-work-fails'],
    async play(_, lab) {
      await withRings(lab);
      const describe: KeyVault['describe'] = () => Promise.reject(new TypeError('A fault of Keyward.'));
      const service = await lab.another({ keyVault: { ...lab.service.keyVault, describe } });
      for (let sweep = 0; sweep < 4; sweep++) {
        await maintainRings(service);
        lab.clock.set(lab.clock.now() + 1 * minutes);
      }
    },
  },
  'another writer sets the state of a ring back, and a process starts': {
    rules: ['ring-rows-strange'],
    async play(_, lab) {
      await withRings(lab);
      const rings = await ringWorld(lab);
      await requestRotation('system', tester, rings.service);
      const before = await lab.table('rings').getEntity('system', 'state');
      await rings.advance(7 * minutes);
      await lab.table('rings').updateEntity({ ...before, partitionKey: 'system', rowKey: 'state' }, 'Replace');
      await (await lab.another()).rings();
    },
  },
  'another writer deletes the rows of a ring': {
    rules: ['ring-rows-missing'],
    async play(_, lab) {
      await withRings(lab);
      await lab.service.rings();
      const table = lab.table('rings');
      for await (const { partitionKey = '', rowKey = '' } of table.listEntities({
        queryOptions: { filter: "PartitionKey eq 'audit'" },
      }))
        await table.deleteEntity(partitionKey, rowKey);
      lab.clock.set(lab.clock.now() + 2 * minutes);
      await lab.service.rings();
    },
  },
  'another writer changes an account key, and a ring is rotated': {
    rules: ['ring-rotation-stuck'],
    async play(_, lab) {
      const { record, etag } = await withRings(lab);
      const wrappedAccountKey = flipped(record.wrappedAccountKey);
      await lab.service.accounts.save({ value: { ...record, wrappedAccountKey }, etag }, []);
      await rotateWhole('at-rest', await ringWorld(lab));
    },
  },
};
