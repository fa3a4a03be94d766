/** What the accounts capability needs from outside. */
import type { AuditEntry } from '../audit/auditEntry.ts';
import type { ArmPath } from '../base/armPath.ts';
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { AccountRecord } from './account.ts';
import type { SecretPage, SecretRef } from './secretRow.ts';

/** Accounts with their audit entries, one partition an account. @throws LostRace when the etag no longer fits. */
export interface AccountStore {
  read(name: string): Promise<Stored<AccountRecord> | undefined>;
  /** Inserts record and entries in one batch. @throws LostRace when the name is taken. */
  create(record: AccountRecord, entries: readonly AuditEntry[]): Promise<void>;
  /** Replaces the record and inserts the entries, in one batch. */
  save(record: Stored<AccountRecord>, entries: readonly AuditEntry[]): Promise<void>;
  /** Replaces the record by a tombstone that keeps the audit's head; the audit stays. */
  replaceWithTombstone(record: Stored<AccountRecord>): Promise<void>;
  /** Names of all records, in order, from the accounts' own table: none that a list has lost is left out. */
  names(limit: number, after?: string): Promise<string[]>;
}

export type ArmPathFilter = Pick<ArmPath, 'subscriptionId'> & Partial<ArmPath>;

/** The order in which LIST shows accounts: by name. Rows are hints; the record decides. */
export interface Directory {
  /** Idempotent; changes the row's etag every time. With a place: among the accounts of its subscription, by group and name. */
  put(name: string, place?: ArmPath): Promise<void>;
  /** The row's etag. */
  find(name: string, place?: ArmPath): Promise<string | undefined>;
  /** Only while the etag fits. */
  remove(name: string, etag: string, place?: ArmPath): Promise<void>;
  page(limit: number, after?: string): Promise<{ names: string[]; next?: string }>;
  /** Of a subscription, or of one group of it. */
  pageOf(list: ArmPathFilter, limit: number, after?: string): Promise<{ names: string[]; next?: string }>;
}

/** A pass over an account's secrets that brings them under its newest key, and how far it is. */
export interface RekeyWork {
  readonly visit: 'secrets';
  readonly account: string;
  /** The phase that the pass belongs to: another one begins from the start. */
  readonly since?: EpochMs | undefined;
  readonly after?: string | undefined;
  /** Secrets under an older key that this pass has met. */
  readonly found?: number | undefined;
  /** Of these, not to be opened. */
  readonly stuck?: number | undefined;
  /** How often the chain of messages has paused in this phase. */
  readonly pauses?: number | undefined;
}

/** What else an account's partition holds, and a delete clears away. */
export interface SecretRows {
  page(account: string, request: { limit: number; after?: string }): Promise<SecretPage>;
  remove(ref: SecretRef, etag: string): Promise<boolean>;
  /** @throws LostRace when the record's etag no longer fits. Returns the record's etag after that. */
  clear(account: string, recordEtag: string): Promise<string>;
}

export interface ResourceRows {
  /** @throws LostRace when the record's etag no longer fits. Returns the record's etag after that. */
  clear(account: string, recordEtag: string): Promise<string>;
}
