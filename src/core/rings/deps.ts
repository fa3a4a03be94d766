import type { AuditDeps } from '../audit/deps.ts';
import type { EpochMs } from '../base/time.ts';
import type { RingName } from '../base/vocabulary.ts';
import type { WorkLock } from '../base/workLock.ts';
import type { WorkQueue } from '../base/workQueue.ts';
import type { KeyVault } from '../customerKey/ports.ts';
import type { OperatorKeys } from './kek.ts';
import type { RingLoader, RingStateStore, RingStore } from './ports.ts';
import type { Rings } from './ring.ts';

/** Work on rings in the background. */
export type RingWork =
  /** Continues the pass of this ring's rotation. */
  | { readonly visit: 'ring'; readonly ring: RingName }
  /** Checks the operator's own keys now, unless a check has run since. */
  | { readonly visit: 'operatorKeys'; readonly requestedAt: EpochMs };

export interface RingsDeps extends Omit<AuditDeps, 'rings'> {
  readonly keyVault: KeyVault;
  readonly ringStore: RingStore & RingStateStore & RingLoader;
  readonly operatorKeys: OperatorKeys;
  /**
   * The rings of this process, read again once a minute. `fresh`: as they are stored after the call.
   * @throws Unavailable while there are none, or none that are fresh.
   */
  readonly rings: (read?: 'fresh') => Promise<Rings>;
  readonly vaults: WorkLock;
  readonly dailyQueue: WorkQueue<RingWork>;
}
