/**
 * Two hosts on the same tables, one of them with a wrong clock: revocations are found within their bounds, and nothing
 * else blocks.
 */
import { type AccountState, stateOf } from '../../core/accounts/account.ts';
import { vaultIdOf } from '../../core/customerKey/binding.ts';
import type { Service } from '../../core/service.ts';
import { allRanges } from '../../core/vaultWork/ranges.ts';
import { sweepRange } from '../../core/vaultWork/sweepRange.ts';
import { workOnVault } from '../../core/vaultWork/vaultWork.ts';
import type { Lab } from '../lab/lab.ts';
import { revocations } from './revocations.ts';

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];

/** How far the second host's clock is ahead, in ms: before the revocations, and from then on. */
export const wrongClocks: Readonly<Record<string, readonly [number, number]>> = {
  'an hour behind': [-hour, -hour],
  'an hour behind and then right': [-hour, 0],
  'right and then an hour behind': [0, -hour],
  'ten minutes ahead': [10 * minute, 10 * minute],
  'ten minutes ahead and then right': [10 * minute, 0],
  'right and then ten minutes ahead': [0, 10 * minute],
  'a day ahead': [day, day],
  'a day ahead and then right': [day, 0],
  'right and then a day ahead': [0, day],
};

/** What may happen to a vault without a revocation. None of these blocks its account. */
const mishaps: Readonly<Record<string, object | undefined>> = {
  healthy: undefined,
  silent: { action: 'status', status: 503, body: 'empty' },
  'denied-once': { action: 'forbidden', inner: 'ForbiddenByRbac', operation: 'unwrapkey', count: 1 },
};

const vaultOf = (what: string) => what.replace(' ', '-');

export interface ClockOutcome {
  /** Revocations whose account is served after their bound. */
  readonly missed: readonly string[];
  /** Mishaps whose account is blocked. */
  readonly wrong: readonly string[];
}

/** The laboratory is used up: its tables hold times of the wrong clock. */
export async function underWrongClock(lab: Lab, clock: string): Promise<ClockOutcome> {
  const [before, after] = wrongClocks[clock] ?? [0, 0];
  let aheadMs = before;
  const other = await lab.another({
    clock: { now: () => lab.clock.now() + aheadMs, monotonic: () => lab.clock.monotonic() },
  });
  for (const what of [...Object.keys(revocations), ...Object.keys(mishaps)])
    await lab.account(vaultOf(what), vaultOf(what), await lab.vaultWithKey(vaultOf(what)));
  const state = async (what: string): Promise<AccountState> => stateOf(await lab.view(vaultOf(what)));
  await bothHosts(lab, other, 3 * minute);

  aheadMs = after;
  for (const [what, fault] of Object.entries(mishaps))
    if (fault !== undefined) await lab.keyVault('POST', '/faults', { vault: vaultOf(what), ...fault });
  for (const [what, { revoke }] of Object.entries(revocations)) await revoke(lab, vaultOf(what));
  const missed: string[] = [];
  let passedMs = 0;
  for (const [what, { withinMs }] of Object.entries(revocations).toSorted(([, a], [, b]) => a.withinMs - b.withinMs)) {
    await bothHosts(lab, other, withinMs - passedMs);
    passedMs = withinMs;
    if ((await state(what)) === 'Enabled') missed.push(`${what}, with a clock ${clock}`);
  }
  await bothHosts(lab, other, 10 * minute);
  const wrong: string[] = [];
  for (const what of Object.keys(mishaps))
    if ((await state(what)) !== 'Enabled') wrong.push(`${what}, with a clock ${clock}`);
  return { missed, wrong };
}

/** Time passes on both hosts. The second one sweeps and works every half minute. */
async function bothHosts(lab: Lab, other: Service, ms: number): Promise<void> {
  const end = lab.clock.now() + ms;
  while (lab.clock.now() < end) {
    await lab.advance(Math.min(minute / 2, end - lab.clock.now()));
    for (const range of allRanges(other.policy.sweepRanges)) await sweepRange(range, other);
    for (const what of [...Object.keys(revocations), ...Object.keys(mishaps)])
      await workOnVault({ vault: vaultIdOf(`${vaultOf(what)}.vault.azure.net`), requestedBy: 'sweep' }, other);
  }
}
