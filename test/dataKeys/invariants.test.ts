/** The invariants of DESIGN.md section 4 where data keys and key statuses could break them. */
import { describe, expect, test } from 'vitest';
import type { TableName } from '../../src/azure/tableNames.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { base64 } from '../../src/core/base/bytes.ts';
import { generateDataKeys, rewrapDataKeys, unwrapDataKeys, wrapDataKeys } from '../../src/core/dataKeys/dataKeys.ts';
import { contextHashOf } from '../../src/core/dataKeys/encryptionContext.ts';
import { keyStatusNow } from '../../src/core/dataKeys/keyStatus.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { failure, useLab } from '../lab.ts';

const world = useLab();
const patient = 'jane-doe-of-row-42';
const contextHash = contextHashOf({ patient });
const plainInput = { count: 1, length: 32, contextHash, isPlain: true };
const tables: TableName[] = [
  ...(['accounts', 'bindings', 'vaults', 'directory', 'claims'] as const),
  ...(['rings', 'service', 'outbox', 'operations'] as const),
];

/** An account under a customer key, with one data key. */
async function withDataKey(name: string) {
  const { lab } = world;
  const { service } = lab;
  await lab.account(name, 'contoso', await lab.vaultWithKey(`${name}-kv`));
  const call = { account: name, actor: tester };
  const { items } = await generateDataKeys(plainInput, call, service);
  const [{ plain, wrapped } = {}] = items;
  if (plain === undefined || wrapped === undefined) throw new Error('No data key was generated.');
  const key = { bytes: wrapped, contextHash };
  const calls = {
    generate: () => generateDataKeys(plainInput, call, service),
    generateWithoutPlaintext: () => generateDataKeys({ ...plainInput, isPlain: false }, call, service),
    wrap: () => wrapDataKeys([{ bytes: new Uint8Array(32), contextHash }], call, service),
    unwrap: () => unwrapDataKeys([key], call, service),
    rewrap: () => rewrapDataKeys([key], call, service),
    keyStatus: () => keyStatusNow(name, undefined, service),
  };
  const setEnabled = (enabled: boolean) => lab.keyVault('PATCH', `/vaults/${name}-kv/keys/cmk`, { enabled });
  return { plain: Buffer.from(plain), wrapped, calls, setEnabled };
}

test('INV-3: every call on data keys and the key status of an inaccessible account are refused with cause, since and remedy, and served again after it', async () => {
  const { calls, setEnabled } = await withDataKey('blocked');
  await setEnabled(false);
  await world.lab.advance(120_000);
  for (const [operation, call] of Object.entries(calls)) {
    const [since, remedy] = [expect.any(String), expect.stringContaining('az keyvault key set-attributes')];
    const refusal = {
      code: 'CustomerKeyInaccessible',
      extras: { info: { cause: 'KeyDisabled', since, remedy } },
    };
    expect(await failure(call()), operation).toMatchObject(refusal);
  }
  await setEnabled(true);
  await world.lab.advance(120_000);
  for (const call of Object.values(calls)) await call();
});

test('INV-4: no data key is generated, wrapped or unwrapped under a lease that has ended, and each answer ends with its lease', async () => {
  const { lab } = world;
  const { calls, setEnabled } = await withDataKey('leased');
  const { term } = await calls.generate();
  expect(term.notAfter - lab.clock.now()).toBeLessThanOrEqual(300_000);
  await setEnabled(false);
  // No look confirms the denial, so only the lease ends the use of the account key.
  lab.clock.set(term.notAfter - 1);
  expect((await calls.unwrap()).term.notAfter).toBeLessThanOrEqual(term.notAfter);
  lab.clock.set(term.notAfter + 1);
  for (const [operation, call] of Object.entries(calls))
    expect(await failure(call()), operation).toMatchObject({ code: 'CustomerKeyUnreachable' });
});

test('INV-9: no row of any table and no log line holds a data key, its wrapped form or its encryption context', async () => {
  const { lab } = world;
  const { plain, wrapped, calls } = await withDataKey('silent');
  await patchAccount({ name: 'silent', input: { auditKeyUse: true }, actor: tester }, lab.service);
  for (const call of Object.values(calls)) await call();
  await failure(unwrapDataKeys([{ bytes: wrapped, contextHash }], { account: 'none', actor: tester }, lab.service));
  const said = lab.log.map((line) => JSON.stringify(line));
  for (const name of tables) {
    await lab.table(name).createTable();
    for await (const row of lab.table(name).listEntities()) said.push(JSON.stringify(row));
  }
  const unpadded = (bytes: Uint8Array) => base64(bytes).replace(/.=*$/, '');
  const hidden = [unpadded(plain), plain.toString('hex'), plain.toString('latin1'), unpadded(wrapped), patient];
  for (const form of hidden) expect(said.filter((one) => one.includes(form))).toEqual([]);
  // The search works: the hash of the context is in the audit, and the account's name is in the log.
  for (const form of [Buffer.from(contextHash).toString('base64url'), 'Data keys used'])
    expect(said.some((one) => one.includes(form))).toBe(true);
});

describe('INV-12: a key that was just disabled, while the lease of its account still serves data keys', () => {
  test('INV-12: a key that was just disabled allows neither a new account key nor a change to the system key, and no new generation wraps data keys', async () => {
    const { lab } = world;
    const { calls, setEnabled, plain } = await withDataKey('revoked');
    await setEnabled(false);
    expect(Buffer.from((await calls.unwrap()).items[0]?.plain ?? []).equals(plain)).toBe(true);
    const moves = [
      () => rotateAccountKey('revoked', {}, tester, lab.service),
      () =>
        patchAccount(
          {
            name: 'revoked',
            input: { encryption: { type: 'SystemKey' } },
            actor: tester,
            permissions: { mayRelease: true },
          },
          lab.service,
        ),
    ];
    for (const move of moves) expect(await failure(move())).toMatchObject({ code: 'CustomerKeyUnreachable' });
    const { items } = await calls.rewrap();
    expect(items).toMatchObject([{ generation: 1, seen: 1 }]);
    const { record } = await lab.view('revoked');
    expect(record.dataKeyGenerations?.map(({ generation }) => generation)).toEqual([1]);
  });
});

test('INV-13: a forged time of last use is reported, and the generation counts as seen when the row was written', async () => {
  const { lab } = world;
  await withDataKey('forged').then(({ calls }) => calls.unwrap());
  const { record } = await lab.view('forged');
  const rowKey = `dataKeys:${record.instanceId}:0000000001`;
  const table = lab.table('accounts');
  const row = await table.getEntity<{ data: string }>('forged', rowKey);
  await table.updateEntity({ partitionKey: 'forged', rowKey, data: row.data.replace(/"at":\d+/, '"at":1') }, 'Merge');
  const seen = await lab.service.dataKeyUse.lastSeen('forged', record.instanceId);
  expect(seen.get(1)).toBeGreaterThan(Date.parse('2020-01-01'));
  expect(lab.log.map(({ message }) => message)).toContain('A stored row is not as Keyward wrote it');
});
