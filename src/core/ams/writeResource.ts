/**
 * Writes and deletes resources with the secrets that they name. Secrets are written before the row that names them, and
 * deleted after it. So a crash leaves secrets that no row names, which the daily pass deletes (orphanedSecrets.ts), and
 * never a row whose secret is missing.
 */

import type { ActiveAccount } from '../accounts/account.ts';
import { accountNotFound, findAccount } from '../accounts/readAccount.ts';
import { LostRace, Refusal, retryLostRaces, Unavailable } from '../base/errors.ts';
import { accountToServe } from '../secrets/readSecret.ts';
import type { AmsDeps } from './deps.ts';
import type { StoredResource } from './ports.ts';
import {
  type Json,
  maxNamedSecrets,
  maxResourceLength,
  type NamedSecret,
  pathOfResource,
  type ResourceRef,
  type ResourceRow,
  resourceNotFound,
} from './resource.ts';
import {
  ownSecrets,
  type ReadRows,
  type ResourceSecretInput,
  removeOrphaned,
  removeSecrets,
  takeKey,
  type WrittenSecret,
  writeSecret,
} from './resourceSecrets.ts';

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
  deps: AmsDeps,
): Promise<{ row: StoredResource; created: boolean }> {
  return changeInTurn(ref, deps, async () => {
    const [{ record }, found] = await Promise.all([accountToServe(ref.account, deps), deps.resources.read(ref)]);
    const current = found?.value.instanceId === record.instanceId ? found : undefined;
    const input = decide(current);
    checkSize(input);
    const before = current?.value.secrets ?? [];
    const replaced = input.secrets === undefined ? [] : await ownSecrets(ref, before, deps);
    const written: WrittenSecret[] = [];
    try {
      for (const secret of input.secrets ?? []) written.push(await writeSecret(ref, secret, { found, current }, deps));
      const secrets = input.secrets === undefined ? before : written.map(({ named }) => named);
      const row = await saveRow(ref, { input, secrets, record, found, current }, deps);
      for (const one of written) await takeKey(ref, one, record, deps);
      await removeSecrets(replaced, record, deps);
      return { row, created: current === undefined };
    } catch (error) {
      // The table may have stored the row although its answer did not arrive.
      if (!(error instanceof Unavailable)) await removeOrphaned(ref, written, record, deps);
      throw error;
    }
  });
}

/** Writers of this process take turns at a resource. Across processes the ETag decides. */
const changeInTurn = <T>(ref: ResourceRef, { serialize }: AmsDeps, attempt: () => Promise<T>): Promise<T> =>
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

interface Saving extends ReadRows {
  readonly input: ResourceInput;
  readonly secrets: readonly NamedSecret[];
  readonly record: ActiveAccount;
}

async function saveRow(ref: ResourceRef, saving: Saving, deps: AmsDeps): Promise<StoredResource> {
  const { input, secrets, record, found, current } = saving;
  const now = deps.clock.now();
  const { name, properties } = input;
  const times = { createdAt: current?.value.createdAt ?? now, updatedAt: now };
  const value: ResourceRow = { name, instanceId: record.instanceId, properties, secrets, ...times };
  const { resources } = deps;
  const etag = await (found === undefined ? resources.insert(ref, value) : resources.replace(ref, value, found.etag));
  const row = etag === undefined ? await readOwnWrite(ref, value, deps) : { ref, value, etag };
  // A delete of the account may have removed its resources just before.
  const view = await findAccount(ref.account, deps);
  if (view?.record.instanceId === record.instanceId) return row;
  await resources.remove(ref, row.etag);
  throw accountNotFound(ref.account);
}

/**
 * When a response is lost, the SDK tries again, and the second try loses to the first: then the stored value is this
 * writer's.
 */
async function readOwnWrite(ref: ResourceRef, value: ResourceRow, { resources }: AmsDeps): Promise<StoredResource> {
  const row = await resources.read(ref);
  if (row !== undefined && JSON.stringify(row.value) === JSON.stringify(value)) return row;
  throw new LostRace('The resource has changed.');
}

/** Returns whether there was a resource to delete. @throws Refusal AccountNotFound | CustomerKeyInaccessible */
export function removeResource(ref: ResourceRef, deps: AmsDeps): Promise<boolean> {
  return changeInTurn(ref, deps, async () => {
    const [{ record }, row] = await Promise.all([accountToServe(ref.account, deps), deps.resources.read(ref)]);
    if (row === undefined || !(row.isDamaged || row.value.instanceId === record.instanceId)) return false;
    const secrets = await ownSecrets(ref, row.value.secrets, deps);
    if (!(await deps.resources.remove(ref, row.etag))) throw new LostRace('The resource has changed.');
    await removeSecrets(secrets, record, deps);
    return true;
  });
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
