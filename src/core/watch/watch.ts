/**
 * The watch: the state of one binding. It has a verdict for every key version that still wraps an account key, because
 * during a rotation the old version can be disabled while the new one works. judge.ts turns evidence into verdicts, and
 * lookSchedule.ts plans the looks.
 */

import type { Actor } from '../audit/auditFacts.ts';
import type { Cause } from '../base/causes.ts';
import type { ErrorCode } from '../base/errors.ts';
import type { DenyingCause } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import type { Binding } from '../customerKey/binding.ts';
import type { Principal } from '../customerKey/ports.ts';
import type { ProvenTime } from './provenTime.ts';

/**
 * Denied looks of one cause since the last good look. Looks count when at least `lookSpacingSeconds` of proven time lie
 * between them.
 */
export interface Denials {
  readonly looks: number;
  /** Proven time from the first to the last counted look. Each gap contributes at most twice the planned interval. */
  readonly overMs: number;
  readonly firstAt: EpochMs;
  /** The proven time (provenTime.ts) of the last counted look. */
  readonly lastMs: number;
  /** Key Vault's request id of the first look, when there is one. */
  readonly firstKeyVaultRequestId?: string;
}

export interface Verdict {
  readonly status: WatchStatus;
  /** Absent exactly when Accessible. */
  readonly cause?: Cause;
  /** When this status began. */
  readonly since: EpochMs;
  /** When the evidence of this verdict was taken. */
  readonly evidenceAt: EpochMs;
  /** Key Vault's request id of the evidence, when there is one. */
  readonly keyVaultRequestId?: string;
  readonly lastAccessibleAt: EpochMs;
  readonly denials: Readonly<Partial<Record<DenyingCause, Denials>>>;
  /** The vault's own answer, when a failed control look showed that the fault is Keyward's. */
  readonly deniedAs?: Cause;
  /** The address of Keyward that the vault's firewall refused. */
  readonly clientAddress?: string;
}

/** A verdict that refused or restored accounts. It stays until every account's own chain has it. */
export interface Transition {
  readonly epoch: number;
  readonly version: string;
  readonly to: 'CustomerKeyInaccessible' | 'Enabled';
  readonly cause?: Cause;
  readonly keyVaultRequestId?: string;
  readonly at: EpochMs;
  /** For a refusal: the latest time at which a process could still use the key. */
  readonly keyReleasedBy?: EpochMs;
  /** For a refusal: the last good look before it, the first refusal, and Key Vault's request id of that refusal. */
  readonly lastUsedAt?: EpochMs;
  readonly firstRefusedAt?: EpochMs;
  readonly firstKeyVaultRequestId?: string;
}

export interface UnusableVersion {
  readonly version: string;
  readonly cause: Cause;
  readonly since: EpochMs;
  /** The version violates no rule, but the vault did not open what it had wrapped. Only a proof clears this. */
  readonly failedProof?: true;
}

/** With the key type and size, which determine the cost of its operations. */
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

/** An account that could not be re-wrapped, and why. */
export interface RewrapFailure {
  readonly account: string;
  readonly code: ErrorCode;
}

export interface Rotation {
  readonly to: string;
  readonly since: EpochMs;
  readonly done: number;
  /** Accounts that could not be re-wrapped in the present pass. */
  readonly failed: number;
  /** The first of these. Absent in rows of earlier releases. */
  readonly failures?: readonly RewrapFailure[];
  /** The pass is complete. Failed accounts are tried again with the next version check. */
  readonly isWaiting: boolean;
}

export interface Watch {
  readonly binding: Binding;
  readonly versions: Readonly<Record<string, Verdict>>;
  /** Counts the verdicts that refuse or restore. */
  readonly epoch: number;
  /** The last epoch that the chains of all its accounts have. */
  readonly reconciledEpoch: number;
  readonly transitions: readonly Transition[];
  readonly nextLookAt: EpochMs;
  readonly lastLookAt: EpochMs;
  /** Counts recorded looks. It shows, with any error of the clocks, that no look was recorded since. */
  readonly lookCount: number;
  /** The version to which accounts on the latest version belong. Absent until the first read. */
  readonly targetVersion?: string;
  readonly nextVersionCheckAt: EpochMs;
  readonly lastVersionCheckAt: EpochMs;
  /** No account was bound at the last look. */
  readonly isAsleep?: true;
  /** A newer version that cannot be used, and the reason. Accounts stay on their version. */
  readonly unusableVersion?: UnusableVersion;
  /**
   * The newest version as the vault describes it, usable or not, and since when it is known. Absent until the first
   * read.
   */
  readonly latest?: LatestVersion;
  /**
   * Since when the newest version cannot be read, with the cause of the last attempt. Absent: the last attempt has read
   * it.
   */
  readonly newestUnread?: { readonly since: EpochMs; readonly cause: Cause };
  /** When each version was found to be no longer the latest. */
  readonly superseded?: Readonly<Record<string, EpochMs>>;
  /** The known expiry dates of versions. */
  readonly expiries?: Readonly<Record<string, Expiry>>;
  /** In progress, or waiting to retry the accounts that could not be re-wrapped. */
  readonly rotation?: Rotation;
  /** An operator requests a re-wrap of every account on the latest version that has not been re-wrapped since. */
  readonly forced?: { readonly at: EpochMs; readonly by: Actor };
  /** When Keyward's own identity was first found to fail, until a look shows that it works. */
  readonly identityTroubleSince?: EpochMs;
  /** The principal of the last good look. Absent: nothing names it. */
  readonly provenBy?: Principal;
  /** The principal of the last call that names one. The customer must grant this one. */
  readonly calledAs?: Principal;
  /**
   * By version: looks start with the account after this one, because the accounts before it have wrong wrapped keys.
   */
  readonly samplesAfter?: Readonly<Record<string, string>>;
  /** The proven time from look to look. Absent before the first one. */
  readonly provenTime?: ProvenTime;
  readonly audit: { readonly sequence: number; readonly hash: string };
}

/** The result of one look. It names its binding, its version and its time, and proves nothing else. */
export interface Evidence {
  readonly bindingId: string;
  readonly version: string;
  readonly takenAt: EpochMs;
  /**
   * The watch's `lookCount` when a look began. Absent on other evidence, which is compared with the time of the last.
   */
  readonly afterLooks?: number;
  /** Absent: the vault opened the account key. */
  readonly cause?: Cause;
  /** Whether the same identity could unwrap with the operator's control key at that time; absent when not tried. */
  readonly controlLook?: 'good' | 'failed';
  /** The principal of the call to the vault. Absent: nothing names it. */
  readonly principal?: Principal;
  /** The call does not name its principal, so a denial can be that of a replaced identity (identityDenials.ts). */
  readonly isPrincipalUnknown?: true;
  readonly keyVaultRequestId?: string;
  /** The address of the call, as a refusal of the vault's firewall names it. */
  readonly clientAddress?: string;
}

export function accessibleVerdict(at: EpochMs): Verdict {
  return { status: 'Accessible', since: at, evidenceAt: at, lastAccessibleAt: at, denials: {} };
}

const fromWorst = ['Inaccessible', 'Suspect', 'Unreachable', 'Accessible'] as const satisfies readonly WatchStatus[];

/** Every version in use opens account keys. */
export const isAccessible = (watch: Pick<Watch, 'versions'>): boolean => statusOfKey(watch) === 'Accessible';

/** A key has the status of the worst of its versions in use. */
export function statusOfKey({ versions }: Pick<Watch, 'versions'>): WatchStatus {
  const seen = new Set(Object.values(versions).map(({ status }) => status));
  return fromWorst.find((status) => seen.has(status)) ?? 'Accessible';
}
