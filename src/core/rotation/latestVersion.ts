/**
 * What a read of a key's newest version means for its watch. Pure. A version that breaks a rule, or whose blob did not open, is
 * noted and told, and everybody stays where they are; one that was superseded keeps the time, because it is safe to disable
 * only a while after (a caller may have read it as the latest just before, and be wrapping with it).
 */

import type { AuditFacts } from '../audit/auditEntry.ts';
import { isDenied } from '../base/causes.ts';
import { defined } from '../base/defined.ts';
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import { brokenRules, expiryOf } from '../customerKey/keyRequirements.ts';
import type { Answer, KeyDescription } from '../customerKey/ports.ts';
import { afterVersionCheck, type Expiry, type Watch } from '../watch/watch.ts';

const keyward = { kind: 'keyward', id: 'follow' } as const;
const dayMs = 86_400_000;
/** Of superseded versions nobody is on, this many are remembered. */
const maxSuperseded = 50;

export function withLatest(
  before: Watch,
  answer: Answer<KeyDescription>,
  when: { readonly beganAt: EpochMs; readonly plannedAt: EpochMs },
  policy: Policy,
): Watch {
  const { beganAt } = when;
  const watch = afterVersionCheck(before, when, policy);
  // The looks judge access. A key that is denied is read again in its time, one that did not answer with the next look.
  if (!answer.ok) {
    const { nextLookAt, nextVersionCheckAt } = watch;
    return isDenied(answer.cause) ? watch : { ...watch, nextVersionCheckAt: Math.min(nextLookAt, nextVersionCheckAt) };
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

/** Every other version that is known is not the latest from now on, unless it was found not to be before. */
function withNewest(watch: Watch, { version, keyType, bits }: KeyDescription, at: EpochMs): Watch {
  const { latest } = watch;
  if (latest?.version === version) return watch;
  const others = [...Object.keys(watch.versions), ...(latest === undefined ? [] : [latest.version])];
  const left = Object.fromEntries(others.map((one) => [one, at]));
  const { [version]: _newest, ...superseded } = { ...left, ...watch.superseded };
  if (latest !== undefined) superseded[latest.version] = at;
  const newestFirst = Object.entries(superseded).toSorted(([, a], [, b]) => b - a);
  const kept = newestFirst.filter(([one], n) => n < maxSuperseded || watch.versions[one] !== undefined);
  return { ...watch, latest: { version, since: at, keyType, bits }, superseded: Object.fromEntries(kept) };
}

/** The watch that knows this version's expiry, and warns of every version's as of now. Versions that wrap nobody are forgotten. */
export function withExpiry(watch: Watch, key: KeyDescription, now: EpochMs, policy: Policy): Watch {
  const { expiresOn } = key;
  const read: Expiry = { readAt: now, ...defined({ expiresOn }) };
  const known = Object.entries({ ...watch.expiries, [key.version]: read })
    .filter(([version]) => version === key.version || watch.versions[version] !== undefined)
    .map(([version, expiry]) => [version, withWarning(expiry, now, policy)]);
  return { ...watch, expiries: Object.fromEntries(known) };
}

function withWarning({ expiresOn, readAt }: Expiry, now: EpochMs, policy: Policy): Expiry {
  if (expiresOn === undefined) return { readAt };
  const warning = expiryOf(expiresOn, now, policy.keyNearExpiryDays);
  return { readAt, expiresOn, ...defined({ warning }) };
}

/** Versions in use whose expiry has not been read for a day: older ones, that somebody is pinned to. */
export function unreadExpiries(watch: Watch, now: EpochMs): string[] {
  return Object.keys(watch.versions).filter(
    (version) => version !== watch.latest?.version && now - (watch.expiries?.[version]?.readAt ?? 0) > dayMs,
  );
}

/** When the version was last known to be the latest at most; undefined while it is, or before the first read. */
export function notLatestSince({ latest, superseded }: Watch, version: string): EpochMs | undefined {
  return latest === undefined || latest.version === version ? undefined : (superseded?.[version] ?? latest.since);
}

/** A new version is told once, and so is one that cannot be used. */
export function versionFacts(before: Watch, after: Watch): AuditFacts[] {
  const { unusableVersion, targetVersion } = after;
  if (unusableVersion !== undefined) {
    if (unusableVersion.version === before.unusableVersion?.version) return [];
    const { version: key, cause } = unusableVersion;
    return [{ type: 'NewVersionUnusable', actor: keyward, key, cause }];
  }
  const isNew = targetVersion !== before.targetVersion && after.versions[targetVersion ?? ''] === undefined;
  return isNew && targetVersion !== undefined ? [{ type: 'NewVersionFound', actor: keyward, key: targetVersion }] : [];
}
