/** What the announcements capability needs from outside: the outbox, and the topic. */
import type { AuditEntry } from '../audit/auditEntry.ts';
import type { EpochMs } from '../base/time.ts';
import type { Announcement } from './announcement.ts';

/** What a chain is about, as an announcement tells it. */
export type ChainSubject =
  | { readonly kind: 'account'; readonly name: string; readonly owner: string }
  | { readonly kind: 'binding'; readonly keyIdentifier: string }
  | { readonly kind: 'service' };

/** Entries that are about to be committed, and so to be announced: written before the batch that holds them. */
export interface OutboxRow {
  /** Unique: writers that race for a sequence number have a row each. */
  readonly id: string;
  readonly chain: string;
  readonly subject: ChainSubject;
  /** Sequence number of the first; the others follow without a gap. */
  readonly first: number;
  /** One for each entry: shows whether it is this writer's that stands at its place. */
  readonly hashes: readonly string[];
  readonly at: EpochMs;
  /** The topic does not take it, and has been told of: it is tried again, and makes nothing late. */
  readonly isRefused?: true | undefined;
}

export interface OutboxPage {
  readonly rows: readonly OutboxRow[];
  /** Rows that are none of ours, or damaged: passed by. */
  readonly unreadable: number;
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}

export interface StoredEntries {
  readonly entries: readonly AuditEntry[];
  /** Places where something stands that is no entry. */
  readonly unreadable: number;
}

/** What is still to be announced. */
export interface Outbox {
  put(row: OutboxRow): Promise<void>;
  /** Harmless when it is gone. */
  remove(row: OutboxRow): Promise<void>;
  /** Rows written before the time given, in order of chain and sequence. */
  page(asked: { before: EpochMs; limit: number; after?: string | undefined }): Promise<OutboxPage>;
  /** What stands in the chain at the places of the row, whoever wrote it. Each is read by itself: a batch may come in between. */
  entries(row: OutboxRow): Promise<StoredEntries>;
}

/** `refused`: the topic does not take these events, however often it is asked. `failed`: now, or us. `status` is for the log. */
export type Published =
  | { readonly outcome: 'published' }
  | { readonly outcome: 'refused' | 'failed'; readonly status: string };

/** Where announcements go. Ends within seconds, and nothing here throws. */
export interface AnnouncementTopic {
  publish(announcements: readonly Announcement[]): Promise<Published>;
}

export interface PublishTools {
  readonly topic: AnnouncementTopic;
  readonly outbox: Pick<Outbox, 'remove'>;
  /** Of all announcements of this service. */
  readonly source: string;
}

export interface Announcer extends PublishTools {
  readonly outbox: Outbox;
  /**
   * Runs a write that commits these entries of one chain, and has them announced after it.
   * @throws Unavailable before the write, when the outbox cannot be written: nothing has happened then.
   */
  commit<T>(subject: ChainSubject, entries: readonly AuditEntry[], write: () => Promise<T>): Promise<T>;
  /** Logs what has happened in the background since: after an invocation has ended nothing can be logged in its name. */
  report(): void;
}
