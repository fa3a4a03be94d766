/** What happens as time passes: expiry events, rotation by policy, the end of retention. */
import { Refused } from './errors.ts';
import type { Key, KeyVersion, Vault } from './model.ts';
import { rotateKey } from './newVersions.ts';
import { nearExpiryAt, rotationAt } from './rotationPolicy.ts';
import { purgeOverdue } from './vaults.ts';
import { emitExpiryEvent, emitKeyEvent, type World } from './world.ts';

/** One run at a time, so that a second run does not rotate a key for which the first is still generating a version. */
export function createCatchUp(world: World): () => Promise<void> {
  let last = Promise.resolve();
  return () => {
    last = last.catch(() => undefined).then(() => catchUp(world));
    return last;
  };
}

/** Does everything that is due by the clock. A second run does nothing. */
async function catchUp(world: World): Promise<void> {
  const now = world.clock.now();
  purgeOverdue(world.vaults, now);
  for (const vault of world.vaults.values()) {
    if (vault.deleted) continue;
    for (const key of vault.keys.values()) {
      const current = key.versions.at(-1);
      if (key.deleted || current === undefined) continue;
      for (const name of dueExpiryEvents(key, current, now)) emitExpiryEvent(world, name, vault, key, current);
      markEmitted(key, current, now);
      if (!isRotationDue(key, current, now)) continue;
      await rotateByPolicy(world, vault, key);
    }
  }
}

async function rotateByPolicy(world: World, vault: Vault, key: Key): Promise<void> {
  try {
    const made = await rotateKey(vault, key.name, world.source, world.clock);
    emitKeyEvent(world, 'KeyNewVersionCreated', vault, made.key, made.version);
  } catch (error) {
    // A caller deleted the key while its next version was being generated.
    if (!(error instanceof Refused)) throw error;
  }
}

/** Each event once for one value of exp. */
function dueExpiryEvents(key: Key, version: KeyVersion, nowMs: number): ('KeyNearExpiry' | 'KeyExpired')[] {
  const { exp, nearExpiryEmittedFor, expiredEmittedFor } = version;
  const near = nearExpiryAt(key.rotationPolicy, version);
  if (exp === undefined || near === undefined) return [];
  return [
    ...(nowMs >= near && nearExpiryEmittedFor !== exp ? (['KeyNearExpiry'] as const) : []),
    ...(nowMs >= exp * 1000 && expiredEmittedFor !== exp ? (['KeyExpired'] as const) : []),
  ];
}

function markEmitted(key: Key, version: KeyVersion, nowMs: number): void {
  for (const name of dueExpiryEvents(key, version, nowMs)) {
    if (version.exp === undefined) continue;
    if (name === 'KeyNearExpiry') version.nearExpiryEmittedFor = version.exp;
    else version.expiredEmittedFor = version.exp;
  }
}

function isRotationDue(key: Key, version: KeyVersion, nowMs: number): boolean {
  const due = rotationAt(key.rotationPolicy, version);
  return due !== undefined && nowMs >= due;
}
