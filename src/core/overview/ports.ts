/**
 * What the overview capability needs from outside: its index. Each function but `timeline` and `write` is one call to
 * the tables.
 */
import type { ChainSubject } from '../announcements/announcement.ts';
import type { AuditEntry, ShownEntry } from '../audit/auditEntry.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { Counts } from './counts.ts';
import type { IndexedAccount, IndexedKey, IndexPosition, IndexRow, MarkedKey } from './indexRows.ts';

/**
 * A change of rows in the partition of one owner, on the condition that its counts are as they were read before all
 * other rows.
 */
export interface OwnerChange {
  /** Without an ETag there were no counts. */
  readonly counts: { readonly value: Counts; readonly etag: string | undefined };
  readonly keys: readonly {
    readonly bindingId: string;
    /** Absent: the row is removed. */
    readonly value?: IndexedKey;
  }[];
  /** Its row, and where it is. */
  readonly put?: IndexedAccount;
  /** The account that is put is not in the index: the write loses a race where it is. */
  readonly isCreated?: boolean;
  /** The row of an account that is there. */
  readonly remove?: IndexedAccount;
  /** The name of an account that is gone. */
  readonly removeLocation?: string;
}

export interface IndexPage {
  readonly rows: readonly IndexRow[];
  /** There are no more rows after these. */
  readonly isLast: boolean;
}

/** The rows of one owner. */
export interface IndexedRows {
  /** Where an account of the owner is in the index, by its name: a copy of its row. */
  locate(owner: string, name: string): Promise<IndexedAccount | undefined>;

  account(at: IndexedAccount): Promise<IndexedAccount | undefined>;
  key(owner: string, bindingId: string): Promise<IndexedKey | undefined>;
  /** All or nothing. Returns the ETag of the owner's counts. @throws LostRace */
  write(owner: string, change: OwnerChange): Promise<string>;
}

export interface IndexedCounts {
  /** Of an owner, or of the service. */
  counts(owner?: string): Promise<Stored<Counts> | undefined>;
  /** Returns their ETag. @throws LostRace */
  writeCounts(counts: Counts, etag: string | undefined): Promise<string>;
  /** Of each owner after this one, in order. `next`: where further ones are. */
  ownerCounts(after: string | undefined, limit: number): Promise<{ counts: readonly Counts[]; next?: string }>;
}

/** Rows in order. */
export interface IndexPages {
  /** Rows after the position, in order, of its owner. */
  ofOwner(after: IndexPosition, limit: number, kind?: 'keys'): Promise<IndexPage>;
  /** Rows of the owners after this one, in order; absent: of all. */
  ofLaterOwners(owner: string | undefined, limit: number, kind?: 'keys'): Promise<IndexPage>;
  /** The owner after this one that has rows; absent: the first. */
  nextOwner(owner: string | undefined): Promise<string | undefined>;
}

/** Keys that are not well. */
export interface KeyMarks {
  /** Lists a key that is not well apart from the others. */
  mark(key: MarkedKey): Promise<void>;
  unmark(owner: string, bindingId: string): Promise<void>;
  /** Marked keys in order, from that of the position on; of one owner, or of all. */
  marked(
    from: IndexPosition | undefined,
    owner: string | undefined,
    limit: number,
  ): Promise<{ readonly marks: readonly MarkedKey[]; readonly isLast: boolean }>;
}

/** The whole index, as one adapter keeps it. */
export type OverviewIndex = IndexedRows & IndexedCounts & IndexPages & KeyMarks;

/** An audit entry in the time index, with what its chain is about. */
export interface TimelineEntry {
  readonly subject: ChainSubject;
  /** Of a key: the owner that it is claimed for. Of an account it is in the subject. */
  readonly owner?: string;
  readonly entry: ShownEntry;
}

/** What names the rows of an entry. */
export type EntryPosition = Pick<AuditEntry, 'at' | 'chain' | 'sequence'>;

export type TimelineOrder = 'newest' | 'oldest';

export interface TimelinePage {
  readonly rows: readonly {
    /** The position of the row. */
    readonly at: string;
    /** Absent: the row is damaged. */
    readonly entry?: TimelineEntry;
  }[];
  /** Where the next page begins. Absent: there is nothing after these. */
  readonly next?: string;
}

/** Entries by time, with a partition per month, once in either order. */
export interface TimelineIndex {
  /** Idempotent. Up to 50 entries of a month cost one call. */
  add(entries: readonly TimelineEntry[]): Promise<void>;
  /** Idempotent. An entry with a text that is no time has no rows. */
  remove(entries: readonly EntryPosition[]): Promise<void>;
  has(entry: EntryPosition): Promise<boolean>;
  /** One call: rows of one month, from `from` up to, and without, `to`. */
  page(request: {
    readonly order: TimelineOrder;
    readonly from: EpochMs;
    readonly to: EpochMs;
    readonly limit: number;
    readonly after?: string;
  }): Promise<TimelinePage>;
}
