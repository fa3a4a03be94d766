import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Unavailable } from '../../src/core/base/errors.ts';
import { type RingName, ringNames } from '../../src/core/base/vocabulary.ts';
import { type Kek, KeyMaterialMismatch } from '../../src/core/crypto/accountKeyEnvelope.ts';
import type { KeyVault } from '../../src/core/customerKey/ports.ts';
import { ringAgeMs } from '../../src/core/rings/durations.ts';
import type { Ring, Rings } from '../../src/core/rings/ring.ts';
import { createRings } from '../../src/core/rings/ringCache.ts';
import type { RingLink, RingRow } from '../../src/core/rings/storedRing.ts';
import { start } from '../builders.ts';
import { decrypted, encrypted, fixtureKey } from '../rsaFixtures.ts';
import { failing, operatorKeys, type RingStage, recoveryKey, ringStage, vaultWith } from './stage.ts';

const [oldKey, newKey] = [fixtureKey(0), fixtureKey(1)];
const oldVersion = '0'.repeat(32);
const newVersion = '1'.repeat(32);
const keys = new Map([
  [oldVersion, oldKey],
  [newVersion, newKey],
]);

const codes: Record<RingName, number> = { system: 1, 'at-rest': 2, audit: 3 };
/** 01, ring, generation, KEK: docs/envelope.md. */
const payload = (ring: number, generation: number, fill: number, length = 32, format = 1) =>
  Uint8Array.from([format, ring, 0, 0, 0, generation, ...new Array<number>(length).fill(fill)]);
const identifier = (version: string, vault = 'operator') => `https://${vault}.vault.azure.net/keys/key/${version}`;

function row(changes: Partial<RingRow> & { plain?: Uint8Array; by?: typeof oldKey }): RingRow {
  const { by = oldKey, ...rest } = changes;
  const { ring = 'system', generation = 1 } = changes;
  const { plain = payload(codes[ring], generation, 0xaa), ...about } = rest;
  const key = identifier(oldVersion);
  return {
    ring,
    generation,
    role: 'operator',
    key,
    isFirst: false,
    wrapped: encrypted(by, plain),
    createdAt: start,
    ...(generation === 1 ? firstLink(ring) : {}),
    ...about,
  };
}

const at = (rings: Rings, ring: RingName): Ring =>
  ring === 'system' ? rings.system : ring === 'at-rest' ? rings.atRest : rings.audit;
const load = async (stage: RingStage, ring: RingName = 'system') => at(await createRings(stage)(), ring);
/** HMAC-SHA-256 under the KEK that proves its origin, over length-prefixed parts: docs/envelope.md. */
const linked = (
  ring: RingName,
  generation: number,
  fill: number,
  before: number,
  by: Omit<RingLink, 'mac'> = { ring, generation: generation - 1 },
): RingLink => {
  const parts = [Buffer.from('keyward/ring-link/2'), Buffer.from(ring), Buffer.alloc(4), Buffer.alloc(32, fill)];
  parts[2]?.writeUInt32BE(generation);
  const hmac = createHmac('sha256', Buffer.alloc(32, before));
  for (const part of parts) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    hmac.update(length).update(part);
  }
  return { ...by, mac: hmac.digest('base64url') };
};

/** A KEK of the previous ring proves the origin of the first KEK of a ring. */
const ringBefore: Partial<Record<RingName, RingName>> = { 'at-rest': 'system', audit: 'at-rest' };
function firstLink(ring: RingName, fill = 0xaa): { link?: RingLink } {
  const before = ringBefore[ring];
  return before === undefined ? {} : { link: linked(ring, 1, fill, 0xaa, { ring: before, generation: 1 }) };
}

/** The given rows, beside intact other rings. */
const beside = (rows: RingRow[]) => [
  ...rows,
  ...ringNames.filter((ring) => rows.every((one) => one.ring !== ring)).map((ring) => row({ ring })),
];
const loadStored = (stored: RingRow[], keyVault: KeyVault = vaultWith(keys), ring: RingName = 'system') =>
  load(ringStage({ keyVault, stored: beside(stored), hasAccounts: true }), ring);

describe('INV-11: the first start', () => {
  it.each<[RingName, number]>([
    ['system', 1],
    ['at-rest', 2],
    ['audit', 3],
  ])('INV-11: the first start makes the %s ring: one KEK, wrapped by the latest version', async (ring, code) => {
    const stage = ringStage({ keyVault: vaultWith(keys) });
    const { newest, kek } = await load(stage, ring);
    const [made, ...more] = stage.stored.filter((one) => one.ring === ring);
    const role = 'operator';
    expect(made).toMatchObject({ generation: 1, role, key: identifier(newVersion), isFirst: true, createdAt: start });
    expect(more).toEqual([]);
    const wrapped = made?.wrapped ?? new Uint8Array();
    expect(decrypted(newKey, wrapped)).toEqual(Uint8Array.from([1, code, 0, 0, 0, 1, ...newest.key]));
    expect(newest.generation).toBe(1);
    expect(new Set(newest.key).size).toBeGreaterThan(8);
    expect(kek(1)).toEqual(newest);
    expect(() => kek(2)).toThrow(KeyMaterialMismatch);
  });

  it('INV-11: a second start changes no ring and writes nothing', async () => {
    const stage = ringStage({ keyVault: vaultWith(keys) });
    const first = await load(stage);
    const second = await load(stage);
    expect(second.newest).toEqual(first.newest);
    expect(stage.inserts).toHaveLength(3);
  });

  it('INV-11: two simultaneous first starts make one ring', async () => {
    const stage = ringStage({ keyVault: vaultWith(keys) });
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => load(stage)));
    expect(stage.inserts).toHaveLength(9);
    expect(stage.stored).toHaveLength(3);
    expect(b?.newest).toEqual(a?.newest);
    expect(c?.newest).toEqual(a?.newest);
  });

  it('INV-11: two first starts make one ring even when the key was rotated between them and the slower one is late', async () => {
    const quick = ringStage({ keyVault: vaultWith(new Map([[oldVersion, oldKey]])) });
    const quickStart = Promise.withResolvers<void>();
    const insert = async (made: RingRow, kek: Kek) => {
      await quickStart.promise;
      return quick.ringStore.insert({ ...made, createdAt: start + 500 }, kek);
    };
    const slow = { ...quick, keyVault: vaultWith(keys), ringStore: { ...quick.ringStore, insert } };
    const late = load(slow);
    const first = await load(quick);
    quickStart.resolve();
    expect((await late).newest).toEqual(first.newest);
    expect((await load(slow)).newest).toEqual(first.newest);
    expect(quick.stored).toHaveLength(3);
  });

  it('INV-11: a late first start makes no second KEK, because the row key of a deleted first wrapping stays taken', async () => {
    const quick = ringStage({ keyVault: vaultWith(keys) });
    const rewrapped = Promise.withResolvers<void>();
    const insert = async (made: RingRow, kek: Kek) => {
      await rewrapped.promise;
      return quick.ringStore.insert(made, kek);
    };
    const late = load({ ...quick, ringStore: { ...quick.ringStore, insert } });
    const first = await load(quick);
    for (const one of [...quick.stored]) {
      await quick.ringStore.insert({ ...one, isFirst: false }, first.newest);
      await quick.ringStore.remove(one);
    }
    rewrapped.resolve();
    expect((await late).newest).toEqual(first.newest);
    expect(quick.stored.map(({ isFirst }) => isFirst)).toEqual([false, false, false]);
  });

  it('INV-11: beside the marker of a wrapping no ring is made: the ring has been lost', async () => {
    const stage = ringStage({ keyVault: vaultWith(keys) });
    await load(stage);
    for (const one of [...stage.stored]) await stage.ringStore.remove(one);
    await expect(load(stage)).rejects.toMatchObject({ code: 'ServiceUnavailable', retryAfterSeconds: 60 });
    expect(stage.stored).toEqual([]);
  });

  it('INV-11: beside stored accounts a missing ring is refused, and none is made', async () => {
    const stage = ringStage({ keyVault: vaultWith(keys), hasAccounts: true });
    await expect(load(stage)).rejects.toMatchObject({
      name: 'Unavailable',
      code: 'ServiceUnavailable',
      retryAfterSeconds: 60,
    });
    expect(stage.inserts).toEqual([]);
  });

  it('INV-1: a first start stores nothing when the vault opens the KEK to other bytes', async () => {
    const vault = vaultWith(keys);
    const wrong: KeyVault = {
      ...vault,
      unwrap: async () => ({ ok: true, value: new Uint8Array(38), observed: { durationMs: 1 } }),
    };
    const stage = ringStage({ keyVault: wrong });
    await expect(load(stage)).rejects.toMatchObject({ extras: { info: { cause: 'KeyMaterialMismatch' } } });
    expect(stage.inserts).toEqual([]);
  });

  it.each(['describe', 'unwrap'] as const)(
    'INV-1: a first start stores nothing when the vault does not answer to %s',
    async (call) => {
      const vault = { ...vaultWith(keys), [call]: async () => failing('VaultTimeout') };
      const stage = ringStage({ keyVault: vault });
      const refused = await load(stage).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(Unavailable);
      expect(refused).toMatchObject({ code: 'ServiceUnavailable', extras: { info: { cause: 'VaultTimeout' } } });
      expect(stage.inserts).toEqual([]);
    },
  );
});

describe('a stored ring', () => {
  it('a stored ring has a KEK for each generation, and seals with the one that its state names, or with the lowest without a state', async () => {
    const link = linked('system', 10, 10, 9);
    const rows = [10, 9].map((n) => row({ generation: n, plain: payload(1, n, n), ...(n === 10 ? { link } : {}) }));
    const vouched = linked('at-rest', 1, 0xaa, 9, { ring: 'system', generation: 9 });
    const all = [...rows, row({ ring: 'at-rest', link: vouched })];
    const stage = ringStage({ keyVault: vaultWith(keys), stored: beside(all), hasAccounts: true });
    expect((await load(stage)).newest.generation).toBe(9);
    stage.states.set('system', { sealing: 10, since: start });
    const { newest, kek } = await load(stage);
    expect(newest).toMatchObject({ generation: 10, key: new Uint8Array(32).fill(10) });
    expect(kek(9)).toMatchObject({ generation: 9, key: new Uint8Array(32).fill(9) });
  });

  it('a process opens the newest wrapping of a KEK and calls no vault for the others', async () => {
    const asked: string[] = [];
    const vault = vaultWith(keys);
    const recording: KeyVault = {
      ...vault,
      unwrap: (keyRef, version, wrapped) => {
        asked.push(version);
        return vault.unwrap(keyRef, version, wrapped);
      },
    };
    await loadStored([row({}), row({ by: newKey, key: identifier(newVersion), createdAt: start + 1 })], recording);
    expect(asked.toSorted()).toEqual([oldVersion, oldVersion, newVersion]);
  });

  it.each<[string, KeyVault]>([
    ['is gone', vaultWith(new Map([[oldVersion, oldKey]]))],
    ['is of another key', vaultWith(new Map([...keys, [newVersion, fixtureKey(2)]]))],
  ])('a process opens an older wrapping when the version of the newest %s', async (_, vault) => {
    const rows = [row({}), row({ by: newKey, key: identifier(newVersion), createdAt: start + 1 })];
    expect((await loadStored(rows, vault)).newest.key).toEqual(new Uint8Array(32).fill(0xaa));
  });

  it('a ring is unavailable when a row names another version than the one that wrapped it', async () => {
    await expect(loadStored([row({ key: identifier(newVersion) })])).rejects.toMatchObject({
      name: 'Unavailable',
      code: 'ServiceUnavailable',
      extras: { info: { cause: 'KeyMaterialMismatch' } },
    });
  });

  it.each(['VaultTimeout', 'KeyDisabled', 'IdentityUnavailable'] as const)(
    'INV-2: a ring is unavailable for a while, with the cause, when the operator’s vault says %s',
    async (cause) => {
      const vault: KeyVault = { ...vaultWith(keys), unwrap: async () => failing(cause) };
      await expect(loadStored([row({})], vault)).rejects.toMatchObject({
        name: 'Unavailable',
        code: 'ServiceUnavailable',
        retryAfterSeconds: 10,
        extras: { info: { cause } },
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
  ])('a ring is KeyMaterialMismatch when a row opens to %s', async (_, plain) => {
    await expect(loadStored([row({ plain })])).rejects.toThrow(KeyMaterialMismatch);
  });

  it('a row that was copied from one ring to another does not open', async () => {
    await expect(
      loadStored([row({ ring: 'at-rest', plain: payload(1, 1, 0xaa) })], vaultWith(keys), 'at-rest'),
    ).rejects.toThrow(KeyMaterialMismatch);
  });
});

describe('the recovery key', () => {
  const withRecovery = { ...operatorKeys, recovery: recoveryKey };
  const recovery = ringNames.map((ring) =>
    row({ ring, role: 'recovery', key: identifier(newVersion, 'recovery'), by: newKey }),
  );
  /** Vaults, each with the given keys. */
  const vaults = (of: Record<string, Map<string, typeof oldKey>>, asked: string[] = []): KeyVault => ({
    ...vaultWith(keys),
    unwrap(keyRef, version, wrapped) {
      asked.push(keyRef.vaultName);
      return vaultWith(of[keyRef.vaultName] ?? new Map()).unwrap(keyRef, version, wrapped);
    },
  });

  it('the recovery key opens what the ring’s own key did not open, and the log says so', async () => {
    const asked: string[] = [];
    const keyVault = vaults({ recovery: new Map([[newVersion, newKey]]) }, asked);
    const stage = ringStage({ keyVault, stored: [...beside([]), ...recovery], hasAccounts: true, keys: withRecovery });
    const { system } = await createRings(stage)();
    expect(system.newest.key).toEqual(new Uint8Array(32).fill(0xaa));
    expect(system.isRestored(1)).toBe(true);
    expect(asked).toEqual([...Array(3).fill('operator'), ...Array(3).fill('recovery')]);
    expect(stage.lines.filter(({ level }) => level === 'error')).toHaveLength(3);
  });

  it('the recovery key is not used while the ring’s own key opens the ring', async () => {
    const asked: string[] = [];
    const keyVault = vaults({ operator: keys, recovery: keys }, asked);
    const stage = ringStage({ keyVault, stored: [...recovery, ...beside([])], hasAccounts: true, keys: withRecovery });
    expect((await createRings(stage)()).system.isRestored(1)).toBe(false);
    expect(asked).toEqual(['operator', 'operator', 'operator']);
  });

  it('a row that names a foreign key causes no call to that key', async () => {
    const asked: string[] = [];
    const theirs = ringNames.map((ring) => row({ ring, key: identifier(oldVersion, 'attacker') }));
    const stage = ringStage({ keyVault: vaults({ attacker: keys }, asked), stored: theirs, hasAccounts: true });
    await expect(createRings(stage)()).rejects.toThrow(/attacker.*no setting names/);
    expect(asked).toEqual([]);
  });
});

describe('the rings of a running process', () => {
  const link = linked('system', 2, 0xbb, 0xaa);
  const second = row({ generation: 2, plain: payload(1, 2, 0xbb), link });
  const running = async (keyVault = vaultWith(keys)) => {
    const vault = { current: keyVault };
    const unwrap: KeyVault['unwrap'] = (...asked) => vault.current.unwrap(...asked);
    const stage = ringStage({ keyVault: { ...keyVault, unwrap }, stored: beside([]), hasAccounts: true });
    const rings = createRings(stage);
    await rings();
    return { stage, rings, vault, later: (ms = ringAgeMs) => (stage.time.now += ms) };
  };

  it('the rings of a process are read again after a minute, once for all waiting callers; a KEK is opened once', async () => {
    const { stage, rings, later } = await running();
    await rings();
    expect(stage.reads).toBe(1);
    later();
    stage.stored.push(second);
    const [one] = await Promise.all([rings(), rings(), rings()]);
    expect(stage.reads).toBe(2);
    expect(one?.system.kek(2).key).toEqual(new Uint8Array(32).fill(0xbb));
  });

  it('the rings are read again at once when the caller requires rings that are read after the call', async () => {
    const { stage, rings } = await running();
    stage.stored.push(second);
    expect((await rings('fresh')).system.kek(2).generation).toBe(2);
    await Promise.all([rings('fresh'), rings('fresh')]);
    expect(stage.reads).toBeLessThanOrEqual(4);
  });

  it('INV-2: a process uses its rings, with an alarm, while the tables or the operator’s vault do not answer', async () => {
    const { stage, rings, vault, later } = await running();
    const before = (await rings()).system.newest;
    later();
    vault.current = { ...vaultWith(keys), unwrap: async () => failing('VaultTimeout') };
    stage.stored.push(second);
    const now = await rings();
    expect(now.system.newest).toBe(before);
    // The KEK exists and cannot be opened yet, so the call can be retried.
    expect(() => now.system.kek(2)).toThrow(Unavailable);
    expect(() => now.system.kek(3)).toThrow(KeyMaterialMismatch);
    const { read } = stage.ringStore;
    stage.ringStore.read = () => Promise.reject(new Unavailable('StorageUnavailable', 'no', 5));
    later();
    expect((await rings()).system.newest).toBe(before);
    await expect(rings('fresh')).rejects.toThrow(Unavailable);
    const alarms = stage.lines.filter(({ level }) => level === 'error').map(({ message }) => message);
    expect(alarms).toEqual([
      'A ring generation could not be opened',
      ...Array(2).fill('The rings could not be refreshed and the process uses its copy'),
    ]);
    Object.assign(stage.ringStore, { read });
    vault.current = vaultWith(keys);
    later();
    expect((await rings()).system.kek(2).generation).toBe(2);
  });

  it('a process seals with the older generation while it cannot open the newest, until the older one is retiring', async () => {
    const { stage, rings, vault, later } = await running();
    vault.current = { ...vaultWith(keys), unwrap: async () => failing('VaultTimeout') };
    stage.stored.push(second);
    const by = { kind: 'keyward', id: 'test' } as const;
    const moving = { phase: 'moving', to: 2, since: start, by } as const;
    stage.states.set('system', { sealing: 2, since: start, rotation: moving });
    later();
    const behind = await rings();
    expect(behind.system.newest.generation).toBe(1);
    expect(behind.isFresh()).toBe(false);
    expect([behind.system.keeps(1), behind.system.keeps(2)]).toEqual([true, true]);
    // Nine minutes after the activation at the latest, because the older one can be retiring six minutes later.
    later(8 * 60_000 - 1);
    expect((await rings()).system.newest.generation).toBe(1);
    later(1);
    await rings('fresh');
    await expect(rings().then(({ system }) => system.newest)).rejects.toThrow(Unavailable);
    stage.states.set('system', { sealing: 2, since: start, rotation: { ...moving, phase: 'retiring' } });
    later();
    const retiring = await rings();
    expect(() => retiring.system.newest).toThrow(Unavailable);
    expect(retiring.system.kek(1).generation).toBe(1);
    expect([retiring.system.keeps(1), retiring.system.keeps(2)]).toEqual([false, true]);
  });

  it('INV-2: a process seals audit entries with an older generation for any time, because the audit ring keeps every generation', async () => {
    const { stage, rings, vault, later } = await running();
    vault.current = { ...vaultWith(keys), unwrap: async () => failing('VaultTimeout') };
    const auditLink = linked('audit', 2, 0xbb, 0xaa);
    stage.stored.push(row({ ring: 'audit', generation: 2, plain: payload(3, 2, 0xbb), link: auditLink }));
    stage.states.set('audit', { sealing: 2, since: start });
    later(24 * 3_600_000);
    expect((await rings()).audit.newest.generation).toBe(1);
  });

  it('rings that could not be read again for five minutes open, and seal nothing, because a newer KEK can exist', async () => {
    const { stage, rings, later } = await running();
    const { read } = stage.ringStore;
    stage.ringStore.read = () => Promise.reject(new Unavailable('StorageUnavailable', 'no', 5));
    later(5 * 60_000 - 1);
    expect((await rings()).system.newest.generation).toBe(1);
    await expect(rings().then(({ system }) => system.kek(2))).rejects.toThrow(KeyMaterialMismatch);
    later(1);
    const old = await rings();
    expect(() => old.system.newest).toThrow(Unavailable);
    expect(old.system.kek(1).generation).toBe(1);
    // This process does not know the generation. That no longer proves that it does not exist.
    expect(() => old.system.kek(2)).toThrow(Unavailable);
    stage.ringStore.read = read;
    later(10_000);
    expect((await rings()).system.newest.generation).toBe(1);
  });

  it('the age of the rings is the larger one of the two clocks', async () => {
    const { stage, rings } = await running();
    const held = await rings();
    const clocks = (now: number, monotonic: number) =>
      Object.assign(stage.clock, { now: () => start + now, monotonic: () => monotonic });
    clocks(0, 11 * 60_000);
    expect(held.isFresh()).toBe(false);
    clocks(11 * 60_000, 0);
    expect(held.isFresh()).toBe(false);
    clocks(0, 0);
    expect(held.isFresh()).toBe(true);
  });

  it('the first call after a suspension reads the rings again, even when the previous read was interrupted or had just failed', async () => {
    const { stage, rings } = await running();
    const day = 24 * 3_600_000;
    const { read } = stage.ringStore;
    const clocks = { wall: start, monotonic: 0 };
    Object.assign(stage.clock, { now: () => clocks.wall, monotonic: () => clocks.monotonic });
    for (const cut of ['answered', 'failed'] as const) {
      clocks.monotonic += ringAgeMs;
      const awake = Promise.withResolvers<void>();
      stage.ringStore.read = async () => {
        stage.ringStore.read = read;
        await awake.promise;
        if (cut === 'failed') throw new Unavailable('StorageUnavailable', 'no', 5);
        return read();
      };
      const before = rings();
      // The monotonic clock stops while the host is suspended.
      clocks.wall += day;
      const first = rings();
      awake.resolve();
      for (const answer of await Promise.all([before, first])) expect(answer.system.newest.generation).toBe(1);
    }
    stage.ringStore.read = () => Promise.reject(new Unavailable('StorageUnavailable', 'no', 5));
    await expect(rings('fresh')).rejects.toThrow(Unavailable);
    stage.ringStore.read = read;
    clocks.wall += day;
    expect((await rings()).system.newest.generation).toBe(1);
  });

  it.each([
    ['a generation 0', 0],
    ['a generation before that which is sealed with', 2],
    ['a generation that is no number', Number.NaN],
  ])('a process skips a row of %s, which is not its own, and logs it', async (_, generation) => {
    const { stage, rings, later } = await running();
    // Third generations, with the second one destroyed.
    stage.stored.push(second, {
      ...row({ generation: 3, plain: payload(1, 3, 0xcc) }),
      link: linked('system', 3, 0xcc, 0xbb),
    });
    stage.states.set('system', { sealing: 3, since: start });
    await rings('fresh');
    stage.stored.splice(stage.stored.indexOf(second), 1);
    stage.markers.push({ ...second, isFirst: true });
    await rings('fresh');
    stage.stored.push(row({ generation, plain: payload(1, generation, 0xee) }));
    later();
    const now = await rings();
    expect(now.system.newest).toMatchObject({ generation: 3, key: new Uint8Array(32).fill(0xcc) });
    expect(stage.lines.map(({ message }) => message)).toContain('Skipped a ring row that this service did not write');
  });

  it('a process accepts a row of an older generation that was lost and is restored', async () => {
    const { stage, rings } = await running();
    stage.stored.push(second);
    stage.states.set('system', { sealing: 2, since: start });
    await rings('fresh');
    const first = stage.stored.filter(({ ring, generation }) => ring === 'system' && generation === 1);
    stage.stored.splice(0, stage.stored.length, ...stage.stored.filter((one) => !first.includes(one)));
    await rings('fresh');
    stage.lines.length = 0;
    stage.stored.push(...first);
    expect((await rings('fresh')).system.kek(1).generation).toBe(1);
    expect(stage.lines).toEqual([]);
  });

  it('a process never seals with an older generation again because of a row', async () => {
    const { stage, rings, later } = await running();
    stage.stored.push(second);
    stage.states.set('system', { sealing: 2, since: start });
    await rings('fresh');
    stage.states.set('system', { sealing: 1, since: start });
    later();
    expect((await rings()).system.newest.generation).toBe(2);
    expect(stage.lines.map(({ message }) => message)).toContain(
      'Rejected a ring state that names an older generation than before',
    );
  });

  it.each([
    ['the first KEK', row({ plain: payload(1, 1, 0xee) }), second],
    [
      'one in between',
      row({ generation: 2, plain: payload(1, 2, 0xee) }),
      row({ generation: 3, plain: payload(1, 3, 0xcc), link: linked('system', 3, 0xcc, 0xbb) }),
    ],
  ])('INV-13: a new process loads no rings in which %s replaces another', async (_, planted, ours) => {
    const stage = ringStage({ keyVault: vaultWith(keys), stored: beside([planted, ours]), hasAccounts: true });
    await expect(createRings(stage)()).rejects.toThrow(KeyMaterialMismatch);
  });

  it('INV-13: a KEK is not accepted while the KEK that proves its origin could not be opened', async () => {
    const { stage, rings, later } = await running();
    // No key opens the first one. The writer of both has linked the other one to it.
    stage.stored.push(row({ generation: 2, plain: payload(1, 9, 0xdd) }));
    stage.stored.push(row({ generation: 3, plain: payload(1, 3, 0xee), link: linked('system', 3, 0xee, 0xdd) }));
    stage.states.set('system', { sealing: 3, since: start });
    later();
    const now = await rings();
    expect(() => now.system.newest).toThrow(Unavailable);
    expect(() => now.system.kek(3)).toThrow(Unavailable);
  });

  it.each([
    ['no proof', undefined],
    ['a made-up proof', linked('system', 2, 0xbb, 0xcc)],
    ['the proof of another ring', linked('at-rest', 2, 0xbb, 0xaa)],
  ])(
    'the rings of a running process never accept a KEK that was wrapped with the public key alone, with %s that it was made here',
    async (_, made) => {
      const { stage, rings, later } = await running();
      const { link: _link, ...planted } = second;
      stage.stored.push({ ...planted, ...(made === undefined ? {} : { link: made }) });
      stage.states.set('system', { sealing: 2, since: start });
      later();
      const now = await rings();
      expect(() => now.system.newest).toThrow(Unavailable);
      expect(() => now.system.kek(2)).toThrow(Unavailable);
      expect(now.system.kek(1).generation).toBe(1);
      await expect(createRings(stage)()).rejects.toThrow(KeyMaterialMismatch);
      expect(stage.lines.some(({ level }) => level === 'error')).toBe(true);
    },
  );

  it('a destroyed KEK leaves the memory, and is wiped when no handler can be using it any more', async () => {
    const { stage, rings, later } = await running();
    const held = await rings();
    const { key } = held.system.newest;
    stage.stored.push(second);
    stage.stored[0] = { ...(stage.stored[0] ?? second), isFirst: true };
    await stage.ringStore.remove(stage.stored[0]);
    stage.states.set('system', { sealing: 2, since: start });
    later();
    const now = await rings();
    expect(() => now.system.kek(1)).toThrow(KeyMaterialMismatch);
    expect(held.system.kek(1).key).toEqual(new Uint8Array(32).fill(0xaa));
    later(15 * 60_000);
    await rings();
    expect(key).toEqual(new Uint8Array(32));
  });

  it('INV-1: a process keeps the KEK that seals, and every KEK of the audit, when only the marker of its row remains', async () => {
    const { stage, rings, later } = await running();
    stage.stored.push({ ...second, isFirst: true });
    const auditLink = linked('audit', 2, 0xbb, 0xaa);
    stage.stored.push(row({ ring: 'audit', generation: 2, plain: payload(3, 2, 0xbb), link: auditLink }));
    for (const ring of ['system', 'audit'] as const) stage.states.set(ring, { sealing: 2, since: start });
    await rings('fresh');
    const lost = stage.stored.filter(
      ({ ring, generation }) => (ring === 'system' && generation === 2) || (ring === 'audit' && generation === 1),
    );
    for (const one of lost) {
      stage.markers.push({ ...one, isFirst: true });
      stage.stored.splice(stage.stored.indexOf(one), 1);
    }
    later();
    later(20 * 60_000);
    const now = await rings('fresh');
    expect(now.system.newest).toMatchObject({ generation: 2, key: new Uint8Array(32).fill(0xbb) });
    expect(now.audit.kek(1).key).toEqual(new Uint8Array(32).fill(0xaa));
    const logged = stage.lines.filter(({ message }) => message.startsWith('Ring rows are missing'));
    expect(new Set(logged.map(({ fields }) => `${fields.ring}/${fields.generation}`))).toEqual(
      new Set(['system/2', 'audit/1']),
    );
  });

  it('INV-1: a process keeps its rings when their rows are gone, because it has the last copy', async () => {
    const { stage, rings, later } = await running();
    const before = (await rings()).system.newest;
    stage.stored.length = 0;
    later();
    expect((await rings()).system.newest).toBe(before);
    expect(stage.lines.map(({ message }) => message)).toContain(
      'Ring rows are missing and must be restored before this process ends',
    );
    expect(stage.inserts).toEqual([]);
  });
});
