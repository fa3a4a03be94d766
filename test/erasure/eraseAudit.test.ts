/** The erasure of a deleted account's audit, on a laboratory's real tables. */
import { expect, test } from 'vitest';
import { tableNames } from '../../src/azure/tableNames.ts';
import { deleteAccount } from '../../src/core/accounts/deleteAccount.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { verifyAllChains } from '../../src/core/attestation/verifyAllChains.ts';
import { type AuditEntry, hashOf } from '../../src/core/audit/auditEntry.ts';
import type { Actor } from '../../src/core/audit/auditFacts.ts';
import { accountChain, instancesOf, ownChain } from '../../src/core/audit/chains.ts';
import { verifyChain } from '../../src/core/audit/verifyChain.ts';
import { createLink, openLink } from '../../src/core/customerPage/customerLink.ts';
import { eraseAudit } from '../../src/core/erasure/eraseAudit.ts';
import { readTimeline } from '../../src/core/overview/timeline.ts';
import { refOf } from '../../src/core/secrets/readSecret.ts';
import { putSecret } from '../../src/core/secrets/writeSecret.ts';
import type { Service } from '../../src/core/service.ts';
import { releaseClaim } from '../../src/core/vaultWork/releaseClaim.ts';
import { erasureRoutes } from '../../src/functions/http/audit/erasure.ts';
import { accountEntries, ownEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { dying } from '../dying.ts';
import { failure, useLab } from '../lab.ts';
import { bytes } from '../secrets/support.ts';

const minute = 60_000;
const world = useLab();
const principal = (id: string): Actor => ({ kind: 'principal', id });
const later = (ms: number) => world.lab.clock.set(world.lab.clock.now() + ms);
const erase = (name: string, id: string, service: Service = world.lab.service) => eraseAudit(name, id, tester, service);

/** `<table>/<partition key>/<row key>` of each row that has one of the texts anywhere. */
async function rowsWith(...texts: string[]): Promise<string[]> {
  await world.lab.service.overview.settled();
  const found: string[] = [];
  for (const name of tableNames) {
    const table = world.lab.table(name);
    // A table exists from its first use on.
    await table.createTable();
    for await (const entity of table.listEntities()) {
      const row = JSON.stringify(entity);
      if (texts.some((text) => row.includes(text))) found.push(`${name}/${entity.partitionKey}/${entity.rowKey}`);
    }
  }
  return found;
}

async function verification(name: string, id: string) {
  const { service } = world.lab;
  const [account, own] = [await accountChain(name, id, service), ownChain(service)];
  return [(await verifyChain(account, {}, service)).result, (await verifyChain(own, {}, service)).result];
}

/** An account whose owner and actor are in every place that names them, deleted. Returns its id. */
async function lived(name: string, owner: string, person: string, keyIdentifier?: string): Promise<string> {
  const { lab } = world;
  const actor = principal(person);
  await lab.service.refusedCalls.audit({ asked: 'ReleaseToSystemKey', account: name }, 'AuthorizationFailed', actor);
  const identity = { useSystemAssignedIdentity: true } as const;
  const encryption =
    keyIdentifier === undefined ? {} : { encryption: { type: 'CustomerKey', keyIdentifier, identity } as const };
  const { view } = await putAccount({ name, input: { owner, location, ...encryption }, actor }, lab.service);
  await patchAccount({ name, input: { tags: { contact: `${person}@example.org` } }, actor }, lab.service);
  await putSecret(
    refOf(name, 'tokenKeys', 'one'),
    { name: 'one', value: { given: bytes('v') } },
    {},
    lab.service,
    actor,
  );
  const { token } = await createLink(owner, 1, actor, lab.service);
  await openLink(token, 'customerKeys', lab.service);
  await deleteAccount(name, {}, actor, lab.service);
  return view.record.instanceId;
}

test('INV-6: after an erasure no row of any table has the owner, an actor or a tag, every chain verifies, and other accounts keep their actors', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('doe-kv');
  const person = '7f3c1d52-aaaa-4f0a-8c53-4d9c1f6f0001';
  const id = await lived('gone', 'doe-family', person, key);
  await createLink('fabrikam', 1, tester, lab.service);
  await lab.service.erasure.putWaiting({
    id: 'w1',
    chain: id,
    subject: { kind: 'account', name: 'gone', owner: 'doe-family' },
    first: 1,
    hashes: ['h'],
    at: lab.clock.now(),
  });
  const before = await rowsWith('doe-family', person);
  for (const table of ['accounts', 'claims', 'service', 'outbox', 'overview'])
    expect(before.map((row) => row.split('/')[0])).toContain(table);
  const headBefore = (await accountEntries('gone', id, lab.service)).at(-1)?.hash;

  later(16 * minute);
  const partial = await erase('gone', id);
  expect(partial).toMatchObject({
    result: 'partial',
    left: [{ reason: 'ClaimOfOwner', item: 'vault/doe-kv.vault.azure.net' }],
  });
  expect(await verification('gone', id)).toEqual(['whole', 'whole']);
  later(61 * minute);
  await releaseClaim({ kind: 'vault', value: 'doe-kv.vault.azure.net' }, tester, lab.service);
  const done = await erase('gone', id);
  expect(done).toMatchObject({ result: 'erased', left: [] });
  for (const result of [partial, done])
    expect(erasureRoutes[0]?.contract?.answers[200]?.parse({ accountId: id, ...result })).toMatchObject(result);

  expect(await rowsWith('doe-family', person)).toEqual([]);
  expect(await verification('gone', id)).toEqual(['whole', 'whole']);
  expect((await accountEntries('gone', id, lab.service)).at(-1)?.hash).toBe(headBefore);
  while (await verifyAllChains(lab.service));
  expect((await lab.service.verifications.read())?.value?.last).toMatchObject({ brokenCount: 0 });
  const [instance] = (await instancesOf('gone', { limit: 10 }, lab.service)).instances;
  expect(instance).toMatchObject({ instanceId: id, owner: '(erased)', erasedAt: expect.any(Number) });

  const own = await ownEntries(lab.service);
  expect(own.filter(({ type }) => type === 'LinkCreated')).toMatchObject([
    { erased: expect.any(String) },
    { actor: tester, owners: ['fabrikam'] },
  ]);
  expect(own.filter(({ type }) => type === 'AuditErased')).toMatchObject(
    [1, 2].map(() => ({ actor: tester, account: 'gone', accountId: id })),
  );
  const span = { order: 'oldest', from: lab.clock.now() - 1440 * minute, to: lab.clock.now() + 1, limit: 100 } as const;
  const { entries } = await readTimeline({ account: 'gone' }, span, lab.service);
  expect(entries.map(({ entry }) => entry.type)).toEqual(
    (await accountEntries('gone', id, lab.service)).map(({ type }) => type),
  );
  for (const { entry, owner } of entries) {
    expect(owner).toBe('(erased)');
    if (entry.actor.kind !== 'keyward') expect(entry).toMatchObject({ erased: true });
    expect(entry).not.toHaveProperty('salt');
  }
});

test('an erasure is refused for an account that is present, was deleted just now, or never was, and changes nothing', async () => {
  const { lab } = world;
  const { record } = await lab.account('alive', 'alive-owner');
  const never = '00000000-0000-4000-8000-000000000000';
  expect(await failure(erase('alive', record.instanceId))).toMatchObject({ code: 'Conflict' });
  expect(await failure(erase('alive', never))).toMatchObject({ code: 'NotFound' });
  await deleteAccount('alive', {}, tester, lab.service);
  later(15 * minute - 1);
  expect(await failure(erase('alive', record.instanceId))).toMatchObject({ code: 'Conflict' });
  expect((await accountEntries('alive', record.instanceId, lab.service)).map(({ actor }) => actor)).toContainEqual(
    tester,
  );
  expect((await ownEntries(lab.service)).filter(({ account }) => account === 'alive')).toEqual([]);
});

test('an erasure leaves what names an owner that has another account, and says which', async () => {
  const { lab } = world;
  const id = await lived('first-of-two', 'shared-owner', 'shared-person');
  await lab.account('second-of-two', 'shared-owner');
  later(16 * minute);
  expect(await erase('first-of-two', id)).toMatchObject({
    result: 'partial',
    left: [{ reason: 'OwnerHasAccounts', item: 'second-of-two' }],
  });
  const rows = await rowsWith('shared-owner');
  expect(rows.filter((row) => row.includes('first-of-two'))).toEqual([]);
  expect(rows).toContain('accounts/second-of-two/record');
  expect((await ownEntries(lab.service)).some(({ owners }) => owners?.includes('shared-owner'))).toBe(true);
});

test('INV-6: an erasure leaves an entry that another writer has changed, names it, and does not make it valid', async () => {
  const { lab } = world;
  const id = await lived('tampered', 'tampered-owner', 'tampered-person');
  const rowKey = `audit:${id}:0000000002`;
  const { data } = await lab.table('accounts').getEntity<{ data: string }>('tampered', rowKey);
  const edited = { partitionKey: 'tampered', rowKey, data: data.replace('tampered-person', 'mallory') };
  await lab.table('accounts').updateEntity(edited, 'Merge');
  later(16 * minute);
  expect(await erase('tampered', id)).toMatchObject({
    result: 'partial',
    left: [{ reason: 'Damaged', item: `${id}/2` }],
  });
  // The time line had a copy of the entry, from before the change.
  expect(await rowsWith('tampered-person', 'mallory')).toEqual([`accounts/tampered/${rowKey}`]);
  const found = await verifyChain(await accountChain('tampered', id, lab.service), {}, lab.service);
  expect(found).toMatchObject({ result: 'broken', broken: { sequence: 2, flaw: 'Edited' } });
});

test('INV-6: an erasure leaves an entry of an earlier version, and no other row names its actor', async () => {
  const { lab } = world;
  const id = await lived('older', 'older-owner', 'older-person');
  const rowKey = `audit:${id}:0000000002`;
  const { data } = await lab.table('accounts').getEntity<{ data: string }>('older', rowKey);
  const { salt: _, format: __, hash: ___, ...body } = JSON.parse(data) as AuditEntry;
  const { audit } = await lab.service.rings('fresh');
  const older = { ...body, hash: hashOf(body, audit.kek(body.keyGeneration)) };
  await lab.table('accounts').updateEntity({ partitionKey: 'older', rowKey, data: JSON.stringify(older) }, 'Merge');
  expect((await rowsWith('older-person')).some((row) => row.startsWith('overview/'))).toBe(true);
  later(16 * minute);
  for (let call = 1; call <= 2; call++)
    expect(await erase('older', id), `call ${call}`).toMatchObject({
      result: 'partial',
      left: [{ reason: 'OlderFormat', item: `${id}/2` }],
    });
  expect(await rowsWith('older-person')).toEqual([`accounts/older/${rowKey}`]);
});

test('INV-6: an erasure that needs several calls continues in either chain, and its last call names the entries that the first ones left', async () => {
  const { lab } = world;
  const id = await lived('long', 'long-owner', 'long-person');
  const [own] = await ownEntries(lab.service);
  if (own === undefined) throw new Error('The service has no entry.');
  const places = [
    { table: lab.table('accounts'), partitionKey: 'long', rowKey: `audit:${id}:0000000001` },
    { table: lab.table('service'), partitionKey: own.chain, rowKey: `audit:${own.chain}:0000000001` },
  ];
  const restorations: (() => Promise<unknown>)[] = [];
  for (const { table, ...key } of places) {
    const { data } = await table.getEntity<{ data: string }>(key.partitionKey, key.rowKey);
    await table.updateEntity({ ...key, data: data.replace('"type":"', '"type":"X') }, 'Merge');
    restorations.push(() => table.updateEntity({ ...key, data }, 'Merge'));
  }
  later(16 * minute);

  // Each look at the clock is 100 s after the one before, so each call erases one page.
  let elapsed = 0;
  const monotonic = () => {
    elapsed += 100_000;
    return elapsed;
  };
  const { accounts, serviceAudit, clock } = lab.service;
  const slow: Service = {
    ...lab.service,
    clock: { ...clock, monotonic },
    accounts: { ...accounts, audit: (name, of, page) => accounts.audit(name, of, { ...page, limit: 2 }) },
    serviceAudit: { ...serviceAudit, audit: (page) => serviceAudit.audit({ ...page, limit: 10 }) },
  };
  const results = [];
  do results.push(await erase('long', id, slow));
  while (results.at(-1)?.result === 'unfinished' && results.length < 50);

  const left = [`${id}/1`, `${own.chain}/1`].map((item) => ({ reason: 'Damaged', item }));
  expect(results.length).toBeGreaterThan(3);
  expect(results[0]).toMatchObject({ result: 'unfinished', left: left.slice(0, 1) });
  expect(results.at(-1)).toMatchObject({ result: 'partial', left });
  const instance = async () => (await instancesOf('long', { limit: 10 }, lab.service)).instances[0];
  expect(await instance()).not.toHaveProperty('erasedAt');

  for (const restore of restorations) await restore();
  expect(await erase('long', id)).toMatchObject({ result: 'erased', left: [] });
  expect(await instance()).toMatchObject({ erasedAt: expect.any(Number) });
  expect(await rowsWith('long-owner', 'long-person')).toEqual([]);
});

test('an erasure lists the first 100 entries that it leaves, and says that there are more', async () => {
  const { lab } = world;
  const id = await lived('many', 'many-owner', 'many-person');
  later(16 * minute);
  const { accounts } = lab.service;
  const rows = Array.from({ length: 101 }, (_, index) => ({ position: index + 1, entry: { chain: id } }));
  const service: Service = { ...lab.service, accounts: { ...accounts, audit: async () => ({ rows }) } };
  const erasure = await erase('many', id, service);
  expect(erasure).toMatchObject({ result: 'partial', hasMore: true });
  expect(erasure.left.filter(({ reason }) => reason === 'Damaged')).toHaveLength(100);
  expect(erasureRoutes[0]?.contract?.answers[200]?.parse({ accountId: id, ...erasure })).toMatchObject(erasure);
});

test('INV-6: an erasure that is killed at any of its steps leaves whole chains, and the next call completes it', async () => {
  const { lab } = world;
  const { rings } = lab.service;
  const names: string[] = [];
  for (let effect = 1; ; effect++) {
    const [name, owner, person] = [`killed-${effect}`, `owner-k${effect}`, `person-k${effect}`];
    const id = await lived(name, owner, person);
    later(16 * minute);
    const { mortalPort, hasDied } = dying(effect, effect % 2 === 0 ? 'before' : 'after');
    const { erasure, timelineIndex, serviceAudit, customerLinks } = lab.service;
    const ports = { erasure, timelineIndex, serviceAudit, customerLinks };
    const mortal = Object.fromEntries(Object.entries(ports).map(([port, real]) => [port, mortalPort(real)]));
    const other = await lab.another({ ...mortal, rings });
    if (!hasDied()) await erase(name, id, other).catch(() => undefined);
    const isDone = !hasDied();
    expect(await verification(name, id), `effect ${effect}`).toEqual(['whole', 'whole']);
    expect(await erase(name, id), `effect ${effect}`).toMatchObject({ result: 'erased' });
    names.push(owner, person);
    if (isDone) break;
  }
  expect(names.length).toBeGreaterThan(16);
  expect(await rowsWith(...names)).toEqual([]);
});
