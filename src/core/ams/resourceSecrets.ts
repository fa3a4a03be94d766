/**
 * The secrets of a resource.
 *
 * Every write of a row uses new names for its secrets, except for content keys whose id the caller gives: a writer that
 * replaces a row never overwrites what the row names now. Two writers with the same id compete for it. Each overwrites
 * only what it has seen while no row named it. The writer whose row is saved takes the key by a new version, or writes
 * it again where the other came in between.
 *
 * A secret is deleted only as it was while it was the resource's: a secret that has replaced it since belongs to
 * another writer.
 */

import type { ActiveAccount } from '../accounts/account.ts';
import type { SecretRef, StoredSecret } from '../accounts/secretRow.ts';
import type { Preconditions } from '../accounts/writeAccount.ts';
import { defined } from '../base/defined.ts';
import { KeywardError, LostRace, Refusal, Unavailable } from '../base/errors.ts';
import type { SecretKind } from '../base/vocabulary.ts';
import { refOf, secretEtagOf } from '../secrets/readSecret.ts';
import { saveSecret } from '../secrets/saveSecret.ts';
import { keyward } from '../secrets/secretAudit.ts';
import { putSecret, type SecretInput } from '../secrets/writeSecret.ts';
import type { AmsDeps } from './deps.ts';
import { removeOrphanedSecret } from './orphanedSecrets.ts';
import type { StoredResource } from './ports.ts';
import { type JsonPath, type NamedSecret, namesSecret, pathOfResource, type ResourceRef } from './resource.ts';

/** A secret of a resource. The caller wipes its value. */
export interface ResourceSecretInput extends Pick<SecretInput, 'label' | 'value'> {
  readonly kind: SecretKind;
  /** A content key's id. Absent: Keyward makes one. */
  readonly id?: string;
  readonly at: JsonPath;
}

export interface WrittenSecret {
  readonly input: ResourceSecretInput;
  readonly named: NamedSecret;
  readonly stored: StoredSecret;
}

/** The row as it was read, and whether it is of the present account. */
export interface ReadRows {
  readonly found: StoredResource | undefined;
  /** Undefined: there is none, or it is of an earlier account of the name. */
  readonly current: StoredResource | undefined;
}

export async function writeSecret(
  ref: ResourceRef,
  input: ResourceSecretInput,
  rows: ReadRows,
  deps: AmsDeps,
): Promise<WrittenSecret> {
  const { kind, id, at } = input;
  const name = id ?? (kind === 'contentKeys' ? deps.random.uuid() : `${ref.type}-${deps.random.uuid()}`);
  const secretRef = refOf(ref.account, kind, name);
  const named = { kind, name: secretRef.name, at };
  const conditions = id === undefined ? {} : await conditionsFor(ref, secretRef, { at, ...rows }, deps);
  const { secret } = await putSecret(secretRef, secretInput(ref, input, name), conditions, deps).catch(
    (error: unknown) => {
      if (!(error instanceof KeywardError) || error.code !== 'PreconditionFailed') throw error;
      throw new LostRace('Another writer has created a content key with this id.');
    },
  );
  return { input, named, stored: secret };
}

const secretInput = (ref: ResourceRef, { label, value }: ResourceSecretInput, name: string): SecretInput => ({
  name,
  value,
  of: pathOfResource(ref),
  ...defined({ label }),
});

/**
 * Overwrites a secret that an earlier call left without a row, if it is unchanged since the read. Any other secret of
 * the name belongs to another writer.
 */
async function conditionsFor(
  ref: ResourceRef,
  secretRef: SecretRef,
  { at, found, current }: Pick<ResourceSecretInput, 'at'> & ReadRows,
  deps: AmsDeps,
): Promise<Preconditions> {
  const stands = await deps.secrets.read(secretRef);
  if (stands === undefined) return { ifNoneMatch: '*' };
  if (stands.value.of !== pathOfResource(ref) || namesSecret(current?.value, secretRef))
    throw new Refusal('Conflict', `The account already has a content key with the id ${secretRef.name}.`, {
      target: at.join('.'),
    });
  // The row is read after the secret, because a row that was written in between may name the secret.
  const now = await deps.resources.read(ref);
  if (now?.etag !== found?.etag && namesSecret(now?.value, secretRef))
    throw new LostRace('Another writer has created the resource.');
  return { ifMatch: secretEtagOf(stands) };
}

/**
 * After the row is saved: give each secret a version that no other writer has seen, or write its value again where
 * another writer has changed it.
 */
export async function takeKey(
  ref: ResourceRef,
  { input, stored }: WrittenSecret,
  record: ActiveAccount,
  deps: AmsDeps,
): Promise<void> {
  if (input.id === undefined) return;
  const value = { ...stored.value, version: deps.random.uuid() };
  try {
    await saveSecret({ ref: stored.ref, row: value, etag: stored.etag }, record, keyward, deps);
  } catch (error) {
    if (!(error instanceof LostRace)) throw error;
    await putSecret(stored.ref, secretInput(ref, input, input.id), {}, deps);
  }
}

/** Of the secrets that a row names, those that were written for that row, with their present versions. */
export async function ownSecrets(
  ref: ResourceRef,
  named: readonly NamedSecret[],
  { secrets }: AmsDeps,
): Promise<StoredSecret[]> {
  const rows = await Promise.all(named.map(({ kind, name }) => secrets.read(refOf(ref.account, kind, name))));
  return rows.filter((row) => row !== undefined).filter(({ value }) => value.of === pathOfResource(ref));
}

/** The secrets that were written for a row that was not saved. The row of another writer may name them. */
export async function removeOrphaned(
  ref: ResourceRef,
  written: readonly WrittenSecret[],
  record: ActiveAccount,
  deps: AmsDeps,
): Promise<void> {
  if (written.length === 0) return;
  const row = await deps.resources.read(ref).catch((error: unknown) => {
    if (!(error instanceof Unavailable)) throw error;
    return 'unknown' as const;
  });
  if (row === 'unknown' || row?.isDamaged) return;
  const left = written.map(({ stored }) => stored).filter((secret) => !namesSecret(row?.value, secret.ref));
  await removeSecrets(left, record, deps);
}

export async function removeSecrets(
  secrets: readonly StoredSecret[],
  record: ActiveAccount,
  deps: AmsDeps,
): Promise<void> {
  for (const secret of secrets) await removeOrphanedSecret(secret, record, deps);
}
