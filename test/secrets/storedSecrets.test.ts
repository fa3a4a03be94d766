/** What a PUT returns about an existing secret, and what it keeps of it. */
import { describe, expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { putAccount } from '../../src/core/accounts/putAccount.ts';
import { base64, fromBase64 } from '../../src/core/base/bytes.ts';
import { listSecrets, refOf } from '../../src/core/secrets/readSecret.ts';
import { putSecret } from '../../src/core/secrets/writeSecret.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { failure, useLab } from '../lab.ts';
import { auditOf, bytes, keyId, put, reveal, row } from './support.ts';

const world = useLab();

describe('a secret that is put again without a value', () => {
  const at = (index: number, value: number) => (sealed: string) => {
    const stored = fromBase64(sealed);
    stored[index] = value;
    return base64(stored);
  };

  test.each<[string, (sealed: string) => string]>([
    ['cut off', (sealed) => base64(fromBase64(sealed).subarray(0, 60))],
    ['under an account key that is gone', at(9, 7)],
    ['under a KEK that is gone', at(5, 77)],
  ])('a secret that is put again without a value is not reported as unchanged when it is %s', async (_what, edit) => {
    const { lab } = world;
    if ((await lab.service.accounts.read('kept')) === undefined) await lab.account('kept', 'contoso');
    const ref = refOf('kept', 'contentKeys', keyId(1));
    const input = (ofLength?: number) => ({ name: keyId(1), value: { ofLength } });
    await put(lab.service, 'kept', 'contentKeys', keyId(1), bytes('0123456789abcdef'));
    expect((await putSecret(ref, input(16), {}, lab.service)).created).toBe(false);
    const { value, etag } = await row(lab.service, 'kept', 'contentKeys', keyId(1));
    await lab.service.secrets.replace(ref, { ...value, sealed: edit(value.sealed) }, etag);
    for (const again of [input(), input(16)])
      expect((await failure(putSecret(ref, again, {}, lab.service))).code).toBe('KeyMaterialMismatch');
    expect((await auditOf(lab, 'kept')).map(({ type }) => type)).toContain('SecretIntegrityFailed');
  });
});

test('a PUT of an account whose key is under a missing KEK does not succeed', async () => {
  const { lab } = world;
  const { record, etag } = await lab.account('dead', 'contoso');
  const stored = fromBase64(record.wrappedAccountKey);
  stored[5] = 77;
  await lab.service.accounts.save({ value: { ...record, wrappedAccountKey: base64(stored) }, etag }, []);
  const again = await failure(
    putAccount({ name: 'dead', input: { owner: 'contoso', location }, actor: tester }, lab.service),
  );
  expect(again.code).toBe('KeyMaterialMismatch');
  expect(again.message).toContain('back-up');
});

describe('a secret of a writer that died after the account was deleted', () => {
  test('a secret of a writer that died after the account was deleted is removed before an account of this name exists', async () => {
    const { lab } = world;
    await lab.account('heir', 'contoso');
    await put(lab.service, 'heir', 'tokenKeys', 'k', bytes('k'));
    const left = await lab.table('accounts').getEntity('heir', 'secret:tokenKeys:k');
    await deleteAccount('heir', {}, tester, lab.service);
    await lab.table('accounts').createEntity({ ...left, partitionKey: 'heir', rowKey: 'secret:tokenKeys:k' });
    await lab.account('heir', 'contoso');
    expect((await listSecrets({ account: 'heir', kind: 'tokenKeys', limit: 100 }, lab.service)).rows).toEqual([]);
  });

  test('the search for such a secret does not harm what another creator of the account has stored already', async () => {
    const { lab } = world;
    const { secrets } = lab.service;
    let first = true;
    const late = await lab.another({
      secrets: {
        ...secrets,
        page: async (account, page) => {
          if (first) {
            first = false;
            await lab.account('twins', 'contoso');
            await put(lab.service, 'twins', 'tokenKeys', 'k', bytes('k'));
          }
          return secrets.page(account, page);
        },
      },
    });
    const { created } = await putAccount({ name: 'twins', input: { owner: 'contoso', location }, actor: tester }, late);
    expect(created).toBe(false);
    expect(await reveal(lab.service, 'twins', 'tokenKeys', 'k')).toBe('6b');
  });
});
