/** Rows that were written or damaged without the app. Each stops no other work, and existing calls can repair it. */
import { describe, expect, test } from 'vitest';
import type { TableName } from '../../src/azure/tableNames.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { hex } from '../../src/core/base/bytes.ts';
import { processAccounts } from '../../src/core/dailyPass.ts';
import { deleteSecret } from '../../src/core/secrets/deleteSecret.ts';
import { listSecrets, refOf } from '../../src/core/secrets/readSecret.ts';
import { revealPage } from '../../src/core/secrets/revealSecret.ts';
import { alarm } from '../../src/core/secrets/secretAudit.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';
import { auditOf, bytes, keyId, moveAll, put, reveal, row } from './support.ts';

const world = useLab();

const table = (name: TableName) => world.lab.table(name);

/** With any earlier content. */
async function write(account: string, rowKey: string, v: number, data: unknown): Promise<void> {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  await table('accounts').upsertEntity({ partitionKey: account, rowKey, v, data: text }, 'Replace');
}

const asked = (account: string) => ({ account, kind: 'tokenKeys', limit: 100 }) as const;

const poisons: [what: string, poison: (account: string) => Promise<void>][] = [
  ['an unknown format version', (account) => write(account, 'secret:tokenKeys:b', 9, {})],
  ['no JSON', (account) => write(account, 'secret:tokenKeys:b', 1, '{')],
  ['null', (account) => write(account, 'secret:tokenKeys:b', 1, null)],
  [
    'a time that is none',
    async (account) => {
      const { value } = await row(world.lab.service, account, 'tokenKeys', 'b');
      await write(account, 'secret:tokenKeys:b', 1, { ...value, createdAt: 'yesterday' });
    },
  ],
  [
    'a time that no date has',
    async (account) => {
      const { value } = await row(world.lab.service, account, 'tokenKeys', 'b');
      await write(account, 'secret:tokenKeys:b', 1, { ...value, updatedAt: 1e300 });
    },
  ],
];

describe.each(poisons.map(([what, poison], n) => ({ what, poison, account: `poison-${n}` })))(
  'a secret’s row that holds $what',
  ({ poison, account }) => {
    test('a secret’s row that holds $what appears in its page as unreadable and raises an alarm; it can be written again, or deleted', async () => {
      const { lab } = world;
      await lab.account(account, 'contoso');
      for (const name of ['a', 'b', 'c']) await put(lab.service, account, 'tokenKeys', name, bytes(name));
      await poison(account);
      const { rows } = await listSecrets(asked(account), lab.service);
      expect(rows.map(({ ref }) => ref.name)).toEqual(['a', 'b', 'c']);
      expect(rows.every(({ value }) => Number.isFinite(new Date(value.createdAt).getTime()))).toBe(true);
      const { secrets } = await revealPage(asked(account), { actor: tester }, lab.service);
      expect(secrets.map(({ plain }) => plain && hex(plain))).toEqual(['61', undefined, '63']);
      expect((await failure(reveal(lab.service, account, 'tokenKeys', 'b'))).code).toBe('KeyMaterialMismatch');
      expect((await auditOf(lab, account)).at(-1)).toMatchObject({
        type: 'SecretIntegrityFailed',
        secrets: ['tokenKeys/b'],
      });
      const { secret } = await put(lab.service, account, 'tokenKeys', 'b', bytes('again'));
      expect(secret.value.createdAt).toBe(lab.clock.now());
      expect(await reveal(lab.service, account, 'tokenKeys', 'b')).toBe(hex(bytes('again')));
      await poison(account);
      expect(await deleteSecret(refOf(account, 'tokenKeys', 'b'), {}, lab.service)).toBe(true);
    });

    test('a secret’s row that cannot be read keeps an older account key, and does not prevent the deletion and new creation of its account', async () => {
      const { lab } = world;
      await put(lab.service, account, 'tokenKeys', 'b', bytes('b'));
      await poison(account);
      await rotateAccountKey(account, {}, tester, lab.service);
      await moveAll(lab, account);
      expect((await lab.view(account)).record.olderAccountKeys?.phase).toBe('moving');
      expect(await reveal(await lab.another(), account, 'tokenKeys', 'c')).toBe('63');
      expect(await deleteAccount(account, {}, tester, lab.service)).toBe(true);
      await lab.account(account, 'fabrikam');
      expect((await listSecrets(asked(account), lab.service)).rows).toEqual([]);
    });
  },
);

test('a row under an invalid name is skipped and removed when the account is deleted', async () => {
  const { lab } = world;
  await lab.account('odd', 'contoso');
  await write('odd', 'secret:odd', 1, {});
  await deleteAccount('odd', {}, tester, lab.service);
  await expect(table('accounts').getEntity('odd', 'secret:odd')).rejects.toMatchObject({ statusCode: 404 });
});

describe('a record that cannot be read', () => {
  test('a record that cannot be read is one name of many for the passes over all accounts, and stops none of them', async () => {
    const { lab } = world;
    await lab.account('zz-after', 'contoso');
    await put(lab.service, 'zz-after', 'tokenKeys', 'k', bytes('k'));
    await write('broken', 'record', 9, {});
    await lab.service.directory.put('broken');
    const { service } = lab;
    expect(await service.accounts.names(100)).toEqual(expect.arrayContaining(['broken', 'zz-after']));

    await rotateAccountKey('zz-after', {}, tester, lab.service);
    const woken: string[] = [];
    lab.log.length = 0;
    await processAccounts(undefined, {
      ...service,
      dailyQueue: { send: async (message) => void ('account' in message && woken.push(message.account)) },
    });
    expect(woken).toEqual(['zz-after']);
    expect(lab.log.filter(({ level }) => level === 'error')).toEqual([
      {
        level: 'error',
        message: 'A stored row is not as Keyward wrote it',
        fields: { row: 'accounts/broken/record' },
      },
      {
        level: 'error',
        message: 'The daily pass skipped an account',
        fields: { account: 'broken', error: 'DamagedRow StateDamaged' },
      },
    ]);
    await table('accounts').deleteEntity('broken', 'record');
    await table('directory').deleteEntity('account:broken', 'name');
  });

  test('an account whose directory row holds foreign data is listed all the same', async () => {
    const { lab } = world;
    await lab.account('listed', 'contoso');
    await table('directory').updateEntity(
      { partitionKey: 'account:listed', rowKey: 'name', v: 9, data: '{' },
      'Replace',
    );
    expect((await lab.service.directory.page(100)).names).toContain('listed');
  });
});

test('INV-6: any number of secrets that do not open are each named in the account’s chain', async () => {
  const { lab } = world;
  const view = await lab.account('many', 'contoso');
  const refs = Array.from({ length: 700 }, (_, n) => refOf('many', 'contentKeys', keyId(n)));
  await alarm(view, refs, lab.service);
  const alarms = (await auditOf(lab, 'many')).flatMap(({ secrets = [] }) => secrets);
  expect(alarms).toEqual(refs.map(({ name }) => `contentKeys/${name}`));
});
