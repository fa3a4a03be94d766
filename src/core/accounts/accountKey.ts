/**
 * Opens and wraps account keys. A blob under a customer key is returned only after a remote unwrap has opened it
 * (INV-1), so no record can name a blob that the vault cannot open. Opening is always remote and fresh here (INV-12).
 */

import { type Bytes, base64, equalBytes, fromBase64, wipe } from '../base/bytes.ts';
import { Refusal } from '../base/errors.ts';
import { fold } from '../base/names.ts';
import type { EpochMs } from '../base/time.ts';
import {
  accountKeyPayload,
  atRestGeneration,
  type Inner,
  type KeyContext,
  KeyMaterialMismatch,
  openAtRest,
  openBySystemRing,
  openPayload,
  sealAtRest,
  sealBySystemRing,
} from '../crypto/accountKeyEnvelope.ts';
import type { Binding } from '../customerKey/binding.ts';
import { versionedIdentifier } from '../customerKey/keyIdentifier.ts';
import type { Answer, KeyDescription, Observed } from '../customerKey/ports.ts';
import { type ActiveAccount, type WrappedAccount, wrappedByOf } from './account.ts';
import type { AccountsDeps } from './deps.ts';

export const keyContextOf = (
  record: Pick<ActiveAccount, 'name' | 'instanceId' | 'accountKeyGeneration'>,
): KeyContext => ({
  instanceId: record.instanceId,
  account: fold(record.name),
  generation: record.accountKeyGeneration,
});

export interface Proven {
  readonly wrappedAccountKey: string;
  /** When the remote unwrap that proved the blob began. */
  readonly at: EpochMs;
  readonly observed: Observed;
}

type KeyDeps = Pick<AccountsDeps, 'keyVault' | 'rings' | 'random' | 'clock'>;

/** Wraps under the system ring. No call leaves the process. */
export async function wrapBySystemKey(context: KeyContext, accountKey: Bytes, deps: KeyDeps): Promise<string> {
  const { system } = await deps.rings();
  const payload = accountKeyPayload(context, accountKey);
  try {
    const inner = sealBySystemRing(payload, context, system.newest, deps.random.bytes(12));
    return await closeAtRest(inner, context, 'SystemKey', deps);
  } finally {
    wipe(payload);
  }
}

/**
 * Wraps locally under one version of a customer key, and proves the blob by a remote unwrap. The result is
 * KeyMaterialMismatch when the vault opens the blob to other bytes or cannot open it. Nothing is stored.
 */
export async function wrapByCustomerKey(
  context: KeyContext,
  accountKey: Bytes,
  binding: Binding,
  key: Pick<KeyDescription, 'version' | 'publicKey'>,
  deps: KeyDeps,
): Promise<Answer<Proven>> {
  const payload = accountKeyPayload(context, accountKey);
  try {
    const at = deps.clock.now();
    const { observed, ...proof } = await proveWrap(payload, binding, key, deps);
    if (!proof.ok) return { ...proof, observed };
    const wrappedBy = versionedIdentifier(binding, key.version);
    const wrappedAccountKey = await closeAtRest({ by: 'CustomerKey', wrapped: proof.value }, context, wrappedBy, deps);
    return { ok: true, value: { wrappedAccountKey, at, observed }, observed };
  } finally {
    wipe(payload);
  }
}

/** Wraps locally, and returns the blob only if the vault opens it to the same bytes. */
export async function proveWrap(
  payload: Bytes,
  binding: Binding,
  key: Pick<KeyDescription, 'version' | 'publicKey'>,
  { keyVault }: Pick<AccountsDeps, 'keyVault'>,
): Promise<Answer<Bytes>> {
  let wrapped: Bytes;
  try {
    wrapped = keyVault.wrap(key.publicKey, payload);
  } catch {
    // The answer of the vault held a public key that no RSA key has.
    return { ok: false, cause: 'UnknownResponse', observed: { durationMs: 0 } };
  }
  const opened = await keyVault.unwrap(binding, key.version, wrapped);
  if (!opened.ok) return opened;
  const same = equalBytes(opened.value, payload);
  wipe(opened.value);
  const { observed } = opened;
  return same ? { ok: true, value: wrapped, observed } : { ok: false, cause: 'KeyMaterialMismatch', observed };
}

/** Opens the account key by a fresh remote unwrap, or under the system ring. The caller wipes the value. */
export async function openAccountKey(record: WrappedAccount, deps: KeyDeps): Promise<Answer<Bytes>> {
  const context = keyContextOf(record);
  const began = deps.clock.now();
  let observed: Observed = { durationMs: 0 };
  try {
    const inner = await openOuter(record, deps);
    if (inner.by === 'SystemKey' && record.encryption.type === 'SystemKey') {
      const { system } = await deps.rings();
      const payload = openBySystemRing(inner, context, system.kek(inner.ringGeneration));
      return { ok: true, value: unpack(payload, context), observed: { durationMs: deps.clock.now() - began } };
    }
    if (inner.by !== 'CustomerKey' || record.encryption.type !== 'CustomerKey')
      throw new KeyMaterialMismatch('The record names another kind of key.');
    const { binding, version } = record.encryption;
    const opened = await deps.keyVault.unwrap(binding, version, inner.wrapped);
    if (!opened.ok) return opened;
    observed = opened.observed;
    return { ok: true, value: unpack(opened.value, context), observed };
  } catch (error) {
    if (error instanceof KeyMaterialMismatch) return { ok: false, cause: 'KeyMaterialMismatch', observed };
    throw error;
  }
}

/**
 * Checks that the rings still open their layers of the stored key. It does not call the vault, so a customer key may be
 * gone all the same.
 * @throws Refusal KeyMaterialMismatch @throws Unavailable
 */
export async function assertRingsOpenStoredKey(
  record: ActiveAccount,
  deps: Pick<AccountsDeps, 'rings'>,
): Promise<void> {
  try {
    const inner = await openOuter(record, deps);
    const { system } = await deps.rings();
    if (inner.by === 'SystemKey') system.kek(inner.ringGeneration);
  } catch (error) {
    if (!(error instanceof KeyMaterialMismatch)) throw error;
    throw new Refusal(
      'KeyMaterialMismatch',
      'The stored key of this account does not open under any KEK of the rings. Nothing was changed. Restore its record, with the ring rows of that time, from a back-up; an account that protects nothing yet can be deleted and created again.',
      { target: record.name },
    );
  }
}

function unpack(payload: Bytes, context: KeyContext): Bytes {
  try {
    return openPayload(payload, context);
  } finally {
    wipe(payload);
  }
}

async function openOuter(record: WrappedAccount, deps: Pick<AccountsDeps, 'rings'>): Promise<Inner> {
  const { atRest } = await deps.rings();
  const stored = fromBase64(record.wrappedAccountKey);
  const kek = atRest.kek(atRestGeneration(stored));
  return openAtRest(stored, keyContextOf(record), wrappedByOf(record.encryption), kek);
}

async function closeAtRest(inner: Inner, context: KeyContext, wrappedBy: string, deps: KeyDeps): Promise<string> {
  const { atRest } = await deps.rings();
  return base64(sealAtRest(inner, context, wrappedBy, atRest.newest, deps.random.bytes(12)));
}
