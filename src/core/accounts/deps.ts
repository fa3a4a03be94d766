import type { Serialize } from '../base/keyedMutex.ts';
import type { WorkQueue } from '../base/workQueue.ts';
import type { Binding } from '../customerKey/binding.ts';
import type { CustomerKeyDeps } from '../customerKey/deps.ts';
import type { Rings } from '../rings/ring.ts';
import type { WatchDeps } from '../watch/deps.ts';
import type {
  AccountReader,
  AccountRemover,
  AccountWriter,
  DataKeyRows,
  Directory,
  DirectoryRows,
  PurgeSchedule,
  RekeyWork,
  ResourceRows,
  SecretRows,
} from './ports.ts';
import type { AccountCache, Leases, RefusedCalls } from './processState.ts';

export interface AccountsDeps extends CustomerKeyDeps, WatchDeps {
  readonly accounts: WatchDeps['accounts'] & AccountReader & AccountWriter & AccountRemover;
  readonly directory: Directory & DirectoryRows;
  readonly purgeSchedule: PurgeSchedule;
  readonly secrets: SecretRows;
  readonly resources: ResourceRows;
  readonly dataKeyUse: DataKeyRows;
  readonly dailyQueue: WorkQueue<RekeyWork>;
  readonly rings: (read?: 'fresh') => Promise<Rings>;
  /** One per process: unwrapped account keys exist only here. */
  readonly leases: Leases;
  readonly accountCache: AccountCache;
  /** Serializes the work of this process on one account or resource. */
  readonly serialize: Serialize;
  readonly refusedCalls: RefusedCalls;
  /** After a denial: the key is checked soon. Never throws. */
  readonly requestLook: (binding: Pick<Binding, 'id' | 'vaultHost' | 'keyName'>) => Promise<void>;
}
