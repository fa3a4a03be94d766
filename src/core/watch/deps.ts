import type { AuditDeps } from '../audit/deps.ts';
import type { KeyVault } from '../customerKey/ports.ts';
import type { BoundAccountStore, VaultBudgets, VaultDirectory, WatchStore } from './ports.ts';

export interface WatchDeps extends AuditDeps {
  readonly bindings: AuditDeps['bindings'] & WatchStore & BoundAccountStore;
  readonly vaults: VaultDirectory & VaultBudgets;
  readonly keyVault: KeyVault;
  /** Distinguishes the looks of this process from those of others. */
  readonly processId: string;
}
