/** What the vaultWork capability needs from outside. */
import type { Stored } from '../base/stored.ts';
import type { EpochMs } from '../base/time.ts';
import type { ShownStatus } from '../base/vocabulary.ts';
import type { Binding } from '../customerKey/binding.ts';
import type { VaultWork } from '../watch/ports.ts';
import type { StoredSample } from '../watch/sample.ts';
import type { Watch } from '../watch/watch.ts';
import type { AllRanges, RangeWork } from './ranges.ts';

/** A message of the queue vault-work: the work of one vault, or of a range of vaults in a sweep, or of all ranges. */
export type QueuedWork = VaultWork | SweepWork;
export type SweepWork = RangeWork | AllRanges;

/**
 * The daily pass over the accounts, which finds the accounts that looks do not cover. Without `until` it begins, and
 * divides the accounts; with it, the accounts after one name up to and with another are processed.
 */
export interface AccountsWork {
  readonly visit: 'accounts';
  readonly after?: string;
  readonly until?: string;
}

/** An account under a customer key, as the overview lists it. */
export interface OwnedAccount {
  readonly name: string;
  /** Absent: the overview has lost the row of the key. */
  readonly binding?: Binding;
}

/** Watches as a sweep finds them, with those that are damaged or have lost their rows. */
export interface SweptWatches {
  /** Both in one query. What is damaged is absent. */
  readWatchWithSample(bindingId: string): Promise<{ watch?: Stored<Watch>; sample?: StoredSample }>;
  /** The ETag of a damaged watch; undefined when it is intact or absent. */
  damagedWatch(bindingId: string): Promise<string | undefined>;
  /** Ids of bindings that begin with these digits, by any row that is left of them. */
  beginningWith(digits: string): Promise<string[]>;
}

/** When the last sweep ended. It shows whether the timer runs. */
export interface SweepMark {
  read(): Promise<EpochMs | undefined>;
  write(at: EpochMs): Promise<void>;
  /** Writes only over the mark that was read. False: another process was faster. */
  replace(before: EpochMs | undefined, at: EpochMs): Promise<boolean>;
}

/** One pass over the vaults of a range, with its progress. */
export interface RangePass {
  readonly beganAt: EpochMs;
  /** The last vault that the pass has checked. Absent before the first one, and when the pass is complete. */
  readonly after?: string;
  readonly vaults: number;
  /**
   * The first digits of the ids of all bindings. Keyward deletes no binding, so one that is missing in the next pass is
   * lost.
   */
  readonly bindings: readonly string[];
  /** Bindings whose work failed. */
  readonly failed: number;
  /** Keys by status, each by the worst of its versions in use; Unknown: without a recent look, or its work failed. */
  readonly keys: Readonly<Record<ShownStatus, number>>;
  /** The oldest last look of a key, after the pass. Absent when the range has no key. */
  readonly oldestLookAt?: EpochMs;
}

/** The state that the sweeps of a range leave: the unfinished pass of a worker, and the last complete one. */
export interface RangeState {
  readonly pass?: RangePass;
  readonly last?: RangePass & { readonly endedAt: EpochMs };
}

/** One row for each range. Only the range's worker writes it. */
export interface RangeStore {
  read(range: RangeWork): Promise<RangeState>;
  write(range: RangeWork, state: RangeState): Promise<void>;
  /** The states of all ranges, in order. A state is empty when no worker has written it. */
  all(of: number): Promise<RangeState[]>;
}
