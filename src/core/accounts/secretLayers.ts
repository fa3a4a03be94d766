/** Encrypts and decrypts one secret with a leased account key: both layers, under the rings as they are loaded. */

import { type Bytes, base64, fromBase64, wipe } from '../base/bytes.ts';
import type { Random } from '../base/effects.ts';
import { KeyMaterialMismatch, nonceLength } from '../crypto/accountKeyEnvelope.ts';
import { moveOuterLayer, openSecret, parseSecret, type SecretContext, sealSecret } from '../crypto/secretEnvelope.ts';
import { accountSubkey, atRestSubkey, wipeAccountKey } from '../crypto/subkeys.ts';
import type { Ring } from '../rings/ring.ts';
import type { ActiveAccount, OlderAccountKeys } from './account.ts';

export type SecretAddress = Omit<SecretContext, 'generation'>;
/** The keys of an account's secrets: the current generation, and the older ones that some secrets are still under. */
export type KeyHolder = Pick<ActiveAccount, 'instanceId' | 'accountKeyGeneration' | 'olderAccountKeys'>;

/** What is needed of the at-rest ring. */
type Keks = Pick<Ring, 'newest' | 'kek'>;

/** The plain bytes in their stored form. The caller wipes the plain bytes. */
export function protectSecret(
  plain: Uint8Array,
  context: SecretContext,
  accountKey: Bytes,
  atRest: Keks,
  random: Random,
): Bytes {
  const ring = atRest.newest;
  const keys = {
    inner: accountSubkey(accountKey, context.instanceId, context.kind),
    outer: atRestSubkey(ring, context.instanceId),
  };
  return sealSecret(plain, context, keys, ring, random.bytes(2 * nonceLength));
}

/**
 * The plain bytes of a stored secret, under the account key or one of the older keys that it protects. The caller wipes
 * them.
 * @throws KeyMaterialMismatch
 */
export function revealSecret(
  stored: Bytes,
  context: SecretAddress,
  accountKey: Bytes,
  holder: KeyHolder,
  atRest: Keks,
): Bytes {
  const { ringGeneration, generation } = parseSecret(stored);
  const outer = atRestSubkey(atRest.kek(ringGeneration), context.instanceId);
  if (generation === holder.accountKeyGeneration)
    return openSecret(
      stored,
      { ...context, generation },
      { inner: accountSubkey(accountKey, context.instanceId, context.kind), outer },
    );
  const older = olderKey(generation, accountKey, holder, atRest);
  try {
    const inner = accountSubkey(older, context.instanceId, context.kind);
    return openSecret(stored, { ...context, generation }, { inner, outer });
  } finally {
    wipeAccountKey(older);
  }
}

/** An older account key is stored as a secret under its successor. */
function olderKey(generation: number, accountKey: Bytes, holder: KeyHolder, atRest: Keks): Bytes {
  const kept = holder.olderAccountKeys?.keys.find((one) => one.generation === generation);
  if (kept === undefined) throw new KeyMaterialMismatch(`The account has no key of generation ${generation}.`);
  const sealed = fromBase64(kept.sealed);
  const context = { ...olderKeyPlace(holder.instanceId, generation), generation: holder.accountKeyGeneration };
  const { ringGeneration } = parseSecret(sealed);
  return openSecret(sealed, context, {
    inner: accountSubkey(accountKey, holder.instanceId, 'accountKeys'),
    outer: atRestSubkey(atRest.kek(ringGeneration), holder.instanceId),
  });
}

const olderKeyPlace = (instanceId: string, generation: number): SecretAddress => ({
  instanceId,
  kind: 'accountKeys',
  name: String(generation),
});

/** The same older keys, with their outer layers under the newest at-rest KEK. @throws KeyMaterialMismatch */
export function resealOlderKeys(holder: KeyHolder, atRest: Keks, random: Random): KeyHolder['olderAccountKeys'] {
  if (holder.olderAccountKeys === undefined) return undefined;
  const keys = holder.olderAccountKeys.keys.map(({ generation, sealed }) => {
    const context = { ...olderKeyPlace(holder.instanceId, generation), generation: holder.accountKeyGeneration };
    const moved = resealOuter(fromBase64(sealed), context, atRest, random);
    return { generation, sealed: moved === undefined ? sealed : base64(moved) };
  });
  return { ...holder.olderAccountKeys, keys };
}

/**
 * With the outer layer under the newest at-rest KEK; undefined when it already is. Needs no account key. @throws
 * KeyMaterialMismatch
 */
export function resealOuter(stored: Bytes, context: SecretContext, atRest: Keks, random: Random): Bytes | undefined {
  const ring = atRest.newest;
  const { ringGeneration } = parseSecret(stored);
  if (ringGeneration >= ring.generation) return undefined;
  const from = atRestSubkey(atRest.kek(ringGeneration), context.instanceId);
  const to = { subkey: atRestSubkey(ring, context.instanceId), ring, nonce: random.bytes(nonceLength) };
  return moveOuterLayer(stored, context, from, to);
}

type KeptKey = OlderAccountKeys['keys'][number];

/** The replaced key, and the older keys that it protected, each encrypted under the new one. */
export function keepOlderKeys(
  left: Bytes,
  before: KeyHolder,
  fresh: { readonly accountKey: Bytes; readonly generation: number },
  atRest: Keks,
  random: Random,
): KeptKey[] {
  const keep = (key: Bytes, generation: number): KeptKey => {
    const context = { ...olderKeyPlace(before.instanceId, generation), generation: fresh.generation };
    return { generation, sealed: base64(protectSecret(key, context, fresh.accountKey, atRest, random)) };
  };
  const taken = (before.olderAccountKeys?.keys ?? []).map(({ generation }) => {
    const key = olderKey(generation, left, before, atRest);
    try {
      return keep(key, generation);
    } finally {
      wipe(key);
    }
  });
  return [...taken, keep(left, before.accountKeyGeneration)];
}
