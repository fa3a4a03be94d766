/**
 * The metrics that Keyward counts and measures. A metric is a log line of its own, `Metric`, because every Functions
 * host accepts log lines from Node, in either telemetry mode, without another SDK in the process. docs/operations.md
 * has the queries. Labels are closed unions, so there are few series, and no text of a caller can become a label
 * (INV-9).
 */

import type { Cause } from './causes.ts';
import type { ErrorCode } from './errors.ts';
import type { Log, LogFields } from './log.ts';
import type { DataKeyOperation, SecretKind, WatchStatus } from './vocabulary.ts';

/** The labels of each metric, by its name. A name ends in its unit unless the metric counts items. */
export interface Metrics {
  /** Looks, by the status of the key version after the look, and by cause. */
  readonly 'keyward.looks': { readonly status: WatchStatus; readonly cause: Cause | 'none' };
  /** How long the vault took to answer. */
  readonly 'keyward.looks.ms': { readonly cause: Cause | 'none' };
  /** Reads of a key's newest version. */
  readonly 'keyward.newest.reads': { readonly cause: Cause | 'none' };
  /** Verdicts of key versions that changed. */
  readonly 'keyward.transitions': {
    readonly from: WatchStatus;
    readonly to: WatchStatus;
    readonly cause: Cause | 'none';
  };
  /** Accounts that one batch has re-wrapped, or could not re-wrap. */
  readonly 'keyward.rewraps': { readonly result: 'done' | 'failed' };
  /** Unwrapped account keys in this process's memory, each time one is added. */
  readonly 'keyward.leases': NoLabels;
  readonly 'keyward.reveals': { readonly kind: SecretKind };
  /** Data keys; one call can have several. */
  readonly 'keyward.dataKeys': { readonly operation: DataKeyOperation };
  /** Calls that Keyward refused. */
  readonly 'keyward.refusals': { readonly code: ErrorCode };
  /**
   * Audit entries: published; failed, because the topic did not accept them; deferred to the sweep, because too many
   * waited.
   */
  readonly 'keyward.announcements': { readonly result: 'published' | 'failed' | 'deferred' };
  /**
   * Age of the oldest entry that waits to be published. Each sweep measures it while one has waited for over a minute.
   */
  readonly 'keyward.announcements.oldest.ms': NoLabels;
  /** Audit chains that the daily verification has verified. */
  readonly 'keyward.chains': { readonly result: 'whole' | 'broken' };
  /** Rows that are not as Keyward wrote them, each at most once a minute. */
  readonly 'keyward.damagedRows': NoLabels;
  /** From the change of the canary key until its account was refused, and until it was served again. */
  readonly 'keyward.drill.refused.ms': NoLabels;
  readonly 'keyward.drill.restored.ms': NoLabels;
  /** The time from the start of one sweep to the start of the next. */
  readonly 'keyward.sweeps.ms': NoLabels;
  /** How long one pass over a range of vaults took. */
  readonly 'keyward.ranges.ms': NoLabels;
  /** After a pass over a range: the age of the oldest last look of its keys. */
  readonly 'keyward.looks.oldest.ms': NoLabels;
}

/** What a check of a key measures. */
const ofKeyChecks: ReadonlySet<unknown> = new Set([
  'keyward.looks',
  'keyward.looks.ms',
  'keyward.newest.reads',
] satisfies (keyof Metrics)[]);

/** Whether a line says only that a check of a key found nothing wrong. */
export const isOfGoodKeyCheck = (message: string, { cause, metric }: LogFields): boolean =>
  cause === 'none' && (message === 'Checked a key' || (message === 'Metric' && ofKeyChecks.has(metric)));

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
