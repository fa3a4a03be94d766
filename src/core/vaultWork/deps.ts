import type { LRUCache } from 'lru-cache';
import type { WorkLock } from '../base/workLock.ts';
import type { WorkQueue } from '../base/workQueue.ts';
import type { KeyVaultIdentity } from '../customerKey/binding.ts';
import type { KeyRef, Principal } from '../customerKey/ports.ts';
import type { RotationDeps } from '../rotation/deps.ts';
import type { IdentityDenialStore } from '../watch/ports.ts';
import type { AccountsWork, OwnedAccount, QueuedWork, RangeStore, SweepMark, SweptWatches } from './ports.ts';

export interface VaultWorkDeps extends RotationDeps {
  readonly bindings: RotationDeps['bindings'] & SweptWatches;
  readonly vaults: RotationDeps['vaults'] & WorkLock;
  readonly queue: WorkQueue<QueuedWork>;
  readonly dailyQueue: RotationDeps['dailyQueue'] & WorkQueue<AccountsWork>;
  /** Wrapped keys that this process found wrong. They are not used for looks again until they change. */
  readonly wrongSamples: LRUCache<string, string>;
  readonly sweepMark: SweepMark;
  readonly ranges: RangeStore;
  readonly identityDenials: IdentityDenialStore;
  /** All accounts of an owner that have a customer key: found also where rows of their vaults and keys are lost. */
  readonly ownedAccounts: (owner: string) => AsyncIterable<OwnedAccount>;
  /** The managed identities of the app, as the settings name them. */
  readonly ownIdentities: readonly { readonly identity: KeyVaultIdentity; readonly principal?: Principal }[];
  /**
   * Unwraps with an operator-owned key under the same identity. It shows whether a denial is the service's own fault.
   */
  readonly controlLook: (key: Pick<KeyRef, 'identity' | 'tenantId'>) => Promise<'good' | 'failed'>;
}
