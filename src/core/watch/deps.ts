import type { AuditDeps } from '../audit/deps.ts';
import type { KeyVault } from '../customerKey/ports.ts';
import type { BoundAccountStore, SampleStore, VaultBudgets, VaultDirectory, WatchStore } from './ports.ts';

export interface WatchDeps extends AuditDeps {
  readonly bindings: AuditDeps['bindings'] & WatchStore & BoundAccountStore & SampleStore;
  readonly vaults: VaultDirectory & VaultBudgets;
  readonly keyVault: KeyVault;
  /** Distinguishes the looks of this process from those of others. */
  readonly processId: string;
}
