/** What the announcements capability needs from outside: the outbox, and the topic. */
import type { AuditEntry } from '../audit/auditEntry.ts';
import type { EpochMs } from '../base/time.ts';
import type { Announcement, ChainSubject } from './announcement.ts';

/** Entries that are about to be committed and then published. The row is written before the batch that holds them. */
export interface OutboxRow {
  /** Unique: writers that compete for a sequence number have a row each. */
  readonly id: string;
  readonly chain: string;
  readonly subject: ChainSubject;
  /** Sequence number of the first; the others follow without a gap. */
  readonly first: number;
  /** One per entry: shows whether the entry at that position is this writer's. */
  readonly hashes: readonly string[];
  readonly at: EpochMs;
  /** The topic has refused it, and that was logged. It is tried again, and counts as late for no check. */
  readonly isRefused?: true | undefined;
}

export interface OutboxPage {
  readonly rows: readonly OutboxRow[];
  /** Rows that are damaged, or that Keyward did not write. They are skipped. */
  readonly unreadable: number;
  /** Pass it to the next call. Absent on the last page. */
  readonly next?: string;
}

export interface StoredEntries {
  readonly entries: readonly AuditEntry[];
  /** Positions whose row is not an audit entry. */
  readonly unreadable: number;
}

/** The entries that are not published yet. */
export interface Outbox {
  put(row: OutboxRow): Promise<void>;
  /** Harmless when it is gone. */
  remove(row: OutboxRow): Promise<void>;
  /** Rows written before the time given, in order of chain and sequence. */
  page(request: { before: EpochMs; limit: number; after?: string | undefined }): Promise<OutboxPage>;
  /**
   * The entries at the row's positions of the chain, by any writer. Each is read on its own: a batch may come in
   * between.
   */
  entries(row: OutboxRow): Promise<StoredEntries>;
}

/**
 * `refused`: the topic never accepts these events. `failed`: it did not accept them now, or Keyward failed. `status` is
 * for the log.
 */
export type Published =
  | { readonly outcome: 'published' }
  | { readonly outcome: 'refused' | 'failed'; readonly status: string };

/** Where announcements are sent. Ends within seconds and never throws. */
export interface AnnouncementTopic {
  publish(announcements: readonly Announcement[]): Promise<Published>;
}

export interface PublishDeps {
  readonly topic: AnnouncementTopic;
  readonly outbox: Pick<Outbox, 'remove'>;
  /** The `source` of all announcements of this service. */
  readonly source: string;
}

export interface Announcer extends PublishDeps {
  readonly outbox: Outbox;
  /**
   * Runs a write that commits these entries of one chain, and publishes them after it.
   * @throws Unavailable before the write, when the outbox cannot be written: nothing has happened then.
   */
  commit<T>(subject: ChainSubject, entries: readonly AuditEntry[], write: () => Promise<T>): Promise<T>;
  /**
   * Logs what has happened in the background since: after an invocation has ended, nothing can be logged in its name.
   */
  report(): void;
  /** When the entries that wait now are published, or left to the sweep. */
  idle(): Promise<void>;
}
