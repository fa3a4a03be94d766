/**
 * What a batch of re-wraps means for the watch: the progress of the rotation, whether it is complete, and whether the
 * new version failed to unwrap its own blob. Pure. It is written after each batch, so a crash loses the count of one
 * batch and none of its work.
 */
import type { AuditFacts } from '../audit/auditFacts.ts';
import { classOf } from '../base/causes.ts';
import type { Rotation, Watch } from '../watch/watch.ts';
import type { RewrapBatch, RewrapRun } from './rewrapBatch.ts';

const keyward = { kind: 'keyward', id: 'follow' } as const;

/** Returns the same watch when there is nothing to write. */
export function withBatch(before: Watch, run: RewrapRun, batch: RewrapBatch, isComplete: boolean): Watch {
  const to = run.target.version;
  // The rotation has a still newer target: what this batch did for the older one does not count.
  if (before.targetVersion !== to) return before;
  const { stop } = batch;
  if (stop?.at === 'new' && classOf(stop.cause) !== 'unreachable') {
    const since = before.unusableVersion?.version === to ? before.unusableVersion.since : run.startedAt;
    const { forced: _pointless, ...staying } = before;
    return { ...staying, unusableVersion: { version: to, cause: stop.cause, since, failedProof: true } };
  }
  const { unusableVersion, ...withUsableVersion } = before;
  const watch = batch.rewrapped > 0 && unusableVersion?.version === to ? withUsableVersion : before;
  if (!isComplete) return isBegun(before, run, batch) ? { ...watch, rotation: progressOf(before, run, batch) } : watch;
  const { rotation: _over, forced, ...rest } = watch;
  if (!isBegun(before, run, batch) && forced === undefined) return watch;
  // A request that came during this run is for the next one.
  return forced === undefined || forced.at === run.watch.forced?.at ? rest : { ...rest, forced };
}

export function batchFacts(before: Watch, run: RewrapRun, batch: RewrapBatch, isComplete: boolean): AuditFacts[] {
  const to = run.target.version;
  if (before.targetVersion !== to) return [];
  const { stop } = batch;
  if (stop?.at === 'new' && classOf(stop.cause) !== 'unreachable') {
    const isReported = before.unusableVersion?.version === to;
    const { requestId } = stop.observed;
    const proof = requestId === undefined ? {} : { keyVaultRequestId: requestId };
    return isReported ? [] : [{ type: 'NewVersionUnusable', actor: keyward, key: to, cause: stop.cause, ...proof }];
  }
  if (!isBegun(before, run, batch)) return [];
  const { actor } = run;
  const started: AuditFacts[] = before.rotation?.to === to ? [] : [{ type: 'RotationStarted', actor, key: to }];
  const { done: accounts } = progressOf(before, run, batch);
  return isComplete ? [...started, { type: 'RotationCompleted', actor, key: to, accounts }] : started;
}

const isBegun = (before: Watch, run: RewrapRun, batch: RewrapBatch): boolean =>
  before.rotation?.to === run.target.version || batch.rewrapped > 0 || run.failed > 0;

function progressOf({ rotation }: Watch, run: RewrapRun, batch: RewrapBatch): Rotation {
  const running = rotation?.to === run.target.version ? rotation : undefined;
  return {
    to: run.target.version,
    since: running?.since ?? run.startedAt,
    done: (running?.done ?? 0) + batch.rewrapped,
    failed: run.failed,
    ...(run.failures.length === 0 ? {} : { failures: [...run.failures] }),
    isWaiting: run.isOver,
  };
}
