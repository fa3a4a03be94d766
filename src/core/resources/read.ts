/** Finding resources: what may be told of them without opening any secret. */

import type { ResourceList, StoredResource } from '../ports.ts';
import { accountToServe } from '../secrets/read.ts';
import type { Service } from '../service.ts';
import { type ResourceRef, resourceNotFound } from './resource.ts';

/** @throws Refusal AccountNotFound | CustomerKeyInaccessible | NotFound */
export async function getResource(ref: ResourceRef, service: Service): Promise<StoredResource> {
  const [{ record }, row] = await Promise.all([accountToServe(ref.account, service), service.resources.read(ref)]);
  if (row === undefined || row.value.instanceId !== record.instanceId) throw resourceNotFound(ref);
  return row;
}

export interface ResourcePage {
  readonly rows: readonly StoredResource[];
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}

/** By name, at most `limit` a page. */
export async function listResources(
  list: ResourceList,
  limit: number,
  after: string | undefined,
  service: Service,
): Promise<ResourcePage> {
  const [{ record }, found] = await Promise.all([
    accountToServe(list.account, service),
    service.resources.page(list, limit, after),
  ]);
  const rows = found.filter(({ value }) => value.instanceId === record.instanceId);
  const next = found.length < limit ? undefined : found.at(-1)?.ref.name;
  return next === undefined ? { rows } : { rows, next };
}
