/**
 * Writes secrets. A writer may be delayed anywhere between encrypting and saving, even while the account key or the
 * at-rest ring is rotated and the older key destroyed. Its secret stays readable, because it saves only beside a record
 * that names the keys it used:
 *
 *   account key   a rotation changes the record, and the pass over the secrets comes after it
 *   at-rest KEK   the pass of the retiring phase notes in the record the oldest KEK that may still encrypt (`keksFrom`),
 *                 before it looks at the account's secrets
 *
 * A writer that comes later finds its save refused, reads again and encrypts again: it still has the plain bytes. One
 * that replaces a secret is also conditional on the row that it read, which a pass may have changed.
 */

import type { AccountView, ActiveAccount } from '../accounts/account.ts';
import { protectSecret } from '../accounts/secretLayers.ts';
import type { SecretRef, SecretRow, StoredSecret } from '../accounts/secretRow.ts';
import { checkPreconditions, type Preconditions } from '../accounts/writeAccount.ts';
import type { Actor } from '../audit/auditFacts.ts';
import { type Bytes, base64, wipe } from '../base/bytes.ts';
import { defined } from '../base/defined.ts';
import { Refusal, retryLostRaces } from '../base/errors.ts';
import { KeyMaterialMismatch } from '../crypto/accountKeyEnvelope.ts';
import { parseSecret, plainLengthOf } from '../crypto/secretEnvelope.ts';
import type { Rings } from '../rings/ring.ts';
import type { SecretsDeps } from './deps.ts';
import { headerOf, secretAddressOf, storedBytes } from './openStoredSecrets.ts';
import { accountToServe, secretEtagOf } from './readSecret.ts';
import { saveSecret } from './saveSecret.ts';
import { alarm, integrityFailure, keyward } from './secretAudit.ts';

export interface SecretInput {
  /** As written. The reference has its folded form. */
  readonly name: string;
  readonly label?: string;
  /** The resource that the secret is written for. */
  readonly of?: string;
  /**
   * A given value, which the caller wipes. Without one an existing value stays; for a new secret Keyward makes a value
   * of this length, or refuses the call because of the property that it needs.
   */
  readonly value: { readonly given: Bytes } | { readonly ofLength: number | undefined } | { readonly needed: string };
}

const defaultLength = 16;

/** @throws Refusal AccountNotFound | CustomerKeyInaccessible | PreconditionFailed @throws Unavailable */
export function putSecret(
  ref: SecretRef,
  input: SecretInput,
  conditions: Preconditions,
  deps: SecretsDeps,
  actor: Actor = keyward,
): Promise<{ secret: StoredSecret; created: boolean }> {
  // A lost race is read again even where the caller sets a condition: the ETag says whether the value is still the
  // caller's.
  return retryLostRaces(async () => {
    let [view, row] = await Promise.all([accountToServe(ref.account, deps), deps.secrets.read(ref)]);
    checkPreconditions(conditions, row && secretEtagOf(row), 'secret');
    // A pass put the row under a key that the record, read a moment before, did not have yet.
    if (row !== undefined && (headerOf(row)?.generation ?? 0) > view.record.accountKeyGeneration)
      view = await accountToServe(ref.account, deps);
    const secret =
      row !== undefined && (await keepsValue(view, row, input, deps))
        ? await relabel(view, row, input, actor, deps)
        : await seal(view, row, ref, input, actor, deps);
    return { secret, created: row === undefined };
  });
}

/** @throws Refusal PropertyNotChangeable | KeyMaterialMismatch */
async function keepsValue(
  view: AccountView,
  row: StoredSecret,
  { value }: SecretInput,
  deps: SecretsDeps,
): Promise<boolean> {
  if ('given' in value) return false;
  const length = await storedLength(view, row, deps);
  if ('needed' in value || value.ofLength === undefined || value.ofLength === length) return true;
  throw new Refusal('PropertyNotChangeable', `The value has ${length} bytes. Give a value, or delete the key first.`, {
    target: 'properties.length',
  });
}

/** A value whose key is missing is not reported as retained. The account key is not opened for that. */
async function storedLength(view: AccountView, row: StoredSecret, deps: SecretsDeps): Promise<number> {
  try {
    const stored = storedBytes(row);
    const { generation, ringGeneration } = parseSecret(stored);
    const { atRest } = await ringsFor(view.record, row, deps);
    atRest.kek(ringGeneration);
    const { accountKeyGeneration, olderAccountKeys: older } = view.record;
    if (generation !== accountKeyGeneration && !older?.keys.some((one) => one.generation === generation))
      throw new KeyMaterialMismatch(`The account has no key of generation ${generation}.`);
    return plainLengthOf(stored);
  } catch (error) {
    if (!(error instanceof KeyMaterialMismatch)) throw error;
    await alarm(view, [row.ref], deps);
    throw integrityFailure(row.ref);
  }
}

async function relabel(
  { record }: AccountView,
  row: StoredSecret,
  { name, label }: SecretInput,
  actor: Actor,
  deps: SecretsDeps,
): Promise<StoredSecret> {
  if (row.value.name === name && row.value.label === label) return row;
  const { label: _, ...others } = row.value;
  const changes = { name, version: deps.random.uuid(), updatedAt: deps.clock.now() };
  const value = { ...others, ...changes, ...defined({ label }) };
  const etag = await saveSecret({ ref: row.ref, row: value, etag: row.etag }, record, actor, deps);
  return { ref: row.ref, value, etag };
}

async function seal(
  view: AccountView,
  row: StoredSecret | undefined,
  ref: SecretRef,
  input: SecretInput,
  actor: Actor,
  deps: SecretsDeps,
): Promise<StoredSecret> {
  if ('needed' in input.value)
    throw new Refusal('InvalidRequestContent', 'A new secret needs this property.', { target: input.value.needed });
  const made = 'given' in input.value ? undefined : deps.random.bytes(input.value.ofLength ?? defaultLength);
  const plain = 'given' in input.value ? input.value.given : (made ?? new Uint8Array(0));
  try {
    const now = deps.clock.now();
    const about = {
      name: input.name,
      ...defined({ label: input.label }),
      ...ofWhat(input, row),
      version: deps.random.uuid(),
      // 0: the row to replace does not name its generation.
      createdAt: row?.value.createdAt || now,
      updatedAt: now,
    };
    const { atRest } = await ringsFor(view.record, row, deps);
    const value = { ...about, sealed: await sealedUnder(view, ref, plain, atRest, deps) };
    const used = { generation: view.record.accountKeyGeneration, kek: atRest.newest.generation };
    const isCurrent = (now: ActiveAccount) =>
      now.accountKeyGeneration === used.generation && used.kek >= oldestKekOf(now);
    const etag = await saveSecret({ ref, row: value, etag: row?.etag, isCurrent }, view.record, actor, deps);
    return { ref, value, etag };
  } finally {
    wipe(made);
  }
}

/** A secret that gets another value stays with the resource that names it. */
function ofWhat({ of: given }: SecretInput, row: StoredSecret | undefined): Pick<SecretRow, 'of'> {
  const of = given ?? row?.value.of;
  return of === undefined ? {} : { of };
}

const oldestKekOf = ({ keksFrom }: ActiveAccount): number => keksFrom?.['at-rest'] ?? 0;

/** Never older than the KEK of the row to replace: a row that a pass has changed does not go back. */
async function ringsFor(
  record: ActiveAccount,
  row: StoredSecret | undefined,
  { rings }: Pick<SecretsDeps, 'rings'>,
): Promise<Rings> {
  const known = await rings();
  const stands = row === undefined ? 0 : (headerOf(row)?.ringGeneration ?? 0);
  return Math.max(stands, oldestKekOf(record)) > known.atRest.newest.generation ? rings('fresh') : known;
}

async function sealedUnder(
  view: AccountView,
  ref: SecretRef,
  plain: Bytes,
  atRest: Rings['atRest'],
  deps: SecretsDeps,
): Promise<string> {
  const context = { ...secretAddressOf(view.record, ref), generation: view.record.accountKeyGeneration };
  return deps.leases.withAccountKey(view, (accountKey) =>
    base64(protectSecret(plain, context, accountKey, atRest, deps.random)),
  );
}
