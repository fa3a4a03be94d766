/** What the customer's page needs from outside. */
import type { AttestationDeps } from '../attestation/deps.ts';
import type { Actor } from '../audit/auditFacts.ts';
import type { AuditDeps } from '../audit/deps.ts';
import type { CallerBudget } from '../base/callerBudget.ts';
import type { EpochMs } from '../base/time.ts';
import type { KeyVaultIdentity } from '../customerKey/binding.ts';

export interface CustomerLink {
  readonly id: string;
  readonly owner: string;
  readonly createdAt: EpochMs;
  readonly expiresAt: EpochMs;
  readonly createdBy: Actor;
  /**
   * The identity with which Keyward will use the customer's keys. Absent: the identity of the keys in use, or, without
   * one, Keyward's own.
   */
  readonly identity?: KeyVaultIdentity;
}

export interface CustomerLinkStore {
  insert(link: CustomerLink): Promise<void>;
  /** Undefined: there is none, or its row is damaged. */
  read(owner: string, id: string): Promise<CustomerLink | undefined>;
  list(owner: string): Promise<readonly CustomerLink[]>;
  remove(owner: string, id: string): Promise<boolean>;
}

export interface CustomerPageDeps
  extends Pick<AuditDeps, 'serviceAudit'>,
    Pick<AttestationDeps, 'rings' | 'clock' | 'random'> {
  readonly customerLinks: CustomerLinkStore;
  /** Calls of one link a minute, in each process. */
  readonly linkBudget: CallerBudget;
}
