/** What the erasure needs from outside: stored rows that name the owner or an actor after a deletion. */
import type { OutboxRow } from '../announcements/ports.ts';
import type { AuditEntry } from '../audit/auditEntry.ts';
import type { Tombstone } from '../audit/ports.ts';
import type { Stored } from '../base/stored.ts';
import type { Claim } from '../customerKey/ports.ts';
import type { CustomerPageDeps } from '../customerPage/ports.ts';
import type { OverviewDeps } from '../overview/deps.ts';
import type { VaultWorkDeps } from '../vaultWork/deps.ts';

/** What is stored of the chain of a deleted account. Every function can be repeated. */
export interface ErasedChain {
  /** Replaces stored entries of an account's chain, or of the service's own, by others at the same positions. */
  replaceEntries(of: { readonly account: string } | 'service', entries: readonly AuditEntry[]): Promise<void>;
  /** False: the row has changed. */
  saveTombstone(tombstone: Stored<Tombstone>): Promise<boolean>;
  /** The rows of the outbox of one chain. */
  waitingOf(chain: string): Promise<readonly OutboxRow[]>;
  putWaiting(row: OutboxRow): Promise<void>;
}

/** What is stored of an owner besides its accounts. Every function can be repeated. */
export interface OwnerTraces {
  claimsOf(owner: string): Promise<readonly Claim[]>;
  /** Removes the counts, keys and marks of an owner without accounts from the overview. */
  removeFromOverview(owner: string): Promise<void>;
}

export interface ErasureDeps
  extends Pick<OverviewDeps, 'accounts' | 'serviceAudit' | 'rings' | 'clock' | 'random'>,
    Pick<OverviewDeps, 'overview' | 'overviewIndex' | 'timelineIndex'>,
    Pick<CustomerPageDeps, 'customerLinks'>,
    Pick<VaultWorkDeps, 'identityDenials'> {
  readonly erasure: ErasedChain & OwnerTraces;
}
