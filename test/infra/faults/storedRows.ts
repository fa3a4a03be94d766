/** Faults of secrets, account keys and audit entries, and of the passes over them. */
import { deleteAccount, requestDeletion } from '../../../src/core/accounts/deleteAccount.ts';
import { putAccount } from '../../../src/core/accounts/putAccount.ts';
import { rotateAccountKey } from '../../../src/core/accounts/rotateAccountKey.ts';
import { reportLateVerification, verifyAllChains } from '../../../src/core/attestation/verifyAllChains.ts';
import { base64, fromBase64 } from '../../../src/core/base/bytes.ts';
import { refOf } from '../../../src/core/secrets/readSecret.ts';
import { rekeySecrets } from '../../../src/core/secrets/rekeySecrets.ts';
import { revealPage } from '../../../src/core/secrets/revealSecret.ts';
import { lookNow } from '../../../src/core/vaultWork/lookNow.ts';
import { type Lab, tester } from '../../../src/local/lab/lab.ts';
import { location } from '../../../src/local/operator.ts';
import { failure } from '../../lab.ts';
import { bytes, moveAll, put, reveal, row } from '../../secrets/support.ts';
import { type Faults, minute } from '../replay.ts';
import { account, silent } from './customerKeys.ts';

const day = 86_400_000;

/** One bit of a row's bytes, as another writer of the tables can change it. */
export function flipped(text: string): string {
  const stored = fromBase64(text);
  stored[40] = (stored[40] ?? 0) ^ 1;
  return base64(stored);
}

async function withSecret(lab: Lab, name: string): Promise<void> {
  await lab.account(name, `owner-${name}`);
  await put(lab.service, name, 'tokenKeys', 'k', bytes('token'));
}

export const storedRowFaults: Faults = {
  'another writer changes the bytes of a secret, and the account key is rotated': {
    rules: ['stored-secret-damaged', 'account-key-rotation-stuck'],
    async play(_, lab) {
      await withSecret(lab, 'r-secret');
      const { value, etag } = await row(lab.service, 'r-secret', 'tokenKeys', 'k');
      await lab.service.secrets.replace(
        refOf('r-secret', 'tokenKeys', 'k'),
        { ...value, sealed: flipped(value.sealed) },
        etag,
      );
      await failure(reveal(lab.service, 'r-secret', 'tokenKeys', 'k'));
      await rotateAccountKey('r-secret', {}, tester, lab.service);
      await moveAll(lab, 'r-secret');
    },
  },
  'the vault of an account whose key was rotated does not answer for half an hour': {
    rules: ['secrets-not-moved'],
    async play(_, lab) {
      await account(lab, 'r-rekey');
      await put(lab.service, 'r-rekey', 'tokenKeys', 'k', bytes('token'));
      await rotateAccountKey('r-rekey', {}, tester, lab.service);
      await silent(lab, 'r-rekey');
      const service = await lab.another();
      for (let pass = 0; pass < 31; pass++) {
        await rekeySecrets({ visit: 'secrets', account: 'r-rekey' }, service);
        lab.clock.set(lab.clock.now() + minute);
      }
    },
  },
  'the tables take no audit entry of a key use': {
    rules: ['key-use-not-audited'],
    async play(_, lab) {
      const encryption = {
        type: 'CustomerKey',
        keyIdentifier: await lab.vaultWithKey('r-audited'),
        identity: { useSystemAssignedIdentity: true },
      } as const;
      const input = { owner: 'owner-r-audited', location, auditKeyUse: true, encryption };
      await putAccount({ name: 'r-audited', input, actor: tester }, lab.service);
      const save = () => Promise.reject(new Error('The tables do not answer.'));
      await lookNow({ account: 'r-audited' }, await lab.another({ accounts: { ...lab.service.accounts, save } }));
    },
  },
  'Keyward writes a row that is larger than the tables allow': {
    rules: ['tables-refuse'],
    async play(_, lab) {
      const { record, etag } = await lab.account('r-large', 'owner-r-large');
      const tags = { text: 'x'.repeat(2_000_000) };
      await failure(lab.service.accounts.save({ value: { ...record, tags }, etag }, []));
    },
  },
  'the tables do not let a deleted account be purged': {
    rules: ['account-not-purged'],
    async play(replay, lab) {
      await withSecret(lab, 'r-purged');
      await requestDeletion('r-purged', {}, tester, lab.service);
      const { data } = await lab.table('accounts').getEntity<{ data: string }>('r-purged', 'record');
      const damaged = data.replace('owner-r-purged', 'owner-forged');
      await lab.table('accounts').updateEntity({ partitionKey: 'r-purged', rowKey: 'record', data: damaged }, 'Merge');
      lab.clock.set(lab.clock.now() + lab.service.policy.deleteAfterDays * day);
      await replay.minutes(5);
      await lab.table('accounts').updateEntity({ partitionKey: 'r-purged', rowKey: 'record', data }, 'Merge');
      await deleteAccount('r-purged', {}, tester, lab.service);
    },
  },
  'the verification of the audit chains does not finish for two days': {
    rules: ['audit-verification-late'],
    async play(_, lab) {
      await verifyAllChains(lab.service);
      lab.clock.set(lab.clock.now() + 2 * day);
      await reportLateVerification(lab.service);
    },
  },
  'a caller reveals more secrets in an hour than the operator expects': {
    rules: ['many-reveals'],
    async play(_, lab) {
      await lab.account('r-reveals', 'owner-r-reveals');
      for (let n = 0; n < 50; n++) await put(lab.service, 'r-reveals', 'tokenKeys', `k-${n}`, bytes('token'));
      const page = { account: 'r-reveals', kind: 'tokenKeys', limit: 50 } as const;
      for (let revealed = 0; revealed <= 10_000; revealed += 50) await revealPage(page, { actor: tester }, lab.service);
    },
  },
};
