/** The daily verification of all chains, and the checkpoints that it signs. */
import { HttpRequest } from '@azure/functions';
import { beforeEach, describe, expect, test } from 'vitest';
import type { TableName } from '../../src/azure/tableNames.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount } from '../../src/core/accounts/putAccount.ts';
import { hashOfCheckpoint } from '../../src/core/attestation/checkpoint.ts';
import { reportLateVerification, verifyAllChains } from '../../src/core/attestation/verifyAllChains.ts';
import { recordForService } from '../../src/core/audit/serviceAudit.ts';
import { overviewRoutes } from '../../src/functions/http/overview/overview.ts';
import { type Lab, startLab, tester } from '../../src/local/lab/lab.ts';
import { textsIn, verifyText } from '../../tools/verifyReceipt.ts';
import { keyPool } from '../lab.ts';

const hours = 3_600_000;
let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ keyPool });
  await lab.account('acme', 'contoso', await lab.vaultWithKey('acme-keys'));
  await lab.account('gone', 'fabrikam');
  await deleteAccount('gone', {}, tester, lab.service);
  await recordForService([{ type: 'ClaimReleased', actor: tester, claim: 'vault/a' }], lab.service);
  return () => lab.stop();
});

async function run() {
  for (let more = true; more; ) more = await verifyAllChains(lab.service);
  const { last } = (await lab.service.verifications.read())?.value ?? {};
  if (last === undefined) throw new Error('The run has finished.');
  return last;
}
const nextDay = () => lab.clock.set(lab.clock.now() + 24 * hours);
const checkpoints = async () => (await lab.service.verifications.checkpoints(100)).rows;

interface Entity extends Record<string, unknown> {
  partitionKey: string;
  rowKey: string;
}

/** All rows of a table in a partition, as a writer of the tables has copied them. */
async function copyOf(table: TableName, partitionKey: string): Promise<Entity[]> {
  const rows: Entity[] = [];
  for await (const row of lab
    .table(table)
    .listEntities({ queryOptions: { filter: `PartitionKey eq '${partitionKey}'` } }))
    rows.push(row as Entity);
  return rows;
}

async function restore(table: TableName, partitionKey: string, rows: readonly Entity[]): Promise<void> {
  for (const { rowKey } of await copyOf(table, partitionKey)) await lab.table(table).deleteEntity(partitionKey, rowKey);
  for (const row of rows) await lab.table(table).createEntity(row);
}

describe('INV-13: the daily verification of all chains', () => {
  test('the daily verification covers the chains of accounts, of deleted accounts, of bindings and of the service', async () => {
    const { instanceId } = (await lab.view('acme')).record;
    expect(await run()).toMatchObject({ chains: 4, brokenCount: 0, broken: [] });
    const [first, ...more] = await checkpoints();
    expect(more).toEqual([]);
    const { claims } = await verifyText(first?.checkpoint ?? '', await lab.service.statusKeys.ever());
    const heads = claims.heads as { chain: string }[];
    expect(heads.map(({ chain }) => chain)).toEqual(expect.arrayContaining([instanceId, 'service']));
    expect(heads).toHaveLength(4);
  });

  test('one message verifies chains of several checkpoints, each of which names the one before', async () => {
    const names = Array.from({ length: 120 }, (_, n) => `many-${n}`);
    await Promise.all(names.map((name) => lab.account(name, 'contoso')));
    expect(await verifyAllChains(lab.service)).toBe(false);
    const keys = await lab.service.statusKeys.ever();
    const read = (await checkpoints()).map(async ({ checkpoint }) => (await verifyText(checkpoint, keys)).claims);
    const pages = await Promise.all(read);
    expect(pages.length).toBeGreaterThan(1);
    expect(new Set(pages.flatMap(({ heads }) => (heads as { chain: string }[]).map(({ chain }) => chain))).size).toBe(
      124,
    );
    const [first] = await checkpoints();
    expect(pages[1]).toMatchObject({ previous: hashOfCheckpoint(first?.checkpoint ?? '') });
  });

  test('the daily verification runs once a day, for any messages that arrive', async () => {
    const { finishedAt } = await run();
    lab.clock.set(lab.clock.now() + hours);
    expect((await run()).finishedAt).toBe(finishedAt);
    nextDay();
    expect((await run()).finishedAt).toBeGreaterThan(finishedAt);
  });

  test('INV-13: the daily verification finds an account that was set back to an older state with its audit entries', async () => {
    const before = await copyOf('accounts', 'acme');
    await patchAccount({ name: 'acme', input: { tags: { a: '1' } }, actor: tester }, lab.service);
    const { instanceId, audit } = (await lab.view('acme')).record;
    await run();
    await restore('accounts', 'acme', before);
    nextDay();
    expect(await run()).toMatchObject({
      brokenCount: 1,
      broken: [{ chain: instanceId, sequence: audit.sequence, flaw: 'Missing' }],
    });
    expect(lab.log.map(({ message }) => message)).toContain('Audit verification found a broken chain');
  });

  test('INV-13: the daily verification finds a chain all of whose rows were deleted', async () => {
    const { instanceId } = (await lab.view('acme')).record;
    await run();
    await restore('accounts', 'acme', []);
    nextDay();
    expect((await run()).broken).toEqual([{ chain: instanceId, sequence: 1, flaw: 'Missing' }]);
  });

  test('INV-13: the daily verification names an edited entry, and verifies the other chains', async () => {
    const { instanceId } = (await lab.view('acme')).record;
    const row = { partitionKey: 'acme', rowKey: `audit:${instanceId}:0000000001` };
    await lab.table('accounts').updateEntity({ ...row, data: '{"type":"AccountCreated"}' }, 'Merge');
    expect(await run()).toMatchObject({ chains: 4, broken: [{ chain: instanceId, sequence: 1, flaw: 'KeyUnknown' }] });
  });

  test('INV-13: rows of another writer do not stop the daily verification', async () => {
    await lab.table('accounts').createEntity({ partitionKey: 'Not an account', rowKey: 'audit:x', v: 1, data: '{' });
    await lab.table('accounts').createEntity({ partitionKey: 'aaa', rowKey: 'audit:x', v: 1, data: '{' });
    await lab.table('bindings').createEntity({ partitionKey: '0', rowKey: 'audit', v: 1, data: '{' });
    expect(await run()).toMatchObject({ chains: 4, brokenCount: 0 });
  });

  test('INV-13: the daily verification starts again when its stored state was edited', async () => {
    await run();
    const state = { partitionKey: 'verification', rowKey: 'state' };
    await lab.table('service').updateEntity({ ...state, data: '{"last":{}}' }, 'Merge');
    expect(await run()).toMatchObject({ chains: 4, brokenCount: 0 });
  });

  test('the daily verification logs an error when none has finished for 36 hours', async () => {
    await run();
    const late = () => lab.log.filter(({ message }) => message.startsWith('The daily verification')).length;
    await reportLateVerification(lab.service);
    expect(late()).toBe(0);
    lab.clock.set(lab.clock.now() + 37 * hours);
    await reportLateVerification(lab.service);
    expect(late()).toBe(1);
  });
});

describe('a checkpoint', () => {
  test('a checkpoint names the hash of the previous one, which the log has too', async () => {
    for (let n = 0; n < 110; n++) await lab.account(`many-${n}`, 'contoso');
    expect(await run()).toMatchObject({ chains: 114 });
    const rows = await checkpoints();
    expect(rows.map(({ page }) => page)).toEqual([1, 2]);
    const keys = await lab.service.statusKeys.ever();
    const second = await verifyText(rows[1]?.checkpoint ?? '', keys);
    expect(second.claims.previous).toBe(hashOfCheckpoint(rows[0]?.checkpoint ?? ''));
    const logged = lab.log.map(({ fields }) => fields.hash).filter((hash) => hash !== undefined);
    expect(logged).toEqual(rows.map(({ checkpoint }) => hashOfCheckpoint(checkpoint)));
  });

  test('a checkpoint does not verify when a character of it was edited, or under another key', async () => {
    await run();
    const [row] = await checkpoints();
    const [header, payload = '', signature] = (row?.checkpoint ?? '').split('.');
    const keys = await lab.service.statusKeys.ever();
    const edited = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('"page":1', '"page":2')).toString(
      'base64url',
    );
    await expect(verifyText(`${header}.${edited}.${signature}`, keys)).rejects.toThrow(/signature verification failed/);
    const other = { ...keys[0], kty: 'OKP', x: Buffer.alloc(32, 7).toString('base64url') };
    await expect(verifyText(row?.checkpoint ?? '', [other])).rejects.toThrow(/thumbprint/);
  });

  test('a checkpoint is found in a saved answer of the API', () => {
    expect(textsIn('{"value":[{"run":"x","page":1,"checkpoint":"a.b.c"}]}').texts).toEqual(['a.b.c']);
  });
});

test('the first page of the overview has the result of the last daily verification, and a page of a filter has not', async () => {
  const handler = overviewRoutes.find(({ name }) => name === 'operatorAccounts')?.handler ?? expect.fail();
  const bodyOf = async (query: string) => {
    const request = new HttpRequest({ method: 'GET', url: `https://keyward.example/api/operator/accounts${query}` });
    const answer = await handler({ request, service: lab.service, actor: tester } as Parameters<typeof handler>[0]);
    return 'jsonBody' in answer ? answer.jsonBody : expect.fail();
  };
  expect(await bodyOf('')).not.toHaveProperty('auditVerification');
  const { finishedAt, chains } = await run();
  const auditVerification = { finishedAt: new Date(finishedAt).toISOString(), chains, brokenCount: 0 };
  expect(await bodyOf('')).toMatchObject({ auditVerification });
  expect(await bodyOf('?owner=contoso')).not.toHaveProperty('auditVerification');
});
