/**
 * Writes and deletes resources with the secrets that they name. Secrets are written before the row that names them, and
 * deleted after it. So a crash leaves secrets that no row names, which the daily pass deletes (orphanedSecrets.ts), and
 * never a row whose secret is missing.
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
import { accountNotFound, findAccount } from '../accounts/readAccount.ts';
import type { SecretRef, StoredSecret } from '../accounts/secretRow.ts';
import type { Preconditions } from '../accounts/writeAccount.ts';
import { defined } from '../base/defined.ts';
import { KeywardError, LostRace, Refusal, retryLostRaces, Unavailable } from '../base/errors.ts';
import type { SecretKind } from '../base/vocabulary.ts';
import { accountToServe, refOf, secretEtagOf } from '../secrets/readSecret.ts';
import { saveSecret } from '../secrets/saveSecret.ts';
import { keyward } from '../secrets/secretAudit.ts';
import { putSecret, type SecretInput } from '../secrets/writeSecret.ts';
import type { AmsDeps } from './deps.ts';
import { removeLeftover } from './orphanedSecrets.ts';
import type { StoredResource } from './ports.ts';
import {
  type Json,
  type JsonPath,
  maxNamedSecrets,
  maxResourceLength,
  type NamedSecret,
  namesSecret,
  pathOfResource,
  type ResourceRef,
  type ResourceRow,
  resourceNotFound,
} from './resource.ts';

/** A secret of a resource. The caller wipes its value. */
export interface ResourceSecretInput extends Pick<SecretInput, 'label' | 'value'> {
  readonly kind: SecretKind;
  /** A content key's id. Absent: Keyward makes one. */
  readonly id?: string;
  readonly at: JsonPath;
}

export interface ResourceInput {
  /** As written. */
  readonly name: string;
  readonly properties: Json;
  /** Absent: the row continues to name the same secrets, and `properties` do not contain them. */
  readonly secrets?: readonly ResourceSecretInput[];
}

type Decide = (current: StoredResource | undefined) => ResourceInput;

/**
 * The resource that the decision makes of the stored one. @throws Refusal AccountNotFound | CustomerKeyInaccessible |
 * Conflict
 */
export function putResource(
  ref: ResourceRef,
  decide: Decide,
  service: AmsDeps,
): Promise<{ row: StoredResource; created: boolean }> {
  return serialized(ref, service, async () => {
    const [{ record }, found] = await Promise.all([accountToServe(ref.account, service), service.resources.read(ref)]);
    const current = found?.value.instanceId === record.instanceId ? found : undefined;
    const input = decide(current);
    checkSize(input);
    const before = current?.value.secrets ?? [];
    const replaced = input.secrets === undefined ? [] : await ownSecrets(ref, before, service);
    const written: SavedResource[] = [];
    try {
      for (const secret of input.secrets ?? [])
        written.push(await writeSecret(ref, secret, { found, current }, service));
      const secrets = input.secrets === undefined ? before : written.map(({ named }) => named);
      const row = await saved(ref, { input, secrets, record, found, current }, service);
      for (const one of written) await takeKey(ref, one, record, service);
      await removeSecrets(replaced, record, service);
      return { row, created: current === undefined };
    } catch (error) {
      // The table may have stored the row although its answer did not arrive.
      if (!(error instanceof Unavailable)) await removeOrphaned(ref, written, record, service);
      throw error;
    }
  });
}

/** Writers of this process take turns at a resource. Across processes the ETag decides. */
const serialized = <T>(ref: ResourceRef, { serialize }: AmsDeps, attempt: () => Promise<T>): Promise<T> =>
  serialize(`${ref.account}:${pathOfResource(ref)}`, () => retryLostRaces(attempt));

function checkSize({ properties, secrets = [] }: ResourceInput): void {
  if (secrets.length > maxNamedSecrets)
    throw new Refusal('InvalidRequestContent', `A resource has at most ${maxNamedSecrets} secrets.`, {
      target: 'properties',
    });
  if (JSON.stringify(properties).length <= maxResourceLength) return;
  throw new Refusal(
    'InvalidRequestContent',
    `The properties, without their secrets, have at most ${maxResourceLength} characters as JSON.`,
    { target: 'properties' },
  );
}

interface SavedResource {
  readonly input: ResourceSecretInput;
  readonly named: NamedSecret;
  readonly stored: StoredSecret;
}

async function writeSecret(
  ref: ResourceRef,
  input: ResourceSecretInput,
  rows: Pick<Saving, 'found' | 'current'>,
  service: AmsDeps,
): Promise<SavedResource> {
  const { kind, id, at } = input;
  const name = id ?? (kind === 'contentKeys' ? service.random.uuid() : `${ref.type}-${service.random.uuid()}`);
  const secretRef = refOf(ref.account, kind, name);
  const named = { kind, name: secretRef.name, at };
  const conditions = id === undefined ? {} : await conditionsFor(ref, secretRef, { at, ...rows }, service);
  const { secret } = await putSecret(secretRef, secretInput(ref, input, name), conditions, service).catch(
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
  { at, found, current }: Pick<ResourceSecretInput, 'at'> & Pick<Saving, 'found' | 'current'>,
  service: AmsDeps,
): Promise<Preconditions> {
  const stands = await service.secrets.read(secretRef);
  if (stands === undefined) return { ifNoneMatch: '*' };
  if (stands.value.of !== pathOfResource(ref) || namesSecret(current?.value, secretRef))
    throw new Refusal('Conflict', `The account already has a content key with the id ${secretRef.name}.`, {
      target: at.join('.'),
    });
  // The row is read after the secret, because a row that was written in between may name the secret.
  const now = await service.resources.read(ref);
  if (now?.etag !== found?.etag && namesSecret(now?.value, secretRef))
    throw new LostRace('Another writer has created the resource.');
  return { ifMatch: secretEtagOf(stands) };
}

/**
 * After the row is saved: give each secret a version that no other writer has seen, or write its value again where
 * another writer has changed it.
 */
async function takeKey(
  ref: ResourceRef,
  { input, stored }: SavedResource,
  record: ActiveAccount,
  service: AmsDeps,
): Promise<void> {
  if (input.id === undefined) return;
  const value = { ...stored.value, version: service.random.uuid() };
  try {
    await saveSecret({ ref: stored.ref, row: value, etag: stored.etag }, record, keyward, service);
  } catch (error) {
    if (!(error instanceof LostRace)) throw error;
    await putSecret(stored.ref, secretInput(ref, input, input.id), {}, service);
  }
}

interface Saving {
  readonly input: ResourceInput;
  readonly secrets: readonly NamedSecret[];
  readonly record: ActiveAccount;
  readonly found: StoredResource | undefined;
  readonly current: StoredResource | undefined;
}

async function saved(ref: ResourceRef, saving: Saving, service: AmsDeps): Promise<StoredResource> {
  const { input, secrets, record, found, current } = saving;
  const now = service.clock.now();
  const { name, properties } = input;
  const times = { createdAt: current?.value.createdAt ?? now, updatedAt: now };
  const value: ResourceRow = { name, instanceId: record.instanceId, properties, secrets, ...times };
  const { resources } = service;
  const etag = await (found === undefined ? resources.insert(ref, value) : resources.replace(ref, value, found.etag));
  const row = etag === undefined ? await standing(ref, value, service) : { ref, value, etag };
  // A delete of the account may have removed its resources just before.
  const view = await findAccount(ref.account, service);
  if (view?.record.instanceId === record.instanceId) return row;
  await resources.remove(ref, row.etag);
  throw accountNotFound(ref.account);
}

/**
 * When a response is lost, the SDK tries again, and the second try loses to the first: then the stored value is this
 * writer's.
 */
async function standing(ref: ResourceRef, value: ResourceRow, { resources }: AmsDeps): Promise<StoredResource> {
  const row = await resources.read(ref);
  if (row !== undefined && JSON.stringify(row.value) === JSON.stringify(value)) return row;
  throw new LostRace('The resource has changed.');
}

/** Returns whether there was a resource to delete. @throws Refusal AccountNotFound | CustomerKeyInaccessible */
export function removeResource(ref: ResourceRef, service: AmsDeps): Promise<boolean> {
  return serialized(ref, service, async () => {
    const [{ record }, row] = await Promise.all([accountToServe(ref.account, service), service.resources.read(ref)]);
    if (row === undefined || !(row.isDamaged || row.value.instanceId === record.instanceId)) return false;
    const secrets = await ownSecrets(ref, row.value.secrets, service);
    if (!(await service.resources.remove(ref, row.etag))) throw new LostRace('The resource has changed.');
    await removeSecrets(secrets, record, service);
    return true;
  });
}

/** Of the secrets that a row names, those that were written for that row, with their present versions. */
async function ownSecrets(
  ref: ResourceRef,
  named: readonly NamedSecret[],
  { secrets }: AmsDeps,
): Promise<StoredSecret[]> {
  const rows = await Promise.all(named.map(({ kind, name }) => secrets.read(refOf(ref.account, kind, name))));
  return rows.filter((row) => row !== undefined).filter(({ value }) => value.of === pathOfResource(ref));
}

/** The secrets that were written for a row that was not saved. The row of another writer may name them. */
async function removeOrphaned(
  ref: ResourceRef,
  written: readonly SavedResource[],
  record: ActiveAccount,
  service: AmsDeps,
): Promise<void> {
  if (written.length === 0) return;
  const row = await service.resources.read(ref).catch((error: unknown) => {
    if (!(error instanceof Unavailable)) throw error;
    return 'unknown' as const;
  });
  if (row === 'unknown' || row?.isDamaged) return;
  const left = written.map(({ stored }) => stored).filter((secret) => !namesSecret(row?.value, secret.ref));
  await removeSecrets(left, record, service);
}

async function removeSecrets(secrets: readonly StoredSecret[], record: ActiveAccount, service: AmsDeps): Promise<void> {
  for (const secret of secrets) await removeLeftover(secret, record, service);
}

/** @throws Refusal NotFound */
export const existing = (ref: ResourceRef, current: StoredResource | undefined): StoredResource => {
  if (current === undefined) throw resourceNotFound(ref);
  return current;
};

/** @throws Refusal Conflict */
export function refuseExisting(current: StoredResource | undefined): void {
  if (current === undefined) return;
  throw new Refusal('Conflict', 'A resource of this name exists already. Delete it first, or choose another name.');
}
