/** What the vaultWork capability needs from outside. */
import type { EpochMs } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import type { VaultWork } from '../watch/ports.ts';
import type { RangeWork } from './ranges.ts';

/** A message of the queue vault-work: one vault's work, or that of a range of vaults in a sweep. */
export type QueuedWork = VaultWork | RangeWork;

/** A page of the daily pass over the accounts: it finds what looks do not cover. */
export interface AccountsVisit {
  readonly visit: 'accounts';
  readonly after?: string;
}

/** When the last sweep ended: shows whether the timer runs. */
export interface SweepMark {
  read(): Promise<EpochMs | undefined>;
  write(at: EpochMs): Promise<void>;
  /** Writes only over the mark that was read. False: another process was faster. */
  replace(before: EpochMs | undefined, at: EpochMs): Promise<boolean>;
}

/** One pass over the vaults of a range, as far as it has come. */
export interface RangePass {
  readonly beganAt: EpochMs;
  /** The last vault that the pass has checked. Absent before the first, and when the pass is over. */
  readonly after?: string;
  readonly vaults: number;
  /** The first digits of the ids of all bindings: Keyward deletes none, so one that is missing in the next pass is lost. */
  readonly bindings: readonly string[];
  /** Bindings whose work failed. */
  readonly failed: number;
  /** Keys by status, each by the worst of its versions in use. */
  readonly keys: Readonly<Record<WatchStatus, number>>;
  /** The oldest last look of a key, after the pass. Absent where the range has no key. */
  readonly oldestLookAt?: EpochMs;
}

/** What the sweeps of a range have left: the pass that a worker has not ended, and the last one that came to its end. */
export interface RangeState {
  readonly pass?: RangePass;
  readonly last?: RangePass & { readonly endedAt: EpochMs };
}

/** One row for each range. Only the range's worker writes it. */
export interface RangeStore {
  read(range: RangeWork): Promise<RangeState>;
  write(range: RangeWork, state: RangeState): Promise<void>;
  /** The states of all ranges, of so many, in order; empty where no worker has written one. */
  all(of: number): Promise<RangeState[]>;
}
