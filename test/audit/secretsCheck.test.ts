/** Secrets that a writer of the tables put back or removed, on a laboratory's real tables. */
import { describe, expect, test } from 'vitest';
import { accountChain } from '../../src/core/audit/chains.ts';
import { verifyChain } from '../../src/core/audit/verifyChain.ts';
import { deleteSecret } from '../../src/core/secrets/deleteSecret.ts';
import { refOf } from '../../src/core/secrets/readSecret.ts';
import { putSecret } from '../../src/core/secrets/writeSecret.ts';
import { accountEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { useLab } from '../lab.ts';

const world = useLab();
const ref = (account: string, name = 'k') => refOf(account, 'tokenKeys', name);
const put = (account: string, text: string, name = 'k') =>
  putSecret(
    ref(account, name),
    { name, value: { given: Uint8Array.from(Buffer.from(text)) } },
    {},
    world.lab.service,
    tester,
  );
const rows = () => world.lab.table('accounts');
const saved = (account: string, name = 'k') => rows().getEntity(account, `secret:tokenKeys:${name}`);

async function verified(account: string) {
  const { service } = world.lab;
  return verifyChain(await accountChain(account, undefined, service), {}, service);
}

describe('INV-13: the secrets of an account are compared with the entries about them', () => {
  test('INV-13: writes and deletes of a secret are entries with the caller, the secret and its version', async () => {
    const { lab } = world;
    const { record } = await lab.account('entries', 'contoso');
    const first = await put('entries', 'one');
    const second = await put('entries', 'two');
    await deleteSecret(ref('entries'), {}, lab.service, tester);
    const about = { actor: tester, secrets: ['tokenKeys/k'] };
    expect((await accountEntries('entries', record.instanceId, lab.service)).slice(1)).toMatchObject([
      { type: 'SecretWritten', ...about, after: first.secret.value.version },
      { type: 'SecretWritten', ...about, after: second.secret.value.version },
      { type: 'SecretDeleted', ...about },
    ]);
    expect(await verified('entries')).toMatchObject({ result: 'whole', entries: 4 });
  });

  test.for<[string, number, (account: string) => Promise<unknown>]>([
    [
      'an older value that was put back',
      3,
      async (account) => {
        await put(account, 'one');
        const older = await saved(account);
        await put(account, 'two');
        await rows().upsertEntity(older as { partitionKey: string; rowKey: string }, 'Replace');
      },
    ],
    [
      'a deleted secret that was put back',
      3,
      async (account) => {
        await put(account, 'one');
        const older = await saved(account);
        await deleteSecret(ref(account), {}, world.lab.service);
        await rows().upsertEntity(older as { partitionKey: string; rowKey: string }, 'Replace');
      },
    ],
    [
      'a secret that was removed',
      2,
      async (account) => {
        await put(account, 'one');
        await put(account, 'two', 'other');
        await rows().deleteEntity(account, 'secret:tokenKeys:k');
      },
    ],
  ])('INV-13: a verification names %s, and the last entry about it', async ([what, sequence, change]) => {
    const account = what.replaceAll(/[^a-z]/g, '').slice(0, 24);
    await world.lab.account(account, 'contoso');
    await change(account);
    expect(await verified(account)).toMatchObject({
      result: 'broken',
      broken: { flaw: 'SecretDiffers', secret: 'tokenKeys/k', sequence },
    });
  });

  test('a secret that is written during a verification is no difference', async () => {
    const { lab } = world;
    await lab.account('during', 'contoso');
    await put('during', 'one');
    const chain = await accountChain('during', undefined, lab.service);
    const busy = {
      ...chain,
      secrets: async () => {
        await put('during', 'two');
        return chain.secrets?.();
      },
    };
    expect(await verifyChain(busy, {}, lab.service)).toMatchObject({ result: 'whole', entries: 3 });
  });
});
