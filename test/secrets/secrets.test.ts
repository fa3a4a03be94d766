import { describe, expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import { hex } from '../../src/core/base/bytes.ts';
import { deleteSecret } from '../../src/core/secrets/deleteSecret.ts';
import { getSecret, listSecrets, refOf, secretEtagOf } from '../../src/core/secrets/readSecret.ts';
import { revealPage } from '../../src/core/secrets/revealSecret.ts';
import { putSecret } from '../../src/core/secrets/writeSecret.ts';
import { accountEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { firstBrokenLink } from '../chain.ts';
import { failure, useLab } from '../lab.ts';
import { audited, auditOf, bytes, keyId, put, reveal, row } from './support.ts';

const seconds = 1000;
const world = useLab();

describe('a protected secret', () => {
  test('a secret of each kind comes back as it was put, under the system key and under a customer key', async () => {
    const { lab } = world;
    await lab.account('kinds-s', 'contoso');
    await lab.account('kinds-c', 'contoso', await lab.vaultWithKey('kinds-kv'));
    for (const account of ['kinds-s', 'kinds-c']) {
      for (const [kind, name] of [
        ['contentKeys', keyId(1)],
        ['jobInputs', 'job-1'],
        ['tokenKeys', 'Policy.One'],
      ] as const) {
        const { created } = await put(lab.service, account, kind, name, bytes(`value of ${kind}`));
        expect(created).toBe(true);
        expect(await reveal(lab.service, account, kind, name)).toBe(hex(bytes(`value of ${kind}`)));
        // Another process, with its own leases and rings.
        expect(await reveal(await lab.another(), account, kind, name)).toBe(hex(bytes(`value of ${kind}`)));
      }
    }
  });

  test('a secret is found under its name in any case, and keeps the case of its first write', async () => {
    const { lab } = world;
    await lab.account('cases', 'contoso');
    await put(lab.service, 'cases', 'tokenKeys', 'Mixed-Case', bytes('k'));
    expect((await getSecret(refOf('CASES', 'tokenKeys', 'mixed-CASE'), lab.service)).value.name).toBe('Mixed-Case');
  });

  test('a content key without a value is generated; a second put without one keeps the value', async () => {
    const { lab } = world;
    await lab.account('made', 'contoso');
    const ref = refOf('made', 'contentKeys', keyId(1));
    const input = (ofLength?: number, label?: string) => ({
      name: keyId(1),
      value: { ofLength },
      ...(label === undefined ? {} : { label }),
    });
    await putSecret(ref, input(32), {}, lab.service);
    const value = await reveal(lab.service, 'made', 'contentKeys', keyId(1));
    expect(value).toMatch(/^[0-9a-f]{64}$/);
    const before = await getSecret(ref, lab.service);
    expect(await putSecret(ref, input(), {}, lab.service)).toMatchObject({ created: false, secret: before });
    await putSecret(ref, input(undefined, 'hd'), {}, lab.service);
    expect((await getSecret(ref, lab.service)).value.label).toBe('hd');
    expect(await reveal(lab.service, 'made', 'contentKeys', keyId(1))).toBe(value);
    expect((await failure(putSecret(ref, input(16), {}, lab.service))).code).toBe('PropertyNotChangeable');
  });

  test('a secret is replaced or deleted only while its ETag is the caller’s', async () => {
    const { lab } = world;
    await lab.account('etags', 'contoso');
    const ref = refOf('etags', 'tokenKeys', 'k');
    const first = secretEtagOf((await put(lab.service, 'etags', 'tokenKeys', 'k', bytes('1'))).secret);
    const second = secretEtagOf((await put(lab.service, 'etags', 'tokenKeys', 'k', bytes('2'), first)).secret);
    expect((await failure(put(lab.service, 'etags', 'tokenKeys', 'k', bytes('3'), first))).code).toBe(
      'PreconditionFailed',
    );
    expect((await failure(deleteSecret(ref, { ifMatch: first }, lab.service))).code).toBe('PreconditionFailed');
    expect(await reveal(lab.service, 'etags', 'tokenKeys', 'k')).toBe(hex(bytes('2')));
    expect(await deleteSecret(ref, { ifMatch: second }, lab.service)).toBe(true);
    expect(await deleteSecret(ref, {}, lab.service)).toBe(false);
    expect((await failure(reveal(lab.service, 'etags', 'tokenKeys', 'k'))).code).toBe('NotFound');
  });

  test('two simultaneous writes of a secret both take effect, one after the other', async () => {
    const { lab } = world;
    await lab.account('writers', 'contoso');
    const [one, two] = [lab.service, await lab.another()];
    const puts = [one, two, one, two].map((service, n) => put(service, 'writers', 'tokenKeys', 'k', bytes(String(n))));
    const created = (await Promise.all(puts)).filter((put) => put.created);
    expect(created).toHaveLength(1);
    expect(['0', '1', '2', '3'].map((text) => hex(bytes(text)))).toContain(
      await reveal(one, 'writers', 'tokenKeys', 'k'),
    );
  });

  test('secrets are listed and revealed page by page, sorted by name, of one kind only', async () => {
    const { lab } = world;
    await lab.account('pages', 'contoso');
    for (const n of [3, 1, 2]) await put(lab.service, 'pages', 'contentKeys', keyId(n), bytes(`${n}`));
    await put(lab.service, 'pages', 'tokenKeys', 'other', bytes('x'));
    const asked = { account: 'pages', kind: 'contentKeys', limit: 2 } as const;
    const first = await listSecrets(asked, lab.service);
    expect(first.rows.map(({ ref }) => ref.name)).toEqual([keyId(1), keyId(2)]);
    const second = await listSecrets({ ...asked, after: first.next ?? '' }, lab.service);
    expect(second.rows.map(({ ref }) => ref.name)).toEqual([keyId(3)]);
    expect(second.next).toBeUndefined();
    const { secrets } = await revealPage({ ...asked, limit: 100 }, { actor: tester }, lab.service);
    expect(secrets.map(({ plain }) => hex(plain ?? bytes('')))).toEqual(
      ['1', '2', '3'].map((text) => hex(bytes(text))),
    );
  });
});

describe('INV-3: in the Customer Key Inaccessible state', () => {
  test('INV-3: every call on secrets of an inaccessible account is refused, in every process, once the verdict is stored; the calls work when access returns', async () => {
    const { lab } = world;
    await lab.account('locked', 'contoso', await lab.vaultWithKey('locked-kv'));
    const [one, two] = [lab.service, await lab.another()];
    await put(one, 'locked', 'contentKeys', keyId(1), bytes('key'));
    for (const service of [one, two]) await reveal(service, 'locked', 'contentKeys', keyId(1));
    await lab.keyVault('PATCH', '/vaults/locked-kv/keys/cmk', { enabled: false });
    await lab.advance(80 * seconds);
    const ref = refOf('locked', 'contentKeys', keyId(1));
    const asked = { account: 'locked', kind: 'contentKeys', limit: 10 } as const;
    for (const service of [one, two]) {
      const calls = [
        () => reveal(service, 'locked', 'contentKeys', keyId(1)),
        () => revealPage(asked, { actor: tester }, service),
        () => getSecret(ref, service),
        () => listSecrets(asked, service),
        () => put(service, 'locked', 'contentKeys', keyId(2), bytes('key')),
        () => deleteSecret(ref, {}, service),
      ];
      for (const call of calls) expect((await failure(call())).code).toBe('CustomerKeyInaccessible');
    }
    await lab.keyVault('PATCH', '/vaults/locked-kv/keys/cmk', { enabled: true });
    await lab.advance(60 * seconds);
    for (const service of [one, two])
      expect(await reveal(service, 'locked', 'contentKeys', keyId(1))).toBe(hex(bytes('key')));
  });
});

describe('INV-4: no unwrapped account key outlives its lease', () => {
  test('INV-4: a reveal with a warm lease calls no vault; after the lease it makes one call', async () => {
    const { lab } = world;
    await lab.account('leased', 'contoso', await lab.vaultWithKey('leased-kv'));
    await put(lab.service, 'leased', 'contentKeys', keyId(1), bytes('key'));
    const asked = async () =>
      (await lab.keyVault<{ requests: unknown[] }>('GET', '/requests?vault=leased-kv&operation=unwrapkey')).requests
        .length;
    const warm = await asked();
    for (let n = 0; n < 20; n++) await reveal(lab.service, 'leased', 'contentKeys', keyId(1));
    expect(await asked()).toBe(warm);
    lab.clock.set(lab.clock.now() + 301 * seconds);
    await reveal(lab.service, 'leased', 'contentKeys', keyId(1));
    expect(await asked()).toBe(warm + 1);
  });
});

describe('crypto-shredding', () => {
  test('deleting an account leaves no wrapped key and no secret behind; the audit stays', async () => {
    const { lab } = world;
    await lab.account('shred', 'contoso');
    // More than one batch of a hundred.
    await Promise.all(
      Array.from({ length: 130 }, (_, n) => put(lab.service, 'shred', 'contentKeys', keyId(n), bytes(`${n}`))),
    );
    await put(lab.service, 'shred', 'tokenKeys', 'k', bytes('token'));
    await lab.move('shred', await lab.vaultWithKey('shred-kv'));
    const { record } = await lab.view('shred');
    expect(record.olderAccountKeys?.keys).toHaveLength(1);
    await lab.keyVault('PATCH', '/vaults/shred-kv/keys/cmk', { enabled: false });
    await lab.advance(80 * seconds);
    expect(await deleteAccount('shred', {}, tester, lab.service)).toBe(true);
    expect((await lab.service.secrets.page('shred', { limit: 1000 })).rows).toEqual([]);
    expect(await lab.service.accounts.read('shred')).toBeUndefined();
    const entries = await accountEntries('shred', record.instanceId, lab.service);
    expect(entries.at(-1)?.type).toBe('AccountDeleted');
    // The next account of the name begins empty.
    await lab.account('shred', 'contoso');
    expect((await failure(reveal(lab.service, 'shred', 'tokenKeys', 'k'))).code).toBe('NotFound');
  });

  test('a process that crashes after the first step of a delete leaves nothing that opens, and any process finishes the delete', async () => {
    const { lab } = world;
    await lab.account('halfway', 'contoso');
    await put(lab.service, 'halfway', 'tokenKeys', 'k', bytes('token'));
    const dead = async () => {
      throw new Error('dead');
    };
    const dying = await lab.another({ secrets: { ...lab.service.secrets, clear: dead } });
    await failure(deleteAccount('halfway', {}, tester, dying));
    const stored = await lab.service.accounts.read('halfway');
    expect(Object.keys(stored?.value ?? {})).not.toContain('wrappedAccountKey');
    expect((await failure(reveal(dying, 'halfway', 'tokenKeys', 'k'))).code).toBe('AccountNotFound');
    await deleteAccount('halfway', {}, tester, lab.service);
    expect((await lab.service.secrets.page('halfway', { limit: 10 })).rows).toEqual([]);
  });

  test('INV-7: a process that is paused in the middle of a delete removes nothing of the next account of the name', async () => {
    const { lab } = world;
    const { secrets } = lab.service;
    await lab.account('reborn', 'contoso');
    await put(lab.service, 'reborn', 'tokenKeys', 'k', bytes('old'));
    const late = await lab.another({
      secrets: {
        ...secrets,
        clear: async (...call) => {
          await deleteAccount('reborn', {}, tester, lab.service);
          await lab.account('reborn', 'contoso');
          await put(lab.service, 'reborn', 'tokenKeys', 'k', bytes('new'));
          return secrets.clear(...call);
        },
      },
    });
    await deleteAccount('reborn', {}, tester, late);
    expect(await reveal(lab.service, 'reborn', 'tokenKeys', 'k')).toBe(hex(bytes('new')));
  });

  test('a writer that was paused while its account was deleted removes its secret again', async () => {
    const { lab } = world;
    await lab.account('ghost', 'contoso');
    const late = await lab.another({
      accounts: {
        ...lab.service.accounts,
        saveWithSecret: async (...change) => {
          await deleteAccount('ghost', {}, tester, lab.service);
          return lab.service.accounts.saveWithSecret(...change);
        },
      },
    });
    expect((await failure(put(late, 'ghost', 'tokenKeys', 'k', bytes('token')))).code).toBe('AccountNotFound');
    expect((await lab.service.secrets.page('ghost', { limit: 10 })).rows).toEqual([]);
  });
});

describe('the audit of reveals', () => {
  test('an account that audits its reveals has an entry for each, with the caller, and the account’s ETag does not change', async () => {
    const { lab } = world;
    await audited(lab, 'audited');
    await lab.account('unaudited', 'contoso');
    for (const account of ['audited', 'unaudited']) {
      for (const n of [1, 2]) await put(lab.service, account, 'contentKeys', keyId(n), bytes('key'));
    }
    const { revision } = (await lab.view('audited')).record;
    const services = [lab.service, await lab.another()];
    for (const account of ['audited', 'unaudited']) {
      await Promise.all(
        Array.from({ length: 6 }, (_, n) => reveal(services[n % 2] ?? lab.service, account, 'contentKeys', keyId(1))),
      );
      await revealPage({ account, kind: 'contentKeys', limit: 10 }, { actor: tester }, lab.service);
    }
    const entries = (await auditOf(lab, 'audited')).filter(({ type }) => type === 'SecretsRevealed');
    expect(entries).toHaveLength(7);
    expect(entries.at(-1)).toMatchObject({
      actor: tester,
      secrets: [`contentKeys/${keyId(1)}`, `contentKeys/${keyId(2)}`],
    });
    const types = (await auditOf(lab, 'unaudited')).map(({ type }) => type);
    expect(types).toEqual(['AccountCreated', 'SecretWritten', 'SecretWritten']);
    const { record } = await lab.view('audited');
    expect(record.revision).toBe(revision);
    const { audit } = await lab.service.rings();
    const broken = await firstBrokenLink(record.instanceId, await auditOf(lab, 'audited'), record.audit, (n) =>
      audit.kek(n),
    );
    expect(broken).toBeUndefined();
  });

  test('the audit of reveals starts and ends with the account’s setting', async () => {
    const { lab } = world;
    await lab.account('inputs', 'contoso');
    await put(lab.service, 'inputs', 'tokenKeys', 'k', bytes('token'));
    for (const auditKeyUse of [true, false]) {
      await patchAccount({ name: 'inputs', input: { auditKeyUse }, actor: tester }, lab.service);
      await reveal(lab.service, 'inputs', 'tokenKeys', 'k');
    }
    const types = (await auditOf(lab, 'inputs')).map(({ type }) => type);
    expect(types).toEqual(['AccountCreated', 'SecretWritten', 'AccountUpdated', 'SecretsRevealed', 'AccountUpdated']);
  });

  test('a value is not revealed when its reveal cannot be audited', async () => {
    const { lab } = world;
    await audited(lab, 'strict');
    await put(lab.service, 'strict', 'tokenKeys', 'k', bytes('token'));
    const save = async () => {
      throw new Error('no audit');
    };
    const deaf = await lab.another({ accounts: { ...lab.service.accounts, save } });
    expect((await failure(reveal(deaf, 'strict', 'tokenKeys', 'k'))).message).toBe('no audit');
  });

  test('every reveal leaves one structured log line with the caller, and nothing of the secret', async () => {
    const { lab } = world;
    await lab.account('logged', 'contoso');
    await put(lab.service, 'logged', 'tokenKeys', 'k', bytes('a token key'));
    lab.log.length = 0;
    await reveal(lab.service, 'logged', 'tokenKeys', 'k');
    const fields = {
      account: 'logged',
      kind: 'tokenKeys',
      first: 'k',
      count: 1,
      actorKind: 'principal',
      actor: 'tester',
    };
    const lines = lab.log.filter(({ message }) => message !== 'Metric');
    expect(lines).toEqual([{ level: 'info', message: 'Secrets revealed', fields }]);
    expect((await row(lab.service, 'logged', 'tokenKeys', 'k')).value.sealed).not.toBe('');
  });
});
