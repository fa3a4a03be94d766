import { beforeEach, describe, expect, test } from 'vitest';
import { hex } from '../../src/core/base/bytes.ts';
import { maintainRings, wakeRings } from '../../src/core/rings/maintainRings.ts';
import type { Service } from '../../src/core/service.ts';
import { ownEntries } from '../../src/local/entries.ts';
import { firstBrokenLink } from '../chain.ts';
import { dying } from '../dying.ts';
import { useLab } from '../lab.ts';
import { bytes, put, reveal } from '../secrets/support.ts';
import {
  accountEtags,
  minutes,
  operatorVault,
  type RingWorld,
  requestsTo,
  ringWorld,
  serviceEntries,
  stored,
  versionsOf,
} from './support.ts';

const world = useLab();
let rings: RingWorld;

/** Each test starts with keys that were just read, all at their newest version. */
beforeEach(async () => {
  rings = await ringWorld(world.lab);
  await rings.service.rings();
  await rings.advance(5 * minutes);
  world.lab.log.length = 0;
});

const newVersion = (key = 'system', more: Record<string, unknown> = {}) =>
  world.lab.keyVault('POST', `/vaults/${operatorVault}/keys/${key}`, { kty: 'RSA', size: 2048, fixture: 1, ...more });
const keysOf = async (ring: 'system' | 'at-rest' | 'audit') =>
  (await stored(ring, rings.service)).rows.map(({ key }) => key);
const kekOf = async (service: Service) => hex((await service.rings()).system.newest.key);
const alarms = () => world.lab.log.filter(({ level }) => level === 'error').map(({ message }) => message);

describe('INV-11: a new version of an operator key', () => {
  test('INV-11: the sweep finds a new version of an operator key: the ring is re-wrapped, proven and audited, and no account changes', async () => {
    const { lab } = world;
    const names = ['sys-a', 'sys-b', 'sys-c'];
    for (const name of names) await lab.account(name, 'contoso');
    await put(rings.service, 'sys-a', 'tokenKeys', 'k', bytes('token'));
    const [before, kek] = [await accountEtags(names, rings.service), await kekOf(rings.service)];
    const entries = (await ownEntries(rings.service)).length;
    const [oldest = ''] = await versionsOf('system', lab);
    await newVersion();
    await lab.keyVault('DELETE', '/requests');
    await rings.advance(4 * minutes);
    const newest = (await versionsOf('system', lab)).at(-1) ?? '';
    expect(newest).not.toBe(oldest);
    expect(await keysOf('system')).toEqual([newest]);
    // Two keys are read, and one unwrap proves the wrapping.
    expect((await requestsTo(operatorVault, lab)).length).toBeLessThanOrEqual(3);
    expect(await serviceEntries(rings.service, entries)).toEqual(['RingRewrapped system/1']);
    expect(await accountEtags(names, rings.service)).toEqual(before);
    // The previous version may be disabled.
    for (const kid of (await versionsOf('system', lab)).slice(0, -1))
      await lab.keyVault('PATCH', `/vaults/${operatorVault}/keys/system/${kid.split('/').at(-1)}`, { enabled: false });
    const fresh = await rings.another();
    expect(await kekOf(fresh)).toBe(kek);
    expect(await reveal(fresh, 'sys-a', 'tokenKeys', 'k')).toBe(hex(bytes('token')));
    const { audit } = await fresh.rings();
    const chain = await ownEntries(rings.service);
    const head = (await rings.service.serviceAudit.head())?.value ?? { sequence: 0, hash: '' };
    expect(await firstBrokenLink('service', chain, head, (generation) => audit.kek(generation))).toBeUndefined();
  });

  test('INV-5: an event about an operator key starts one read at once, also in a storm of events', async () => {
    const { lab } = world;
    lab.clock.set(lab.clock.now() + 30_000);
    await newVersion('at-rest');
    await lab.keyVault('DELETE', '/requests');
    const target = { vaultHost: `${operatorVault}.vault.azure.net`, keyName: 'at-rest' };
    for (let n = 0; n < 20; n++) expect(await wakeRings(target, rings.service)).toBe(true);
    expect(await wakeRings({ vaultHost: 'contoso.vault.azure.net' }, rings.service)).toBe(false);
    expect(await wakeRings({ ...target, keyName: 'another' }, rings.service)).toBe(false);
    await rings.advance(5_000);
    const newest = (await versionsOf('at-rest', lab)).at(-1);
    expect(new Set([...(await keysOf('at-rest')), ...(await keysOf('audit'))])).toEqual(new Set([newest]));
    const { length: looks } = await requestsTo(operatorVault, lab);
    expect(looks).toBe(4);
    // Again directly afterwards: not sooner than ten seconds after the last read.
    await wakeRings(target, rings.service);
    await rings.advance(0);
    expect((await requestsTo(operatorVault, lab)).length).toBe(looks);
    await rings.advance(10_000);
    expect((await requestsTo(operatorVault, lab)).length).toBe(looks + 2);
  });

  test('an operator key is read once in four minutes, for any number of processes that sweep', async () => {
    const { lab } = world;
    const others = [rings.service, await rings.another(), await rings.another()];
    await Promise.all(others.map((service) => service.rings()));
    await lab.keyVault('DELETE', '/requests');
    for (let n = 0; n < 8; n++) {
      lab.clock.set(lab.clock.now() + 1 * minutes);
      await Promise.all(others.map((service) => maintainRings(service)));
    }
    expect((await requestsTo(operatorVault, lab)).map(({ operation }) => operation)).toEqual(Array(4).fill('get'));
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ['is disabled', () => newVersion('system', { enabled: false }), 'KeyDisabled'],
    ['has expired', () => newVersion('system', { exp: '2020-01-01T00:00:00Z' }), 'KeyExpired'],
    ['may not unwrap', () => newVersion('system', { keyOps: ['wrapKey'] }), 'KeyOperationNotAllowed'],
  ])(
    'INV-11: a version that %s wraps nothing: the ring stays on the previous one, with an error in the log',
    async (_, make, cause) => {
      const before = await keysOf('system');
      await make();
      await rings.advance(5 * minutes);
      expect(await keysOf('system')).toEqual(before);
      const logged = world.lab.log.filter(({ level }) => level === 'error');
      expect(logged.map(({ fields }) => fields.cause)).toContain(cause);
      await newVersion();
      await rings.advance(5 * minutes);
      expect(await keysOf('system')).toEqual((await versionsOf('system', world.lab)).slice(-1));
    },
  );

  test('INV-11: a version that does not open what it wrapped deletes no older wrapping', async () => {
    const { lab } = world;
    const before = await keysOf('system');
    await newVersion();
    const fault = { vault: operatorVault, key: 'system', operation: 'unwrapKey', action: 'wrongUnwrap' };
    await lab.keyVault('POST', '/faults', fault);
    await rings.advance(5 * minutes);
    expect(await keysOf('system')).toEqual(before);
    expect(alarms()).toContain('A ring could not be wrapped with the newest key version and stays on the earlier one');
    await lab.keyVault('DELETE', '/faults');
    await rings.advance(5 * minutes);
    expect(await keysOf('system')).toEqual((await versionsOf('system', lab)).slice(-1));
  });

  test('INV-11: a re-wrap that dies at any effect leaves a ring that opens, and the next process finishes it', async () => {
    const { lab } = world;
    const kek = await kekOf(rings.service);
    for (let effect = 1; ; effect++) {
      await newVersion();
      const { mortal, hasDied } = dying(effect, 'before');
      const { ringStore, serviceAudit, keyVault } = rings.service;
      const service = await rings.another({
        rings: rings.service.rings,
        keyVault: { ...keyVault, unwrap: mortal(keyVault.unwrap) },
        serviceAudit: { ...serviceAudit, append: mortal(serviceAudit.append) },
        ringStore: {
          ...ringStore,
          insert: mortal(ringStore.insert),
          remove: mortal(ringStore.remove),
          saveCheck: mortal(ringStore.saveCheck),
        },
      });
      lab.clock.set(lab.clock.now() + 5 * minutes);
      await maintainRings(service).catch(() => undefined);
      expect(await kekOf(await rings.another())).toBe(kek);
      await rings.advance(5 * minutes);
      expect(await keysOf('system')).toEqual((await versionsOf('system', lab)).slice(-1));
      if (!hasDied()) break;
      expect(effect).toBeLessThan(20);
    }
  });
});

test('INV-2: while the operator’s vault does not answer, running processes serve, an alarm is raised, and no account’s state changes', async () => {
  const { lab } = world;
  const key = await lab.vaultWithKey('outage-kv');
  await lab.account('outage-c', 'contoso', key);
  await lab.account('outage-s', 'contoso');
  await lab.advance(2 * minutes);
  const views = async () => Promise.all(['outage-c', 'outage-s'].map((name) => lab.view(name)));
  const before = await views();
  await lab.keyVault('POST', '/faults', { vault: operatorVault, action: 'network', code: 'ECONNREFUSED' });
  for (let n = 0; n < 10; n++) {
    await rings.advance(1 * minutes);
    await lab.advance(1 * minutes);
    await lab.account(`born-${n}`, 'contoso', n % 2 === 0 ? undefined : key);
    await put(rings.service, `born-${n}`, 'tokenKeys', 'k', bytes(`token ${n}`));
    expect(await reveal(rings.service, `born-${n}`, 'tokenKeys', 'k')).toBe(hex(bytes(`token ${n}`)));
  }
  const unanswered = alarms().filter((message) => message.startsWith('The operator vault did not answer'));
  expect(unanswered.length).toBeGreaterThanOrEqual(2);
  const after = await views();
  expect(after.map(({ record }) => record)).toEqual(before.map(({ record }) => record));
  const verdicts = (all: typeof after) =>
    all.map(({ watch }) => Object.values(watch?.versions ?? {}).map(({ status, since }) => `${status} ${since}`));
  expect(verdicts(after)).toEqual(verdicts(before));
  await lab.keyVault('DELETE', '/faults');
});
