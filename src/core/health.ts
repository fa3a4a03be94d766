/**
 * Readiness: the dependencies of this service, checked at the same time and each with a deadline, so that one that
 * hangs delays no other. And the status of the keys, counted over watches: the cost depends on keys, not on accounts.
 */

import pLimit from 'p-limit';
import type { AnnouncementsDeps } from './announcements/deps.ts';
import { type Backlog, backlogOf } from './announcements/outboxPass.ts';
import { type Cause, isCause } from './base/causes.ts';
import { defined } from './base/defined.ts';
import type { BaseDeps } from './base/deps.ts';
import { KeywardError } from './base/errors.ts';
import { inTime } from './base/inTime.ts';
import type { EpochMs } from './base/time.ts';
import type { WatchStatus } from './base/vocabulary.ts';
import type { VaultWorkDeps } from './vaultWork/deps.ts';
import type { WatchDeps } from './watch/deps.ts';
import type { Watch } from './watch/watch.ts';

/** `AnnouncementsLate`: entries have been waiting for long to be published. */
export type HealthFailure = Cause | 'AnnouncementsLate';

export interface HealthCheck {
  readonly name: 'tables' | 'queue' | 'operatorVault' | 'announcementTopic';
  /** The cause for an answer that does not come. */
  readonly silence: Cause;
  /** The failure; undefined: the dependency answers. May throw, and may hang. */
  ask(): Promise<HealthFailure | undefined>;
}

export interface HealthDeps
  extends Pick<BaseDeps, 'clock' | 'pause'>,
    Pick<AnnouncementsDeps, 'announcer'>,
    Pick<VaultWorkDeps, 'sweepMark'> {
  readonly parts: readonly HealthCheck[];
  readonly keyCounts: () => Promise<KeyCounts>;
  /** Messages in the poison queues, about. */
  readonly poisoned: () => Promise<number>;
}

export interface HealthCheckResult {
  readonly name: HealthCheck['name'];
  readonly status: 'ok' | 'failed';
  readonly durationMs: number;
  readonly cause?: HealthFailure;
}

type Tools = Pick<BaseDeps, 'clock' | 'pause'>;

export const runHealthChecks = (parts: readonly HealthCheck[], tools: Tools): Promise<HealthCheckResult[]> =>
  Promise.all(
    parts.map(async (part) => {
      const began = tools.clock.monotonic();
      const answer = await inTime(answerOf(part), tools);
      const cause = answer === undefined ? part.silence : answer.cause;
      const durationMs = Math.round(tools.clock.monotonic() - began);
      return { name: part.name, durationMs, ...(cause === undefined ? { status: 'ok' } : { status: 'failed', cause }) };
    }),
  );

async function answerOf(part: HealthCheck): Promise<{ readonly cause: HealthFailure | undefined }> {
  try {
    return { cause: await part.ask() };
  } catch (error) {
    return { cause: error instanceof KeywardError && isCause(error.code) ? error.code : part.silence };
  }
}

/** A key has the status of its worst version in use. */
const fromWorst = ['Inaccessible', 'Suspect', 'Unreachable', 'Accessible'] as const satisfies readonly WatchStatus[];

export function statusOfKey({ versions }: Pick<Watch, 'versions'>): WatchStatus {
  const seen = new Set(Object.values(versions).map(({ status }) => status));
  return fromWorst.find((status) => seen.has(status)) ?? 'Accessible';
}

export interface KeyCounts {
  readonly byStatus: Readonly<Record<WatchStatus, number>>;
  /** False: there are more keys than are counted. */
  readonly isComplete: boolean;
  readonly countedAt: EpochMs;
}

const maxKeys = 5_000;
const readsAtOnce = 32;
const freshMs = 10_000;

/** Counts at most once in ten seconds, however many callers there are. */
export function createKeyCount(tools: Pick<WatchDeps, 'vaults' | 'bindings' | 'clock'>): () => Promise<KeyCounts> {
  let last: { readonly at: number; readonly counts: Promise<KeyCounts> } | undefined;
  return () => {
    const now = tools.clock.monotonic();
    if (last === undefined || now - last.at >= freshMs) {
      const counts = countKeys(tools);
      const mine = { at: now, counts };
      last = mine;
      counts.catch(() => {
        if (last === mine) last = undefined;
      });
    }
    return last.counts;
  };
}

async function countKeys({
  vaults,
  bindings,
  clock,
}: Pick<WatchDeps, 'vaults' | 'bindings' | 'clock'>): Promise<KeyCounts> {
  const byStatus = { Accessible: 0, Suspect: 0, Inaccessible: 0, Unreachable: 0 };
  const countedAt = clock.now();
  const limit = pLimit(readsAtOnce);
  const ids: string[] = [];
  for await (const vault of vaults.list()) {
    ids.push(...(await vaults.bindings(vault)));
    if (ids.length > maxKeys) break;
  }
  await limit.map(ids.slice(0, maxKeys), async (id) => {
    const watch = await bindings.readWatch(id);
    if (watch !== undefined) byStatus[statusOfKey(watch.value)] += 1;
  });
  return { byStatus, isComplete: ids.length <= maxKeys, countedAt };
}

export interface Readiness {
  readonly isReady: boolean;
  readonly parts: readonly HealthCheckResult[];
  /** The following properties are absent where they could not be read in time. */
  readonly sweep?: { readonly lastSweptAt?: EpochMs };
  readonly keys?: KeyCounts;
  /** Messages that were given up and are in the poison queues. */
  readonly poisoned?: number;
  /** Absent also where no topic is set. */
  readonly announcements?: Backlog;
}

/** Never throws. The properties beside the checks are for people: they make nothing unready. */
export async function readiness(service: HealthDeps): Promise<Readiness> {
  const told = <T>(asking: Promise<T>) => inTime(asking, service).catch(() => undefined);
  const { announcer } = service;
  const [parts, sweep, keys, poisoned, announcements] = await Promise.all([
    runHealthChecks(service.parts, service),
    told(service.sweepMark.read().then((at) => (at === undefined ? {} : { lastSweptAt: at }))),
    told(service.keyCounts()),
    told(service.poisoned()),
    announcer === undefined ? undefined : told(backlogOf(announcer, service)),
  ]);
  return {
    isReady: parts.every(({ status }) => status === 'ok'),
    parts,
    ...defined({ sweep, keys, poisoned, announcements }),
  };
}
