/**
 * Writing and removing resources with the secrets that they name. Secrets come before the row that names them, and go after it. So a
 * crash leaves secrets that nothing names, which the daily pass clears (unnamed.ts), and never a row whose secret is not there.
 *
 * Every write of a row's secrets has names of its own, but for content keys whose id the caller gives: whoever replaces a row never
 * writes over what the row names now.
 */
import type { ActiveAccount } from '../account.ts';
import { accountNotFound, findAccount } from '../accounts/read.ts';
import { describeError, KeywardError, LostRace, Refusal, retryLostRaces, Unavailable } from '../errors.ts';
import type { SecretKind, StoredResource } from '../ports.ts';
import { accountToServe, refOf } from '../secrets/read.ts';
import { deleteSecret } from '../secrets/remove.ts';
import { putSecret, type SecretWish } from '../secrets/write.ts';
import type { Service } from '../service.ts';
import {
  type Json,
  type JsonPath,
  maxNamedSecrets,
  maxResourceLength,
  type NamedSecret,
  pathOfResource,
  type ResourceRef,
  type ResourceRow,
  resourceNotFound,
} from './resource.ts';

/** A secret of a resource. The caller wipes its value. */
export interface WishedSecret extends Pick<SecretWish, 'label' | 'value'> {
  readonly kind: SecretKind;
  /** A content key's id. Absent: one is made. */
  readonly id?: string;
  readonly at: JsonPath;
}

export interface ResourceWish {
  /** As written. */
  readonly name: string;
  readonly properties: Json;
  /** Absent: what the row names stays, and `properties` have its holes. */
  readonly secrets?: readonly WishedSecret[];
}

type Decide = (current: StoredResource | undefined) => ResourceWish;

/** The resource as it is decided to be from what stands there. @throws Refusal AccountNotFound | CustomerKeyInaccessible | Conflict */
export function putResource(
  ref: ResourceRef,
  decide: Decide,
  service: Service,
): Promise<{ row: StoredResource; created: boolean }> {
  return inTurn(ref, service, async () => {
    const [{ record }, found] = await Promise.all([accountToServe(ref.account, service), service.resources.read(ref)]);
    const current = found?.value.instanceId === record.instanceId ? found : undefined;
    const wish = decide(current);
    checkSize(wish);
    const written: NamedSecret[] = [];
    try {
      for (const secret of wish.secrets ?? []) written.push(await writeSecret(ref, secret, current, service));
      const secrets = wish.secrets === undefined ? (current?.value.secrets ?? []) : written;
      const row = await saved(ref, { wish, secrets, record, found, current }, service);
      if (wish.secrets !== undefined) await removeSecrets(ref, current?.value.secrets ?? [], secrets, service);
      return { row, created: current === undefined };
    } catch (error) {
      // Tables that did not answer may have the row all the same.
      if (!(error instanceof Unavailable)) await removeSecrets(ref, written, current?.value.secrets ?? [], service);
      throw error;
    }
  });
}

/** Writers of this process take turns at a resource; across processes the etag decides. */
const inTurn = <T>(ref: ResourceRef, { memory }: Service, attempt: () => Promise<T>): Promise<T> =>
  memory.inTurn(`${ref.account}:${pathOfResource(ref)}`, () => retryLostRaces(attempt));

function checkSize({ properties, secrets = [] }: ResourceWish): void {
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

async function writeSecret(
  ref: ResourceRef,
  { kind, id, at, ...wish }: WishedSecret,
  current: StoredResource | undefined,
  service: Service,
): Promise<NamedSecret> {
  const name = id ?? (kind === 'contentKeys' ? service.random.uuid() : `${ref.type}-${service.random.uuid()}`);
  const secretRef = refOf(ref.account, kind, name);
  const of = pathOfResource(ref);
  const stands = id === undefined ? undefined : await service.secrets.read(secretRef);
  const isNamed = current?.value.secrets.some((one) => one.kind === kind && one.name === secretRef.name) ?? false;
  // Left by a call of ours that came to no row; whatever else is there is somebody's.
  if (stands !== undefined && (stands.value.of !== of || isNamed))
    throw new Refusal('Conflict', `The account has a content key of the id ${secretRef.name} already.`, {
      target: at.join('.'),
    });
  const conditions = id === undefined || stands !== undefined ? {} : ({ ifNoneMatch: '*' } as const);
  await putSecret(secretRef, { ...wish, name, of }, conditions, service).catch((error: unknown) => {
    if (!(error instanceof KeywardError) || error.code !== 'PreconditionFailed') throw error;
    throw new LostRace('A content key of this id has come meanwhile.');
  });
  return { kind, name: secretRef.name, at };
}

interface Saving {
  readonly wish: ResourceWish;
  readonly secrets: readonly NamedSecret[];
  readonly record: ActiveAccount;
  readonly found: StoredResource | undefined;
  readonly current: StoredResource | undefined;
}

async function saved(ref: ResourceRef, saving: Saving, service: Service): Promise<StoredResource> {
  const { wish, secrets, record, found, current } = saving;
  const now = service.clock.now();
  const { name, properties } = wish;
  const times = { createdAt: current?.value.createdAt ?? now, updatedAt: now };
  const value: ResourceRow = { name, instanceId: record.instanceId, properties, secrets, ...times };
  const { resources } = service;
  const etag = await (found === undefined ? resources.insert(ref, value) : resources.replace(ref, value, found.etag));
  const row = etag === undefined ? await standing(ref, value, service) : { ref, value, etag };
  // A delete of the account may have cleared its resources just before.
  const view = await findAccount(ref.account, service);
  if (view?.record.instanceId === record.instanceId) return row;
  await resources.remove(ref, row.etag);
  throw accountNotFound(ref.account);
}

/** When an answer is lost the SDK tries again, and the second try loses to the first: then what stands there is ours. */
async function standing(ref: ResourceRef, value: ResourceRow, { resources }: Service): Promise<StoredResource> {
  const row = await resources.read(ref);
  if (row !== undefined && JSON.stringify(row.value) === JSON.stringify(value)) return row;
  throw new LostRace('The resource has changed.');
}

/** Answers whether there was a resource to remove. @throws Refusal AccountNotFound | CustomerKeyInaccessible */
export function removeResource(ref: ResourceRef, service: Service): Promise<boolean> {
  return inTurn(ref, service, async () => {
    const [, row] = await Promise.all([accountToServe(ref.account, service), service.resources.read(ref)]);
    if (row === undefined) return false;
    if (!(await service.resources.remove(ref, row.etag))) throw new LostRace('The resource has changed.');
    await removeSecrets(ref, row.value.secrets, [], service);
    return true;
  });
}

/** Nothing fails for what is left over: nothing names it, and the daily pass clears it. */
async function removeSecrets(
  ref: ResourceRef,
  secrets: readonly NamedSecret[],
  kept: readonly NamedSecret[],
  service: Service,
): Promise<void> {
  for (const { kind, name } of secrets) {
    if (kept.some((one) => one.kind === kind && one.name === name)) continue;
    try {
      await deleteSecret(refOf(ref.account, kind, name), {}, service);
    } catch (error) {
      service.log.warn('A secret that no resource names was left to the daily pass', {
        ...{ account: ref.account, kind, secret: name, error: describeError(error) },
      });
    }
  }
}

/** @throws Refusal NotFound */
export const existing = (ref: ResourceRef, current: StoredResource | undefined): StoredResource => {
  if (current === undefined) throw resourceNotFound(ref);
  return current;
};

/** @throws Refusal Conflict */
export function refuseExisting(current: StoredResource | undefined): void {
  if (current === undefined) return;
  throw new Refusal('Conflict', 'There is a resource of this name already. Delete it first, or take another name.');
}
