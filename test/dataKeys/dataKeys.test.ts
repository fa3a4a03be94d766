/**
 * Data keys in the core: which changes of the account they survive, and what remains when the operator destroys a
 * generation.
 */
import { describe, expect, test } from 'vitest';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { base64, fromBase64, hex } from '../../src/core/base/bytes.ts';
import {
  type DataKeysAnswer,
  generateDataKeys,
  rewrapDataKeys,
  unwrapDataKeys,
  wrapDataKeys,
} from '../../src/core/dataKeys/dataKeys.ts';
import { destroyGeneration } from '../../src/core/dataKeys/destroyGeneration.ts';
import { contextHashOf, type EncryptionContext } from '../../src/core/dataKeys/encryptionContext.ts';
import { keyStatusNow } from '../../src/core/dataKeys/keyStatus.ts';
import { dataKeyUsage } from '../../src/core/dataKeys/lastSeen.ts';
import { rekeySecrets } from '../../src/core/secrets/rekeySecrets.ts';
import type { Service } from '../../src/core/service.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';
import { ringWorld, rotateWhole } from '../rings/support.ts';
import { auditOf, moveAll } from '../secrets/support.ts';

const world = useLab();
const call = (account: string) => ({ account, actor: tester });
const noContext = contextHashOf({});

async function generated(account: string, context: EncryptionContext = {}, service: Service = world.lab.service) {
  const input = { count: 1, length: 32, contextHash: contextHashOf(context), isPlain: true };
  const { items } = await generateDataKeys(input, call(account), service);
  const { plain, wrapped, generation } = items[0] ?? {};
  if (plain === undefined || wrapped === undefined) throw new Error('No data key was generated.');
  return { plain: hex(plain), wrapped: base64(wrapped), generation };
}

/** The plain key in hex, or the code of the failure. */
const outcomes = ({ items }: DataKeysAnswer) =>
  items.map(({ plain, failure: failed }) => (plain ? hex(plain) : failed?.code));

async function unwrapped(
  account: string,
  wrapped: string,
  { context = {}, service = world.lab.service }: { context?: EncryptionContext; service?: Service } = {},
) {
  const key = { bytes: fromBase64(wrapped), contextHash: contextHashOf(context) };
  return outcomes(await unwrapDataKeys([key], call(account), service))[0];
}

const rotated = (account: string) => rotateAccountKey(account, {}, tester, world.lab.service);

describe('a data key', () => {
  test('a data key opens in its own account, under its own context, and nowhere else; one that does not open stops no other', async () => {
    await world.lab.account('mine', 'contoso', await world.lab.vaultWithKey('mine-kv'));
    await world.lab.account('theirs', 'contoso');
    const [mine, theirs] = [await generated('mine', { table: 'a' }), await generated('theirs', { table: 'a' })];
    const keys = [
      [mine.wrapped, { table: 'a' }],
      [theirs.wrapped, { table: 'a' }],
      [mine.wrapped, { table: 'b' }],
      [mine.wrapped, {}],
      ['AQM=', { table: 'a' }],
      [mine.wrapped, { table: 'a' }],
    ] as const;
    const bound = keys.map(([wrapped, context]) => ({
      bytes: fromBase64(wrapped),
      contextHash: contextHashOf(context),
    }));
    const wrong = 'DataKeyNotAuthentic';
    expect(outcomes(await unwrapDataKeys(bound, call('mine'), world.lab.service))).toEqual([
      mine.plain,
      wrong,
      wrong,
      wrong,
      wrong,
      mine.plain,
    ]);
  });

  test('a data key of the service is wrapped like one that Keyward generates', async () => {
    await world.lab.account('brought', 'contoso');
    const bytes = new Uint8Array(16).fill(9);
    const { items } = await wrapDataKeys([{ bytes, contextHash: noContext }], call('brought'), world.lab.service);
    expect(await unwrapped('brought', base64(items[0]?.wrapped ?? bytes))).toBe('09'.repeat(16));
  });

  test('a data key opens after each change of the account key: rotation, a customer key, another one, the system key again', async () => {
    const { lab } = world;
    await lab.account('moving', 'contoso');
    const keys = [await generated('moving')];
    const changes = [
      () => rotated('moving'),
      async () => lab.move('moving', await lab.vaultWithKey('moving-kv-1')),
      async () => lab.move('moving', await lab.vaultWithKey('moving-kv-2')),
      () => rotated('moving'),
      () =>
        patchAccount(
          {
            name: 'moving',
            input: { encryption: { type: 'SystemKey' } },
            actor: tester,
            permissions: { mayRelease: true },
          },
          lab.service,
        ),
    ];
    for (const change of changes) {
      await change();
      keys.push(await generated('moving'));
    }
    await moveAll(lab, 'moving');
    expect((await lab.view('moving')).record.olderAccountKeys).toBeUndefined();
    for (const { wrapped, plain } of keys) expect(await unwrapped('moving', wrapped)).toBe(plain);
    // A change to another customer key does not change the account key.
    expect(keys.map(({ generation }) => generation)).toEqual([1, 2, 3, 3, 4, 4]);
  });

  test('a data key opens after the at-rest ring has destroyed its older KEK', async () => {
    const { lab } = world;
    const rings = await ringWorld(lab);
    await lab.account('resealed', 'contoso');
    const first = await generated('resealed');
    await rotated('resealed');
    const second = await generated('resealed');
    await rotateWhole('at-rest', rings);
    const fresh = await lab.another();
    expect((await fresh.rings()).atRest.newest.generation).toBe(2);
    for (const { wrapped, plain } of [first, second])
      expect(await unwrapped('resealed', wrapped, { service: fresh })).toBe(plain);
  });

  test('a data key of a deleted account opens nowhere, also not in a later account of the same name', async () => {
    const { lab } = world;
    await lab.account('again', 'contoso');
    const { wrapped } = await generated('again');
    await unwrapped('again', wrapped);
    await deleteAccount('again', {}, tester, lab.service);
    expect(await failure(unwrapDataKeys([], call('again'), lab.service))).toMatchObject({ code: 'AccountNotFound' });
    const { record } = await lab.account('again', 'contoso');
    expect(await unwrapped('again', wrapped)).toBe('DataKeyNotAuthentic');
    expect(await lab.service.dataKeyUse.lastSeen('again', record.instanceId)).toEqual(new Map());
  });

  test('a data key that is wrapped again is under the newest generation, and has the same value', async () => {
    await world.lab.account('rewrapped', 'contoso');
    const { wrapped, plain } = await generated('rewrapped', { a: 'b' });
    await rotated('rewrapped');
    const contextHash = contextHashOf({ a: 'b' });
    const keys = [
      { bytes: fromBase64(wrapped), contextHash },
      { bytes: fromBase64(wrapped), contextHash: noContext },
    ];
    const { items } = await rewrapDataKeys(keys, call('rewrapped'), world.lab.service);
    expect(items.map(({ generation, failure: failed, plain: out }) => [generation, failed?.code, out])).toEqual([
      [2, undefined, undefined],
      [undefined, 'DataKeyNotAuthentic', undefined],
    ]);
    expect(await unwrapped('rewrapped', base64(items[0]?.wrapped ?? fromBase64('')), { context: { a: 'b' } })).toBe(
      plain,
    );
  });

  test('a data key whose wrapping key was edited in the record raises an alarm, and never becomes another key', async () => {
    const { lab } = world;
    await lab.account('edited', 'contoso');
    const { wrapped } = await generated('edited');
    const stored = await lab.service.accounts.read('edited');
    if (stored?.value.lifecycle !== 'active') throw new Error('There is no account.');
    const sealed = stored.value.dataKeyGenerations?.[0]?.sealed ?? '';
    const edited = `${sealed.slice(0, 60)}${sealed[60] === 'A' ? 'B' : 'A'}${sealed.slice(61)}`;
    const dataKeyGenerations = stored.value.dataKeyGenerations?.map((one) => ({ ...one, sealed: edited })) ?? [];
    await lab.service.accounts.save({ ...stored, value: { ...stored.value, dataKeyGenerations } }, []);
    const key = { bytes: fromBase64(wrapped), contextHash: noContext };
    const refusal = await failure(unwrapDataKeys([key], call('edited'), await lab.another()));
    expect(refusal).toMatchObject({ code: 'KeyMaterialMismatch' });
    expect(lab.log.some(({ message }) => message === 'An account key does not match its record')).toBe(true);
  });
});

describe('two processes that make the first data key of an account at once', () => {
  test('INV-7: two processes that make the first data key of an account at once wrap under one key: each opens what the other has wrapped', async () => {
    await world.lab.account('raced', 'contoso');
    const [one, other] = [await world.lab.another(), await world.lab.another()];
    const keys = await Promise.all([generated('raced', {}, one), generated('raced', {}, other)]);
    for (const { wrapped, plain } of keys) {
      expect(await unwrapped('raced', wrapped, { service: one })).toBe(plain);
      expect(await unwrapped('raced', wrapped, { service: other })).toBe(plain);
    }
    const created = (await auditOf(world.lab, 'raced')).filter(({ type }) => type === 'DataKeyGenerationCreated');
    expect(created).toMatchObject([{ after: '1' }]);
  });
});

describe('destroying a generation', () => {
  const usage = async (account: string) => dataKeyUsage(await world.lab.view(account), world.lab.service);
  const destroy = (account: string, generation: number, notSeenSince = world.lab.clock.now()) =>
    destroyGeneration(account, generation, notSeenSince, tester, world.lab.service);

  test('the destruction of a generation is refused for the newest, just after a rotation, and while its keys are seen; then its keys are lost, and no others', async () => {
    const { lab } = world;
    await lab.account('ending', 'contoso');
    const first = await generated('ending');
    const refusal = { code: 'Conflict', extras: { target: 'generation' } };
    expect(await failure(destroy('ending', 1))).toMatchObject(refusal);
    await rotated('ending');
    const second = await generated('ending');
    expect(await failure(destroy('ending', 1))).toMatchObject(refusal);
    lab.clock.set(lab.clock.now() + 3_600_000);
    await unwrapped('ending', first.wrapped);
    expect(await failure(destroy('ending', 1))).toMatchObject(refusal);
    expect(await failure(destroy('ending', 7))).toMatchObject({ code: 'NotFound' });
    expect(await usage('ending')).toMatchObject([
      { generation: 1, isNewest: false, lastSeenAt: lab.clock.now() },
      { generation: 2, isNewest: true },
    ]);

    lab.clock.set(lab.clock.now() + 3_600_000);
    await destroy('ending', 1);
    await destroy('ending', 1);
    expect(await usage('ending')).toMatchObject([{ generation: 1, destroyedAt: lab.clock.now() }, { generation: 2 }]);
    expect(await unwrapped('ending', first.wrapped)).toBe('DataKeyGenerationDestroyed');
    expect(await unwrapped('ending', second.wrapped)).toBe(second.plain);
    await rotated('ending');
    expect(await unwrapped('ending', first.wrapped)).toBe('DataKeyGenerationDestroyed');
    expect(await unwrapped('ending', second.wrapped)).toBe(second.plain);
    const ends = (await auditOf(lab, 'ending')).filter(({ type }) => type === 'DataKeyGenerationDestroyed');
    expect(ends).toMatchObject([{ before: '1', actor: tester }]);
  });

  test('INV-1: the pass that destroys older account keys keeps a generation of data keys, although no secret is under it', async () => {
    const { lab } = world;
    await lab.account('passed', 'contoso');
    const { wrapped, plain } = await generated('passed');
    await rotated('passed');
    let next = await rekeySecrets({ visit: 'secrets', account: 'passed' }, lab.service);
    while (next !== undefined) {
      lab.clock.set(lab.clock.now() + next.delayMs);
      next = await rekeySecrets(next.work, lab.service);
    }
    expect((await auditOf(lab, 'passed')).at(-1)?.type).toBe('OlderAccountKeysDestroyed');
    expect(await unwrapped('passed', wrapped)).toBe(plain);
  });
});

describe('the audit of data keys', () => {
  test('an account that audits its key use has each call on data keys before its answer, with a hash of each context and no context', async () => {
    const { lab } = world;
    await lab.account('audited', 'contoso');
    await patchAccount({ name: 'audited', input: { auditKeyUse: true }, actor: tester }, lab.service);
    const { wrapped } = await generated('audited', { patient: 'Jane' });
    await unwrapped('audited', wrapped, { context: { patient: 'Jane' } });
    const entries = (await auditOf(lab, 'audited')).filter(({ type }) => type === 'DataKeysUsed');
    const contexts = [Buffer.from(contextHashOf({ patient: 'Jane' })).toString('base64url')];
    expect(entries).toMatchObject([
      { operation: 'generate', count: 1, contexts, actor: tester },
      { operation: 'unwrap', count: 1, contexts, actor: tester },
    ]);
    expect(JSON.stringify(entries)).not.toContain('Jane');
  });

  test('a call on data keys that cannot be audited returns no keys, and wipes them', async () => {
    const { lab } = world;
    await lab.account('unwritten', 'contoso');
    await patchAccount({ name: 'unwritten', input: { auditKeyUse: true }, actor: tester }, lab.service);
    await generated('unwritten');
    const made: Uint8Array[] = [];
    const { accounts, random } = lab.service;
    const service = await lab.another({
      accounts: { ...accounts, save: () => Promise.reject(new Error('no more')) },
      random: {
        ...random,
        bytes(length) {
          const bytes = random.bytes(length);
          made.push(bytes);
          return bytes;
        },
      },
    });
    const input = { count: 3, length: 32, contextHash: noContext, isPlain: true };
    await failure(generateDataKeys(input, call('unwritten'), service));
    const keys = made.filter(({ length }) => length === 32);
    expect(keys).toHaveLength(3);
    expect(keys.every((key) => key.every((byte) => byte === 0))).toBe(true);
  });
});

describe('a call on data keys of a warm process', () => {
  test('a call on data keys of a warm process costs what docs/costs.md says: no call to a vault, and the read of the watch under a customer key', async () => {
    const { lab } = world;
    await lab.account('cheap', 'contoso');
    await lab.account('cheap-cmk', 'contoso', await lab.vaultWithKey('cheap-kv'));
    const unwraps = async () => (await lab.keyVault<{ total: number }>('GET', '/requests')).total;
    for (const [account, reads] of [
      ['cheap', 0],
      ['cheap-cmk', 1],
    ] as const) {
      const service = await lab.another();
      const { wrapped } = await generated(account, {}, service);
      await unwrapped(account, wrapped, { service });
      await keyStatusNow(account, undefined, service);
      await Promise.all([lab.service.overview.settled(), service.overview.settled()]);
      const before = [lab.tableRequests(), await unwraps()];
      await generated(account, {}, service);
      await unwrapped(account, wrapped, { service });
      await keyStatusNow(account, undefined, service);
      expect([lab.tableRequests(), await unwraps()]).toEqual([(before[0] ?? 0) + 3 * reads, before[1]]);
    }
  });
});
