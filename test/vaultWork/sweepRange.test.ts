import { beforeEach, describe, expect, test } from 'vitest';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import type { Service } from '../../src/core/service.ts';
import type { QueuedWork } from '../../src/core/vaultWork/ports.ts';
import { allRanges } from '../../src/core/vaultWork/ranges.ts';
import { sweep, sweepRanges } from '../../src/core/vaultWork/sweep.ts';
import { noKeys, sweepRange } from '../../src/core/vaultWork/sweepRange.ts';
import type { VaultPage, VaultRange } from '../../src/core/watch/ports.ts';
import { without } from '../../src/local/lab/lab.ts';
import { dying } from '../dying.ts';
import { useLab } from '../lab.ts';

const seconds = 1_000;
const world = useLab({ settings: { KEYWARD_SWEEP_RANGES: '1' } });
const whole = { range: 0, of: 1 } as const;
let tests = 0;
let earlier = new Set<string>();
beforeEach(async () => {
  tests += 1;
  earlier = new Set();
  for await (const vault of world.lab.service.vaults.list()) earlier.add(vault);
});

/** A separate process that sees only the vaults of this test. */
const another = async (replace: Partial<Service> = {}): Promise<Service> => {
  const service = await world.lab.another(replace);
  return { ...service, vaults: without(earlier, service.vaults), ...replace };
};

/** Creates vaults with a key and an account each. Returns their names. */
async function vaults(count: number): Promise<string[]> {
  const { lab } = world;
  const names = Array.from({ length: count }, (_, n) => `range-${tests}-${n}`);
  for (const name of names) await lab.account(name, 'contoso', await lab.vaultWithKey(name));
  return names;
}

async function lastLookAt(vault: string): Promise<number> {
  const { service } = world.lab;
  const [id = ''] = await service.vaults.bindings(vaultIdOf(`${vault}.vault.azure.net`));
  return (await service.bindings.readWatch(id))?.value.lastLookAt ?? 0;
}

const looks = (names: readonly string[]) => Promise.all(names.map(lastLookAt));

/** A page is one vault of this test, so that the worker stores its position behind each. */
async function onePerPage(range: VaultRange, after: string | undefined, service: Service): Promise<VaultPage> {
  const page = await service.vaults.page(range, 1, after);
  return page.vaults.length > 0 || page.next === undefined ? page : onePerPage(range, page.next, service);
}

// First in the file: every vault of another test would be one more page, and so more effects.
// docs/states-and-bounds.md: 70 s between two looks, and 60 s more when the worker of the range died.
// A worker that dies after an effect is one that dies before its next effect.
test.each([0, 130])(
  'no key is without a look for more than 130 s when the worker of its range dies at any effect, and %i s more when it waited so long for a vault',
  async (waited) => {
    const { lab } = world;
    const names = await vaults(2);
    const [positions, sent]: [unknown[], unknown[]] = [[], []];
    for (let effect = 1, isOver = false; !isOver; effect += 1) {
      lab.clock.set(lab.clock.now() + 60 * seconds);
      const before = await looks(names);
      const { mortalPort, hasDied } = dying(effect, 'before');
      const healthy = await another();
      let isFirst = true;
      const slow: Service = {
        ...healthy,
        vaults: { ...healthy.vaults, page: (range, _rows, after) => onePerPage(range, after, healthy) },
        ranges: {
          ...healthy.ranges,
          write(work, state) {
            if (state.pass !== undefined) positions.push(state.pass);
            return healthy.ranges.write(work, state);
          },
        },
        queue: { send: async () => void sent.push('message') },
        keyVault: {
          ...healthy.keyVault,
          unwrap(...given) {
            if (isFirst) lab.clock.set(lab.clock.now() + waited * seconds);
            isFirst = false;
            return healthy.keyVault.unwrap(...given);
          },
        },
      };
      const mortal = {
        accounts: mortalPort(slow.accounts),
        bindings: mortalPort(slow.bindings),
        keyVault: mortalPort(slow.keyVault),
        queue: mortalPort(slow.queue),
        ranges: mortalPort(slow.ranges),
        vaults: mortalPort(slow.vaults),
      };
      await sweepRange(whole, await another(mortal)).catch(() => undefined);
      isOver = !hasDied();
      lab.clock.set(lab.clock.now() + 60 * seconds);
      await sweepRange(whole, await another());
      for (const [n, at] of (await looks(names)).entries()) {
        expect({ effect, at }).toEqual({ effect, at: lab.clock.now() });
        expect(at - (before[n] ?? 0)).toBeLessThanOrEqual((130 + waited) * seconds);
      }
    }
    expect(positions.length).toBeGreaterThan(2);
    if (waited > 0) expect(sent).toContain('message');
  },
);

describe('a sweep', () => {
  test('a sweep sends as many messages for four vaults as for none, and each healthy vault is looked at without its own message', async () => {
    const { lab } = world;
    const names = await vaults(4);
    // The worker reads the latest version first, once for each vault.
    await lab.advance(300 * seconds);
    const before = await looks(names);
    const sent: unknown[] = [];
    const send = lab.queue.send.bind(lab.queue);
    lab.queue.send = (...message) => {
      sent.push(message[0]);
      return send(...message);
    };
    try {
      await lab.advance(600 * seconds);
    } finally {
      lab.queue.send = send;
    }
    expect(sent).toEqual(Array.from({ length: 10 }, () => whole));
    for (const [n, at] of (await looks(names)).entries()) expect(at).toBe((before[n] ?? 0) + 600 * seconds);
  });

  test('a service with at most 64 keys sends one message a sweep, a service with more sends one for each range', async () => {
    const { policy, vaults: real } = await another();
    const sentWith = async (keys: number) => {
      const sent: QueuedWork[] = [];
      const bindings = (rows: number) => Array.from({ length: Math.min(keys, rows) }, (_, n) => `binding-${n}`);
      const page: typeof real.page = async (_range, rows) => ({
        vaults: [{ id: '0', bindings: bindings(rows) }],
        ...(keys < rows ? {} : { next: '0' }),
      });
      const queue = { send: async (message: QueuedWork) => void sent.push(message) };
      const service = await another({ queue, vaults: { ...real, page } });
      await sweep({ ...service, policy: { ...policy, sweepRanges: 16 } });
      return sent;
    };
    expect(await sentWith(64)).toEqual([{ allRanges: 16 }]);
    expect(await sentWith(65)).toEqual(allRanges(16));
  });

  test('the one message of a service with few vaults looks at the keys of every range, also when one range fails', async () => {
    const { lab } = world;
    const isInFirst = (name: string) => vaultIdOf(`${name}.vault.azure.net`) < '8';
    const candidates = Array.from({ length: 64 }, (_, n) => `half-${tests}-${n}`);
    const names = [candidates.find(isInFirst), candidates.find((name) => !isInFirst(name))].map(String);
    for (const name of names) await lab.account(name, 'contoso', await lab.vaultWithKey(name));
    const [before] = await looks(names);
    lab.clock.set(lab.clock.now() + 60 * seconds);
    const service = await another();
    const beginWork: typeof service.vaults.beginWork = (id, ...more) =>
      id === 'range-2-0' ? Promise.reject(new Error('no answer')) : service.vaults.beginWork(id, ...more);
    const work = sweepRanges({ allRanges: 2 }, { ...service, vaults: { ...service.vaults, beginWork } });
    await expect(work).rejects.toThrow('no answer');
    expect(await looks(names)).toEqual([before, lab.clock.now()]);
  });

  test('INV-5: a sweep that cannot send its messages looks at the due keys in its own time, and logs it', async () => {
    const { lab } = world;
    const names = await vaults(2);
    lab.clock.set(lab.clock.now() + 60 * seconds);
    const send = async () => {
      throw new Error('no queue');
    };
    await sweep(await another({ queue: { send } }));
    expect(await looks(names)).toEqual([lab.clock.now(), lab.clock.now()]);
    expect(lab.log).toContainEqual(
      expect.objectContaining({
        level: 'warn',
        message: 'A wake-up was not sent',
        fields: { count: 1, error: 'Error' },
      }),
    );
  });
});

describe('a worker on a range', () => {
  test('a worker on a range that reaches its deadline stores its position, and another message continues there', async () => {
    const { lab } = world;
    const names = await vaults(40);
    lab.clock.set(lab.clock.now() + 60 * seconds);
    const { keyVault } = lab.service;
    // Each unwrap takes ten seconds here, and the deadline is after twelve.
    const unwrap: typeof keyVault.unwrap = (...requested) => {
      lab.clock.set(lab.clock.now() + 10 * seconds);
      return keyVault.unwrap(...requested);
    };
    const sent: unknown[] = [];
    const queue = { send: async (message: unknown) => void sent.push(message) };
    const before = await looks(names);
    await sweepRange(whole, await another({ keyVault: { ...keyVault, unwrap }, queue }));
    const done = (await looks(names)).filter((at, n) => at > (before[n] ?? 0)).length;
    expect(done).toBeGreaterThan(10);
    expect(done).toBeLessThan(40);
    expect(sent).toContainEqual(whole);
    expect((await lab.service.ranges.read(whole)).pass).toMatchObject({ vaults: done });
    await sweepRange(whole, await another());
    for (const [n, at] of (await looks(names)).entries()) expect(at).toBeGreaterThan(before[n] ?? 0);
    expect(await lab.service.ranges.read(whole)).toMatchObject({ last: { vaults: 40, keys: { Accessible: 40 } } });
  });

  test.each([
    [9_999, 10_000],
    [10_000, 0],
  ])('INV-2: a pass that has noted %i keys and finds one more notes %i, and its row fits', async (before, after) => {
    const { lab } = world;
    await vaults(1);
    const noted = Array.from({ length: before }, (_, n) => String(n).padStart(8, '0'));
    const [id = ''] = await lab.service.vaults.bindings(vaultIdOf(`range-${tests}-0.vault.azure.net`));
    const known = { beganAt: lab.clock.now(), vaults: before, bindings: noted, failed: 0, keys: noKeys };
    await lab.service.ranges.write(whole, { pass: known, last: { ...known, endedAt: lab.clock.now() } });
    // The second pass of this sweep is the end of it: the vault's work fails, so it stops behind the first.
    const { page } = lab.service.vaults;
    let pages = 0;
    const onePass: typeof page = async (...asked) => {
      pages += 1;
      if (pages > 2) throw new Error('died');
      return without(earlier, { ...lab.service.vaults, page }).page(...asked);
    };
    await sweepRange(whole, await lab.another({ vaults: { ...lab.service.vaults, page: onePass } })).catch(
      () => undefined,
    );
    const { last } = await lab.service.ranges.read(whole);
    expect(last?.bindings).toHaveLength(after);
    expect(last?.bindings.includes(id.slice(0, 8))).toBe(after > 0);
    await lab.service.ranges.write(whole, {});
  });

  test('a worker leaves a range that another worker processes', async () => {
    const { lab } = world;
    const names = await vaults(1);
    const before = await looks(names);
    lab.clock.set(lab.clock.now() + 60 * seconds);
    const ticket = await lab.service.vaults.beginWork('range-1-0', 30 * seconds);
    await sweepRange(whole, await another());
    expect(await looks(names)).toEqual(before);
    if (ticket !== undefined) await lab.service.vaults.endWork('range-1-0', ticket);
  });

  test('a worker continues after a vault whose work fails, and the oldest look of its range shows it', async () => {
    const { lab } = world;
    const names = await vaults(3);
    await lab.advance(60 * seconds);
    const before = await lab.service.ranges.read(whole);
    lab.clock.set(lab.clock.now() + 60 * seconds);
    const [bad = ''] = await lab.service.vaults.bindings(vaultIdOf(`${names[1]}.vault.azure.net`));
    const { bindings } = lab.service;
    const readWatchWithSample: typeof bindings.readWatchWithSample = async (id) => {
      if (id === bad) throw new Error('damaged');
      return bindings.readWatchWithSample(id);
    };
    await sweepRange(whole, await another({ bindings: { ...bindings, readWatchWithSample } }));
    const now = lab.clock.now();
    expect(await looks(names)).toEqual([now, now - 60 * seconds, now]);
    const { last } = await lab.service.ranges.read(whole);
    expect(last).toMatchObject({ vaults: 3, failed: 1, keys: { Accessible: 2 } });
    expect(last?.oldestLookAt).toBe(before.last?.oldestLookAt);
  });

  test('a worker wakes the vault of a denied key when its next look is due, and a revocation is confirmed as before', async () => {
    const { lab } = world;
    const [name = ''] = await vaults(1);
    await lab.keyVault('PATCH', `/vaults/${name}/keys/cmk`, { enabled: false });
    const revokedAt = lab.clock.now();
    await lab.advance(96 * seconds);
    const { watch } = await lab.view(name);
    const [verdict] = Object.values(watch?.versions ?? {});
    expect(verdict).toMatchObject({ status: 'Inaccessible', cause: 'KeyDisabled' });
    expect((verdict?.since ?? Number.POSITIVE_INFINITY) - revokedAt).toBeLessThanOrEqual(96 * seconds);
  });
});

test('a vault with more bindings than a page of rows is on one page with all of them', async () => {
  const { service } = world.lab;
  const host = 'many-bindings.vault.azure.net';
  const ids = Array.from({ length: 7 }, (_, n) => `binding-${n}`);
  for (const id of ids) await service.vaults.addBinding(host, id);
  await service.vaults.addBinding('other.vault.azure.net', 'binding-x');
  const seen = new Map<string, readonly string[]>();
  for (let after: string | undefined; ; ) {
    const { vaults, next } = await service.vaults.page({ from: '0', to: 'g' }, 3, after);
    for (const { id, bindings } of vaults) {
      expect(seen.has(id)).toBe(false);
      seen.set(id, bindings);
    }
    if (next === undefined) break;
    after = next;
  }
  expect(seen.get(vaultIdOf(host))).toEqual(ids);
  expect(seen.get(vaultIdOf('other.vault.azure.net'))).toEqual(['binding-x']);
});
