/**
 * The watch: what is known of one binding. It holds a verdict for every key version that still wraps an account key, because in
 * the middle of a rotation the old version can be disabled while the new one works. judge.ts turns evidence into verdicts,
 * lookSchedule.ts plans the looks.
 */

import type { Actor } from '../audit/auditEntry.ts';
import type { Cause } from '../base/causes.ts';
import type { DenyingCause } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import type { Binding } from '../customerKey/binding.ts';
import type { Principal } from '../customerKey/ports.ts';
import type { ProvenTime } from './provenTime.ts';

/** Denied looks of one cause since the last good look. Looks at least `lookSpacingSeconds` of proven time apart count. */
export interface Denials {
  readonly looks: number;
  /** Proven time from the first to the last look that counts: each gap contributes at most twice the planned interval. */
  readonly overMs: number;
  readonly firstAt: EpochMs;
  /** The proven time (provenTime.ts) of the last look that counts. */
  readonly lastMs: number;
  /** Key Vault's request id of the first look, where there is one. */
  readonly firstKeyVaultRequestId?: string;
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
  /** The vault's own answer, where a failed control look showed that the fault is Keyward's. */
  readonly deniedAs?: Cause;
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
  /** Where it refused: the last good look before it, the first refusal, and Key Vault's request id of that. */
  readonly lastUsedAt?: EpochMs;
  readonly firstRefusedAt?: EpochMs;
  readonly firstKeyVaultRequestId?: string;
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
  /** No account was bound at the last look. */
  readonly isAsleep?: true;
  /** A newer version that cannot be used, and why: accounts stay where they are. */
  readonly unusableVersion?: UnusableVersion;
  /** The newest version as the vault tells it, usable or not, and since when it is known to be. Absent until the first read. */
  readonly latest?: LatestVersion;
  /** The newest version cannot be read since then, for the cause of the last try. Absent: the last try has read it. */
  readonly newestUnread?: { readonly since: EpochMs; readonly cause: Cause };
  /** When a version was found not to be the latest any more. */
  readonly superseded?: Readonly<Record<string, EpochMs>>;
  /** What is known of versions' expiry dates. */
  readonly expiries?: Readonly<Record<string, Expiry>>;
  /** Under way, or waiting to try again the accounts that could not be re-wrapped. */
  readonly rotation?: Rotation;
  /** An operator wants every account that follows re-wrapped that has not been since. */
  readonly forced?: { readonly at: EpochMs; readonly by: Actor };
  /** When Keyward's own identity was first found to fail; until a look shows that it works. */
  readonly identityTroubleSince?: EpochMs;
  /** The principal of the last good look. Absent: nothing names it. */
  readonly provenBy?: Principal;
  /** The principal of the last call that names one: the one to grant. */
  readonly calledAs?: Principal;
  /** By version: looks begin with the account after this one, because those before it have wrong wrapped keys. */
  readonly samplesAfter?: Readonly<Record<string, string>>;
  /** Time that has passed for sure, from look to look. Absent before the first one. */
  readonly provenTime?: ProvenTime;
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
  /** The principal that the vault was called as. Absent: nothing names it. */
  readonly principal?: Principal;
  /** The call does not name its principal, so a denial can be that of a replaced identity (identityDenials.ts). */
  readonly isUnnamed?: true;
  readonly keyVaultRequestId?: string;
}

export function accessibleVerdict(at: EpochMs): Verdict {
  return { status: 'Accessible', since: at, evidenceAt: at, lastAccessibleAt: at, denials: {} };
}

const fromWorst = ['Inaccessible', 'Suspect', 'Unreachable', 'Accessible'] as const satisfies readonly WatchStatus[];

/** A key counts as the worst of its versions in use. */
export function statusOfKey({ versions }: Pick<Watch, 'versions'>): WatchStatus {
  const seen = new Set(Object.values(versions).map(({ status }) => status));
  return fromWorst.find((status) => seen.has(status)) ?? 'Accessible';
}
