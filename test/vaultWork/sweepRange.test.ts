import { beforeEach, describe, expect, test } from 'vitest';
import { vaultIdOf } from '../../src/core/customerKey/binding.ts';
import type { Service } from '../../src/core/service.ts';
import { sweep } from '../../src/core/vaultWork/sweep.ts';
import { sweepRange } from '../../src/core/vaultWork/sweepRange.ts';
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
  test('a worker on a range that dies at any effect leaves no vault that the next sweep does not look at', async () => {
    const { lab } = world;
    const names = await vaults(3);
    for (let effect = 1, isOver = false; !isOver; effect += 1) {
      lab.clock.set(lab.clock.now() + 60 * seconds);
      const { mortalPort, hasDied } = dying(effect, effect % 2 === 0 ? 'before' : 'after');
      const { accounts, bindings, vaults, ranges, keyVault } = await another();
      const mortal = { bindings: mortalPort(bindings), ranges: mortalPort(ranges), keyVault: mortalPort(keyVault) };
      const mine = { accounts: mortalPort(accounts), vaults: mortalPort(vaults), ...mortal };
      await sweepRange(whole, await another(mine)).catch(() => undefined);
      isOver = !hasDied();
      const died = lab.clock.now();
      lab.clock.set(died + 60 * seconds);
      await sweepRange(whole, await another());
      for (const at of await looks(names)) expect({ effect, at }).toEqual({ effect, at: lab.clock.now() });
    }
  });

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
    const readWatch: typeof bindings.readWatch = async (id) => {
      if (id === bad) throw new Error('damaged');
      return bindings.readWatch(id);
    };
    await sweepRange(whole, await another({ bindings: { ...bindings, readWatch } }));
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
