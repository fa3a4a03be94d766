import { expect, test } from 'vitest';
import { workOnVault } from '../../src/core/vaultWork/vaultWork.ts';
import { isExhaustive } from '../exhaustive.ts';
import { useLab } from '../lab.ts';
import { dyingAt, openedKey, rewrapsOf, rotateKey, seconds, vaultId, versionOf } from './support.ts';

const world = useLab();

test('INV-1: a crash before any effect of a re-wrap leaves accounts that open, and the rotation is completed after the restart', async () => {
  const { lab } = world;
  const vault = 'dying-kv';
  const key = await lab.vaultWithKey(vault);
  const names = ['dying-a', 'dying-b'];
  const keys = new Map<string, string>();
  for (const name of names) {
    await lab.account(name, 'contoso', key);
    keys.set(name, await openedKey(name, lab));
  }
  for (let effect = 1; ; effect += isExhaustive ? 1 : 3) {
    const target = await rotateKey(vault, lab);
    // After the lease of the dead worker, and due for a version check.
    lab.clock.set(lab.clock.now() + 300 * seconds);
    const { service, hasDied } = await dyingAt(effect, lab);
    await workOnVault({ vault: vaultId(vault), requestedBy: 'sweep' }, service).catch(() => undefined);
    for (const name of names)
      expect(await openedKey(name, lab), `${name} before effect ${effect}`).toBe(keys.get(name));
    if (!hasDied()) break;
    await lab.advance(180 * seconds);
    for (const name of names) {
      expect(await versionOf(name, lab), `${name} before effect ${effect}`).toBe(target);
      expect(await openedKey(name, lab)).toBe(keys.get(name));
    }
    expect(effect).toBeLessThan(80);
  }
  // A re-wrap that died after its record was written is not done again.
  const before = (await rewrapsOf(names[0] ?? '', lab)).map((entry) => entry.before);
  expect(new Set(before).size).toBe(before.length);
}, 120_000);
