/**
 * Subkeys, kept as long as what they come from: deriving one costs more than sealing a content key with it. Those of an
 * account key live and die with its buffer (`wipeAccountKey`); those of the at-rest ring are the service's own, and the
 * least used goes first.
 */
import { type Bytes, wipe } from '../base/bytes.ts';
import { lruCache } from '../base/lruCache.ts';
import type { Kek } from './accountKeyEnvelope.ts';
import { innerSubkey, outerSubkey, type SealedKind } from './secretEnvelope.ts';

const underAccountKeys = new WeakMap<Bytes, Map<SealedKind, Bytes>>();
const underKeks = new WeakMap<Kek, ReturnType<typeof lruCache<Bytes>>>();
const accountsAtOnce = 20_000;

/** Valid until the account key is wiped, and never after. */
export function accountSubkey(accountKey: Bytes, instanceId: string, kind: SealedKind): Bytes {
  const known = underAccountKeys.get(accountKey) ?? new Map<SealedKind, Bytes>();
  underAccountKeys.set(accountKey, known);
  const subkey = known.get(kind) ?? innerSubkey(accountKey, instanceId, kind);
  known.set(kind, subkey);
  return subkey;
}

/** Valid for this turn: another account's may take its context. */
export function atRestSubkey(kek: Kek, instanceId: string): Bytes {
  const known = underKeks.get(kek) ?? lruCache<Bytes>(accountsAtOnce, { dispose: (key) => wipe(key) });
  underKeks.set(kek, known);
  const subkey = known.get(instanceId) ?? outerSubkey(kek, instanceId);
  if (!known.has(instanceId)) known.set(instanceId, subkey);
  return subkey;
}

/** The account key, and everything that was derived from it. */
export function wipeAccountKey(accountKey: Bytes): void {
  wipe(accountKey, ...(underAccountKeys.get(accountKey)?.values() ?? []));
  underAccountKeys.delete(accountKey);
}

/** Subkeys of a KEK that is no longer used. */
export function forgetKek(kek: Kek): void {
  underKeks.get(kek)?.clear();
  underKeks.delete(kek);
}
