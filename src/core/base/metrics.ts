/**
 * What is counted and measured. A metric travels as a log line of its own, `Metric`, because that is what every Functions host
 * takes from Node, in either telemetry mode, without another SDK in the process; docs/operations.md has the queries. Labels are
 * closed unions: so there are few series, and nothing that somebody sent can become one (INV-9).
 */

import type { Cause } from './causes.ts';
import type { ErrorCode } from './errors.ts';
import type { Log, LogFields } from './log.ts';
import type { DataKeyOperation, SecretKind, WatchStatus } from './vocabulary.ts';

/** Name, ending in the unit where it is none of pieces, to labels. */
export interface Metrics {
  /** Looks, by what the key version is held to be after them, and what they showed. */
  readonly 'keyward.looks': { readonly status: WatchStatus; readonly cause: Cause | 'none' };
  /** How long the vault took. */
  readonly 'keyward.looks.ms': { readonly cause: Cause | 'none' };
  /** Reads of a key's newest version. */
  readonly 'keyward.newest.reads': { readonly cause: Cause | 'none' };
  /** Verdicts of key versions that changed. */
  readonly 'keyward.transitions': {
    readonly from: WatchStatus;
    readonly to: WatchStatus;
    readonly cause: Cause | 'none';
  };
  /** Accounts that a slice of work has re-wrapped, or has not been able to. */
  readonly 'keyward.rewraps': { readonly result: 'done' | 'failed' };
  /** Unwrapped account keys in this process's memory, each time one is added. */
  readonly 'keyward.leases': NoLabels;
  readonly 'keyward.reveals': { readonly kind: SecretKind };
  /** Data keys, however many came with one call. */
  readonly 'keyward.dataKeys': { readonly operation: DataKeyOperation };
  /** Calls that were not served. */
  readonly 'keyward.refusals': { readonly code: ErrorCode };
  /** Audit entries announced; not announced, because the topic did not take them; left to the sweep, because too many waited. */
  readonly 'keyward.announcements': { readonly result: 'published' | 'failed' | 'deferred' };
  /** Age of the oldest entry that waits to be announced, seen by each sweep while one waits for over a minute. */
  readonly 'keyward.announcements.oldest.ms': NoLabels;
  /** Audit chains that the daily verification has verified. */
  readonly 'keyward.chains': { readonly result: 'whole' | 'broken' };
  /** Rows that are not as Keyward wrote them; each at most once a minute. */
  readonly 'keyward.damagedRows': NoLabels;
  /** From the sweep before to this one. */
  readonly 'keyward.sweeps.ms': NoLabels;
  /** How long one pass over a range of vaults took. */
  readonly 'keyward.ranges.ms': NoLabels;
  /** Age of the oldest last look of a key in a range, after a pass. */
  readonly 'keyward.looks.oldest.ms': NoLabels;
}

type NoLabels = Readonly<Record<never, never>>;

export function measure<Name extends keyof Metrics>(
  log: Log,
  metric: Name,
  value: number,
  labels: Metrics[Name],
): void {
  const fields: LogFields = { metric, value, ...labels };
  log.info('Metric', fields);
}
