import type { BaseDeps } from '../base/deps.ts';
import type { Keks } from '../crypto/keks.ts';
import type { Trigger } from './auditFacts.ts';
import type { AccountChains, BindingChainStore, ChainedState, ServiceAuditStore } from './ports.ts';

export interface AuditDeps extends BaseDeps {
  /** What started the work of the current message; absent in a call. */
  readonly trigger?: Trigger;
  readonly serviceAudit: ServiceAuditStore;
  readonly accounts: AccountChains & ChainedState;
  readonly bindings: BindingChainStore;
  readonly rings: (read?: 'fresh') => Promise<{ readonly audit: Keks }>;
}
