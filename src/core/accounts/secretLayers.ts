/** Encrypts and decrypts one secret with a leased account key: both layers, under the rings as they are loaded. */

import { type Bytes, base64, fromBase64, wipe } from '../base/bytes.ts';
import type { Random } from '../base/effects.ts';
import { fold } from '../base/names.ts';
import { KeyMaterialMismatch, nonceLength } from '../crypto/accountKeyEnvelope.ts';
import {
  openSecret,
  parseSecret,
  rewrapOuterLayer,
  type SealedKind,
  type SecretContext,
  sealSecret,
} from '../crypto/secretEnvelope.ts';
import { accountSubkey, atRestSubkey, wipeAccountKey } from '../crypto/subkeys.ts';
import type { Ring } from '../rings/ring.ts';
import type { ActiveAccount, OlderAccountKeys } from './account.ts';

export type SecretAddress = Omit<SecretContext, 'generation'>;
/** The keys of an account's secrets: the current generation, and the older ones that some secrets are still under. */
export type KeyHolder = Pick<ActiveAccount, 'name' | 'instanceId' | 'accountKeyGeneration' | 'olderAccountKeys'>;

/** The needed part of the at-rest ring. */
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
  const older = holder.olderAccountKeys?.keys.find((one) => one.generation === generation);
  if (older === undefined) throw new KeyMaterialMismatch(`The account has no key of generation ${generation}.`);
  return openInRecord('accountKeys', { ...older, generation }, accountKey, holder, atRest);
}

/** What the record itself holds under the account key: older account keys, and what data keys are wrapped with. */
type InRecord = Extract<SealedKind, 'accountKeys' | 'dataKeys'>;
interface Sealed {
  readonly generation: number;
  readonly sealed: string;
}

function contextInRecord(kind: InRecord, { generation }: Pick<Sealed, 'generation'>, holder: KeyHolder): SecretContext {
  const { instanceId, accountKeyGeneration } = holder;
  const account = fold(holder.name);
  return { instanceId, account, kind, name: String(generation), generation: accountKeyGeneration };
}

/** The caller wipes the value. @throws KeyMaterialMismatch */
export function openInRecord(kind: InRecord, one: Sealed, accountKey: Bytes, holder: KeyHolder, atRest: Keks): Bytes {
  const sealed = fromBase64(one.sealed);
  const { ringGeneration } = parseSecret(sealed);
  return openSecret(sealed, contextInRecord(kind, one, holder), {
    inner: accountSubkey(accountKey, holder.instanceId, kind),
    outer: atRestSubkey(atRest.kek(ringGeneration), holder.instanceId),
  });
}

/** `holder` names the generation of `accountKey`. */
export function sealInRecord(
  kind: InRecord,
  generation: number,
  plain: Bytes,
  accountKey: Bytes,
  holder: KeyHolder,
  { atRest, random }: { readonly atRest: Keks; readonly random: Random },
): string {
  return base64(protectSecret(plain, contextInRecord(kind, { generation }, holder), accountKey, atRest, random));
}

/** With the outer layer under the newest at-rest KEK; the same text when it is. @throws KeyMaterialMismatch */
export function resealInRecord(kind: InRecord, one: Sealed, holder: KeyHolder, atRest: Keks, random: Random): string {
  const moved = resealOuter(fromBase64(one.sealed), contextInRecord(kind, one, holder), atRest, random);
  return moved === undefined ? one.sealed : base64(moved);
}

/** The same older keys, with their outer layers under the newest at-rest KEK. @throws KeyMaterialMismatch */
export function resealOlderKeys(holder: KeyHolder, atRest: Keks, random: Random): KeyHolder['olderAccountKeys'] {
  if (holder.olderAccountKeys === undefined) return undefined;
  const keys = holder.olderAccountKeys.keys.map((one) => ({
    generation: one.generation,
    sealed: resealInRecord('accountKeys', one, holder, atRest, random),
  }));
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
  return rewrapOuterLayer(stored, context, from, to);
}

type OlderKey = OlderAccountKeys['keys'][number];

/** The replaced key, and the older keys that it protected, each encrypted under the new one. */
export function keepOlderKeys(
  left: Bytes,
  before: KeyHolder,
  fresh: { readonly accountKey: Bytes; readonly generation: number },
  atRest: Keks,
  random: Random,
): OlderKey[] {
  const after = { ...before, accountKeyGeneration: fresh.generation };
  const keep = (key: Bytes, generation: number): OlderKey => ({
    generation,
    sealed: sealInRecord('accountKeys', generation, key, fresh.accountKey, after, { atRest, random }),
  });
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
