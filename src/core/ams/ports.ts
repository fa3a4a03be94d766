/** What the ams capability needs from outside: resources of the other contract, and long-running operations. */
import type { ArmPath } from '../base/armPath.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { Operation } from './operation.ts';
import type { ResourceRef, ResourceRow } from './resource.ts';

export type StoredResource = Stored<ResourceRow> & {
  readonly ref: ResourceRef;
  /**
   * The row does not have the form of a resource. A placeholder replaces its value and belongs to no account; what the
   * row named is unknown.
   */
  readonly isDamaged?: true;
};

/**
 * Resources of another contract, in their account's partition. Every write is conditional; one that comes too late
 * returns undefined, or false.
 */
export interface ResourceStore {
  read(ref: ResourceRef): Promise<StoredResource | undefined>;
  /** In the order of names; `under`: those of one parent. */
  page(list: ResourceList, limit: number, after?: string): Promise<readonly StoredResource[]>;
  insert(ref: ResourceRef, row: ResourceRow): Promise<string | undefined>;
  replace(ref: ResourceRef, row: ResourceRow, etag: string): Promise<string | undefined>;
  remove(ref: ResourceRef, etag: string): Promise<boolean>;
}

export type ResourceList = Pick<ResourceRef, 'account' | 'type' | 'under'>;

/** Long-running operations, by day. */
export interface OperationStore {
  read(id: string): Promise<Stored<Operation> | undefined>;
  insert(operation: Operation): Promise<void>;
  /** @throws LostRace when the ETag no longer fits. */
  replace(operation: Stored<Operation>): Promise<void>;
  /**
   * Deletes some operations of days before the given one (`20261127`), and returns how many: none are left when it is
   * 0.
   */
  clearBefore(day: string): Promise<number>;
}

export interface DeletionMarks {
  /** Marks that an account was, or is about to be, deleted at its ARM path. The name is folded. */
  markDeleted(account: string, place: ArmPath, at: EpochMs): Promise<void>;
  /** Whether there is such a mark within that time. */
  isDeletedSince(account: string, place: ArmPath, time: { from: EpochMs; to: EpochMs }): Promise<boolean>;
}

export interface CreationMarks {
  /** Marks that the operation, which is stored, creates its account. */
  markCreation(operation: Operation): Promise<void>;
  /** The last marked operation of the account, begun within that time or earlier on its first day. */
  lastCreation(account: string, time: { from: EpochMs; to: EpochMs }): Promise<Operation | undefined>;
  /** The last marked operation of each account, begun within that time. */
  lastCreations(time: { from: EpochMs; to: EpochMs }): Promise<readonly Operation[]>;
}

/** Retrying an operation that met an unreachable vault, and deleting operations of past days. */
export type OperationWork =
  | { readonly visit: 'operation'; readonly operation: string }
  | { readonly visit: 'operations' };

/** Deleting secrets that were written for a resource and that no resource names. */
export interface OrphanedSecretsWork {
  readonly visit: 'unnamed';
  readonly account: string;
  readonly after?: string | undefined;
}
