import { describe, expect, it } from 'vitest';
import { KeyMaterialMismatch } from '../../src/core/envelope.ts';
import { Unavailable } from '../../src/core/errors.ts';
import type { KeyVault } from '../../src/core/ports.ts';
import { loadRing, type RingName, type RingRow } from '../../src/core/ring.ts';
import { start } from './builders.ts';
import { failing, operatorKey, ringStage, vaultWith } from './ringPorts.ts';
import { decrypted, encrypted, fixtureKey } from './rsaFixtures.ts';

const [oldKey, newKey] = [fixtureKey(0), fixtureKey(1)];
const oldVersion = '0'.repeat(32);
const newVersion = '1'.repeat(32);
const keys = new Map([
  [oldVersion, oldKey],
  [newVersion, newKey],
]);

/** 01, ring, generation, KEK, as ring.ts and docs/envelope.md say. */
const payload = (ring: number, generation: number, fill: number, length = 32, format = 1) =>
  Uint8Array.from([format, ring, 0, 0, 0, generation, ...new Array<number>(length).fill(fill)]);

function row(changes: Partial<RingRow> & { plain?: Uint8Array; by?: typeof oldKey }): RingRow {
  const { plain = payload(1, 1, 0xaa), by = oldKey, ...rest } = changes;
  return {
    isFirst: false,
    ring: 'system',
    generation: 1,
    keyVersion: oldVersion,
    wrapped: encrypted(by, plain),
    createdAt: start,
    ...rest,
  };
}

const load = (stored: RingRow[], keyVault: KeyVault = vaultWith(keys), ring: RingName = 'system') =>
  loadRing(ring, operatorKey, ringStage({ keyVault, stored, hasAccounts: true }));

describe('INV-11: the first start', () => {
  it.each<[RingName, number]>([
    ['system', 1],
    ['at-rest', 2],
    ['audit', 3],
  ])('makes the %s ring: one KEK, wrapped by the latest version', async (ring, code) => {
    const stage = ringStage({ keyVault: vaultWith(keys) });
    const { newest, kek } = await loadRing(ring, operatorKey, stage);
    expect(stage.stored).toMatchObject([
      { ring, generation: 1, keyVersion: newVersion, isFirst: true, createdAt: start },
    ]);
    const wrapped = stage.stored[0]?.wrapped ?? new Uint8Array();
    expect(decrypted(newKey, wrapped)).toEqual(Uint8Array.from([1, code, 0, 0, 0, 1, ...newest.key]));
    expect(newest.generation).toBe(1);
    expect(new Set(newest.key).size).toBeGreaterThan(8);
    expect(kek(1)).toBe(newest);
    expect(() => kek(2)).toThrow(KeyMaterialMismatch);
  });

  it('is no other start: the ring is the same afterwards, and nothing is written', async () => {
    const stage = ringStage({ keyVault: vaultWith(keys) });
    const first = await loadRing('system', operatorKey, stage);
    const second = await loadRing('system', operatorKey, stage);
    expect(second.newest).toEqual(first.newest);
    expect(stage.inserts).toHaveLength(1);
  });

  it('of two processes at once makes one ring', async () => {
    const stage = ringStage({ keyVault: vaultWith(keys) });
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => loadRing('system', operatorKey, stage)));
    expect(stage.inserts).toHaveLength(3);
    expect(stage.stored).toHaveLength(1);
    expect(b?.newest).toEqual(a?.newest);
    expect(c?.newest).toEqual(a?.newest);
  });

  it('of two processes makes one ring though the key was rotated between them and the slower one is late', async () => {
    const quick = ringStage({ keyVault: vaultWith(new Map([[oldVersion, oldKey]])) });
    const quickStart = Promise.withResolvers<void>();
    const insert = async (made: RingRow) => {
      await quickStart.promise;
      return quick.rings.insert({ ...made, createdAt: start + 500 });
    };
    const slow = { ...quick, keyVault: vaultWith(keys), rings: { ...quick.rings, insert } };
    const late = loadRing('system', operatorKey, slow);
    const first = await loadRing('system', operatorKey, quick);
    quickStart.resolve();
    expect((await late).newest).toEqual(first.newest);
    expect((await loadRing('system', operatorKey, slow)).newest).toEqual(first.newest);
    expect(quick.stored).toHaveLength(1);
  });

  it('is none beside stored accounts: a missing ring is refused, and none is made', async () => {
    const stage = ringStage({ keyVault: vaultWith(keys), hasAccounts: true });
    await expect(loadRing('system', operatorKey, stage)).rejects.toMatchObject({
      ...{ name: 'Unavailable', code: 'ServiceUnavailable', retryAfterSeconds: 60 },
    });
    expect(stage.inserts).toEqual([]);
  });

  it('INV-1: stores nothing when the vault opens the KEK to other bytes', async () => {
    const vault = vaultWith(keys);
    const wrong: KeyVault = {
      ...vault,
      unwrap: async () => ({ ok: true, value: new Uint8Array(38), observed: { durationMs: 1 } }),
    };
    const stage = ringStage({ keyVault: wrong });
    await expect(loadRing('system', operatorKey, stage)).rejects.toThrow(KeyMaterialMismatch);
    expect(stage.inserts).toEqual([]);
  });

  it.each(['describe', 'unwrap'] as const)('stores nothing when the vault does not answer to %s', async (call) => {
    const vault = { ...vaultWith(keys), [call]: async () => failing('VaultTimeout') };
    const stage = ringStage({ keyVault: vault });
    const refused = await loadRing('system', operatorKey, stage).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Unavailable);
    expect(refused).toMatchObject({ code: 'ServiceUnavailable', extras: { info: { cause: 'VaultTimeout' } } });
    expect(stage.inserts).toEqual([]);
  });
});

describe('a stored ring', () => {
  it('gives each generation its KEK, and the newest to seal with', async () => {
    const second = row({ generation: 2, plain: payload(1, 2, 0xbb), by: newKey, keyVersion: newVersion });
    const { newest, kek } = await load([second, row({})]);
    expect(newest).toEqual({ generation: 2, key: new Uint8Array(32).fill(0xbb) });
    expect(kek(1)).toEqual({ generation: 1, key: new Uint8Array(32).fill(0xaa) });
  });

  it('orders generations as numbers', async () => {
    const rows = [9, 10].map((n) => row({ generation: n, plain: payload(1, n, n) }));
    expect((await load(rows)).newest.generation).toBe(10);
  });

  it('takes the newest wrapping of a KEK, and never asks for the others', async () => {
    const asked: string[] = [];
    const vault = vaultWith(keys);
    const noting: KeyVault = {
      ...vault,
      unwrap: (reach, version, wrapped) => {
        asked.push(version);
        return vault.unwrap(reach, version, wrapped);
      },
    };
    await load([row({}), row({ by: newKey, keyVersion: newVersion, createdAt: start + 1 })], noting);
    expect(asked).toEqual([newVersion]);
  });

  it.each<[string, KeyVault]>([
    ['is gone', vaultWith(new Map([[oldVersion, oldKey]]))],
    ['is of another key', vaultWith(new Map([...keys, [newVersion, fixtureKey(2)]]))],
  ])('falls back to an older wrapping when the version of the newest %s', async (_, vault) => {
    const rows = [row({}), row({ by: newKey, keyVersion: newVersion, createdAt: start + 1 })];
    expect((await load(rows, vault)).newest.key).toEqual(new Uint8Array(32).fill(0xaa));
  });

  it('is unavailable when a row names another version than the one that wrapped it', async () => {
    await expect(load([row({ keyVersion: newVersion })])).rejects.toMatchObject({
      ...{ name: 'Unavailable', code: 'ServiceUnavailable', extras: { info: { cause: 'KeyMaterialMismatch' } } },
    });
  });

  it.each(['VaultTimeout', 'KeyDisabled', 'IdentityUnavailable'] as const)(
    "INV-2: is unavailable for a while, with the cause, when the operator's vault says %s",
    async (cause) => {
      const vault: KeyVault = { ...vaultWith(keys), unwrap: async () => failing(cause) };
      await expect(load([row({})], vault)).rejects.toMatchObject({
        ...{ name: 'Unavailable', code: 'ServiceUnavailable', retryAfterSeconds: 10, extras: { info: { cause } } },
      });
    },
  );

  it.each<[string, Uint8Array]>([
    ['the KEK of another ring', payload(2, 1, 0xaa)],
    ['another generation', payload(1, 2, 0xaa)],
    ['another format', payload(1, 1, 0xaa, 32, 2)],
    ['a KEK that is too short', payload(1, 1, 0xaa, 31)],
    ['a KEK that is too long', payload(1, 1, 0xaa, 33)],
    ['the bare KEK', new Uint8Array(32).fill(0xaa)],
    ['nothing', new Uint8Array(0)],
  ])('is KeyMaterialMismatch when a row opens to %s', async (_, plain) => {
    await expect(load([row({ plain })])).rejects.toThrow(KeyMaterialMismatch);
  });

  it('is no substitute for another one: a row moved from ring to ring does not open', async () => {
    await expect(load([row({ ring: 'at-rest' })], vaultWith(keys), 'at-rest')).rejects.toThrow(KeyMaterialMismatch);
  });
});
