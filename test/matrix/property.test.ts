import fc from 'fast-check';
import { expect, test } from 'vitest';
import { clearFaults } from '../../src/local/matrix/row.ts';
import { isExhaustive } from '../exhaustive.ts';
import { minute, second, useStage } from './support.ts';

const world = useStage();

const vaults = isExhaustive ? 15 : 6;
const answersEach = 12;
/** Of a gap between two counted denials, at most twice the interval between the looks at a suspect key counts. */
const countedGap = 20 * second;

/** Responses of a vault and how they count: from the published confirmation table, not from the code. */
const kinds = {
  good: {},
  KeyDisabled: { fault: { action: 'forbidden', inner: 'KeyDisabled' }, looks: 2, overMs: 0 },
  KeyNotFound: {
    fault: { action: 'status', status: 404, code: 'KeyNotFound', operation: 'unwrapkey' },
    looks: 3,
    overMs: 30 * second,
  },
  KeyPermissionDenied: { fault: { action: 'forbidden', inner: 'ForbiddenByRbac' }, looks: 3, overMs: 60 * second },
  VaultUnavailable: { fault: { action: 'status', status: 503, body: 'empty' } },
  Throttled: { fault: { action: 'throttled' } },
  DnsFailure: { fault: { action: 'network', code: 'EAI_AGAIN' } },
  UnknownResponse: { fault: { action: 'forbidden', inner: 'SomethingNew' } },
} as const satisfies Record<string, { fault?: Record<string, unknown>; looks?: number; overMs?: number }>;
type Kind = keyof typeof kinds;

interface Seen {
  readonly at: number;
  readonly kind: Kind;
}

/** Whether the looks, in this order, are a confirmed denial that no good look has followed. */
function isConfirmedDenial(seen: readonly Seen[]): boolean {
  const sinceGood = seen.slice(seen.findLastIndex(({ kind }) => kind === 'good') + 1);
  return sinceGood.some((_, index) => {
    const last = sinceGood[index];
    const rule = last && kinds[last.kind];
    if (last === undefined || rule === undefined || !('looks' in rule)) return false;
    const counted: number[] = [];
    for (const { at, kind } of sinceGood.slice(0, index + 1)) {
      if (kind === last.kind && at - (counted.at(-1) ?? Number.NEGATIVE_INFINITY) >= 10 * second) counted.push(at);
    }
    const gaps = counted.slice(1).map((at, gap) => Math.min(at - (counted[gap] ?? at), countedGap));
    return counted.length >= rule.looks && gaps.reduce((sum, ms) => sum + ms, 0) >= rule.overMs;
  });
}

const sequences = fc.array(
  fc.array(fc.constantFrom(...(Object.keys(kinds) as Kind[])), { minLength: answersEach, maxLength: answersEach }),
  { minLength: vaults, maxLength: vaults },
);
const durations = fc.array(fc.constantFrom(10 * second, 20 * second, 60 * second), {
  minLength: answersEach,
  maxLength: answersEach,
});

test('over random responses an account is Inaccessible exactly when a denial is confirmed, Enabled after a good look, and stable without a change', async () => {
  let round = 0;
  const property = fc.asyncProperty(sequences, durations, async (answers, lasting) => {
    round += 1;
    const { stage } = world;
    const { lab, pump } = stage;
    const names = answers.map((_, index) => `random-${round}-${index}`);
    await Promise.all(names.map((name) => stage.account(name)));
    await pump.advancePastSweep();

    const seen = new Map<string, Seen[]>(names.map((name) => [name, []]));
    let read = lab.log.length;
    const follow = async () => {
      for (const { message, fields } of lab.log.slice(read)) {
        if (message !== 'Checked a key') continue;
        const kind = fields.cause === 'none' ? 'good' : (fields.cause as Kind);
        seen.get(String(fields.account))?.push({ at: lab.clock.now(), kind });
      }
      read = lab.log.length;
    };
    const expectVerdicts = async () => {
      for (const [index, name] of names.entries()) {
        const looks = seen.get(name) ?? [];
        const played = `${answers[index]?.join(', ')} in steps of ${lasting.map((ms) => ms / second).join(', ')} s`;
        expect((await stage.status(name)).startsWith('CustomerKeyInaccessible'), played).toBe(isConfirmedDenial(looks));
      }
    };

    for (const [step, ms] of lasting.entries()) {
      for (const [index, name] of names.entries()) {
        const rule = kinds[answers[index]?.[step] ?? 'good'];
        await clearFaults(stage, name);
        if ('fault' in rule) await stage.fault(name, rule.fault);
      }
      await pump.advance(ms, follow);
      await expectVerdicts();
    }

    await pump.advance(3 * minute, follow);
    const settled = await Promise.all(names.map((name) => stage.status(name)));
    await pump.advance(2 * minute, follow);
    expect(await Promise.all(names.map((name) => stage.status(name)))).toEqual(settled);
    await expectVerdicts();

    for (const name of names) await clearFaults(stage, name);
    await pump.advance(60 * second, follow);
    for (const name of names) expect(await stage.status(name)).toBe('Enabled Accessible');
  });
  await fc.assert(property, { numRuns: 1, endOnFailure: true });
}, 60_000);
