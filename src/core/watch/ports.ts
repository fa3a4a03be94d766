/** What the watch capability needs from outside: bindings with their bound accounts, and vaults with their work. */
import type { AuditEntry, Trigger } from '../audit/auditEntry.ts';
import type { Stored } from '../base/stored.ts';
import type { KeyVaultIdentity } from '../customerKey/binding.ts';
import type { IdentityDenials } from './identityDenials.ts';
import type { Budget } from './vaultBudget.ts';
import type { Watch } from './watch.ts';

/**
 * One account's row under its binding and version: a hint of who to visit, never the truth about the account. A row is put
 * down before a record names its version, and taken away under its etag after the record has left it.
 */
export interface BoundAccount {
  readonly name: string;
  readonly instanceId: string;
  readonly version: string;
  readonly follows: boolean;
}

/** A row that is damaged names its account by its key, which is enough for a hint. */
export type StoredBound = Stored<BoundAccount> & { readonly isDamaged?: true };

export interface BoundPage {
  readonly rows: readonly (StoredBound & {
    /** Since the row was written, by the clock of the tables. */
    readonly ageMs: number;
    /** Give it back as `from` to continue after this row. */
    readonly position: string;
  })[];
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}

export interface AccountPageRequest {
  /** Absent: whatever version. */
  readonly version?: string;
  readonly limit: number;
  readonly onlyFollowing?: boolean;
  readonly from?: string;
}

/** Watches with their audit entries, one partition per binding. */
export interface WatchStore {
  readWatch(bindingId: string): Promise<Stored<Watch> | undefined>;
  /** Inserts if absent, or replaces the damaged row of this ETag. @throws LostRace when there is another watch. */
  createWatch(watch: Watch, entries: readonly AuditEntry[], damagedEtag?: string): Promise<void>;
  /** The ETag of a watch that is damaged; undefined where it is whole, or there is none. */
  damagedWatch(bindingId: string): Promise<string | undefined>;
  /** @throws LostRace when the etag no longer fits. Answers with the new etag. */
  saveWatch(watch: Stored<Watch>, entries: readonly AuditEntry[]): Promise<Stored<Watch>>;
}

/** The accounts of a binding, in its partition. */
export interface BoundAccountStore {
  /** Idempotent; changes the row's etag every time. */
  putAccount(bindingId: string, account: BoundAccount): Promise<void>;
  readAccount(bindingId: string, account: BoundAccount): Promise<StoredBound | undefined>;
  /** Only while the etag fits; a row that has changed, or is gone, is left as it is. */
  removeAccount(bindingId: string, row: Stored<BoundAccount>): Promise<void>;
  accounts(bindingId: string, page: AccountPageRequest): Promise<BoundPage>;
}

/** Which bindings a vault has. */
export interface VaultDirectory {
  /** Idempotent: puts the binding into the vault's partition. */
  addBinding(vaultHost: string, bindingId: string): Promise<void>;
  bindings(vaultId: string): Promise<string[]>;
  /** The vaults of a range in the order of their ids, each with all its bindings; `rows` says how many bindings a page reads. */
  page(range: VaultRange, rows: number, after?: string): Promise<VaultPage>;
  /** Every vault that has a binding. */
  list(): AsyncIterable<string>;
}

/** Ids of vaults from `from` on and below `to`. */
export interface VaultRange {
  readonly from: string;
  readonly to: string;
}

export interface VaultBindings {
  readonly id: string;
  readonly bindings: readonly string[];
}

export interface VaultPage {
  readonly vaults: readonly VaultBindings[];
  /** Give it back to continue. Absent on the last page. */
  readonly next?: string;
}

/** What the vault's workers have left to spend: travels from one to the next. Only the worker writes it. */
export interface VaultBudgets {
  readBudget(vaultId: string): Promise<Budget | undefined>;
  saveBudget(vaultId: string, budget: Budget): Promise<void>;
}

/** One row for each identity of Keyward that vaults denied. */
export interface IdentityDenialStore {
  /** A damaged row counts as one without denials, so that it holds no denial back and stops no look. */
  read(identity: KeyVaultIdentity): Promise<Stored<IdentityDenials> | undefined>;
  /** Inserts without an ETag. False: another writer was faster. */
  write(denials: IdentityDenials, etag?: string): Promise<boolean>;
  list(): Promise<IdentityDenials[]>;
}

export interface VaultWork {
  readonly vault: string;
  /** Look at the vault's keys now (at most once per key per `lookSpacingSeconds`): all of them, or the one named. */
  readonly lookNow?: { readonly keyName?: string };
  /** Who asked; of an event, which. */
  readonly requestedBy: Trigger['trigger'];
  readonly eventId?: string;
}
