/**
 * INV-13: a writer of the tables has replaced, set back or damaged rings. The tests show what a process finds that
 * starts afterwards.
 */
import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { ownKeyEntityOf, rowOf } from '../../src/azure/rowForm.ts';
import { wrapRsaOaep256 } from '../../src/azure/rsaWrap.ts';
import { base64, bytesOf, concat, uint32 } from '../../src/core/base/bytes.ts';
import type { RingName } from '../../src/core/base/vocabulary.ts';
import type { Kek } from '../../src/core/crypto/accountKeyEnvelope.ts';
import { requestRotation } from '../../src/core/rings/rotateRing.ts';
import type { Service } from '../../src/core/service.ts';
import { type Lab, startLab, tester } from '../../src/local/lab/lab.ts';
import { failure, keyPool } from '../lab.ts';
import { at, minutes, ringWorld, rotateWhole } from './support.ts';

let lab: Lab;
beforeEach(async () => {
  lab = await startLab({ keyPool });
  await lab.account('acme', 'contoso');
  return () => lab.stop();
});

const codes: Record<RingName, number> = { system: 1, 'at-rest': 2, audit: 3 };
const started = async (): Promise<Service> => {
  const service = await lab.another();
  await service.rings();
  return service;
};

/**
 * Replaces the ring's KEK with one of the writer's own, as a writer of the table can who has the public part of the
 * operator's key.
 */
async function exchange(ring: RingName): Promise<void> {
  const { service } = lab;
  const kek: Kek = { generation: 1, key: bytesOf(randomBytes(32)) };
  const described = await service.keyVault.describe(
    ring === 'system' ? service.operatorKeys.system : service.operatorKeys.atRest,
  );
  if (!described.ok) throw new Error('The operator’s vault answers.');
  const payload = concat(Uint8Array.of(1, codes[ring]), uint32(1), kek.key);
  const wrapped = base64(wrapRsaOaep256(described.value.publicKey, payload));
  const table = lab.table('rings');
  const there = await table.getEntity<{ data: string }>(ring, '0000000001:first');
  const row = rowOf({ partitionKey: ring, rowKey: '0000000001:first' }, { ...JSON.parse(there.data), wrapped });
  await table.updateEntity(ownKeyEntityOf('rings', row, kek), 'Replace');
}

describe('a process that starts', () => {
  test.each<RingName>(['audit', 'at-rest', 'system'])(
    'INV-13: a starting process refuses a %s ring that was replaced, because no KEK proves its origin, or it proves that of none',
    async (ring) => {
      await exchange(ring);
      expect((await failure(started())).message).toMatch(/was not made by this service/);
    },
  );

  test('INV-13: a starting process refuses a wrapping whose facts were edited', async () => {
    const table = lab.table('rings');
    const { data } = await table.getEntity<{ data: string }>('system', '0000000001:first');
    const edited = data.replace('"isFirst":true', '"isFirst":false');
    await table.updateEntity({ partitionKey: 'system', rowKey: '0000000001:first', data: edited }, 'Merge');
    expect((await failure(started())).message).toMatch(/was edited/);
  });

  test.each([
    ['a row that is not JSON', { v: 1, data: '{' }],
    ['a row of an unknown form', { v: 9, data: '{}' }],
    [
      'a wrapping of a generation that is none',
      { v: 3, data: '{"ring":"system","generation":"x","wrapped":""}', mac: '' },
    ],
  ])('INV-13: %s among the rows of a ring do not stop a starting process', async (_, row) => {
    await lab.table('rings').createEntity({ partitionKey: 'system', rowKey: '0000000009:x', ...row });
    await started();
  });
});

describe('a KEK that was rotated out', () => {
  /** Rotated while the older KEK still exists: only the state of the ring keeps that KEK from encrypting. */
  async function activated(): Promise<{ readonly before: Record<string, unknown> }> {
    const rings = await ringWorld(lab);
    await lab.service.rings();
    await requestRotation('system', tester, rings.service);
    const before = await lab.table('rings').getEntity('system', 'state');
    await rings.advance(7 * minutes);
    const { sealsWith } = at(await (await started()).rings(), 'system');
    expect(sealsWith).toBe(2);
    return { before };
  }
  const expectNewest = async () => expect(at(await (await started()).rings(), 'system').newest.generation).toBe(2);

  test('INV-13: a KEK that was rotated out never encrypts again when the state of its ring is set back', async () => {
    const { before } = await activated();
    await lab.table('rings').updateEntity({ ...before, partitionKey: 'system', rowKey: 'state' }, 'Replace');
    await expectNewest();
    const message = 'Rejected a ring state that names an older generation than the audit chain';
    expect(lab.log).toContainEqual({ level: 'error', message, fields: { ring: 'system' } });
  });

  test('INV-13: a KEK that was rotated out never encrypts again when the state of its ring is deleted', async () => {
    await activated();
    await lab.table('rings').deleteEntity('system', 'state');
    await expectNewest();
  });

  test('INV-13: a KEK that was rotated out never encrypts again when the state is deleted and the head of the service’s chain is set back', async () => {
    const { before } = await activated();
    expect(before).toBeDefined();
    await lab.table('rings').deleteEntity('system', 'state');
    await lab.table('service').deleteEntity('service', 'head');
    await expectNewest();
    const message = 'The head of the audit chain of the service is not its last entry';
    expect(lab.log.map((line) => line.message)).toContain(message);
  });

  test('INV-13: no older KEK replaces the newest when its rows are deleted: nothing is encrypted', async () => {
    await activated();
    const table = lab.table('rings');
    await table.deleteEntity('system', 'state');
    await table.deleteEntity('system', '0000000002:first');
    expect((await failure(started())).message).toMatch(/Generation 2 of the system ring, which encrypts, is missing/);
  });
});

test('INV-13: a damaged state of a ring is replaced when a rotation is requested, and the rotation ends', async () => {
  const rings = await ringWorld(lab);
  await rotateWhole('system', rings);
  await lab.table('rings').updateEntity({ partitionKey: 'system', rowKey: 'state', data: '{"sealing":1}' }, 'Merge');
  await rotateWhole('system', rings);
  const { sealsWith } = at(await (await started()).rings(), 'system');
  expect(sealsWith).toBe(3);
});

test('INV-13: a process that starts after all rings were rotated, in any order, accepts every ring', async () => {
  const rings = await ringWorld(lab);
  for (const ring of ['at-rest', 'system', 'audit', 'system', 'at-rest'] as const) await rotateWhole(ring, rings);
  const fresh = await (await started()).rings();
  expect(['system', 'at-rest', 'audit'].map((ring) => at(fresh, ring as RingName).sealsWith)).toEqual([3, 3, 2]);
});

test('INV-13: foreign rows in the place of the next KEK, and with the largest number, stop no rotation of a ring', async () => {
  const rings = await ringWorld(lab);
  await rings.service.rings();
  const table = lab.table('rings');
  const foreign = { partitionKey: 'audit', v: 3, mac: 'x' };
  const largest = {
    ring: 'audit',
    generation: Number.MAX_SAFE_INTEGER,
    wrapped: 'AAAA',
    key: 'k',
    isFirst: true,
    createdAt: 0,
  };
  await table.createEntity({
    ...foreign,
    rowKey: '0000000002:first',
    data: JSON.stringify({ ...largest, generation: 7 }),
  });
  await table.createEntity({ ...foreign, rowKey: `${largest.generation}:first`, data: JSON.stringify(largest) });
  await rotateWhole('audit', rings);
  expect((await rings.service.rings('fresh')).audit.newest.generation).toBe(2);
  expect(lab.log).toContainEqual({
    level: 'error',
    message: 'A stored row is not as Keyward wrote it',
    fields: { row: 'rings/audit/0000000002:first' },
  });
});
