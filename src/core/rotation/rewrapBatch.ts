/**
 * Re-wraps all accounts of a key that use its latest version, batch by batch. Rows say which accounts to process, and
 * records decide, so it can stop anywhere and begin again. One account's failure stops no other. An old version that
 * does not unwrap delays no account on another one. A new version that does not unwrap its own blob ends the run at its
 * first account.
 */
import type { Actor } from '../audit/auditFacts.ts';
import { classOf } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { describeError, KeywardError, retryLostRaces, Unavailable } from '../base/errors.ts';
import type { EpochMs } from '../base/time.ts';
import { versionedIdentifier } from '../customerKey/keyIdentifier.ts';
import type { KeyDescription } from '../customerKey/ports.ts';
import { type BoundRow, boundAccounts, staleRowMs } from '../watch/boundAccounts.ts';
import type { RewrapFailure, Watch } from '../watch/watch.ts';
import type { RotationDeps } from './deps.ts';
import {
  boundIn,
  type CustomerKeyAccount,
  type Goal,
  isNamed,
  rewrapAccount,
  type UnwrapFailure,
} from './rewrapAccount.ts';

const keyward = { kind: 'keyward', id: 'rewrap' } as const;

/** The versions that still wrap an account key and are not the target. */
export function outdatedVersions(watch: Watch): string[] {
  if (watch.targetVersion === undefined) return [];
  return Object.keys(watch.versions).filter((version) => version !== watch.targetVersion);
}

/** Those whose accounts unwrap now, as far as is known. */
export const openOutdatedVersions = (watch: Watch): string[] =>
  outdatedVersions(watch).filter((version) => watch.versions[version]?.status === 'Accessible');

/** One pass over the accounts of a binding, based on one read of its newest version. */
export interface RewrapRun extends Goal {
  readonly watch: Watch;
  readonly actor: Actor;
  readonly rows: AsyncGenerator<BoundRow, void>;
  /** Rows to process again, because the vault did not answer for them. */
  readonly again: BoundRow[];
  /** Old versions that did not unwrap in this run. */
  readonly blocked: Set<string>;
  /** No account is re-wrapped yet, and the last try failed: one account goes first. */
  isInDoubt: boolean;
  /** Every row is processed. */
  isOver: boolean;
  failed: number;
  /** The first accounts that failed. */
  readonly failures: RewrapFailure[];
  /** The owner of all accounts of the binding, as soon as a record has been read. */
  owner?: string;
  moved: number;
  readonly startedAt: EpochMs;
}

export interface RewrapBatch {
  rewrapped: number;
  /** Why it ended early: the vault needs a pause, or the new version does not unwrap. */
  stop?: UnwrapFailure;
  error?: unknown;
}

export function beginRun(watch: Watch, target: KeyDescription, deps: RotationDeps): RewrapRun {
  const blocked = new Set<string>();
  return {
    watch,
    target,
    blocked,
    again: [],
    actor: watch.forced?.by ?? keyward,
    rows: rowsToProcess(watch, blocked, deps),
    isWatched: watch.versions[target.version] !== undefined,
    isInDoubt: watch.unusableVersion?.version === target.version,
    isOver: false,
    failed: 0,
    failures: [],
    moved: 0,
    startedAt: deps.clock.now(),
  };
}

async function* rowsToProcess(
  watch: Watch,
  blocked: ReadonlySet<string>,
  deps: RotationDeps,
): AsyncGenerator<BoundRow, void> {
  const inPlace = watch.forced === undefined || watch.targetVersion === undefined ? [] : [watch.targetVersion];
  for (const version of [...openOutdatedVersions(watch), ...inPlace]) {
    for await (const row of boundAccounts(watch.binding.id, { version, onlyFollowing: true }, deps)) {
      if (blocked.has(version)) break;
      yield row;
    }
  }
}

export interface BatchLimits {
  readonly until: EpochMs;
  /** The number of accounts. */
  readonly atOnce: number;
  readonly max: number;
}

/** Continues the run within the limits. Finishes accounts that are begun. */
export async function rewrapBatch(run: RewrapRun, limits: BatchLimits, deps: RotationDeps): Promise<RewrapBatch> {
  const batch: RewrapBatch = { rewrapped: 0 };
  let underWay = 0;
  const isRunning = () => !run.isOver && batch.stop === undefined && batch.error === undefined;
  const mayBegin = () => isRunning() && deps.clock.now() < limits.until && batch.rewrapped + underWay < limits.max;
  const worker = async () => {
    while (mayBegin()) {
      underWay += 1;
      await processNext(run, batch, deps);
      underWay -= 1;
    }
  };
  if (run.isInDoubt || !run.isWatched) await processNext(run, batch, deps);
  await Promise.all(Array.from({ length: limits.atOnce }, worker));
  if (run.again.length > 0) run.isOver = false;
  return batch;
}

/**
 * Never throws. A failure of more than one account ends the batch, and is returned once all running accounts have
 * finished.
 */
async function processNext(run: RewrapRun, batch: RewrapBatch, deps: RotationDeps): Promise<void> {
  try {
    const row = run.again.pop() ?? (await run.rows.next()).value;
    if (row !== undefined) await processRow(row, run, batch, deps);
    else if (batch.error === undefined) run.isOver = true;
  } catch (error) {
    batch.error ??= error;
  }
}

async function processRow(row: BoundRow, run: RewrapRun, batch: RewrapBatch, deps: RotationDeps): Promise<void> {
  try {
    const outcome = await retryLostRaces(() => rewrapRow(row, run, deps));
    if (outcome === 'notDue') return;
    if (outcome === 'done') {
      batch.rewrapped += 1;
      run.moved += 1;
      run.isInDoubt = false;
      return;
    }
    noteFailure(outcome, row, run, batch, deps);
  } catch (error) {
    if (error instanceof Unavailable && error.code === 'StorageUnavailable') throw error;
    addFailure(run, { account: row.value.name, code: error instanceof KeywardError ? error.code : 'InternalError' });
    deps.log.error('An account could not be re-wrapped', { ...aboutRow(row, run), error: describeError(error) });
  }
}

/** Enough to see who is concerned. The watch has them all in one row. */
const maxNamed = 20;

function addFailure(run: RewrapRun, failure: RewrapFailure): void {
  run.failed += 1;
  if (run.failures.length < maxNamed) run.failures.push(failure);
}

const aboutRow = ({ value: { name, version } }: BoundRow, { owner, watch }: RewrapRun) =>
  defined({ owner, key: versionedIdentifier(watch.binding, version), account: name });

function noteFailure(
  failure: UnwrapFailure,
  row: BoundRow,
  run: RewrapRun,
  batch: RewrapBatch,
  { log }: RotationDeps,
): void {
  const { at, cause, observed } = failure;
  const about = { ...aboutRow(row, run), cause, version: at, keyVaultRequestId: observed.requestId };
  // No answer for one account means none for the next: wait for the next look. Throttled: wait for the next message.
  if (classOf(cause) === 'unreachable') {
    batch.stop ??= failure;
    run.again.push(row);
    if (cause === 'Throttled') return;
  } else if (at === 'new') batch.stop = failure;
  else if (cause === 'KeyMaterialMismatch') {
    addFailure(run, { account: row.value.name, code: cause });
    log.error('An account key does not match its record', about);
    return;
  } else run.blocked.add(row.value.version);
  log.warn('An account key was not re-wrapped', about);
}

/** Reads again when another writer has just changed the account's key. The record says what it needs now. */
async function rewrapRow(
  row: BoundRow,
  run: RewrapRun,
  deps: RotationDeps,
): Promise<UnwrapFailure | 'done' | 'notDue'> {
  const bindingId = run.watch.binding.id;
  const account = boundIn(await deps.accounts.read(row.value.name));
  if (account === undefined || !isNamed(account, row, bindingId)) {
    if (row.ageMs > staleRowMs) await deps.bindings.removeAccount(bindingId, row);
    return 'notDue';
  }
  run.owner ??= account.stored.value.owner;
  if (!isDue(account, run)) return 'notDue';
  const failure = await rewrapAccount(account, run, deps);
  if (failure !== undefined) return failure;
  // The row was listed before the record was read, and the record no longer uses it: no writer can return to it unseen.
  if (row.value.version !== run.target.version) await deps.bindings.removeAccount(bindingId, row);
  return 'done';
}

/** The record decides whether the account still needs the version. */
function isDue({ encryption }: CustomerKeyAccount, { watch, target }: RewrapRun): boolean {
  const isForced = watch.forced !== undefined && (encryption.rewrappedAt ?? 0) < watch.forced.at;
  return encryption.follows && (encryption.version !== target.version || isForced);
}
