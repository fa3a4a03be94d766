/** Finds resources, and returns what may be shown without decrypting any secret. */

import { Refusal } from '../base/errors.ts';
import { accountToServe } from '../secrets/readSecret.ts';
import type { AmsDeps } from './deps.ts';
import type { ResourceList, StoredResource } from './ports.ts';
import { pathOfResource, type ResourceRef, resourceNotFound } from './resource.ts';

/** @throws Refusal AccountNotFound | CustomerKeyInaccessible | NotFound */
export async function getResource(ref: ResourceRef, deps: AmsDeps): Promise<StoredResource> {
  const [{ record }, row] = await Promise.all([accountToServe(ref.account, deps), deps.resources.read(ref)]);
  if (row?.isDamaged) {
    logDamagedRow(row, deps);
    throw new Refusal(
      'KeyMaterialMismatch',
      'The stored row of this resource was edited or damaged. Nothing was changed. Restore it from a back-up, or delete the resource and write it again.',
      { target: ref.type },
    );
  }
  if (row === undefined || row.value.instanceId !== record.instanceId) throw resourceNotFound(ref);
  return row;
}

export interface ResourcePage {
  readonly rows: readonly StoredResource[];
  /** Pass it to the next call. Absent on the last page. */
  readonly next?: string;
}

/** By name, at most `limit` per page. */
export async function listResources(
  list: ResourceList,
  limit: number,
  after: string | undefined,
  deps: AmsDeps,
): Promise<ResourcePage> {
  const [{ record }, found] = await Promise.all([
    accountToServe(list.account, deps),
    deps.resources.page(list, limit, after),
  ]);
  for (const row of found) if (row.isDamaged) logDamagedRow(row, deps);
  const rows = found.filter(({ value }) => value.instanceId === record.instanceId);
  const next = found.length < limit ? undefined : found.at(-1)?.ref.name;
  return next === undefined ? { rows } : { rows, next };
}

const logDamagedRow = ({ ref }: StoredResource, { log }: Pick<AmsDeps, 'log'>): void =>
  log.error('A stored resource is malformed', { account: ref.account, resource: pathOfResource(ref) });
