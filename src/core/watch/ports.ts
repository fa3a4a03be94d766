/** What the watch capability needs from outside: bindings with their bound accounts, and vaults with their work. */
import type { AuditEntry } from '../audit/auditEntry.ts';
import type { Trigger } from '../audit/auditFacts.ts';
import type { Stored } from '../base/stored.ts';
import type { KeyVaultIdentity } from '../customerKey/binding.ts';
import type { IdentityDenials } from './identityDenials.ts';
import type { LookSample } from './sample.ts';
import type { Budget } from './vaultBudget.ts';
import type { Watch } from './watch.ts';

/**
 * The row of one account under its binding and version. It is a hint of which account to process, and no fact about the
 * account. It is stored before a record names its version, and deleted under its ETag after the record has left the
 * version.
 */
export interface BoundAccount {
  readonly name: string;
  readonly instanceId: string;
  readonly version: string;
  readonly follows: boolean;
}

/** The key of a damaged row names its account, which is enough for a hint. */
export type StoredBound = Stored<BoundAccount> & { readonly isDamaged?: true };

export interface BoundPage {
  readonly rows: readonly (StoredBound & {
    /** The time since the row was written, by the clock of the tables. */
    readonly ageMs: number;
    /** Pass it as `from` to continue after this row. */
    readonly position: string;
  })[];
  /** Pass it to the next call. Absent on the last page. */
  readonly next?: string;
}

export interface AccountPageRequest {
  /** Absent: any version. */
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
  /** Returns the new ETag. @throws LostRace when the row has changed. */
  saveWatch(watch: Stored<Watch>, entries: readonly AuditEntry[]): Promise<Stored<Watch>>;
}

/** The wrapped key that a look unwraps, copied from an account into the partition of its binding. */
export interface SampleStore {
  /** While the account's row has this ETag, which it changes. @throws LostRace */
  saveSample(bindingId: string, sample: LookSample, row: Stored<BoundAccount>): Promise<void>;
  removeSample(bindingId: string): Promise<void>;
}

/** The accounts of a binding, in its partition. */
export interface BoundAccountStore {
  /** Idempotent. It changes the row's ETag every time. */
  putAccount(bindingId: string, account: BoundAccount): Promise<void>;
  readAccount(bindingId: string, account: BoundAccount): Promise<StoredBound | undefined>;
  /** Only while the ETag matches. A row that has changed or is gone stays unchanged. */
  removeAccount(bindingId: string, row: Stored<BoundAccount>): Promise<void>;
  accounts(bindingId: string, page: AccountPageRequest): Promise<BoundPage>;
}

/** The bindings of each vault. */
export interface VaultDirectory {
  /** Idempotent: writes the binding into the vault's partition. */
  addBinding(vaultHost: string, bindingId: string): Promise<void>;
  bindings(vaultId: string): Promise<string[]>;
  /**
   * The vaults of a range in the order of their ids, each with all its bindings. `rows` is the number of bindings that
   * a page reads.
   */
  page(range: VaultRange, rows: number, after?: string): Promise<VaultPage>;
  /** Every vault that has a binding. */
  list(): AsyncIterable<string>;
}

/** Vault ids from `from` up to, and without, `to`. */
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
  /** Pass it to the next call. Absent on the last page. */
  readonly next?: string;
}

/** The remaining budget of a vault, which passes from one worker to the next. Only the vault's worker writes it. */
export interface VaultBudgets {
  readBudget(vaultId: string): Promise<Budget | undefined>;
  saveBudget(vaultId: string, budget: Budget): Promise<void>;
}

/** One row for each identity of Keyward that a vault denied. */
export interface IdentityDenialStore {
  /** A damaged row counts as one without denials, so that it holds no denial back and stops no look. */
  read(identity: KeyVaultIdentity): Promise<Stored<IdentityDenials> | undefined>;
  /** Inserts without an ETag. False: another writer was faster. */
  write(denials: IdentityDenials, etag?: string): Promise<boolean>;
  list(): Promise<IdentityDenials[]>;
}

export interface VaultWork {
  readonly vault: string;
  /** Look at the vault's keys now (at most once per key in `lookSpacingSeconds`): all of them, or the named one. */
  readonly lookNow?: { readonly keyName?: string };
  /** What requested the look, and for an event, which one. */
  readonly requestedBy: Trigger['trigger'];
  readonly eventId?: string;
}
