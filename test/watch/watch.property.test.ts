/** The state machine against its specification, over random histories of looks in virtual time. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cause } from '../../src/core/base/causes.ts';
import { judge, observe } from '../../src/core/watch/judge.ts';
import { afterLook } from '../../src/core/watch/lookSchedule.ts';
import type { Evidence, Verdict, Watch } from '../../src/core/watch/watch.ts';
import {
  aBinding,
  aLookTime,
  aVerdict,
  aWatch,
  deniedCauses,
  designPolicy,
  harmlessCauses,
  start,
  version1,
  version2,
} from '../builders.ts';

/** docs/states-and-bounds.md, "Confirmation": number of looks, least span in ms, control look needed. */
type Rules = Partial<Record<Cause, readonly [number, number, boolean]>>;
const needs: Rules = {
  KeyDisabled: [2, 0, false],
  KeyNotFound: [3, 30_000, false],
  KeyOperationNotAllowed: [3, 30_000, false],
  KeyPermissionDenied: [3, 60_000, true],
  IdentityNotAuthorized: [3, 60_000, true],
  VaultNotFound: [3, 900_000, true],
};
/** The same when the operator lets the network's rules disable. */
const strictNeeds: Rules = {
  ...needs,
  VaultFirewallDenied: [3, 60_000, true],
  VaultPrivateLinkDenied: [3, 60_000, true],
  NetworkPerimeterDenied: [3, 60_000, true],
};

/** Evidence that neither counts nor resets. A replaced identity explains denials: see below. */
const outages = harmlessCauses.filter((one) => one !== 'IdentityReplaced');

const gapMs = fc.oneof(
  fc.integer({ min: 1, max: 9_999 }),
  fc.constantFrom(9_999, 10_000, 10_001, 30_000, 60_000),
  fc.integer({ min: 10_000, max: 600_000 }),
);
const control = fc.constantFrom(undefined, 'good' as const, 'good' as const, 'failed' as const);
/** Mostly a few causes, so that confirmations happen, and sometimes any cause. */
const cause = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  {
    weight: 8,
    arbitrary: fc.constantFrom<Cause>('KeyDisabled', 'KeyNotFound', 'KeyPermissionDenied', 'VaultNotFound'),
  },
  { weight: 2, arbitrary: fc.constantFrom(...deniedCauses) },
  { weight: 3, arbitrary: fc.constantFrom(...outages) },
);

function historyOf(
  steps: readonly (readonly [number, Cause | undefined, Evidence['controlLook'], string])[],
): Evidence[] {
  let takenAt = start;
  return steps.map(([gap, why, controlLook, version]) => {
    takenAt += gap;
    const said = why === undefined ? {} : { cause: why };
    return { bindingId: aBinding.id, version, takenAt, ...said, ...(controlLook === undefined ? {} : { controlLook }) };
  });
}

const histories = (...versions: string[]) =>
  fc.array(fc.tuple(gapMs, cause, control, fc.constantFrom(...versions)), { maxLength: 40 }).map(historyOf);
const history = histories(version1);

/** A denial that needs a control look does not count when that look failed. */
function isDenial({ cause: why, controlLook }: Evidence, rules = needs): boolean {
  const rule = why === undefined ? undefined : rules[why];
  return rule !== undefined && !(rule[2] && controlLook === 'failed');
}

const sinceGood = (looks: readonly Evidence[]) =>
  looks.slice(looks.findLastIndex((look) => look.cause === undefined) + 1);

/** The looks that count: each at least 10 s after the last one that counted. */
function counting(looks: readonly Evidence[]): Evidence[] {
  const chosen: Evidence[] = [];
  for (const look of looks) {
    const last = chosen.at(-1);
    if (last === undefined || look.takenAt - last.takenAt >= 10_000) chosen.push(look);
  }
  return chosen;
}

/** Whether the last look of this history, which is all after the last good one, confirms its denial. */
function confirms(looks: readonly Evidence[], rules: Rules): boolean {
  const now = looks.at(-1);
  if (now?.cause === undefined || !isDenial(now, rules)) return false;
  const [least, span, controlled] = rules[now.cause] ?? [Number.POSITIVE_INFINITY, 0, true];
  const seen = counting(looks.filter((look) => look.cause === now.cause && isDenial(look, rules)));
  // Each gap counts up to twice the planned interval in Suspect: 20 s.
  const covered = seen.reduce(
    (sum, { takenAt }, i) => sum + Math.min(takenAt - (seen[i - 1]?.takenAt ?? takenAt), 20_000),
    0,
  );
  return seen.length >= least && covered >= span && (!controlled || now.controlLook === 'good');
}

/** The status that the whole history implies, computed without any stored state. */
function specified(looks: readonly Evidence[], rules = needs): Verdict['status'] {
  const recent = sinceGood(looks);
  if (recent.some((_, i) => confirms(recent.slice(0, i + 1), rules))) return 'Inaccessible';
  if (recent.some((look) => isDenial(look, rules))) return 'Suspect';
  return recent.length > 0 ? 'Unreachable' : 'Accessible';
}

const judged = (looks: readonly Evidence[]): Verdict =>
  looks.reduce((verdict, look) => judge(verdict, look, designPolicy), aVerdict());
const observed = (looks: readonly Evidence[]): Watch =>
  looks.reduce(
    (watch, look) => observe(watch, look, designPolicy),
    aWatch({ versions: { [version1]: aVerdict(), [version2]: aVerdict() } }),
  );
const runs = { numRuns: 500 };

describe('the watch, over random histories', () => {
  it('INV-2: a watch is Inaccessible with a confirmed denial, never without one, and otherwise as specified', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(history, (looks) => {
        const { status } = judged(looks);
        seen.add(status);
        expect(status).toBe(specified(looks));
      }),
      runs,
    );
    expect(seen.size).toBe(4);
  });

  it('INV-2: no outage, in any order, disables or restores: without the outages the refusal is the same', () => {
    const isOutage = (look: Evidence) => look.cause !== undefined && !isDenial(look);
    fc.assert(
      fc.property(history, (looks) => {
        const without = judged(looks.filter((look) => !isOutage(look)));
        expect(judged(looks).status === 'Inaccessible').toBe(without.status === 'Inaccessible');
        expect(judged(looks.filter((look) => isOutage(look))).status).not.toBe('Inaccessible');
      }),
      runs,
    );
  });

  it('INV-5: any number of looks within 10 s confirms nothing', () => {
    const gaps = fc.array(fc.tuple(fc.integer({ min: 1, max: 300 }), fc.constantFrom(...deniedCauses)), {
      maxLength: 33,
    });
    fc.assert(
      fc.property(gaps, (steps) => {
        const looks = historyOf(steps.map(([gap, why]) => [gap, why, 'good', version1]));
        expect(judged(looks).status).not.toBe('Inaccessible');
      }),
      runs,
    );
  });

  it('INV-2: no denial that needs a control look disables while that look fails', () => {
    const why = fc.constantFrom<Cause>('KeyPermissionDenied', 'IdentityNotAuthorized', 'VaultNotFound');
    const failing = fc.array(fc.tuple(gapMs, why, fc.constant('failed' as const), fc.constant(version1)), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(failing.map(historyOf), (looks) => {
        expect(judged(looks).status).toBe(looks.length === 0 ? 'Accessible' : 'Unreachable');
      }),
      runs,
    );
  });

  it('INV-2: a replaced identity voids the permission denials before it, and restores nothing', () => {
    const why = fc.constantFrom<Cause>('KeyPermissionDenied', 'KeyPermissionDenied', 'IdentityReplaced', 'KeyNotFound');
    const steps = fc.array(
      fc.tuple(fc.constantFrom(10_000, 20_000), why, fc.constant('good' as const), fc.constant(version1)),
      {
        maxLength: 30,
      },
    );
    const seen = new Set<string>();
    fc.assert(
      fc.property(steps.map(historyOf), (looks) => {
        const explained = (some: readonly Evidence[]) => {
          const last = some.findLastIndex((look) => look.cause === 'IdentityReplaced');
          return some.filter((look, i) => i > last || look.cause !== 'KeyPermissionDenied');
        };
        const isConfirmed = looks.some((_, i) => confirms(explained(looks.slice(0, i + 1)), needs));
        const isSuspect = explained(looks).some((look) => isDenial(look));
        const { status } = judged(looks);
        seen.add(status);
        if (isConfirmed) expect(status).toBe('Inaccessible');
        else if (isSuspect) expect(status).toBe('Suspect');
        else expect(status).toBe(looks.length === 0 ? 'Accessible' : 'Unreachable');
      }),
      runs,
    );
    expect(seen.size).toBe(4);
  });

  it('a watch is Accessible after one good look, after any history', () => {
    fc.assert(
      fc.property(history, (looks) => {
        const takenAt = (looks.at(-1)?.takenAt ?? start) + 1;
        const after = judged([...looks, { bindingId: aBinding.id, version: version1, takenAt }]);
        expect(after).toMatchObject({
          status: 'Accessible',
          evidenceAt: takenAt,
          lastAccessibleAt: takenAt,
          denials: {},
        });
        expect(after.cause).toBeUndefined();
      }),
      runs,
    );
  });

  it('INV-7: late, doubled and reordered evidence changes nothing', () => {
    fc.assert(
      fc.property(history, fc.infiniteStream(fc.nat()), (looks, dice) => {
        const noisy = looks.flatMap((look, i) => {
          const late = looks[(dice.next().value ?? 0) % (i + 1)];
          return late === undefined ? [look] : [look, late, look];
        });
        expect(observed(noisy)).toEqual(observed(looks));
      }),
      runs,
    );
  });

  it('INV-2: the network’s rules disable only when the operator’s policy says so, and then as specified', () => {
    const strict = { ...designPolicy, networkPolicyDisables: true, confirmNetworkPolicySeconds: 60 };
    const why = fc.constantFrom<Cause>(
      'VaultFirewallDenied',
      'VaultPrivateLinkDenied',
      'NetworkPerimeterDenied',
      'Throttled',
    );
    const refusals = fc.array(fc.tuple(gapMs, why, control, fc.constant(version1)), { maxLength: 30 }).map(historyOf);
    const seen = new Set<string>();
    fc.assert(
      fc.property(refusals, (looks) => {
        const { status } = looks.reduce((before, look) => judge(before, look, strict), aVerdict());
        seen.add(status);
        expect(status).toBe(specified(looks, strictNeeds));
        expect(['Accessible', 'Unreachable']).toContain(judged(looks).status);
      }),
      runs,
    );
    expect(seen).toContain('Inaccessible');
  });

  it('a watch has a cause exactly when it is not Accessible', () => {
    fc.assert(
      fc.property(history, (looks) => {
        const { status, cause: why } = judged(looks);
        expect(why === undefined).toBe(status === 'Accessible');
      }),
      runs,
    );
  });

  it('INV-6: a watch counts every refusal and every restoration of every version exactly once', () => {
    fc.assert(
      fc.property(histories(version1, version2), (looks) => {
        const refused: Record<string, boolean> = {};
        const expected: unknown[] = [];
        for (const [i, { version, takenAt }] of looks.entries()) {
          const own = looks.slice(0, i + 1).filter((look) => look.version === version);
          const now = specified(own) === 'Inaccessible';
          if (now !== (refused[version] ?? false)) {
            const to = now ? 'CustomerKeyInaccessible' : 'Enabled';
            expected.push(expect.objectContaining({ epoch: expected.length + 1, version, to, at: takenAt }));
          }
          refused[version] = now;
        }
        const watch = observed(looks);
        expect(watch.transitions).toEqual(expected);
        expect(watch.epoch).toBe(expected.length);
      }),
      runs,
    );
  });

  it('INV-5: a watch is due again within a minute of a look, and never sooner than 10 s after it', () => {
    const round = fc.tuple(histories(version1, version2), fc.integer({ min: -50_000, max: 150_000 }), fc.nat(5_000));
    fc.assert(
      fc.property(round, ([looks, askedAfter, tookMs]) => {
        const before = observed(looks);
        const beganAt = (looks.at(-1)?.takenAt ?? start) + 1;
        const seen = [{ bindingId: aBinding.id, version: version1, takenAt: beganAt + tookMs }];
        const { nextLookAt } = afterLook(
          { ...before, nextLookAt: beganAt + askedAfter },
          seen,
          { ...aLookTime((beganAt - start) / 1000), plannedAt: beganAt + 200_000 },
          designPolicy,
        );
        expect(nextLookAt).toBeGreaterThanOrEqual(beganAt + 10_000);
        expect(nextLookAt).toBeLessThanOrEqual(beganAt + 60_000);
      }),
      runs,
    );
  });
});
