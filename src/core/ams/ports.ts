/** What the ams capability needs from outside: resources of the other contract, and long-running operations. */
import type { ArmPath } from '../base/armPath.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { Operation } from './operation.ts';
import type { ResourceRef, ResourceRow } from './resource.ts';

export type StoredResource = Stored<ResourceRow> & {
  readonly ref: ResourceRef;
  /** The row has not the form of a resource: its value stands in for it, and is no account's. What it named is not known. */
  readonly isDamaged?: true;
};

/** Resources of another contract, in their account's partition. Every write is conditional; one that was too late answers undefined, or false. */
export interface ResourceStore {
  read(ref: ResourceRef): Promise<StoredResource | undefined>;
  /** In the order of names; `under`: those of one parent. */
  page(list: ResourceList, limit: number, after?: string): Promise<readonly StoredResource[]>;
  insert(ref: ResourceRef, row: ResourceRow): Promise<string | undefined>;
  replace(ref: ResourceRef, row: ResourceRow, etag: string): Promise<string | undefined>;
  remove(ref: ResourceRef, etag: string): Promise<boolean>;
  /** Removes every resource of an account, as `SecretStore.clear` does. @throws LostRace */
  clear(account: string, recordEtag: string): Promise<string>;
}

export type ResourceList = Pick<ResourceRef, 'account' | 'type' | 'under'>;

/** Long-running operations, by day. */
export interface OperationStore {
  read(id: string): Promise<Stored<Operation> | undefined>;
  insert(operation: Operation): Promise<void>;
  /** @throws LostRace when the etag no longer fits. */
  replace(operation: Stored<Operation>): Promise<void>;
  /** That an account was, or is about to be, deleted at its place; the name folded. */
  markDeleted(account: string, place: ArmPath, at: EpochMs): Promise<void>;
  /** Whether there is such a mark of that time. */
  isDeletedSince(account: string, place: ArmPath, time: { from: EpochMs; to: EpochMs }): Promise<boolean>;
  /** Removes some of those of days before the one given (`20261127`), and answers how many: none are left when it is 0. */
  clearBefore(day: string): Promise<number>;
}

/** Retrying an operation that met an unreachable vault, and deleting operations of past days. */
export type OperationWork =
  | { readonly visit: 'operation'; readonly operation: string }
  | { readonly visit: 'operations' };

/** Clearing secrets that were written for a resource and that none names. */
export interface OrphanedSecretsWork {
  readonly visit: 'unnamed';
  readonly account: string;
  readonly after?: string | undefined;
}
