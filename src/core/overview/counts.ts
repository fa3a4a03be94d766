/**
 * Counts of accounts and keys, for the service and for one owner. A count is a sum of contributions: of each key with its accounts, and
 * of each account that belongs to no key in the index. A change of a row changes the counts by the difference. Pure.
 */
import type { IndexedAccount, IndexedKey } from './indexRows.ts';

/** By dotted name: `accounts`, `encryption.SystemKey`, `state.Enabled`, `status.Suspect`, `cause.KeyDisabled`, `keys.Accessible`. */
export type Counts = Readonly<Record<string, number>>;

export const noCounts: Counts = {};

/** Of an account that is counted with no key: under the system key, or deleted and not purged yet. */
export function ofAccount({ pendingDeletion: pending }: Pick<IndexedAccount, 'pendingDeletion'>): Counts {
  const type = pending?.keyIdentifier === undefined ? 'SystemKey' : 'CustomerKey';
  const state = pending === undefined ? { 'state.Enabled': 1, 'served.yes': 1 } : { 'state.PendingDeletion': 1 };
  return { accounts: 1, [`encryption.${type}`]: 1, ...state };
}

/** What the data plane gets by a key's status. Suspect and Unreachable: of processes that hold the account key. */
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
  const verdicts = byVersion === undefined ? (only === undefined ? [] : [only]) : parts;
  return sum(
    { keys: 1, accounts, 'encryption.CustomerKey': accounts },
    ...verdicts.map(([version, { status, cause }]) => {
      const count = byVersion === undefined ? accounts : (byVersion[version] ?? 0);
      return {
        [`state.${status === 'Inaccessible' ? 'CustomerKeyInaccessible' : 'Enabled'}`]: count,
        [`status.${status}`]: count,
        [`served.${servedBy[status]}`]: count,
        ...(cause === undefined ? {} : { [`cause.${cause}`]: count }),
      };
    }),
  );
}

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
