/** The ports of the audit capability: the stored chains and their heads. */
import type { RawRow, Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { AuditEntry, ChainHead } from './auditEntry.ts';
import type { ChainRow } from './chainCheck.ts';

/** The remaining row of a deleted account. */
export interface Tombstone {
  readonly name: string;
  readonly instanceId: string;
  readonly owner: string;
  readonly audit: ChainHead;
  readonly deletedAt: EpochMs;
}

export interface ChainPageRequest {
  readonly limit: number;
  /** A page's `next`. */
  readonly after?: string;
}

/** Rows of a chain as they are stored, in the order of their positions. */
export interface ChainPage {
  readonly rows: readonly ChainRow[];
  /** Pass it back to continue. Absent on the last page. */
  readonly next?: string;
}

/** Chains of account instances, and their stored heads. */
export interface AccountChainStore {
  audit(name: string, instanceId: string, page: ChainPageRequest): Promise<ChainPage>;
  /** Reads the raw record without validating it, because another writer can have changed it. */
  readRaw(name: string): Promise<RawRow | undefined>;
  /** A Tombstone, unless another writer has changed it. */
  tombstone(name: string, instanceId: string): Promise<RawRow | undefined>;
  /** The tombstones of all accounts that had the name, in the order of their ids. */
  tombstones(name: string, page: ChainPageRequest): Promise<{ tombstones: RawRow[]; next?: string }>;
}

/** Chains of bindings. */
export interface BindingChainStore {
  /** Reads the raw watch without validating it, because another writer can have changed it. */
  readRaw(bindingId: string): Promise<RawRow | undefined>;
  audit(bindingId: string, page: ChainPageRequest): Promise<ChainPage>;
}

/** The service's own chain: head and entries in one partition. */
export interface ServiceAuditStore {
  head(): Promise<Stored<ChainHead> | undefined>;
  /** Reads the raw head without validating it, because another writer can have changed it. */
  readRaw(): Promise<RawRow | undefined>;
  /** Writes head and entries in one batch. @throws LostRace when another writer was faster. */
  append(etag: string | undefined, head: ChainHead, entries: readonly AuditEntry[]): Promise<void>;
  audit(page: ChainPageRequest): Promise<ChainPage>;
}
