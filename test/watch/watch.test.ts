import { describe, expect, it } from 'vitest';
import type { Cause } from '../../src/core/base/causes.ts';
import { judge, needsControlLook, observe } from '../../src/core/watch/judge.ts';
import {
  afterLook,
  afterVersionCheck,
  isLookDue,
  isVersionCheckDue,
  soonest,
} from '../../src/core/watch/lookSchedule.ts';
import type { Evidence, Verdict } from '../../src/core/watch/watch.ts';
import {
  aLook,
  aLookTime,
  aVerdict,
  aWatch,
  type Control,
  designCauses,
  designPolicy,
  harmlessCauses,
  start,
  version1,
  version2,
} from '../builders.ts';

/** The monotonic clock of the only process that looks here. */
const lookTime = (beganAt: number, plannedAt: number) => ({ ...aLookTime((beganAt - start) / 1000), plannedAt });

const judged = (looks: readonly Evidence[], from: Verdict = aVerdict(), policy = designPolicy): Verdict =>
  looks.reduce((verdict, look) => judge(verdict, look, policy), from);

const denials = (cause: Cause, seconds: readonly number[], control?: Control): Evidence[] =>
  seconds.map((at) => aLook(at, cause, control));

/** From 5 s on, every 20 s, for a quarter of an hour. */
const quarterHour = Array.from({ length: 46 }, (_, i) => 5 + 20 * i);
const almost = (seconds: readonly number[]) => seconds.with(-1, (seconds.at(-1) ?? 0) - 0.001);

describe('INV-2: a denial disables only when it is confirmed', () => {
  it.each<[Cause, readonly number[], Control, Verdict['status']]>([
    ['KeyDisabled', [5], undefined, 'Suspect'],
    ['KeyDisabled', [5, 15], undefined, 'Inaccessible'],
    ['KeyDisabled', [5, 14.999], undefined, 'Suspect'],
    ['KeyNotFound', [5, 15, 35], undefined, 'Inaccessible'],
    ['KeyNotFound', [5, 15, 34.999], undefined, 'Suspect'],
    ['KeyNotFound', [5, 35], undefined, 'Suspect'],
    ['KeyOperationNotAllowed', [5, 20, 35], undefined, 'Inaccessible'],
    ['KeyOperationNotAllowed', [5, 20, 34.999], undefined, 'Suspect'],
    ['KeyPermissionDenied', [5, 25, 45, 65], 'good', 'Inaccessible'],
    ['KeyPermissionDenied', [5, 25, 45, 64.999], 'good', 'Suspect'],
    ['KeyPermissionDenied', [5, 65], 'good', 'Suspect'],
    // Each gap contributes at most 20 s: twice the planned interval in Suspect.
    ['KeyPermissionDenied', [5, 35, 65], 'good', 'Suspect'],
    ['KeyPermissionDenied', [5, 3_605, 90_005], 'good', 'Suspect'],
    ['KeyPermissionDenied', [5, 3_605, 90_005, 90_025], 'good', 'Inaccessible'],
    ['KeyPermissionDenied', [5, 25, 45, 65, 85, 105, 125], undefined, 'Suspect'],
    ['IdentityNotAuthorized', [5, 25, 45, 65], 'good', 'Inaccessible'],
    ['IdentityNotAuthorized', [5, 25, 45, 64.999], 'good', 'Suspect'],
    ['IdentityNotAuthorized', [5, 25, 45, 65, 85, 105, 125], undefined, 'Suspect'],
    ['VaultNotFound', quarterHour, 'good', 'Inaccessible'],
    ['VaultNotFound', almost(quarterHour), 'good', 'Suspect'],
    ['VaultNotFound', [5, 300, 905], 'good', 'Suspect'],
    ['VaultNotFound', [...quarterHour, 2000], undefined, 'Suspect'],
  ])('INV-2: %s seen at %j s with control look %s: %s', (cause, seconds, control, status) => {
    expect(judged(denials(cause, seconds, control))).toMatchObject({ status, cause });
  });

  it('INV-2: each cause is counted separately: three different denials confirm none of them', () => {
    const looks = [aLook(5, 'KeyNotFound'), aLook(40, 'KeyOperationNotAllowed'), aLook(80, 'KeyDisabled')];
    expect(judged(looks)).toMatchObject({ status: 'Suspect', cause: 'KeyDisabled', since: start + 5_000 });
  });

  it.each<[Cause, Cause]>([
    ['KeyPermissionDenied', 'IdentityUnavailable'],
    ['IdentityNotAuthorized', 'IdentityUnavailable'],
    ['VaultNotFound', 'DnsFailure'],
  ])('INV-2: %s never disables while the control look fails: Keyward’s own fault, %s', (cause, ours) => {
    const looks = denials(cause, [5, 35, 65, 95, 2000], 'failed');
    expect(judged(looks)).toMatchObject({ status: 'Unreachable', cause: ours, denials: {} });
  });

  it.each([
    ['KeyDisabled', false],
    ['KeyNotFound', false],
    ['KeyOperationNotAllowed', false],
    ['KeyPermissionDenied', true],
    ['IdentityNotAuthorized', true],
    ['VaultNotFound', true],
    ['VaultFirewallDenied', false],
    ['VaultTimeout', false],
  ] as const)('%s asks for a control look: %s', (cause, needed) => {
    expect(needsControlLook(cause, designPolicy)).toBe(needed);
  });

  it('INV-2: a confirmation waits for a good control look when the earlier denials had none', () => {
    const before = judged(denials('KeyPermissionDenied', [5, 25, 45, 65]));
    expect(before.status).toBe('Suspect');
    expect(judged([aLook(75, 'KeyPermissionDenied', 'good')], before).status).toBe('Inaccessible');
  });
});

describe('INV-2: an outage has no effect on a customer', () => {
  const suspect = judged(denials('KeyDisabled', [5]));
  const inaccessible = judged(denials('KeyDisabled', [5, 15]));

  it.each(harmlessCauses)('INV-2: %s makes an accessible key Unreachable and never more', (cause) => {
    const looks = Array.from({ length: 100 }, (_, i) => aLook(60 * (i + 1), cause));
    expect(judged(looks)).toMatchObject({
      status: 'Unreachable',
      cause,
      since: start + 60_000,
      lastAccessibleAt: start,
    });
  });

  it.each(harmlessCauses)('INV-2: %s neither counts towards a confirmation nor resets one', (cause) => {
    const during = judged([aLook(30, cause), aLook(60, cause)], suspect);
    expect(during).toMatchObject({ status: 'Suspect', cause: 'KeyDisabled', since: start + 5_000 });
    expect(judged([aLook(90, 'KeyDisabled')], during)).toMatchObject({ status: 'Inaccessible', since: start + 90_000 });
  });

  it.each(harmlessCauses)('INV-2: %s does not restore an inaccessible key', (cause) => {
    const during = judged([aLook(30, cause), aLook(3600, cause)], inaccessible);
    expect(during).toMatchObject({ status: 'Inaccessible', cause: 'KeyDisabled', since: start + 15_000 });
  });

  it('INV-2: a watch shows the newest cause of an outage, and when the outage began', () => {
    const verdict = judged([aLook(60, 'Throttled'), aLook(120, 'VaultTimeout')]);
    expect(verdict).toMatchObject({ status: 'Unreachable', cause: 'VaultTimeout', since: start + 60_000 });
  });

  it('INV-2: a denial during an outage starts a suspicion like any other', () => {
    const verdict = judged([aLook(60, 'VaultTimeout'), aLook(120, 'KeyDisabled')]);
    expect(verdict).toMatchObject({ status: 'Suspect', cause: 'KeyDisabled', since: start + 120_000 });
  });
});

describe('a refusal by the network’s rules', () => {
  const strict = { ...designPolicy, networkPolicyDisables: true };

  it.each(designCauses.networkPolicy)(
    'INV-2: %s is an outage of any length, unless the operator’s policy says otherwise',
    (cause) => {
      expect(judged(denials(cause, quarterHour, 'good'))).toMatchObject({ status: 'Unreachable', cause, denials: {} });
    },
  );

  it.each<[readonly number[], Control, Verdict['status']]>([
    [[5], 'good', 'Suspect'],
    [quarterHour, 'good', 'Inaccessible'],
    [almost(quarterHour), 'good', 'Suspect'],
    [[5, 300, 905], 'good', 'Suspect'],
    [quarterHour, undefined, 'Suspect'],
    [quarterHour, 'failed', 'Unreachable'],
  ])(
    'INV-2: a network refusal seen at %j s with control look %s is, when the policy lets it disable, %s',
    (seconds, control, status) => {
      for (const cause of designCauses.networkPolicy)
        expect(judged(denials(cause, seconds, control), aVerdict(), strict).status).toBe(status);
    },
  );
});

describe('one good look', () => {
  it.each<[string, Evidence[]]>([
    ['a suspicion', denials('KeyDisabled', [5])],
    ['a confirmed denial', denials('KeyDisabled', [5, 15])],
    ['an outage', [aLook(5, 'Throttled')]],
  ])('one good look ends %s, with any result of its control look, and resets the denials', (_, looks) => {
    for (const control of [undefined, 'good', 'failed'] as const) {
      const at = start + 100_000;
      expect(judged([...looks, aLook(100, undefined, control)])).toEqual({
        status: 'Accessible',
        since: at,
        evidenceAt: at,
        lastAccessibleAt: at,
        denials: {},
      });
    }
  });

  it('a good look does not change the start of an accessible time', () => {
    expect(judged([aLook(60), aLook(120)])).toMatchObject({ since: start, lastAccessibleAt: start + 120_000 });
  });

  it('the confirmation of a flapping key starts again after each good look', () => {
    const flapping = Array.from({ length: 60 }, (_, i) => aLook(20 * (i + 1), i % 2 === 0 ? 'KeyDisabled' : undefined));
    let verdict = aVerdict();
    for (const look of flapping) {
      verdict = judge(verdict, look, designPolicy);
      expect(verdict.status).not.toBe('Inaccessible');
    }
  });
});

describe('INV-7: evidence applies only to what it was made for, and only when it is newer', () => {
  const watch = aWatch({ versions: { [version1]: aVerdict({ evidenceAt: start + 50_000 }) } });

  it.each<[string, Evidence]>([
    ['older than what the verdict rests on', aLook(49.999, 'KeyDisabled')],
    ['just as old', aLook(50, 'KeyDisabled')],
    ['of another binding', { ...aLook(60, 'KeyDisabled'), bindingId: 'c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0' }],
    ['of a version that the watch does not know', { ...aLook(60, 'KeyDisabled'), version: version2 }],
  ])('INV-7: evidence %s changes nothing', (_, evidence) => {
    expect(observe(watch, evidence, designPolicy)).toBe(watch);
  });

  it('INV-7: a good look that is older than a denial does not restore', () => {
    const refused = observe(
      observe(aWatch(), aLook(60, 'KeyDisabled'), designPolicy),
      aLook(70, 'KeyDisabled'),
      designPolicy,
    );
    expect(refused.versions[version1]?.status).toBe('Inaccessible');
    expect(observe(refused, aLook(65), designPolicy)).toBe(refused);
  });

  it('INV-7: a denied version has no effect on another version of the same key', () => {
    const both = aWatch({ versions: { [version1]: aVerdict(), [version2]: aVerdict() } });
    const after = [aLook(60, 'KeyDisabled'), aLook(70, 'KeyDisabled')].reduce(
      (w, e) => observe(w, e, designPolicy),
      both,
    );
    expect(after.versions[version1]?.status).toBe('Inaccessible');
    expect(after.versions[version2]).toEqual(aVerdict());
  });
});

describe('the transitions of a watch', () => {
  const lost = { version: version1, to: 'CustomerKeyInaccessible' };
  /** After the first denial no process renews a lease of 300 s. */
  const lease = 300_000;

  it('the transitions of a watch have each refusal and each restoration once, with cause, time and version, and when a lost key is released', () => {
    const looks = [
      ...denials('KeyDisabled', [60, 70, 100, 130]),
      aLook(140, 'Throttled'),
      aLook(170),
      aLook(230),
      ...denials('KeyNotFound', [300, 310, 330, 360]),
    ];
    const after = looks.reduce((watch, look) => observe(watch, look, designPolicy), aWatch({ epoch: 7 }));
    expect(after.epoch).toBe(10);
    expect(after.reconciledEpoch).toBe(0);
    const refused = (lastUsed: number, first: number) => ({
      lastUsedAt: start + lastUsed * 1000,
      firstRefusedAt: start + first * 1000,
      keyReleasedBy: start + first * 1000 + lease,
    });
    expect(after.transitions).toEqual([
      { ...lost, epoch: 8, cause: 'KeyDisabled', at: start + 70_000, ...refused(0, 60) },
      { epoch: 9, version: version1, to: 'Enabled', at: start + 170_000 },
      { ...lost, epoch: 10, cause: 'KeyNotFound', at: start + 330_000, ...refused(230, 300) },
    ]);
  });

  it('a watch has no transitions for suspicions and outages', () => {
    const looks = [aLook(60, 'KeyDisabled'), aLook(65), aLook(100, 'Throttled'), aLook(160)];
    const after = looks.reduce((watch, look) => observe(watch, look, designPolicy), aWatch());
    expect(after).toMatchObject({ epoch: 0, transitions: [] });
  });
});

describe('a fault of Keyward’s own identity', () => {
  const denied = (at: number, controlLook: 'good' | 'failed') => ({ ...aLook(at, 'KeyPermissionDenied'), controlLook });
  const since = (looks: readonly Evidence[]) =>
    looks.reduce((watch, look) => observe(watch, look, designPolicy), aWatch()).identityTroubleSince;

  it.each<[string, Evidence[], number | undefined]>([
    ['begins with a denial while our own key denies us too', [denied(60, 'failed')], 60],
    ['begins when there is no token', [aLook(60, 'IdentityUnavailable')], 60],
    ['keeps its beginning', [denied(60, 'failed'), denied(70, 'failed'), aLook(80, 'IdentityUnavailable')], 60],
    ['is not over while nobody answers', [denied(60, 'failed'), aLook(70, 'VaultTimeout')], 60],
    ['is seen while a denial is being confirmed', [aLook(60, 'KeyDisabled'), denied(70, 'failed')], 70],
    ['is over with a good look', [denied(60, 'failed'), aLook(70)], undefined],
    ['is over with a denial that our own key does not share', [denied(60, 'failed'), denied(70, 'good')], undefined],
    ['is not a lost name', [{ ...aLook(60, 'VaultNotFound'), controlLook: 'failed' }], undefined],
    ['is not known from old evidence', [aLook(80), denied(60, 'failed')], undefined],
  ])('a fault of Keyward’s own identity: %s', (_, looks, seconds) => {
    expect(since(looks)).toBe(seconds === undefined ? undefined : start + seconds * 1000);
  });
});

describe('the next look', () => {
  /** The watch after rounds of looks at their planned times. Each round starts when its evidence is taken. */
  const looked = (looks: readonly Evidence[]) =>
    looks.reduce(
      (watch, look) => afterLook(watch, [look], lookTime(look.takenAt, watch.nextLookAt), designPolicy),
      aWatch(),
    );

  it.each<[string, Evidence[], number]>([
    ['60 s after a good one', [aLook(60)], 120],
    ['10 s after a denied one, while suspect', [aLook(60, 'KeyDisabled')], 70],
    ['30 s after a denied one, once inaccessible', denials('KeyDisabled', [60, 70]), 100],
    ['60 s after one that nobody answered', [aLook(60, 'VaultTimeout')], 120],
    ['10 s after one that nobody answered, while suspect', [aLook(60, 'KeyDisabled'), aLook(70, 'VaultTimeout')], 80],
    [
      '30 s after one that nobody answered, once inaccessible',
      [...denials('KeyDisabled', [60, 70]), aLook(100, 'Throttled')],
      130,
    ],
  ])('the next look is %s', (_, looks, expectedSeconds) => {
    const after = looked(looks);
    expect(after.nextLookAt).toBe(start + expectedSeconds * 1000);
    expect(after.lastLookAt).toBe(looks.at(-1)?.takenAt);
  });

  const asPlanned = lookTime(start + 60_000, start + 60_000);

  it('the next look is planned from the start of the round, for its most urgent version', () => {
    const both = aWatch({ versions: { [version1]: aVerdict(), [version2]: aVerdict() } });
    const seen = [aLook(61), { ...aLook(62, 'KeyDisabled'), version: version2 }];
    const after = afterLook(both, seen, asPlanned, designPolicy);
    expect(after).toMatchObject({ lastLookAt: start + 60_000, nextLookAt: start + 70_000 });
    expect(after.versions[version1]?.status).toBe('Accessible');
    expect(after.versions[version2]?.status).toBe('Suspect');
  });

  it('a watch is due again after a round without any version to look at', () => {
    const after = afterLook(aWatch(), [], asPlanned, designPolicy);
    expect(after).toEqual({
      ...aWatch(),
      lookCount: 1,
      lastLookAt: start + 60_000,
      nextLookAt: start + 120_000,
      provenTime: expect.anything(),
    });
  });

  it.each<[string, number, number]>([
    ['was asked for 3 s after the look had begun: 10 s after it', 63, 70],
    ['was asked for long after the look had begun: then', 85, 85],
    ['was asked for later than it is due: when it is due', 500, 120],
  ])('the planned look does not change when it %s', (_, requestedFor, expectedSeconds) => {
    const asked = aWatch({ nextLookAt: start + requestedFor * 1000 });
    const broughtForward = lookTime(start + 60_000, start + 1_000_000);
    const after = afterLook(asked, [aLook(60)], broughtForward, designPolicy);
    expect(after.nextLookAt).toBe(start + expectedSeconds * 1000);
  });

  it('the next look is not planned for its old time when a sweep has looked before that time', () => {
    const early = lookTime(start + 45_000, start + 60_000);
    expect(afterLook(aWatch(), [aLook(45)], early, designPolicy).nextLookAt).toBe(start + 105_000);
  });

  it('INV-5: a look after late evidence is planned far enough away to count', () => {
    const first = lookTime(start + 60_000, start + 60_000);
    const suspect = afterLook(aWatch(), [aLook(60, 'KeyDisabled')], first, designPolicy);
    const second = lookTime(suspect.nextLookAt, suspect.nextLookAt);
    const after = afterLook(suspect, [aLook(70, 'KeyDisabled')], second, designPolicy);
    expect(after.versions[version1]?.status).toBe('Inaccessible');
  });

  it('INV-7: of two simultaneous looks, the first one recorded plans the next look, and its evidence is stored', () => {
    const both = lookTime(start + 60_000, start + 60_000);
    const first = afterLook(aWatch(), [{ ...aLook(60), afterLooks: 0 }], both, designPolicy);
    expect(afterLook(first, [{ ...aLook(60.5, 'KeyDisabled'), afterLooks: 0 }], both, designPolicy)).toBe(first);
  });

  it('a look counts when the clock of the previous one has since been set back an hour', () => {
    const ahead = lookTime(start + 3_600_000, start + 3_600_000);
    const before = afterLook(aWatch(), [{ ...aLook(3600), afterLooks: 0 }], ahead, designPolicy);
    const now = lookTime(start + 10_000, before.nextLookAt);
    expect(isLookDue(before, now.beganAt, false, designPolicy)).toBe(true);
    const after = afterLook(before, [{ ...aLook(10, 'KeyDisabled'), afterLooks: 1 }], now, designPolicy);
    expect(after.versions[version1]?.status).toBe('Suspect');
    expect(after.nextLookAt).toBe(start + 20_000);
  });

  it('no event plans a look: evidence alone does not change the time', () => {
    const { lastLookAt, nextLookAt } = observe(aWatch(), aLook(30, 'KeyDisabled'), designPolicy);
    expect({ lastLookAt, nextLookAt }).toEqual({ lastLookAt: start, nextLookAt: start + 60_000 });
  });

  it.each([
    [100, 50, 100],
    [55, 50, 60],
    [60, 50, 60],
    [50, 50, 60],
    // By a clock that is slower than that of the last look: not longer than from now on.
    [10, 50, 20],
  ])('INV-5: a look requested at %i s after a look at %i s is at %i s', (now, last, expected) => {
    expect(soonest(start + now * 1000, start + last * 1000, designPolicy)).toBe(start + expected * 1000);
  });
});

describe('a look', () => {
  const watch = aWatch({ lastLookAt: start, nextLookAt: start + 60_000 });

  it.each([
    [60, false, true],
    [59.999, false, false],
    [59.999, true, true],
    [10, true, true],
    [9.999, true, false],
  ])('a look %d s after the last one, by a sweep (%s), is due: %s', (seconds, isSweep, due) => {
    expect(isLookDue(watch, start + seconds * 1000, isSweep, designPolicy)).toBe(due);
  });
});

describe('the next version check', () => {
  it.each([
    [240, false, true],
    [239.999, false, false],
    [210, true, true],
    [209.999, true, false],
  ])('a version check %d s after the last one, by a sweep (%s), is due: %s', (seconds, isSweep, due) => {
    expect(isVersionCheckDue(aWatch(), start + seconds * 1000, isSweep, designPolicy)).toBe(due);
  });

  it.each<[string, number, number, number]>([
    ['in 4 minutes when nobody asked', 100, 100, 340],
    ['in 4 minutes when a sweep did it before its time', 120, 120, 340],
    ['10 s after this one when an event came during it', 100.5, 240, 110],
    ['when asked for, if that is after those 10 s', 150, 240, 150],
    ['never later than 4 minutes', 900, 1000, 340],
  ])('the next version check is %s', (_, requestedFor, planned, expectedSeconds) => {
    const watch = aWatch({ nextVersionCheckAt: start + requestedFor * 1000 });
    const after = afterVersionCheck(watch, lookTime(start + 100_000, start + planned * 1000), designPolicy);
    expect(after).toEqual({
      ...watch,
      lastVersionCheckAt: start + 100_000,
      nextVersionCheckAt: start + expectedSeconds * 1000,
    });
  });
});
