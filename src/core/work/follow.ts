/**
 * Following the latest version of a key: find out that there is a newer one, see whether it may be used, and re-wrap the
 * accounts that follow. A version that cannot be used is told, and everybody stays where they are.
 */
import { isDenied } from '../causes.ts';
import { retryLostRaces } from '../errors.ts';
import { violationsOf } from '../keyRules.ts';
import type { Answer, KeyDescription } from '../ports.ts';
import type { Service } from '../service.ts';
import type { EpochMs } from '../time.ts';
import { afterVersionCheck, isVersionCheckDue, type Watch } from '../watch.ts';
import { saveWatch } from '../watching.ts';
import { rewrapFollowers, versionsBehind } from './rewrap.ts';

const keyward = { kind: 'keyward', id: 'follow' } as const;

export type Followed = 'notDue' | 'checked' | 'unfinished';

/** One GET at most, then at most `accountsPerMessage` re-wraps; `unfinished` asks for another message at once. */
export async function followLatest(bindingId: string, isSweep: boolean, service: Service): Promise<Followed> {
  const stored = await service.bindings.readWatch(bindingId);
  if (stored === undefined || !(await isDue(stored.value, isSweep, service))) return 'notDue';
  const beganAt = service.clock.now();
  const answer = await service.keyVault.describe(stored.value.binding);
  const found = await retryLostRaces(() => recordLatest(bindingId, beganAt, answer, service));
  if (!answer.ok || found?.targetVersion !== answer.value.version) return 'checked';
  const { done } = await rewrapFollowers(found, answer.value, service);
  return done ? 'checked' : 'unfinished';
}

/** Due by time, or because somebody is still on an older version. A key that is being denied is left in peace. */
async function isDue(watch: Watch, isSweep: boolean, service: Service): Promise<boolean> {
  if (isVersionCheckDue(watch, service.clock.now(), isSweep, service.policy)) return true;
  for (const version of versionsBehind(watch)) {
    if (watch.versions[version]?.status !== 'Accessible') continue;
    const behind = { version, onlyFollowing: true, limit: 1 };
    if ((await service.bindings.accounts(watch.binding.id, behind)).rows.length > 0) return true;
  }
  return false;
}

async function recordLatest(
  bindingId: string,
  beganAt: EpochMs,
  answer: Answer<KeyDescription>,
  service: Service,
): Promise<Watch | undefined> {
  const stored = await service.bindings.readWatch(bindingId);
  if (stored === undefined) return undefined;
  const watch = afterVersionCheck(stored.value, beganAt, service.policy);
  // The looks judge access. A key that is denied is read again in its time, one that did not answer with the next look.
  if (!answer.ok) {
    const { nextLookAt, nextVersionCheckAt } = watch;
    const nextAt = isDenied(answer.cause) ? nextVersionCheckAt : Math.min(nextLookAt, nextVersionCheckAt);
    return (await saveWatch(stored, { ...watch, nextVersionCheckAt: nextAt }, [], service)).value;
  }
  const { version, region } = answer.value;
  const [violation] = violationsOf(answer.value, { location: region ?? '' }, beganAt);
  if (violation !== undefined && watch.versions[version] === undefined) {
    if (watch.unusableVersion?.version === version) return (await saveWatch(stored, watch, [], service)).value;
    const unusableVersion = { version, cause: violation, since: beganAt };
    const facts = { type: 'NewVersionUnusable', actor: keyward, key: version, cause: violation } as const;
    return (await saveWatch(stored, { ...watch, unusableVersion }, [facts], service)).value;
  }
  const { unusableVersion: _mended, ...usable } = watch;
  const isNew = watch.targetVersion !== version && watch.versions[version] === undefined;
  const facts = isNew ? ([{ type: 'NewVersionFound', actor: keyward, key: version }] as const) : [];
  return (await saveWatch(stored, { ...usable, targetVersion: version }, facts, service)).value;
}
