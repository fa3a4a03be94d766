/**
 * Which storage account has which rows. A hash of the partition key puts each partition in one of 256 ranges, and each
 * range is in one account. The first account has the layout in one row, and the whole tables `rings` and `service`.
 * Each other account has a row with its number, so that accounts in another order are noticed.
 */
import { createHash } from 'node:crypto';
import { type layoutKey, layoutPartition } from './layoutKeys.ts';

export const rangeCount = 256;

/** A process uses a layout for so long, then reads it again. A move waits for longer. */
export const layoutAgeMs = 5_000;

/** Ranges that move: no process writes them. They are read in `from` until they are in `to`. */
export interface Move {
  readonly ranges: readonly number[];
  readonly from: number;
  readonly to: number;
}

export interface Layout {
  /** Differs between services: an account of another service is refused. */
  readonly id: string;
  /** The settings must name at least so many accounts. */
  readonly accounts: number;
  /** For each range the number of its account. */
  readonly owners: readonly number[];
  /** Grows with each change of `owners`. */
  readonly revision: number;
  readonly moving?: Move;
  /** So many accounts will be in the layout, when each new one has its row. */
  readonly joining?: number;
}

export const memberKey = { partitionKey: layoutPartition, rowKey: 'member' };

/** Of a service that has all rows in its first account, and no layout. */
export const undivided: Layout = { id: '', accounts: 1, owners: Array(rangeCount).fill(0), revision: 0 };

export const isWhole = (table: string): boolean => table === 'keywardrings' || table === 'keywardservice';

/** Stable for ever: rows are found by it. */
export const rangeOf = (partitionKey: string): number => createHash('sha256').update(partitionKey).digest()[0] ?? 0;

export const ownerOf = ({ owners }: Layout, partitionKey: string): number => owners[rangeOf(partitionKey)] ?? 0;

export const isMoving = ({ moving }: Layout, partitionKey: string): boolean =>
  moving?.ranges.includes(rangeOf(partitionKey)) === true;

/** For a service without rows. */
export const evenOwners = (accounts: number): number[] =>
  Array.from({ length: rangeCount }, (_, range) => range % accounts);

export interface Member {
  readonly id: string;
  readonly number: number;
}

/**
 * Plain rows, in the form of `rowForm.ts`: an operator's command without keys writes them too. An edit of them hides
 * rows, as an edit of the settings or a delete of the rows does, and makes none that a reader accepts.
 */
export const entityOf = <T extends Layout | Member>(key: typeof layoutKey, value: T) => ({
  ...key,
  v: 1,
  data: JSON.stringify(value),
});

/** Undefined: the row is not as Keyward wrote it. */
export function layoutIn({ data }: { readonly data?: unknown }): Layout | undefined {
  const layout = parsed(data) as Partial<Layout>;
  const { id, accounts = 0, owners, revision, moving, joining } = layout;
  const isNumber = (value: unknown, below = Number.MAX_SAFE_INTEGER) =>
    Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < below;
  const isValid =
    typeof id === 'string' &&
    isNumber(accounts) &&
    isNumber(revision) &&
    Array.isArray(owners) &&
    owners.length === rangeCount &&
    owners.every((owner) => isNumber(owner, accounts)) &&
    (joining === undefined || isNumber(joining)) &&
    (moving === undefined || (Array.isArray(moving.ranges) && isNumber(moving.from) && isNumber(moving.to, accounts)));
  return isValid ? (layout as Layout) : undefined;
}

export function memberIn({ data }: { readonly data?: unknown }): Partial<Member> {
  return parsed(data) as Partial<Member>;
}

function parsed(data: unknown): object {
  try {
    return Object(JSON.parse(String(data)));
  } catch {
    return {};
  }
}
