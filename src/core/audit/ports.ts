/** What the audit capability needs from outside: the stored chains and their heads. */
import type { RawRow, Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName } from '../base/vocabulary.ts';
import type { AuditEntry, ChainHead } from './auditEntry.ts';
import type { ChainRow } from './chainCheck.ts';

/** The row that remains of a deleted account. */
export interface Tombstone {
  readonly name: string;
  readonly instanceId: string;
  readonly owner: string;
  readonly audit: ChainHead;
  readonly deletedAt: EpochMs;
  readonly erasure?: ErasureProgress;
}

/** How far the erasure of a deleted account is. */
export interface ErasureProgress extends Partial<EntriesLeft> {
  /** When nothing was left that names the owner or an actor. */
  readonly at?: EpochMs;
  /** Where the next call continues in the chain of the account. */
  readonly next?: string;
  /** The chain of the account is complete, and the next call continues here in the service's own. */
  readonly ofService?: { readonly next: string; readonly isOwnerGone: boolean };
}

export interface EntriesLeft {
  readonly left: readonly EntryLeft[];
  /** There are more than those listed. */
  readonly hasMore?: true;
}

/** `<chain>/<sequence>` of an entry that names a person still. */
export interface EntryLeft {
  readonly reason: 'Damaged' | 'OlderFormat';
  readonly item: string;
}

export interface ChainPageRequest {
  readonly limit: number;
  /** The `next` of a page. */
  readonly after?: string;
}

/** The stored rows of a chain, in the order of their positions. */
export interface ChainPage {
  readonly rows: readonly ChainRow[];
  /** Pass it to the next call. Absent on the last page. */
  readonly next?: string;
}

export interface AccountChains {
  /** The ids of the account instances that have entries under the name, in order. */
  chains(name: string): Promise<string[]>;
  audit(name: string, instanceId: string, page: ChainPageRequest): Promise<ChainPage>;
}

/** What a verification compares the end of an account's chain with. */
export interface ChainedState {
  /**
   * `<kind>/<name>` of each secret that the account has now, with its version, in the order of the table. Undefined:
   * the row is damaged.
   */
  secretVersions(
    name: string,
    page: ChainPageRequest,
  ): Promise<{ versions: (readonly [secret: string, version: string | undefined])[]; next?: string }>;
  /** The record, even when it is damaged. */
  readRaw(name: string): Promise<RawRow<Omit<Tombstone, 'deletedAt'>> | undefined>;
  tombstone(name: string, instanceId: string): Promise<Stored<Tombstone | undefined> | undefined>;
  /** The tombstones of all accounts that had the name, in the order of their ids. */
  tombstones(name: string, page: ChainPageRequest): Promise<{ tombstones: RawRow<Tombstone>[]; next?: string }>;
}

export interface BindingChainStore {
  /** The watch, even when it is damaged. */
  readRaw(bindingId: string): Promise<RawRow<{ readonly audit: ChainHead }> | undefined>;
  audit(bindingId: string, page: ChainPageRequest): Promise<ChainPage>;
}

/** By ring, the newest generation that was activated. Absent: none but the first. */
export type Sealing = Readonly<Partial<Record<RingName, number>>>;

export interface ServiceHead extends ChainHead {
  readonly sealing?: Sealing;
}

/** The service's own chain: head and entries in one partition. */
export interface ServiceAuditStore {
  /** Without a value where the row is damaged. */
  head(): Promise<Stored<ServiceHead | undefined> | undefined>;
  /** Head and entries in one batch. @throws LostRace when another writer was faster. */
  append(etag: string | undefined, head: ServiceHead, entries: readonly AuditEntry[]): Promise<void>;
  audit(page: ChainPageRequest): Promise<ChainPage>;
}
