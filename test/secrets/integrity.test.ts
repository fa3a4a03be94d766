import { describe, expect, test } from 'vitest';
import type { SecretRow } from '../../src/core/accounts/secretRow.ts';
import { base64, bytesOf, fromBase64, hex } from '../../src/core/base/bytes.ts';
import type { Stored } from '../../src/core/base/stored.ts';
import { rewrapOuterLayer } from '../../src/core/crypto/secretEnvelope.ts';
import { atRestSubkey } from '../../src/core/crypto/subkeys.ts';
import { refOf } from '../../src/core/secrets/readSecret.ts';
import { revealPage } from '../../src/core/secrets/revealSecret.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';
import { auditOf, bytes, keyId, moveAll, put, reveal, row } from './support.ts';

const world = useLab();
const victim = refOf('victim', 'contentKeys', keyId(1));

async function prepared(): Promise<Stored<SecretRow>> {
  const { lab } = world;
  const accounts = ['victim', 'other'];
  // The previous test's alarm blocks another for a minute.
  lab.clock.set(lab.clock.now() + 60_000);
  for (const account of accounts) {
    if ((await lab.service.accounts.read(account)) === undefined) await lab.account(account, 'contoso');
    await put(lab.service, account, 'contentKeys', keyId(1), bytes(`key of ${account}`));
    await put(lab.service, account, 'contentKeys', keyId(2), bytes('second key'));
    await put(lab.service, account, 'tokenKeys', keyId(1), bytes('token key'));
  }
  return row(lab.service, 'victim', 'contentKeys', keyId(1));
}

const flipped = (sealed: string, at: number): string => {
  const stored = fromBase64(sealed);
  const index = at < 0 ? stored.length + at : at;
  stored[index] = (stored[index] ?? 0) ^ 1;
  return base64(stored);
};

/** The row as a writer of the table without any key can change it. */
const edits: [what: string, edit: (before: SecretRow) => Promise<Partial<Record<keyof SecretRow, unknown>>>][] = [
  ['the value', async ({ sealed }) => ({ sealed: flipped(sealed, 30) })],
  ['the tag', async ({ sealed }) => ({ sealed: flipped(sealed, -1) })],
  [
    'the account: another account’s row',
    async () => (await row(world.lab.service, 'other', 'contentKeys', keyId(1))).value,
  ],
  [
    'the kind: a row of another kind',
    async () => (await row(world.lab.service, 'victim', 'tokenKeys', keyId(1))).value,
  ],
  [
    'the name: another secret’s row',
    async () => (await row(world.lab.service, 'victim', 'contentKeys', keyId(2))).value,
  ],
  ['the name in the row', async () => ({ name: keyId(7) })],
  [
    'another secret’s bytes under this name',
    async () => ({ sealed: (await row(world.lab.service, 'victim', 'contentKeys', keyId(2))).value.sealed }),
  ],
  ['the generation: one that there never was', async ({ sealed }) => ({ sealed: flipped(sealed, 8) })],
  ['the ring’s generation', async ({ sealed }) => ({ sealed: flipped(sealed, 5) })],
  ['the version byte', async ({ sealed }) => ({ sealed: flipped(sealed, 0) })],
  ['its length: cut off', async ({ sealed }) => ({ sealed: base64(fromBase64(sealed).subarray(0, 60)) })],
  ['its length: far too long', async ({ sealed }) => ({ sealed: `${sealed.slice(0, 40)}${'A'.repeat(30_000)}` })],
  ['its form: no base64', async () => ({ sealed: 'not base64' })],
  ['its form: nothing there', async () => ({ sealed: undefined })],
  [
    'the outer layer only, by a holder of the at-rest ring',
    async () => {
      const { record } = await world.lab.view('victim');
      const { atRest } = await world.lab.service.rings();
      const subkey = atRestSubkey(atRest.newest, record.instanceId);
      const ref = {
        instanceId: record.instanceId,
        account: 'victim',
        kind: 'contentKeys',
        generation: record.accountKeyGeneration,
      } as const;
      const to = { subkey, ring: atRest.newest, nonce: bytesOf(new Uint8Array(12)) };
      const stored = fromBase64((await row(world.lab.service, 'victim', 'contentKeys', keyId(2))).value.sealed);
      const moved = rewrapOuterLayer(stored, { ...ref, name: keyId(2) }, subkey, to);
      return { sealed: base64(moved) };
    },
  ],
];

describe('a stored row that was swapped or edited', () => {
  test.each(edits)(
    'a swapped or edited row, %s: a clear error, an alarm in the audit, and nothing else changed',
    async (_what, edit) => {
      const { lab } = world;
      const before = await prepared();
      await reveal(lab.service, 'victim', 'contentKeys', keyId(1));
      const spoilt = { ...before.value, ...(await edit(before.value)) } as SecretRow;
      const etag = await lab.service.secrets.replace(victim, spoilt, before.etag);
      const others = await lab.service.secrets.page('victim', { limit: 10 });
      const [entries, { record }] = [await auditOf(lab, 'victim'), await lab.view('victim')];
      lab.log.length = 0;

      const error = await failure(reveal(lab.service, 'victim', 'contentKeys', keyId(1)));
      expect(error.code).toBe('KeyMaterialMismatch');
      expect(error.message).toContain(`contentKeys/${keyId(1)}`);

      const [alarm, ...rest] = (await auditOf(lab, 'victim')).slice(entries.length);
      expect(alarm).toMatchObject({
        type: 'SecretIntegrityFailed',
        cause: 'KeyMaterialMismatch',
        secrets: [`contentKeys/${keyId(1)}`],
      });
      expect(rest).toEqual([]);
      expect(lab.log.filter(({ level }) => level === 'error')).toHaveLength(1);
      expect(JSON.stringify(lab.log)).not.toContain(String(spoilt.sealed).slice(0, 40));
      const { audit: _audit, ...after } = (await lab.view('victim')).record;
      expect(record).toMatchObject(after);
      expect(await lab.service.secrets.page('victim', { limit: 10 })).toEqual(others);

      // A page is revealed without it, and it can be written again.
      const asked = { account: 'victim', kind: 'contentKeys', limit: 10 } as const;
      const { secrets } = await revealPage(asked, { actor: tester }, lab.service);
      expect(secrets.map(({ plain }) => plain && hex(plain))).toEqual([undefined, hex(bytes('second key'))]);
      // The log has it again. The chain has it once a minute, for any number of requests.
      expect(lab.log.filter(({ level }) => level === 'error')).toHaveLength(2);
      expect((await auditOf(lab, 'victim')).slice(entries.length)).toEqual([alarm]);
      expect(etag).toBeDefined();
      await put(lab.service, 'victim', 'contentKeys', keyId(1), bytes('again'));
      expect(await reveal(lab.service, 'victim', 'contentKeys', keyId(1))).toBe(hex(bytes('again')));
    },
  );

  test('a swapped or edited row under a generation that is to be destroyed keeps the older key, so that a repair stays possible', async () => {
    const { lab } = world;
    await lab.account('repair', 'contoso');
    await put(lab.service, 'repair', 'tokenKeys', 'good', bytes('good'));
    await put(lab.service, 'repair', 'tokenKeys', 'spoilt', bytes('spoilt'));
    const before = await row(lab.service, 'repair', 'tokenKeys', 'spoilt');
    const ref = refOf('repair', 'tokenKeys', 'spoilt');
    const sealed = flipped(before.value.sealed, 40);
    const etag = await lab.service.secrets.replace(ref, { ...before.value, sealed }, before.etag);
    await lab.move('repair', await lab.vaultWithKey('repair-kv'));
    await moveAll(lab, 'repair');
    expect((await lab.view('repair')).record.olderAccountKeys?.keys).toHaveLength(1);
    expect((await auditOf(lab, 'repair')).at(-1)?.type).toBe('SecretIntegrityFailed');
    // The row is restored from a back-up, and the next pass processes it.
    await lab.service.secrets.replace(ref, before.value, etag ?? '');
    await moveAll(lab, 'repair');
    expect((await lab.view('repair')).record.olderAccountKeys).toBeUndefined();
    expect(await reveal(lab.service, 'repair', 'tokenKeys', 'spoilt')).toBe(hex(bytes('spoilt')));
  });
});
