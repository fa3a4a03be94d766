/**
 * What a read of a key's newest version means for its watch. Pure. When the version violates a rule or its blob did not
 * open, the watch records this, the audit has it, and all accounts stay on their version. A superseded version keeps
 * the time of its replacement. It is safe to disable only some time after, because a caller may have read it as the
 * latest just before and be wrapping with it.
 */

import type { AuditFacts } from '../audit/auditFacts.ts';
import { isDenied } from '../base/causes.ts';
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import { brokenRules } from '../customerKey/keyRequirements.ts';
import type { Answer, KeyDescription } from '../customerKey/ports.ts';
import { afterVersionCheck } from '../watch/lookSchedule.ts';
import { unreadableNewest, withExpiry, withNewest } from '../watch/newestVersion.ts';
import type { Watch } from '../watch/watch.ts';

const keyward = { kind: 'keyward', id: 'follow' } as const;
const dayMs = 86_400_000;
export function withLatest(
  before: Watch,
  answer: Answer<KeyDescription>,
  when: { readonly beganAt: EpochMs; readonly plannedAt: EpochMs },
  policy: Policy,
): Watch {
  const { beganAt } = when;
  const { newestUnread, ...watch } = afterVersionCheck(before, when, policy);
  // The looks judge access. A denied key is read again at its usual time. A key that did not answer is read again with
  // the next look.
  if (!answer.ok) {
    const { nextLookAt, nextVersionCheckAt } = watch;
    const unread = { ...watch, newestUnread: { since: newestUnread?.since ?? beganAt, cause: answer.cause } };
    return isDenied(answer.cause)
      ? unread
      : { ...unread, nextVersionCheckAt: Math.min(nextLookAt, nextVersionCheckAt) };
  }
  const { version } = answer.value;
  const known = withExpiry(withNewest(watch, answer.value, beganAt), answer.value, beganAt, policy);
  const [cause] = brokenRules(answer.value, beganAt);
  if (cause !== undefined && known.versions[version] === undefined) {
    const since = known.unusableVersion?.version === version ? known.unusableVersion.since : beganAt;
    const { forced: _pointless, ...staying } = known;
    return { ...staying, unusableVersion: { version, cause, since } };
  }
  const { unusableVersion, ...usable } = known;
  const isUnproven = unusableVersion?.version === version && unusableVersion.failedProof === true;
  return isUnproven ? { ...known, targetVersion: version } : { ...usable, targetVersion: version };
}

/** Versions in use whose expiry Keyward has not read for a day: older versions of pinned accounts. */
export function unreadExpiries(watch: Watch, now: EpochMs): string[] {
  return Object.keys(watch.versions).filter(
    (version) => version !== watch.latest?.version && now - (watch.expiries?.[version]?.readAt ?? 0) > dayMs,
  );
}

/** The latest time at which the version can have been the newest; undefined while it is, or before the first read. */
export function notLatestSince(
  { latest, superseded }: Pick<Watch, 'latest' | 'superseded'>,
  version: string,
): EpochMs | undefined {
  return latest === undefined || latest.version === version ? undefined : (superseded?.[version] ?? latest.since);
}

/** The age at which a version that wraps no account key can be disabled. `left`: from `notLatestSince`. */
export const isLongNotLatest = (left: EpochMs | undefined, now: EpochMs, policy: Policy): boolean =>
  left !== undefined && now - left >= policy.safeToDisableAfterSeconds * 1000;

/** Audits once: a new version, a version that cannot be used, and a newest version that cannot be read. */
export const versionFacts = (before: Watch, after: Watch): AuditFacts[] => [
  ...newVersionFacts(before, after),
  ...readableFacts(before, after),
];

function readableFacts(before: Watch, after: Watch): AuditFacts[] {
  const [was, is] = [unreadableNewest(before), unreadableNewest(after)];
  if ((was === undefined) === (is === undefined)) return [];
  return [
    is === undefined
      ? { type: 'KeyReadable', actor: keyward }
      : { type: 'KeyNotReadable', actor: keyward, cause: is.cause },
  ];
}

function newVersionFacts(before: Watch, after: Watch): AuditFacts[] {
  const { unusableVersion, targetVersion } = after;
  if (unusableVersion !== undefined) {
    if (unusableVersion.version === before.unusableVersion?.version) return [];
    const { version: key, cause } = unusableVersion;
    return [{ type: 'NewVersionUnusable', actor: keyward, key, cause }];
  }
  const isNew = targetVersion !== before.targetVersion && after.versions[targetVersion ?? ''] === undefined;
  return isNew && targetVersion !== undefined ? [{ type: 'NewVersionFound', actor: keyward, key: targetVersion }] : [];
}
