/**
 * Following the latest version of a key: find out that there is a newer one, see whether it may be used, and re-wrap the
 * accounts that follow. A version that cannot be used is told, and everybody stays where they are.
 */

import type { AuditFacts } from '../audit.ts';
import { isDenied } from '../causes.ts';
import { violationsOf } from '../keyRules.ts';
import type { Policy } from '../policy.ts';
import type { Answer, KeyDescription, Stored } from '../ports.ts';
import type { Service } from '../service.ts';
import type { EpochMs } from '../time.ts';
import { afterVersionCheck, isVersionCheckDue, type Watch } from '../watch.ts';
import { updateWatch } from '../watching.ts';
import { rewrapFollowers, versionsBehind } from './rewrap.ts';

const keyward = { kind: 'keyward', id: 'follow' } as const;

export interface Followed {
  readonly watch: Stored<Watch>;
  /** More accounts are behind than one message re-wraps. */
  readonly unfinished: boolean;
}

/** One GET, then at most `accountsPerMessage` re-wraps. */
export async function followLatest(stored: Stored<Watch>, service: Service): Promise<Followed> {
  const beganAt = service.clock.now();
  const when = { beganAt, plannedAt: stored.value.nextVersionCheckAt };
  const answer = await service.keyVault.describe(stored.value.binding);
  const decide = (watch: Watch) => withLatest(watch, answer, when, service.policy);
  const found = await updateWatch(stored, decide, service, factsOf);
  // A version that has become unusable wraps nothing new, also where it wraps somebody already.
  const isUsable =
    answer.ok && violationsOf(answer.value, { location: answer.value.region ?? '' }, beganAt).length === 0;
  if (!isUsable || found.value.targetVersion !== answer.value.version) return { watch: found, unfinished: false };
  const { done } = await rewrapFollowers(found.value, answer.value, service);
  if (versionsBehind(found.value).length === 0) return { watch: found, unfinished: false };
  return { watch: (await service.bindings.readWatch(found.value.binding.id)) ?? found, unfinished: !done };
}

/** Due by time, or because somebody is still on an older version. A key that is being denied is left in peace. */
export async function isFollowDue(watch: Watch, isSweep: boolean, service: Service): Promise<boolean> {
  if (isVersionCheckDue(watch, service.clock.now(), isSweep, service.policy)) return true;
  for (const version of versionsBehind(watch)) {
    if (watch.versions[version]?.status !== 'Accessible') continue;
    const behind = { version, onlyFollowing: true, limit: 1 };
    if ((await service.bindings.accounts(watch.binding.id, behind)).rows.length > 0) return true;
  }
  return false;
}

function withLatest(
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
  const { version, region } = answer.value;
  const [cause] = violationsOf(answer.value, { location: region ?? '' }, beganAt);
  if (cause !== undefined && watch.versions[version] === undefined) {
    const since = watch.unusableVersion?.version === version ? watch.unusableVersion.since : beganAt;
    return { ...watch, unusableVersion: { version, cause, since } };
  }
  const { unusableVersion: _mended, ...usable } = watch;
  return { ...usable, targetVersion: version };
}

/** A new version is told once, and so is one that cannot be used. */
function factsOf(before: Watch, after: Watch): AuditFacts[] {
  const { unusableVersion, targetVersion } = after;
  if (unusableVersion !== undefined && unusableVersion.version !== before.unusableVersion?.version) {
    const { version: key, cause } = unusableVersion;
    return [{ type: 'NewVersionUnusable', actor: keyward, key, cause }];
  }
  const isNew = targetVersion !== before.targetVersion && after.versions[targetVersion ?? ''] === undefined;
  return isNew && targetVersion !== undefined ? [{ type: 'NewVersionFound', actor: keyward, key: targetVersion }] : [];
}
