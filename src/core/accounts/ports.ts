/** What the accounts capability needs from outside. */
import type { AuditEntry } from '../audit/auditEntry.ts';
import type { ArmPath } from '../base/armPath.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { SecretKind } from '../base/vocabulary.ts';
import type { AccountRecord } from './account.ts';
import type { SecretPage, SecretRef, SecretRow } from './secretRow.ts';

export interface AccountReader {
  /** @throws DamagedRow */
  read(name: string): Promise<Stored<AccountRecord> | undefined>;
  /** Names of all records, in order, from the accounts table itself: an account that a list has lost is included. */
  names(limit: number, after?: string): Promise<string[]>;
}

/** Accounts with their audit entries, one partition per account. @throws LostRace when the ETag no longer fits. */
export interface AccountWriter {
  /** Inserts record and entries in one batch. Returns the row's ETag. @throws LostRace when the name is taken. */
  create(record: AccountRecord, entries: readonly AuditEntry[]): Promise<string>;
  /** Replaces the record and inserts the entries, in one batch. Returns the row's new ETag. @throws LostRace */
  save(record: Stored<AccountRecord>, entries: readonly AuditEntry[]): Promise<string>;
  /** As `save`, with one secret of the account in the same batch. Returns the secret's ETag. @throws LostRace */
  saveWithSecret(record: Stored<AccountRecord>, entries: readonly AuditEntry[], secret: SecretChange): Promise<string>;
}

/** The end of an account. */
export interface AccountRemover {
  /** Replaces the record by a tombstone that retains the head of the audit chain. The entries stay. @throws LostRace */
  replaceWithTombstone(record: Stored<AccountRecord>): Promise<void>;
  /** The ETag of the record, if it is damaged. */
  damagedEtag(name: string): Promise<string | undefined>;
  /** Returns false when the record has changed, or is gone. */
  removeRecord(name: string, etag: string): Promise<boolean>;
  /** When the last account of this name got its tombstone, by the clock of the tables. */
  lastDeletedAt(name: string): Promise<EpochMs | undefined>;
}

/** Without a row: the secret is deleted, as it is then. Without an ETag: the row is inserted. */
export interface SecretChange {
  readonly ref: SecretRef;
  readonly row?: SecretRow;
  readonly etag?: string | undefined;
}

export type ArmPathFilter = Pick<ArmPath, 'subscriptionId'> & Partial<ArmPath>;

/** The order in which LIST returns accounts: by name. Rows are hints; the record decides. */
export interface Directory {
  page(limit: number, after?: string): Promise<{ names: string[]; next?: string }>;
  /** Of a subscription, or of one of its resource groups. */
  pageOf(list: ArmPathFilter, limit: number, after?: string): Promise<{ names: string[]; next?: string }>;
}

/** The rows of the directory, for their writers and for the daily pass. */
export interface DirectoryRows {
  /**
   * Idempotent; changes the row's ETag every time. With an ARM path: among the accounts of its subscription, by group
   * and name.
   */
  put(name: string, place?: ArmPath): Promise<void>;
  find(name: string, place?: ArmPath): Promise<Omit<DirectoryRow, 'name' | 'place'> | undefined>;
  /** Only while the ETag fits. */
  remove(name: string, etag: string, place?: ArmPath): Promise<void>;
  /** Removes the row in the form of version 0.1, which no list reads. Returns whether there was one. */
  removeFormer(name: string, place?: ArmPath): Promise<boolean>;
  /**
   * All rows: of all accounts, and then of the accounts of each subscription. `after`: the `next` of the page before.
   */
  rows(limit: number, after?: string): Promise<{ rows: DirectoryRow[]; next?: string }>;
}

export interface DirectoryRow {
  readonly name: string;
  /** Absent: the row is among all accounts. The path is folded. */
  readonly place?: ArmPath;
  readonly etag: string;
  /** Both by the clock of the tables. */
  readonly writtenAt: EpochMs;
  readonly ageMs: number;
}

/** When Keyward purges a deleted account. The row is a hint: the record decides. */
export interface ScheduledPurge {
  /** Folded. */
  readonly name: string;
  readonly purgeAt: EpochMs;
}

export interface DuePurge extends ScheduledPurge {
  /** When the row was read, by the tables' own clock. */
  readonly readAt: EpochMs;
}

export interface PurgeSchedule {
  /** Idempotent. */
  put(purge: ScheduledPurge): Promise<void>;
  /** Rows up to this time, the earliest first. */
  due(until: EpochMs, limit: number, after?: string): Promise<{ rows: DuePurge[]; next?: string }>;
  remove(purge: ScheduledPurge): Promise<void>;
}

/** A wake-up of the pass that brings an account's secrets under its newest key. The record says how far it has come. */
export interface RekeyWork {
  readonly visit: 'secrets';
  readonly account: string;
  /** How often the chain of messages has paused: it ends after a day, because the daily pass begins another. */
  readonly pauses?: number | undefined;
}

/** Other rows of an account's partition that a delete removes. */
export interface SecretRows {
  /** In the order of names; of one kind, or of all. */
  page(account: string, request: { kind?: SecretKind; limit: number; after?: string }): Promise<SecretPage>;
  remove(ref: SecretRef, etag: string): Promise<boolean>;
  /**
   * Removes every secret of an account while its record is as it was read. Returns the record's ETag after the call. Can
   * stop anywhere and be repeated. @throws LostRace
   */
  clear(account: string, recordEtag: string): Promise<string>;
}

export interface ResourceRows {
  /** Removes every resource of an account, as `SecretRows.clear` does. @throws LostRace */
  clear(account: string, recordEtag: string): Promise<string>;
}

/** What a deletion needs of the rows about an account's data keys. */
export interface DataKeyRows {
  /** Removes them, of every instance that had the name. */
  clear(account: string): Promise<void>;
}
