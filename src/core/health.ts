/**
 * Readiness: the dependencies of this service, checked at the same time and each with a deadline, so that one that
 * hangs delays no other. The status of the keys is read from what the sweeps have stored, in a fixed number of reads for any number of keys.
 */

import type { AnnouncementsDeps } from './announcements/deps.ts';
import { type Backlog, backlogOf } from './announcements/outboxPass.ts';
import { type Cause, isCause } from './base/causes.ts';
import { defined } from './base/defined.ts';
import type { BaseDeps } from './base/deps.ts';
import { KeywardError } from './base/errors.ts';
import { inTime } from './base/inTime.ts';
import type { EpochMs } from './base/time.ts';
import type { ShownStatus } from './base/vocabulary.ts';
import { type DailyPassStore, type DailyProgress, progressOf } from './dailyProgress.ts';
import type { PassProgress } from './passProgress.ts';
import type { VaultWorkDeps } from './vaultWork/deps.ts';
import type { SweepMark } from './vaultWork/ports.ts';
import { noKeys } from './vaultWork/sweepRange.ts';
import { isCurrentAsSwept } from './watch/verdictTimes.ts';

/** Entries have waited too long to be published, or a key was not checked for too long. */
export type HealthFailure = Cause | 'AnnouncementsLate' | 'KeyChecksLate';

export interface HealthCheck {
  readonly name: 'tables' | 'queue' | 'operatorVault' | 'keyChecks' | 'announcementTopic';
  /** The cause when no answer arrives in time. */
  readonly timeoutCause: Cause;
  /** Returns the failure, or undefined when the dependency answers. It may throw, and it may never end. */
  run(): Promise<HealthFailure | undefined>;
}

export interface HealthDeps
  extends Pick<BaseDeps, 'clock' | 'pause'>,
    Pick<AnnouncementsDeps, 'announcer'>,
    Pick<VaultWorkDeps, 'ranges' | 'policy'> {
  readonly sweepMark: Pick<SweepMark, 'read'>;
  readonly healthChecks: readonly HealthCheck[];
  readonly poisoned: () => Promise<readonly PoisonQueue[]>;
  readonly dailyPass: DailyPassStore;
  /** The approximate number of waiting messages of the daily pass. */
  readonly dailyWaiting: () => Promise<number>;
  /** Those that run now. */
  readonly passes: () => Promise<readonly PassProgress[]>;
}

/** Messages that were given up. */
export interface PoisonQueue {
  readonly queue: string;
  /** Approximate. */
  readonly messages: number;
}

export interface HealthCheckResult {
  readonly name: HealthCheck['name'];
  readonly status: 'ok' | 'failed';
  readonly durationMs: number;
  readonly cause?: HealthFailure;
}

type Deps = Pick<BaseDeps, 'clock' | 'pause'>;

export const runHealthChecks = (checks: readonly HealthCheck[], deps: Deps): Promise<HealthCheckResult[]> =>
  Promise.all(
    checks.map(async (check) => {
      const began = deps.clock.monotonic();
      const answer = await inTime(answerOf(check), deps);
      const cause = answer === undefined ? check.timeoutCause : answer.cause;
      const durationMs = Math.round(deps.clock.monotonic() - began);
      return {
        name: check.name,
        durationMs,
        ...(cause === undefined ? { status: 'ok' } : { status: 'failed', cause }),
      };
    }),
  );

async function answerOf(check: HealthCheck): Promise<{ readonly cause: HealthFailure | undefined }> {
  try {
    return { cause: await check.run() };
  } catch (error) {
    return { cause: error instanceof KeywardError && isCause(error.code) ? error.code : check.timeoutCause };
  }
}

export interface KeyCounts {
  readonly byStatus: Readonly<Record<ShownStatus, number>>;
  /** False while a range of vaults has had no complete pass yet. */
  readonly isComplete: boolean;
  /** The end of the oldest pass that is counted. */
  readonly countedAt: EpochMs;
  /** The oldest check of any key. It becomes old when the pass over a range fails or is late. */
  readonly oldestLookAt?: EpochMs;
}

/**
 * Adds what each pass over a range has stored, so the result is as old as the last sweep. The status of keys that no pass has counted for too long is Unknown.
 */
export async function countKeys({
  ranges,
  policy,
  clock,
}: Pick<HealthDeps, 'ranges' | 'policy' | 'clock'>): Promise<KeyCounts | undefined> {
  const passes = (await ranges.all(policy.sweepRanges)).flatMap(({ last }) => last ?? []);
  if (passes.length === 0) return undefined;
  const now = clock.now();
  const byStatus: Record<ShownStatus, number> = { ...noKeys };
  for (const { keys, endedAt } of passes) {
    const isCurrent = isCurrentAsSwept(endedAt, now, policy);
    for (const status of Object.keys(noKeys) as ShownStatus[]) byStatus[isCurrent ? status : 'Unknown'] += keys[status];
  }
  const looks = passes.flatMap(({ oldestLookAt }) => oldestLookAt ?? []);
  return {
    byStatus,
    isComplete: passes.length === policy.sweepRanges,
    countedAt: Math.min(...passes.map(({ endedAt }) => endedAt)),
    ...defined({ oldestLookAt: oldestOf(looks) }),
  };
}

/** A healthy key is at most 70 s old when a pass ends, and the pass counts until the next one ends. */
const blindAfterMs = 180_000;

/**
 * Whether Keyward could miss a revocation: the oldest check over all keys, or the last sweep, is too long ago. A process that finds no sweep at all counts this time from its own start.
 */
export function keyChecks(deps: Pick<HealthDeps, 'ranges' | 'policy' | 'sweepMark' | 'clock'>): HealthCheck['run'] {
  const beganAt = deps.clock.now();
  return async () => {
    const [sweptAt, keys] = await Promise.all([deps.sweepMark.read(), countKeys(deps)]);
    const now = deps.clock.now();
    const unfinishedSince = keys?.isComplete ? now : beganAt;
    const oldest = Math.min(sweptAt ?? beganAt, keys?.oldestLookAt ?? now, unfinishedSince);
    return now - oldest >= blindAfterMs ? 'KeyChecksLate' : undefined;
  };
}

const oldestOf = (times: readonly EpochMs[]): EpochMs | undefined =>
  times.length === 0 ? undefined : Math.min(...times);

export interface Readiness {
  readonly isReady: boolean;
  readonly checks: readonly HealthCheckResult[];
  /** The following properties are absent where they could not be read in time. */
  readonly sweep?: { readonly lastSweptAt?: EpochMs };
  readonly keys?: KeyCounts;
  /** Every poison queue, also the empty ones. */
  readonly poisoned?: readonly PoisonQueue[];
  /** Absent before the first pass. */
  readonly dailyPass?: DailyProgress;
  /** Other passes over everything, those that run now. */
  readonly passes?: readonly PassProgress[];
  /** Absent also where no topic is set. */
  readonly announcements?: Backlog;
}

/** Never throws. Only the checks decide about readiness: the other properties inform the reader. */
export async function readiness(deps: HealthDeps): Promise<Readiness> {
  const answerOf = <T>(work: Promise<T>) => inTime(work, deps).catch(() => undefined);
  const { announcer } = deps;
  const [checks, sweep, keys, poisoned, dailyPass, passes, announcements] = await Promise.all([
    runHealthChecks(deps.healthChecks, deps),
    answerOf(deps.sweepMark.read().then((at) => (at === undefined ? {} : { lastSweptAt: at }))),
    answerOf(countKeys(deps)),
    answerOf(deps.poisoned()),
    answerOf(dailyProgress(deps)),
    answerOf(deps.passes()),
    announcer === undefined ? undefined : answerOf(backlogOf(announcer, deps)),
  ]);
  return {
    isReady: checks.every(({ status }) => status === 'ok'),
    checks,
    ...defined({ sweep, keys, poisoned, dailyPass, passes, announcements }),
  };
}

async function dailyProgress({ dailyPass, dailyWaiting, clock }: HealthDeps): Promise<DailyProgress | undefined> {
  const [state, waiting] = await Promise.all([dailyPass.read(), dailyWaiting()]);
  return state && progressOf(state, waiting, clock.now());
}
