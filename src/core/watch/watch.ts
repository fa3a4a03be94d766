/**
 * The watch: what is known of one binding, and the state machine that turns evidence into a verdict.
 *
 *                 a denied look                 confirmed (policy.ts)
 *   Accessible ─────────────────▶ Suspect ─────────────────────────────▶ Inaccessible
 *       ▲  ▲ │ nobody answers        │ a good look                            │
 *       │  │ └─▶ Unreachable ────────┤ (a denied look: Suspect)               │
 *       │  └─────────┘ a good look   │                                        │
 *       └────────────────────────────┴────────────────────────────────────────┘  a good look, at any time
 *
 * An outage changes nothing that a customer can feel: in Suspect it neither counts nor resets, in Inaccessible it does not
 * restore. Pure: no I/O, no clock. A watch holds a verdict for every key version that still wraps somebody, because in
 * the middle of a rotation the old version can be disabled while the new one works.
 */

import type { Actor } from '../audit/auditEntry.ts';
import { type Cause, classOf } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import { confirmationOf, type DenyingCause, isDenying, type Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import type { Binding } from '../customerKey/binding.ts';

/** Denied looks of one cause since the last good look; only those at least `lookSpacingSeconds` apart are in `looks`. */
interface Denials {
  readonly looks: number;
  readonly firstAt: EpochMs;
  readonly lastAt: EpochMs;
}

export interface Verdict {
  readonly status: WatchStatus;
  /** Absent exactly when Accessible. */
  readonly cause?: Cause;
  /** When this status began. */
  readonly since: EpochMs;
  /** When the evidence that this verdict rests on was taken. */
  readonly evidenceAt: EpochMs;
  /** Key Vault's request id of it, where there is one. */
  readonly keyVaultRequestId?: string;
  readonly lastAccessibleAt: EpochMs;
  readonly denials: Readonly<Partial<Record<DenyingCause, Denials>>>;
}

/** A verdict that refused or restored accounts, kept until every account's own chain has it. */
export interface Transition {
  readonly epoch: number;
  readonly version: string;
  readonly to: 'CustomerKeyInaccessible' | 'Enabled';
  readonly cause?: Cause;
  readonly keyVaultRequestId?: string;
  readonly at: EpochMs;
  /** Where it refused: the latest moment at which the key could still be in use. */
  readonly keyReleasedBy?: EpochMs;
}

export interface UnusableVersion {
  readonly version: string;
  readonly cause: Cause;
  readonly since: EpochMs;
  /** It breaks no rule, but the vault did not open what it had wrapped: only a proof clears it. */
  readonly failedProof?: true;
}

/** With what its operations weigh in the vault's limits. */
export interface LatestVersion {
  readonly version: string;
  readonly since: EpochMs;
  readonly keyType: string;
  readonly bits: number;
}

export interface Expiry {
  /** Absent: the version does not expire. */
  readonly expiresOn?: EpochMs;
  readonly readAt: EpochMs;
  /** As of the last version check. */
  readonly warning?: 'KeyNearExpiry' | 'KeyExpired';
}

export interface Rotation {
  readonly to: string;
  readonly since: EpochMs;
  readonly done: number;
  /** Accounts that could not be re-wrapped in the present pass. */
  readonly failed: number;
  /** The pass is over: those that failed are tried again with the next version check. */
  readonly isWaiting: boolean;
}

export interface Watch {
  readonly binding: Binding;
  readonly versions: Readonly<Record<string, Verdict>>;
  /** Counts verdicts that refuse or restore. */
  readonly epoch: number;
  /** The last epoch that stands in the chain of every account it touched. */
  readonly reconciledEpoch: number;
  readonly transitions: readonly Transition[];
  readonly nextLookAt: EpochMs;
  readonly lastLookAt: EpochMs;
  /** Counts recorded looks: what shows, whatever clocks say, that nobody has looked since. */
  readonly lookCount: number;
  /** The version that accounts following the latest belong on. Absent until the first read. */
  readonly targetVersion?: string;
  readonly nextVersionCheckAt: EpochMs;
  readonly lastVersionCheckAt: EpochMs;
  /** A newer version that cannot be used, and why: accounts stay where they are. */
  readonly unusableVersion?: UnusableVersion;
  /** The newest version as the vault tells it, usable or not, and since when it is known to be. Absent until the first read. */
  readonly latest?: LatestVersion;
  /** When a version was found not to be the latest any more. */
  readonly superseded?: Readonly<Record<string, EpochMs>>;
  /** What is known of versions' expiry dates. */
  readonly expiries?: Readonly<Record<string, Expiry>>;
  /** Under way, or waiting to try again the accounts that could not be re-wrapped. */
  readonly rotation?: Rotation;
  /** An operator wants every account that follows re-wrapped that has not been since. */
  readonly forced?: { readonly at: EpochMs; readonly by: Actor };
  /** When our own identity was first found to be in trouble; until a look shows that it is not. */
  readonly identityTroubleSince?: EpochMs;
  readonly audit: { readonly sequence: number; readonly hash: string };
}

/** What one look showed. It names its binding and version, and when it was taken: it proves nothing else. */
export interface Evidence {
  readonly bindingId: string;
  readonly version: string;
  readonly takenAt: EpochMs;
  /** The watch's `lookCount` when a look began. Absent on other evidence, which is held against the time of the last. */
  readonly afterLooks?: number;
  /** Absent: the account key was opened. */
  readonly cause?: Cause;
  /** Whether the same identity could unwrap with the operator's control key just then; absent when not tried. */
  readonly controlLook?: 'good' | 'failed';
  readonly keyVaultRequestId?: string;
}

export function accessibleVerdict(at: EpochMs): Verdict {
  return { status: 'Accessible', since: at, evidenceAt: at, lastAccessibleAt: at, denials: {} };
}

/** The verdict after one more piece of evidence; the same object when the evidence is not newer than what it rests on. */
export function judge(
  verdict: Verdict,
  evidence: Evidence,
  policy: Policy,
  isNewest = evidence.takenAt > verdict.evidenceAt,
): Verdict {
  const at = evidence.takenAt;
  if (!isNewest) return verdict;
  const cause = attributed(evidence, policy);
  if (cause === undefined) {
    const since = verdict.status === 'Accessible' ? verdict.since : at;
    return { ...accessibleVerdict(at), since };
  }
  const seen = { ...verdict, evidenceAt: at };
  if (!isDenying(cause, policy)) return afterOutage(seen, cause, at);

  const denials = { ...verdict.denials, [cause]: counted(verdict.denials[cause], at, policy) };
  if (verdict.status === 'Inaccessible') return { ...seen, cause, denials };
  return isConfirmed(cause, denials[cause], evidence, policy)
    ? { ...seen, status: 'Inaccessible', cause, denials, since: at }
    : { ...seen, status: 'Suspect', cause, denials, since: verdict.status === 'Suspect' ? verdict.since : at };
}

/** Whether a look that showed this cause must be followed by a control look. */
export function needsControlLook(cause: Cause, policy: Policy): boolean {
  return isDenying(cause, policy) && confirmationOf(cause, policy).needsControlLook;
}

/** A denial while our own control look failed is our own trouble, not the customer's. */
function attributed({ cause, controlLook }: Evidence, policy: Policy): Cause | undefined {
  if (cause === undefined || controlLook !== 'failed' || !needsControlLook(cause, policy)) return cause;
  return cause === 'VaultNotFound' ? 'DnsFailure' : 'IdentityUnavailable';
}

function afterOutage(seen: Verdict, cause: Cause, at: EpochMs): Verdict {
  switch (seen.status) {
    case 'Suspect':
    case 'Inaccessible':
      return seen;
    case 'Unreachable':
      return { ...seen, cause };
    case 'Accessible':
      return { ...seen, status: 'Unreachable', cause, since: at };
  }
}

function counted(before: Denials | undefined, at: EpochMs, policy: Policy): Denials {
  if (before === undefined || at < before.firstAt) return { looks: 1, firstAt: at, lastAt: at };
  return at - before.lastAt < policy.lookSpacingSeconds * 1000
    ? before
    : { looks: before.looks + 1, firstAt: before.firstAt, lastAt: at };
}

function isConfirmed(cause: DenyingCause, denials: Denials | undefined, evidence: Evidence, policy: Policy): boolean {
  const needed = confirmationOf(cause, policy);
  return (
    denials !== undefined &&
    denials.looks >= needed.looks &&
    denials.lastAt - denials.firstAt >= needed.overMs &&
    (!needed.needsControlLook || evidence.controlLook === 'good')
  );
}

/** The watch after the evidence, with a new epoch when a verdict now refuses or restores accounts. */
export function observe(watch: Watch, evidence: Evidence, policy: Policy): Watch {
  const before = Object.hasOwn(watch.versions, evidence.version) ? watch.versions[evidence.version] : undefined;
  if (before === undefined || evidence.bindingId !== watch.binding.id) return watch;
  // Nobody has looked since this look began: it is the newest, also where a clock has been set back since the last.
  const isNewest = evidence.afterLooks === undefined ? undefined : evidence.afterLooks === watch.lookCount;
  const judged = judge(before, evidence, policy, isNewest);
  if (judged === before) return watch;
  const { keyVaultRequestId: _ofTheLookBefore, ...verdict } = judged;
  const proof = evidence.keyVaultRequestId === undefined ? {} : { keyVaultRequestId: evidence.keyVaultRequestId };
  const after: Verdict = { ...verdict, ...proof };

  const versions = { ...watch.versions, [evidence.version]: after };
  const seen = { ...withIdentity(watch, evidence, policy), versions };
  const refusedBefore = before.status === 'Inaccessible';
  const refusedAfter = after.status === 'Inaccessible';
  if (refusedBefore === refusedAfter) return seen;

  const releasedBy = refusedAfter ? keyReleasedBy(after, policy) : undefined;
  const transition: Transition = {
    epoch: watch.epoch + 1,
    version: evidence.version,
    to: refusedAfter ? 'CustomerKeyInaccessible' : 'Enabled',
    at: evidence.takenAt,
    ...defined({ cause: after.cause }),
    ...proof,
    ...defined({ keyReleasedBy: releasedBy }),
  };
  return { ...seen, epoch: transition.epoch, transitions: [...watch.transitions, transition] };
}

/** Trouble of our own identity is remembered apart from verdicts, which it leaves as they are. Silence shows nothing about it. */
function withIdentity(watch: Watch, evidence: Evidence, policy: Policy): Watch {
  const cause = attributed(evidence, policy);
  if (cause === 'IdentityUnavailable') return { identityTroubleSince: evidence.takenAt, ...watch };
  if (cause !== undefined && classOf(cause) === 'unreachable') return watch;
  const { identityTroubleSince: _over, ...well } = watch;
  return well;
}

/**
 * The watch after a look at every version of the binding, which began at `beganAt` when it was planned for `plannedAt`. A look
 * that somebody has brought forward since then stands.
 */
export function afterLook(
  watch: Watch,
  evidence: readonly Evidence[],
  { beganAt, plannedAt }: { readonly beganAt: EpochMs; readonly plannedAt: EpochMs },
  policy: Policy,
): Watch {
  // Another worker's look was recorded while this one was under way.
  if (evidence.some(({ afterLooks }) => afterLooks !== undefined && afterLooks !== watch.lookCount)) return watch;
  const seen = evidence.reduce((before, one) => observe(before, one, policy), watch);
  const intervals = Object.values(seen.versions).map((verdict) => intervalSeconds(verdict.status, policy));
  const due = beganAt + Math.min(policy.lookIntervalHealthySeconds, ...intervals) * 1000;
  const asked =
    watch.nextLookAt < plannedAt ? Math.max(watch.nextLookAt, beganAt + policy.lookSpacingSeconds * 1000) : due;
  return { ...seen, lookCount: watch.lookCount + 1, lastLookAt: beganAt, nextLookAt: Math.min(due, asked) };
}

function intervalSeconds(status: WatchStatus, policy: Policy): number {
  switch (status) {
    case 'Suspect':
      return policy.lookIntervalSuspectSeconds;
    case 'Inaccessible':
      return policy.lookIntervalInaccessibleSeconds;
    case 'Accessible':
    case 'Unreachable':
      return policy.lookIntervalHealthySeconds;
  }
}

/**
 * Whether a look is due. A sweep looks at everything that has not just been looked at: whoever waited for the exact minute would
 * be a moment short of due when the sweep comes by, and wait for two. So no two looks are further apart than one sweep and
 * `lookSpacingSeconds`.
 */
export function isLookDue(watch: Watch, now: EpochMs, isSweep: boolean, policy: Policy): boolean {
  // Further off than any plan is: made by a clock that has been set back since.
  if (watch.nextLookAt <= now || watch.nextLookAt > now + policy.lookIntervalHealthySeconds * 2000) return true;
  const isHealthyPace = watch.nextLookAt - watch.lastLookAt >= policy.lookIntervalHealthySeconds * 1000;
  return isSweep && isHealthyPace && watch.lastLookAt + policy.lookSpacingSeconds * 1000 <= now;
}

/** The same for the latest version: a sweep does early what would be due before the next one is half-way. */
export function isVersionCheckDue(watch: Watch, now: EpochMs, isSweep: boolean, policy: Policy): boolean {
  return watch.nextVersionCheckAt <= now + (isSweep ? policy.lookIntervalHealthySeconds * 500 : 0);
}

/** Nobody answers for some version of the key: its newest version is asked for once somebody does. */
export const isSilent = ({ versions }: Watch): boolean =>
  Object.values(versions).some(({ status }) => status === 'Unreachable');

/** When somebody asks for a look, or a version check, now: at once, or as soon as it is no repetition. */
export function soonest(now: EpochMs, lastAt: EpochMs, policy: Policy): EpochMs {
  const spacingMs = policy.lookSpacingSeconds * 1000;
  return Math.min(Math.max(now, lastAt + spacingMs), now + spacingMs);
}

/** The watch after a read of the key's latest version; a check that was brought forward since it began stands. */
export function afterVersionCheck(
  watch: Watch,
  { beganAt, plannedAt }: { readonly beganAt: EpochMs; readonly plannedAt: EpochMs },
  policy: Policy,
): Watch {
  const due = beganAt + policy.versionCheckIntervalSeconds * 1000;
  const asked =
    watch.nextVersionCheckAt < plannedAt
      ? Math.max(watch.nextVersionCheckAt, beganAt + policy.lookSpacingSeconds * 1000)
      : due;
  return { ...watch, lastVersionCheckAt: beganAt, nextVersionCheckAt: Math.min(due, asked) };
}

/**
 * The latest moment at which the account key could still be in use anywhere, once the key has been denied or its vault has gone
 * silent: leases are renewed on good evidence only (INV-4). Absent while the key is accessible.
 */
export function keyReleasedBy(verdict: Verdict, policy: Policy): EpochMs | undefined {
  const firstDenials = Object.values(verdict.denials).map((denials) => denials.firstAt);
  switch (verdict.status) {
    case 'Accessible':
      return undefined;
    case 'Suspect':
    case 'Inaccessible':
      return Math.min(...firstDenials) + policy.leaseSeconds * 1000;
    case 'Unreachable':
      return verdict.since + (policy.leaseSeconds + policy.leaseGraceSeconds) * 1000;
  }
}

const fromWorst = ['Inaccessible', 'Suspect', 'Unreachable', 'Accessible'] as const satisfies readonly WatchStatus[];

/** A key counts as the worst of its versions in use. */
export function statusOfKey({ versions }: Pick<Watch, 'versions'>): WatchStatus {
  const seen = new Set(Object.values(versions).map(({ status }) => status));
  return fromWorst.find((status) => seen.has(status)) ?? 'Accessible';
}
