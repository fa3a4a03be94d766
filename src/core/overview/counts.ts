/**
 * Counts of accounts and keys, for the service and for one owner. A count is a sum of contributions: of each key with
 * its accounts, and of each account that belongs to no key in the index. A change of a row changes the counts by the
 * difference. Pure.
 */
import type { Policy } from '../base/policy.ts';
import type { EpochMs } from '../base/time.ts';
import type { WatchStatus } from '../base/vocabulary.ts';
import { vaultIdOf } from '../customerKey/binding.ts';
import { isCurrentAsSwept } from '../watch/verdictTimes.ts';
import type { CheckedRanges } from './checkedRanges.ts';
import type { IndexedAccount, IndexedKey } from './indexRows.ts';

/**
 * By dotted name: `accounts`, `encryption.SystemKey`, `state.Enabled`, `status.Suspect`, `cause.KeyDisabled`, and
 * `part.3f.Suspect`: the part of `status.Suspect` whose vaults' ids begin with these digits.
 */
export type Counts = Readonly<Record<string, number>>;

export const noCounts: Counts = {};

/** Of an account that is counted with no key: under the system key, or deleted and not purged yet. */
export function ofAccount({ pendingDeletion: pending }: Pick<IndexedAccount, 'pendingDeletion'>): Counts {
  const type = pending?.keyIdentifier === undefined ? 'SystemKey' : 'CustomerKey';
  const state = pending === undefined ? { 'state.Enabled': 1, 'served.yes': 1 } : { 'state.PendingDeletion': 1 };
  return { accounts: 1, [`encryption.${type}`]: 1, ...state };
}

/**
 * Whether calls on data keys and secrets work, by the status of the key. Under Suspect and Unreachable they work in the
 * processes that hold the account key.
 */
const servedBy = {
  Accessible: 'yes',
  Suspect: 'untilLeaseEnd',
  Unreachable: 'untilLeaseEnd',
  Inaccessible: 'no',
} as const;

export function ofKey(key: IndexedKey | undefined): Counts {
  if (key === undefined) return noCounts;
  const { watch, accounts, byVersion } = key;
  const parts = Object.entries(watch.versions);
  const [only] = parts;
  const part = vaultIdOf(watch.binding.vaultHost).slice(0, partDigits);
  const verdicts = byVersion === undefined ? (only === undefined ? [] : [only]) : parts;
  return sum(
    { keys: 1, accounts, 'encryption.CustomerKey': accounts },
    ...verdicts.map(([version, { status, cause }]) => {
      const count = byVersion === undefined ? accounts : (byVersion[version] ?? 0);
      return {
        [`state.${status === 'Inaccessible' ? 'CustomerKeyInaccessible' : 'Enabled'}`]: count,
        [`status.${status}`]: count,
        [`served.${servedBy[status]}`]: count,
        [`part.${part}.${status}`]: count,
        ...(cause === undefined ? {} : { [`cause.${cause}`]: count }),
      };
    }),
  );
}

/** A part is no larger than a range of the sweep, unless an operator sets more than 256 ranges. */
const partDigits = 2;

/** The counts, where a status that no sweep has renewed for too long is `Unknown`. No process renews a lease then. */
export function currentCounts(counts: Counts, checked: CheckedRanges, now: EpochMs, policy: Policy): Counts {
  const late = Object.entries(counts).flatMap(([name, count]) => {
    const [kind, part = '', status] = name.split('.');
    if (kind !== 'part') return [];
    const at = checked.ofPart(part);
    if (at === undefined || isCurrentAsSwept(at, now, policy)) return [];
    const served = servedBy[status as WatchStatus];
    return [{ [`status.${status}`]: -count, 'status.Unknown': count }, servedLater(served, count)];
  });
  return sum(counts, ...late);
}

const servedLater = (served: 'yes' | 'untilLeaseEnd' | 'no', count: number): Counts =>
  served === 'yes' ? { 'served.yes': -count, 'served.untilLeaseEnd': count } : {};

/** Names with a count of 0 are left out. */
export function sum(...all: readonly Counts[]): Counts {
  const total: Record<string, number> = {};
  for (const counts of all)
    for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
  return Object.fromEntries(Object.entries(total).filter(([, count]) => count !== 0));
}

export const minus = (counts: Counts): Counts =>
  Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, -count]));

/** The counts of one kind, such as `state`, by its values. */
export function countsBy(kind: string, counts: Counts): Readonly<Record<string, number>> {
  const prefix = `${kind}.`;
  const ofKind = Object.entries(counts).filter(([name, count]) => name.startsWith(prefix) && count > 0);
  return Object.fromEntries(ofKind.map(([name, count]) => [name.slice(prefix.length), count]));
}
