/**
 * The access log of a customer: each remote unwrap of the account's key and each reveal, for an account that requests
 * it.
 */
import { describe, expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import type { AuditEntry } from '../../src/core/audit/auditEntry.ts';
import { accountChain } from '../../src/core/audit/chains.ts';
import { verifyChain } from '../../src/core/audit/verifyChain.ts';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import { forceAccount } from '../../src/core/rotation/forceRewrap.ts';
import type { Service } from '../../src/core/service.ts';
import { lookNow } from '../../src/core/vaultWork/lookNow.ts';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import { accountEntries, bindingEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { useLab } from '../lab.ts';
import { bytes, put, reveal } from '../secrets/support.ts';

const world = useLab();
const identity = { useSystemAssignedIdentity: true } as const;

async function account(name: string, auditKeyUse = true): Promise<string> {
  const { lab } = world;
  const keyIdentifier = await lab.vaultWithKey(`${name}-kv`);
  const input = {
    owner: 'contoso',
    location,
    auditKeyUse,
    encryption: { type: 'CustomerKey' as const, keyIdentifier, identity },
  };
  return (await putAccount({ name, input, actor: tester }, lab.service)).view.record.instanceId;
}

const entriesOf = async (name: string): Promise<AuditEntry[]> => {
  const { record } = await world.lab.view(name);
  return accountEntries(name, record.instanceId, world.lab.service);
};

/** The entries after the first n: purpose, outcome and actor. */
const usesOf = async (name: string, since = 0): Promise<string[]> =>
  (await entriesOf(name))
    .slice(since)
    .filter(({ type }) => type === 'KeyUsed')
    .map(({ purpose, cause = 'opened', actor }) => `${purpose} ${cause} ${actor.id}`);

describe('an account that audits its key use', () => {
  test('an account that audits its key use has every remote unwrap in its chain, with purpose, actor, outcome, time and Key Vault’s request id', async () => {
    const { lab } = world;
    const instanceId = await account('used');
    expect(await usesOf('used')).toEqual(['create opened tester']);
    const [, created] = await entriesOf('used');
    const { record } = await lab.view('used');
    expect(created).toMatchObject({
      type: 'KeyUsed',
      key: expect.stringContaining('https://used-kv.vault.azure.net/keys/cmk/'),
      durationMs: expect.any(Number),
      keyVaultRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const etag = record.revision;

    await lookNow({ account: 'used' }, lab.service);
    await put(lab.service, 'used', 'tokenKeys', 'k', bytes('token'));
    await reveal(lab.service, 'used', 'tokenKeys', 'k');
    const since = await entriesOf('used');
    expect(since.slice(2).map(({ type, purpose = '' }) => `${type} ${purpose}`)).toEqual([
      'KeyUsed look',
      'KeyUsed lease',
      'SecretWritten ',
      'SecretsRevealed ',
    ]);
    expect((await lab.view('used')).record.revision).toBe(etag);

    await forceAccount('used', tester, lab.service);
    await rotateAccountKey('used', {}, tester, lab.service);
    await lab.vaultWithKey('used-2-kv');
    await lab.move('used', 'https://used-2-kv.vault.azure.net/keys/cmk');
    const twice = (purpose: string) => [`${purpose} opened tester`, `${purpose} opened tester`];
    expect(await usesOf('used', since.length)).toEqual([...twice('rewrap'), ...twice('rotate'), ...twice('change')]);
    const chain = await accountChain('used', instanceId, lab.service);
    expect(await verifyChain(chain, {}, lab.service)).toMatchObject({ result: 'whole' });
  });

  test('an account that audits its key use has failed unwraps in its chain, and no denial is delayed by them', async () => {
    const { lab } = world;
    await account('denied');
    await lab.keyVault('PATCH', '/vaults/denied-kv/keys/cmk', { enabled: false });
    await lab.advance(60_000);
    expect(await usesOf('denied')).toEqual(['create opened tester', 'look KeyDisabled look']);
    await lab.advance(10_000);
    expect((await lab.view('denied')).watch?.epoch).toBe(1);
    const entries = await entriesOf('denied');
    expect(entries.map(({ type }) => type)).toEqual([
      'AccountCreated',
      'KeyUsed',
      'KeyUsed',
      'KeyUsed',
      'CustomerKeyInaccessible',
    ]);
    // The verdict, in both chains, names the look that it is based on.
    const look = { keyVaultRequestId: entries[3]?.keyVaultRequestId, trigger: 'wake' };
    expect(look.keyVaultRequestId).toMatch(/^[0-9a-f-]{36}$/);
    expect(entries[4]).toMatchObject(look);
    const { watch } = await lab.view('denied');
    const verdicts = await bindingEntries(watch?.binding.id ?? '', lab.service);
    expect(verdicts.at(-1)).toMatchObject({ type: 'VerdictChanged', ...look });
  });

  test('an account that audits its key use has an entry for a change that its vault refuses', async () => {
    const { lab } = world;
    await account('stays');
    await lab.vaultWithKey('stays-2-kv');
    await lab.keyVault('PATCH', '/vaults/stays-kv/keys/cmk', { enabled: false });
    await expect(lab.move('stays', 'https://stays-2-kv.vault.azure.net/keys/cmk')).rejects.toThrow();
    expect(await usesOf('stays')).toEqual(['create opened tester', 'change KeyDisabled tester']);
  });

  test('an audit entry of key use that cannot be written stops no look, lease or re-wrap, and is logged', async () => {
    const { lab } = world;
    await account('deaf');
    await put(lab.service, 'deaf', 'tokenKeys', 'k', bytes('token'));
    await patchAccount({ name: 'deaf', input: { auditKeyUse: true, tags: { a: 'b' } }, actor: tester }, lab.service);
    const { accounts } = lab.service;
    const save: Service['accounts']['save'] = async (record, entries) => {
      if (entries.every(({ type }) => type === 'KeyUsed')) throw new Error('no audit');
      return accounts.save(record, entries);
    };
    const deaf = await lab.another({ accounts: { ...accounts, save } });
    const before = (await entriesOf('deaf')).length;
    lab.log.length = 0;
    await lookNow({ account: 'deaf' }, deaf);
    await put(deaf, 'deaf', 'tokenKeys', 'l', bytes('token'));
    await forceAccount('deaf', tester, deaf);
    expect(await usesOf('deaf', before)).toEqual([]);
    const warned = lab.log.filter(({ message }) => message === 'A key use was not audited');
    expect(warned.map(({ fields }) => fields)).toEqual(Array(3).fill({ account: 'deaf', error: 'Error' }));
  });
});

const silent: Service['keyVault']['unwrap'] = async () => ({
  ok: false,
  cause: 'ConnectionFailed',
  observed: { durationMs: 1 },
});

/** A process whose `saveUse` writes the entries of key use. */
async function savingUseBy(saveUse: () => Promise<void>, replace: Partial<Service> = {}): Promise<Service> {
  const { accounts } = world.lab.service;
  const save: Service['accounts']['save'] = async (record, entries) => {
    if (entries.every(({ type }) => type === 'KeyUsed')) await saveUse();
    return accounts.save(record, entries);
  };
  return world.lab.another({ accounts: { ...accounts, save }, ...replace });
}

test('a lease that cannot be renewed serves without waiting for its audit entry', async () => {
  const { lab } = world;
  await account('held');
  let isSilent = false;
  const { keyVault } = lab.service;
  const unwrap: typeof keyVault.unwrap = (...asked) => (isSilent ? silent(...asked) : keyVault.unwrap(...asked));
  const never = () => (isSilent ? new Promise<never>(() => undefined) : Promise.resolve());
  const service = await savingUseBy(never, { keyVault: { ...keyVault, unwrap } });
  const view = await lab.view('held');
  const use = () => service.leases.withAccountKey(view, () => 'served');
  expect(await use()).toBe('served');
  isSilent = true;
  lab.clock.set(lab.clock.now() + service.policy.leaseSeconds * 900);
  expect(await use()).toBe('served');
});

test('a worker holds the lock of its vault while its looks are audited, however slow that is', async () => {
  const { lab } = world;
  await account('slow');
  const { keyVault, vaults, rings } = lab.service;
  let kept = 0;
  const renewWork: typeof vaults.renewWork = (...asked) => {
    kept += 1;
    return vaults.renewWork(...asked);
  };
  const pass = (ms: number) => lab.clock.set(lab.clock.now() + ms);
  const replace = { keyVault: { ...keyVault, unwrap: silent }, vaults: { ...vaults, renewWork }, rings };
  const service = await savingUseBy(async () => pass(25_000), replace);
  pass(11_000);
  await workOnVault({ vault: vaultIdOf('slow-kv.vault.azure.net'), lookNow: {}, requestedBy: 'admin' }, service);
  expect((await usesOf('slow')).at(-1)).toBe('look ConnectionFailed look');
  expect(kept).toBe(1);
});

test('a reveal whose account is deleted at the same time returns no value without an audit entry', async () => {
  const { lab } = world;
  await account('vanishing');
  await put(lab.service, 'vanishing', 'tokenKeys', 'k', bytes('token'));
  const { secrets } = lab.service;
  let isDeleted = false;
  const read: typeof secrets.read = async (ref) => {
    const row = await secrets.read(ref);
    if (isDeleted) await deleteAccount('vanishing', {}, tester, lab.service);
    return row;
  };
  const revealing = await lab.another({ secrets: { ...secrets, read } });
  // From here on the process has the account in its cache.
  await reveal(revealing, 'vanishing', 'tokenKeys', 'k');
  isDeleted = true;
  await expect(reveal(revealing, 'vanishing', 'tokenKeys', 'k')).rejects.toMatchObject({ code: 'AccountNotFound' });
});

test('an account that does not audit its key use has no such entries and no such writes', async () => {
  const { lab } = world;
  await account('quiet', false);
  await put(lab.service, 'quiet', 'tokenKeys', 'k', bytes('token'));
  const { record, etag } = await lab.view('quiet');
  await lookNow({ account: 'quiet' }, lab.service);
  await reveal(lab.service, 'quiet', 'tokenKeys', 'k');
  expect((await entriesOf('quiet')).map(({ type }) => type)).toEqual(['AccountCreated', 'SecretWritten']);
  expect(await lab.view('quiet')).toMatchObject({ record, etag });
});
