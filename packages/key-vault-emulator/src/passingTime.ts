/** What happens by itself as the clock goes on: expiry events, rotation by policy, the end of retention. */
import { Refused } from './errors.ts';
import type { Key, KeyVersion, Vault } from './model.ts';
import { rotateKey } from './newVersions.ts';
import { nearExpiryAt, rotationAt } from './rotationPolicy.ts';
import { purgeOverdue } from './vaults.ts';
import { tellExpiryEvent, tellKeyEvent, type World } from './world.ts';

/** One run at a time: a second one must not rotate a key that the first is still generating a version for. */
export function createCatchUp(world: World): () => Promise<void> {
  let last = Promise.resolve();
  return () => {
    last = last.catch(() => undefined).then(() => catchUp(world));
    return last;
  };
}

/** Brings everything up to the clock's time. Doing it twice does nothing the second time. */
async function catchUp(world: World): Promise<void> {
  const now = world.clock.now();
  purgeOverdue(world.vaults, now);
  for (const vault of world.vaults.values()) {
    if (vault.deleted) continue;
    for (const key of vault.keys.values()) {
      const current = key.versions.at(-1);
      if (key.deleted || current === undefined) continue;
      for (const name of dueExpiryEvents(key, current, now)) tellExpiryEvent(world, name, vault, key, current);
      markTold(key, current, now);
      if (!isRotationDue(key, current, now)) continue;
      await rotateByPolicy(world, vault, key);
    }
  }
}

async function rotateByPolicy(world: World, vault: Vault, key: Key): Promise<void> {
  try {
    const made = await rotateKey(vault, key.name, world.source, world.clock);
    tellKeyEvent(world, 'KeyNewVersionCreated', vault, made.key, made.version);
  } catch (error) {
    // Deleted while its next version was being generated.
    if (!(error instanceof Refused)) throw error;
  }
}

/** Each once for one value of exp: a new exp starts over. */
export function dueExpiryEvents(key: Key, version: KeyVersion, nowMs: number): ('KeyNearExpiry' | 'KeyExpired')[] {
  const { exp, nearExpiryToldFor, expiredToldFor } = version;
  const near = nearExpiryAt(key.rotationPolicy, version);
  if (exp === undefined || near === undefined) return [];
  return [
    ...(nowMs >= near && nearExpiryToldFor !== exp ? (['KeyNearExpiry'] as const) : []),
    ...(nowMs >= exp * 1000 && expiredToldFor !== exp ? (['KeyExpired'] as const) : []),
  ];
}

function markTold(key: Key, version: KeyVersion, nowMs: number): void {
  for (const name of dueExpiryEvents(key, version, nowMs)) {
    if (version.exp === undefined) continue;
    if (name === 'KeyNearExpiry') version.nearExpiryToldFor = version.exp;
    else version.expiredToldFor = version.exp;
  }
}

function isRotationDue(key: Key, version: KeyVersion, nowMs: number): boolean {
  const due = rotationAt(key.rotationPolicy, version);
  return due !== undefined && nowMs >= due;
}
