import { beforeEach, describe, expect, test } from 'vitest';
import { openAccountKey } from '../../src/core/accounts/accountKey.ts';
import { patchAccount, putAccount } from '../../src/core/accounts/putAccount.ts';
import { rotateAccountKey } from '../../src/core/accounts/rotateAccountKey.ts';
import { accountChain } from '../../src/core/audit/chains.ts';
import { verifyChain } from '../../src/core/audit/verifyChain.ts';
import { base64, fromBase64, hex } from '../../src/core/base/bytes.ts';
import { LostRace } from '../../src/core/base/errors.ts';
import type { RingName } from '../../src/core/base/vocabulary.ts';
import { atRestGeneration } from '../../src/core/crypto/accountKeyEnvelope.ts';
import { parseSecret } from '../../src/core/crypto/secretEnvelope.ts';
import { processAccount } from '../../src/core/reseal/resealAccount.ts';
import { olderKeyWaitMs } from '../../src/core/rings/durations.ts';
import { maintainRings } from '../../src/core/rings/maintainRings.ts';
import { requestRotation } from '../../src/core/rings/rotateRing.ts';
import { refOf, secretEtagOf } from '../../src/core/secrets/readSecret.ts';
import type { Service } from '../../src/core/service.ts';
import { ownEntries } from '../../src/local/entries.ts';
import { tester } from '../../src/local/lab/lab.ts';
import { location } from '../../src/local/operator.ts';
import { firstBrokenLink } from '../chain.ts';
import { oneIn } from '../exhaustive.ts';
import { failure, useLab } from '../lab.ts';
import { auditOf, bytes, keyId, put, reveal, row } from '../secrets/support.ts';
import {
  at,
  minutes,
  phaseOf,
  type RingWorld,
  ringWorld,
  rotateWhole,
  serviceEntries,
  stored,
  wholeRotationMs,
} from './support.ts';

const world = useLab();
let rings: RingWorld;
beforeEach(async () => {
  rings = await ringWorld(world.lab);
  await rings.service.rings();
  world.lab.log.length = 0;
});

const newestOf = async (ring: RingName, service = rings.service): Promise<number> =>
  at(await service.rings('fresh'), ring).newest.generation;
const generationOf = async (account: string): Promise<number> =>
  atRestGeneration(fromBase64((await world.lab.view(account)).record.wrappedAccountKey));
const secretGenerations = async (account: string): Promise<number[]> =>
  (await rings.service.secrets.page(account, { limit: 1000 })).rows.map(
    ({ value }) => parseSecret(fromBase64(value.sealed)).ringGeneration,
  );
const opens = async (account: string, service: Service): Promise<string> => {
  const opened = await openAccountKey((await world.lab.view(account)).record, service);
  return opened.ok ? hex(opened.value) : opened.cause;
};
const generationsLeft = async (ring: RingName) =>
  new Set((await stored(ring, rings.service)).rows.map(({ generation }) => generation));

describe('a new KEK of a ring, on request', () => {
  test('a new KEK on request: every account and secret comes under it, also under an inaccessible customer key, and then the older KEK is destroyed', async () => {
    const { lab } = world;
    const key = await lab.vaultWithKey('whole-kv');
    await lab.account('whole-s', 'contoso');
    await lab.account('whole-c', 'contoso', key);
    await lab.account('whole-x', 'contoso', await lab.vaultWithKey('gone-kv'));
    const names = ['whole-s', 'whole-c', 'whole-x'];
    for (const name of names)
      for (const n of [1, 2, 3]) await put(lab.service, name, 'contentKeys', keyId(n), bytes(`${name} ${n}`));
    // An older account key stays readable too, although no pass re-wraps it.
    await rotateAccountKey('whole-s', {}, tester, await lab.another({ dailyQueue: { send: async () => undefined } }));
    const etag = secretEtagOf({
      ...(await row(lab.service, 'whole-c', 'contentKeys', keyId(1))),
      ref: refOf('whole-c', 'contentKeys', keyId(1)),
    });
    const keys = await Promise.all(names.map((name) => opens(name, lab.service)));
    await lab.keyVault('PATCH', '/vaults/gone-kv/keys/cmk', { enabled: false });
    await lab.advance(3 * minutes);
    const before = await newestOf('at-rest');
    const entries = (await ownEntries(rings.service)).length;

    await requestRotation('at-rest', tester, rings.service);
    const readable = async () => {
      for (const name of ['whole-s', 'whole-c'])
        expect(await reveal(lab.service, name, 'contentKeys', keyId(2))).toBe(hex(bytes(`${name} 2`)));
      await put(lab.service, 'whole-c', 'contentKeys', keyId(4), bytes('written in between'));
    };
    const phases = new Set<string>();
    for (let n = 0; n < 14; n++) {
      phases.add(await phaseOf('at-rest', rings.service));
      await readable();
      await rings.advance(3 * minutes, 3 * minutes);
    }
    expect([...phases]).toEqual(['arriving', 'moving', 'resting']);
    expect(await newestOf('at-rest')).toBe(before + 1);
    expect(await generationsLeft('at-rest')).toEqual(new Set([before + 1]));
    const subject = (generation: number) => `at-rest/${generation}`;
    expect(await serviceEntries(rings.service, entries)).toEqual([
      `RingGenerationCreated ${subject(before + 1)}`,
      `RingGenerationActivated ${subject(before + 1)}`,
      `RingGenerationRetiring ${subject(before)}`,
      `RingGenerationDestroyed ${subject(before)}`,
    ]);

    await lab.keyVault('PATCH', '/vaults/gone-kv/keys/cmk', { enabled: true });
    await lab.advance(3 * minutes);
    const fresh = await lab.another();
    for (const [n, name] of names.entries()) {
      expect(await generationOf(name)).toBe(before + 1);
      expect(new Set(await secretGenerations(name))).toEqual(new Set([before + 1]));
      expect(await opens(name, fresh)).toBe(keys[n]);
      expect(await reveal(fresh, name, 'contentKeys', keyId(1))).toBe(hex(bytes(`${name} 1`)));
      expect((await auditOf(lab, name)).filter(({ type }) => type === 'AccountKeyResealed')).toHaveLength(1);
    }
    // Under another KEK, with the same content.
    const after = await row(fresh, 'whole-c', 'contentKeys', keyId(1));
    expect(secretEtagOf({ ...after, ref: refOf('whole-c', 'contentKeys', keyId(1)) })).toBe(etag);
    const { record } = await lab.view('whole-x');
    const { audit } = await fresh.rings();
    const chain = await auditOf(lab, 'whole-x');
    expect(
      await firstBrokenLink(record.instanceId, chain, record.audit, (generation) => audit.kek(generation)),
    ).toBeUndefined();
  }, 30_000);

  test('a new KEK of the system ring re-wraps the accounts under the system key, and no secret is read', async () => {
    const { lab } = world;
    await lab.account('sysring', 'contoso');
    await put(lab.service, 'sysring', 'tokenKeys', 'k', bytes('token'));
    const [before, key] = [await newestOf('system'), await opens('sysring', lab.service)];
    const page = () => Promise.reject(new Error('read'));
    const { service } = rings;
    const pages = await ringWorld(lab, { secrets: { ...service.secrets, page } });
    await rotateWhole('system', pages);
    expect(await generationsLeft('system')).toEqual(new Set([before + 1]));
    const fresh = await lab.another();
    expect(await opens('sysring', fresh)).toBe(key);
    expect(await reveal(fresh, 'sysring', 'tokenKeys', 'k')).toBe(hex(bytes('token')));
  });

  test('INV-6: a new KEK of the audit ring is complete with its activation: a chain that spans it is verified by both generations', async () => {
    const { lab } = world;
    await lab.account('chained', 'contoso');
    const before = await newestOf('audit');
    await rotateWhole('audit', rings);
    expect(await phaseOf('audit', rings.service)).toBe('resting');
    expect(await generationsLeft('audit')).toEqual(new Set([...Array(before + 1).keys()].map((n) => n + 1)));
    const fresh = await lab.another();
    await putAccount({ name: 'chained', input: { tags: { a: 'b' } }, actor: tester }, fresh);
    const chain = await auditOf(lab, 'chained');
    expect(chain.map(({ keyGeneration }) => keyGeneration)).toEqual([before, before + 1]);
    // A process that saw neither generation being made verifies it.
    const auditor = await lab.another();
    const seen = await verifyChain(await accountChain('chained', undefined, auditor), {}, auditor);
    expect(seen).toMatchObject({ result: 'whole', entries: 2 });
  });

  test('a ring has one rotation at a time', async () => {
    await requestRotation('system', tester, rings.service);
    expect((await failure(requestRotation('system', tester, rings.service))).code).toBe('Conflict');
    // Of two simultaneous requests, the first has made the KEK when the second continues.
    const { ringStore } = rings.service;
    let isFirst = true;
    const overtaken = await world.lab.another({
      ringStore: {
        ...ringStore,
        async saveState(...state) {
          if (isFirst) {
            isFirst = false;
            await requestRotation('at-rest', tester, rings.service);
          }
          await ringStore.saveState(...state);
        },
      },
    });
    expect((await failure(requestRotation('at-rest', tester, overtaken))).code).toBe('Conflict');
    await rings.advance(wholeRotationMs, 3 * minutes);
    expect([await phaseOf('system', rings.service), await phaseOf('at-rest', rings.service)]).toEqual([
      'resting',
      'resting',
    ]);
  });

  test('a rotation starts automatically when the KEK is old enough, and never with 0 days', async () => {
    const { lab } = world;
    const before = await newestOf('audit');
    const year = 365 * 24 * 60 * minutes;
    const off = await lab.another({ policy: { ...lab.service.policy, ringRotationDays: 0 } });
    lab.clock.set(lab.clock.now() + year);
    await maintainRings(off);
    expect(await phaseOf('audit', rings.service)).toBe('resting');
    await rings.advance(0);
    expect(await phaseOf('audit', rings.service)).toBe('arriving');
    await rings.advance(wholeRotationMs, 3 * minutes);
    expect(await newestOf('audit')).toBe(before + 1);
  });
});

test('INV-11: a row that was written before a new KEK is made does not replace that KEK', async () => {
  const { ringStore } = rings.service;
  const before = await newestOf('system');
  const [first] = (await stored('system', rings.service)).rows;
  if (first === undefined) throw new Error('There is no ring.');
  const { system } = await rings.service.rings();
  await ringStore.insert({ ...first, generation: before + 1, isFirst: true }, system.newest);
  await rotateWhole('system', rings);
  expect(await newestOf('system')).toBe(before + 2);
  expect(await generationsLeft('system')).toEqual(new Set([before + 2]));
});

describe('a pass', () => {
  test('a pass skips an account that other writers change all the time, and ends after they have stopped', async () => {
    const { lab } = world;
    const before = await newestOf('at-rest');
    for (const name of ['busy-a', 'calm-b']) await lab.account(name, 'contoso');
    const { accounts } = lab.service;
    let isBusy = true;
    const besides = await ringWorld(lab, {
      accounts: {
        ...accounts,
        async save(record, entries) {
          if (isBusy && record.value.name === 'busy-a') throw new LostRace('Another writer was faster.');
          return accounts.save(record, entries);
        },
      },
    });
    await requestRotation('at-rest', tester, besides.service);
    await besides.advance(20 * minutes, 3 * minutes);
    expect(await generationOf('calm-b')).toBe(before + 1);
    expect((await stored('at-rest', besides.service)).state?.value.rotation).toMatchObject({
      phase: 'moving',
      pass: { isClean: false, stuck: 0 },
    });
    isBusy = false;
    await besides.advance(wholeRotationMs, 3 * minutes);
    expect(await generationOf('busy-a')).toBe(before + 1);
    expect(await generationsLeft('at-rest')).toEqual(new Set([before + 1]));
  });

  test('a pass that dies at any effect starts again, and nothing is lost', async () => {
    const { lab } = world;
    const names = Array.from({ length: 6 }, (_, n) => `mortal-${n}`);
    for (const name of names) {
      await lab.account(name, 'contoso');
      await put(lab.service, name, 'tokenKeys', 'k', bytes(name));
    }
    const before = await newestOf('at-rest');
    let effects = 0;
    const mortal = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        effects += 1;
        if (effects % 5 === 0) throw new Error('died before the effect');
        const result = await call(...args);
        if (effects % 7 === 0) throw new Error('died after the effect');
        return result;
      };
    };
    const { accounts, secrets, ringStore } = rings.service;
    const dying = await ringWorld(lab, {
      accounts: { ...accounts, save: mortal(accounts.save) },
      secrets: { ...secrets, replace: mortal(secrets.replace) },
      ringStore: { ...ringStore, saveState: mortal(ringStore.saveState), remove: mortal(ringStore.remove) },
    });
    await requestRotation('at-rest', tester, rings.service);
    for (let n = 0; n < 20; n++) await dying.advance(3 * minutes, 3 * minutes).catch(() => undefined);
    // The account at which a process died counts as stuck until the operator requests another try.
    if ((await phaseOf('at-rest', rings.service)) !== 'resting')
      await requestRotation('at-rest', tester, rings.service).catch(() => undefined);
    await rings.advance(wholeRotationMs, 3 * minutes);
    expect(effects).toBeGreaterThan(10);
    expect(await generationsLeft('at-rest')).toEqual(new Set([before + 1]));
    const fresh = await lab.another();
    for (const name of names) expect(await reveal(fresh, name, 'tokenKeys', 'k')).toBe(hex(bytes(name)));
  }, 30_000);

  test('a pass processes an account that the directory has lost', async () => {
    const { lab } = world;
    await lab.account('unlisted', 'contoso');
    const row = await rings.service.directory.find('unlisted');
    await rings.service.directory.remove('unlisted', row?.etag ?? '');
    await rotateWhole('at-rest', rings);
    expect(await generationOf('unlisted')).toBe(await newestOf('at-rest'));
  });

  test.each(['secret', 'record'] as const)(
    'INV-1: a pass leaves a broken %s unchanged, processes all other rows, and keeps the older KEK, with an alarm, until the row is repaired',
    async (what) => {
      const { lab } = world;
      const [good, bad] = [`good-${what}`, `bad-${what}`];
      for (const name of [good, bad]) {
        await lab.account(name, 'contoso');
        await put(lab.service, name, 'tokenKeys', 'k', bytes(name));
      }
      const flipped = (text: string) => {
        const stored = fromBase64(text);
        stored[40] = (stored[40] ?? 0) ^ 1;
        return base64(stored);
      };
      const { accounts, secrets } = rings.service;
      const ref = refOf(bad, 'tokenKeys', 'k');
      const edit = async (back?: string): Promise<string> => {
        if (what === 'secret') {
          const { value, etag } = await row(rings.service, bad, 'tokenKeys', 'k');
          await secrets.replace(ref, { ...value, sealed: back ?? flipped(value.sealed) }, etag);
          return value.sealed;
        }
        const { record, etag } = await lab.view(bad);
        const wrappedAccountKey = back ?? flipped(record.wrappedAccountKey);
        await accounts.save({ value: { ...record, wrappedAccountKey }, etag }, []);
        return record.wrappedAccountKey;
      };
      const whole = await edit();
      const before = await newestOf('at-rest');
      await rotateWhole('at-rest', rings);
      expect(await generationOf(good)).toBe(before + 1);
      expect(await phaseOf('at-rest', rings.service)).toBe('moving');
      expect((await stored('at-rest', rings.service)).state?.value.rotation?.pass?.stuck).toBe(1);
      expect(await generationsLeft('at-rest')).toEqual(new Set([before, before + 1]));
      expect(lab.log.map(({ message }) => message)).toContain(
        'Unreadable rows prevent the destruction of an older ring generation',
      );
      // The row is restored from a back-up, and the operator requests another try.
      await edit(whole);
      await requestRotation('at-rest', tester, rings.service);
      await rings.advance(wholeRotationMs, 3 * minutes);
      expect(await generationsLeft('at-rest')).toEqual(new Set([before + 1]));
      expect(await reveal(await lab.another(), bad, 'tokenKeys', 'k')).toBe(hex(bytes(bad)));
    },
    20_000,
  );
});

describe('INV-1: a writer paused between encrypt and save, across a whole rotation with the destruction of the older KEK', () => {
  /** A process whose first write of this kind waits until another event has happened. */
  const heldUp = (port: 'create' | 'save' | 'saveWithSecret', until: () => Promise<unknown>) => {
    const { accounts } = world.lab.service;
    let first = true;
    const late = <A extends unknown[], R>(write: (...args: A) => Promise<R>) => {
      return async (...args: A): Promise<R> => {
        if (first) {
          first = false;
          await until();
        }
        return write(...args);
      };
    };
    const writes = {
      create: { accounts: { ...accounts, create: late(accounts.create) } },
      save: { accounts: { ...accounts, save: late(accounts.save) } },
      saveWithSecret: { accounts: { ...accounts, saveWithSecret: late(accounts.saveWithSecret) } },
    };
    return world.lab.another(writes[port]);
  };

  const whole = (ring: RingName) => () => rotateWhole(ring, rings);
  /** Until retiring has begun, and before its pass. */
  const untilRetiring = (ring: RingName) => async () => {
    await requestRotation(ring, tester, rings.service);
    await rings.advance(olderKeyWaitMs + 2 * minutes);
    for (let n = 0; n < 10 && (await phaseOf(ring, rings.service)) === 'moving'; n++) {
      world.lab.clock.set(world.lab.clock.now() + 1 * minutes);
      await maintainRings(rings.service);
    }
    expect(await phaseOf(ring, rings.service)).toBe('retiring');
  };

  test.each<[RingName, string | undefined]>([
    ['system', undefined],
    ['at-rest', undefined],
    ['at-rest', 'late-kv'],
  ])(
    'creating an account (%s ring, customer key: %s): it is sealed again before the caller gets the response',
    async (ring, vault) => {
      const { lab } = world;
      const name = `late-${ring}-${vault === undefined ? 's' : 'c'}`;
      const late = await heldUp('create', whole(ring));
      const identity = { useSystemAssignedIdentity: true } as const;
      const encryption =
        vault === undefined
          ? {}
          : { encryption: { type: 'CustomerKey', keyIdentifier: await lab.vaultWithKey(vault), identity } as const };
      await putAccount({ name, input: { owner: 'contoso', location, ...encryption }, actor: tester }, late);
      const fresh = await lab.another();
      expect(await opens(name, fresh)).toMatch(/^[0-9a-f]{64}$/);
      expect(await generationOf(name)).toBe(await newestOf('at-rest'));
      await put(fresh, name, 'tokenKeys', 'k', bytes('token'));
      expect(await reveal(fresh, name, 'tokenKeys', 'k')).toBe(hex(bytes('token')));
      const { record } = await lab.view(name);
      const { audit } = await fresh.rings();
      const chain = await auditOf(lab, name);
      expect(chain.map(({ type }) => type)).toEqual(['AccountCreated', 'AccountKeyResealed', 'SecretWritten']);
      expect(await firstBrokenLink(record.instanceId, chain, record.audit, (one) => audit.kek(one))).toBeUndefined();
    },
    20_000,
  );

  test.each(oneIn<RingName>(2, ['system', 'at-rest']))(
    'INV-1: a paused writer that changes an account back to the system key, or rotates its key (%s ring), loses the race and starts again',
    async (ring) => {
      const { lab } = world;
      for (const [name, change] of [
        [
          `back-${ring}`,
          (late: Service, name: string) =>
            patchAccount(
              { name, input: { encryption: { type: 'SystemKey' } }, actor: tester, permissions: { mayRelease: true } },
              late,
            ),
        ],
        [`again-${ring}`, (late: Service, name: string) => rotateAccountKey(name, {}, tester, late)],
      ] as const) {
        await lab.account(name, 'contoso', await lab.vaultWithKey(`${name}-kv`));
        const { revision } = (await lab.view(name)).record;
        await change(await heldUp('save', whole(ring)), name);
        expect(await opens(name, await lab.another())).toMatch(/^[0-9a-f]{64}$/);
        expect((await lab.view(name)).record.revision).toBe(revision + 1);
      }
    },
  );

  test('INV-1: a paused writer that creates a secret', async () => {
    const { lab } = world;
    await lab.account('late-i', 'contoso');
    const late = await heldUp('saveWithSecret', whole('at-rest'));
    await put(late, 'late-i', 'tokenKeys', 'k', bytes('token'));
    expect(await secretGenerations('late-i')).toEqual([await newestOf('at-rest')]);
    expect(await reveal(await lab.another(), 'late-i', 'tokenKeys', 'k')).toBe(hex(bytes('token')));
  });

  test('INV-1: a paused writer that replaces a secret loses the race, reads again, and its own value is stored in the end', async () => {
    const { lab } = world;
    await lab.account('late-r', 'contoso');
    await put(lab.service, 'late-r', 'tokenKeys', 'k', bytes('old'));
    const late = await heldUp('saveWithSecret', whole('at-rest'));
    await put(late, 'late-r', 'tokenKeys', 'k', bytes('new'));
    expect(await reveal(await lab.another(), 'late-r', 'tokenKeys', 'k')).toBe(hex(bytes('new')));
    expect(await secretGenerations('late-r')).toEqual([await newestOf('at-rest')]);
  });

  test('INV-1: a paused writer that saves while the older generation is retiring, when the pass has already passed its row', async () => {
    const { lab } = world;
    await lab.account('late-t', 'contoso');
    const late = await heldUp('saveWithSecret', async () => {
      await untilRetiring('at-rest')();
      const to = await newestOf('at-rest');
      await processAccount('late-t', 'at-rest', { phase: 'retiring', to }, rings.service);
    });
    await put(late, 'late-t', 'tokenKeys', 'k', bytes('token'));
    expect(await secretGenerations('late-t')).toEqual([await newestOf('at-rest')]);
    await rings.advance(wholeRotationMs, 3 * minutes);
    expect(await reveal(await lab.another(), 'late-t', 'tokenKeys', 'k')).toBe(hex(bytes('token')));
  });
});
