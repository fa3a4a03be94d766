/**
 * The overview index and the time index. In the partition of an owner `<binding>` is the row of a key and
 * `<binding>:<name>` that of an account, so that an account follows its key; `-` is the system key's and sorts before
 * every binding. `!` sorts before both, and before every character of an owner. `!:<name>` says where an account is.
 */

import { positionText } from '../core/audit/auditEntry.ts';
import { defined } from '../core/base/defined.ts';
import { type EpochMs, iso } from '../core/base/time.ts';
import type { Counts } from '../core/overview/counts.ts';
import type { IndexedAccount, IndexedKey, IndexPosition, IndexRow, MarkedKey } from '../core/overview/indexRows.ts';
import type {
  EntryPosition,
  IndexPage,
  OverviewIndex,
  TimelineEntry,
  TimelineIndex,
  TimelineOrder,
} from '../core/overview/ports.ts';
import { type Row, type RowKey, rowOf } from './rowForm.ts';
import type { ReadRow } from './rowReads.ts';
import { odata } from './sdk/tables.ts';
import type { OpenTable } from './tables.ts';

const systemKey = '-';
export const ofOwnerText = (owner: string) => `owner:${owner}`;
const accountKey = ({ owner, key, name }: IndexedAccount): RowKey => ({
  partitionKey: ofOwnerText(owner),
  rowKey: `${key?.bindingId ?? systemKey}:${name}`,
});
const keyKey = (owner: string, bindingId: string): RowKey => ({ partitionKey: ofOwnerText(owner), rowKey: bindingId });
const countsRow = '!';
/** Behind the counts and the locations of an owner, and before its accounts. */
const afterOwn = '!~';
const locationKey = (owner: string, name: string): RowKey => ({
  partitionKey: ofOwnerText(owner),
  rowKey: `${countsRow}:${name}`,
});
const countsKey = (owner?: string): RowKey => ({
  partitionKey: owner === undefined ? 'counts' : ofOwnerText(owner),
  rowKey: countsRow,
});
const markKey = (owner: string, bindingId: string): RowKey => ({
  partitionKey: 'marks',
  rowKey: `${owner}!${bindingId}`,
});

/** The rows of the owner after the position. */
function rowsAfter({ owner, bindingId, name }: IndexPosition): string {
  const text = name === undefined ? (bindingId ?? afterOwn) : `${bindingId ?? systemKey}:${name}`;
  return odata`PartitionKey eq ${ofOwnerText(owner)} and RowKey gt ${text}`;
}

function rowIn({ rowKey, value }: ReadRow<unknown>): IndexRow[] {
  if (value === undefined) return [];
  return rowKey.includes(':')
    ? [{ kind: 'account', account: value as IndexedAccount }]
    : [{ kind: 'key', key: value as IndexedKey }];
}

export const accountRow = (account: IndexedAccount): Row => rowOf(accountKey(account), account);
export const keyRow = (key: IndexedKey): Row => rowOf(keyKey(key.owner, key.watch.binding.id), key, { isKey: true });
export const markRow = (marked: MarkedKey): Row =>
  rowOf(markKey(marked.key.owner, marked.key.watch.binding.id), marked);

export function createOverviewIndex(open: OpenTable): OverviewIndex {
  const table = open('overview');
  const page = async (range: string, limit: number, kind: 'keys' | undefined): Promise<IndexPage> => {
    const rows = await table.query(kind === undefined ? range : `${range} and isKey eq true`, limit);
    return { rows: rows.flatMap(rowIn), isLast: rows.length < limit };
  };
  const later = (owner = '') => odata`PartitionKey gt ${ofOwnerText(owner)} and PartitionKey lt 'owner;'`;

  return {
    locate: async (owner, name) => (await table.readIfAuthentic<IndexedAccount>(locationKey(owner, name)))?.value,
    account: async (at) => (await table.readIfAuthentic<IndexedAccount>(accountKey(at)))?.value,
    key: async (owner, bindingId) => (await table.readIfAuthentic<IndexedKey>(keyKey(owner, bindingId)))?.value,
    async counts(owner) {
      const row = await table.readIfAuthentic<Counts>(countsKey(owner));
      return row === undefined ? undefined : { value: row.value ?? {}, etag: row.etag };
    },

    write: (owner, { counts, keys, put, isCreated, remove, removeLocation }) =>
      table.transact([
        { put: rowOf(countsKey(owner), counts.value), etag: counts.etag },
        ...keys.map(({ bindingId, value }) =>
          value === undefined ? { remove: keyKey(owner, bindingId) } : { put: keyRow(value), etag: '*' },
        ),
        ...(put === undefined
          ? []
          : [accountRow(put), rowOf(locationKey(owner, put.name), put)].map((row) => ({
              put: row,
              etag: isCreated === true ? undefined : '*',
            }))),
        ...(remove === undefined ? [] : [{ remove: accountKey(remove) }]),
        ...(removeLocation === undefined ? [] : [{ remove: locationKey(owner, removeLocation) }]),
      ]),
    writeCounts: (counts, etag) => table.transact([{ put: rowOf(countsKey(), counts), etag }]),

    ofOwner: (after, limit, kind) => page(rowsAfter(after), limit, kind),
    ofLaterOwners: (owner, limit, kind) => page(`${later(owner)} and RowKey gt '${afterOwn}'`, limit, kind),

    async nextOwner(owner) {
      const [row] = await table.queryKeys(later(owner), 1);
      return row?.partitionKey.slice('owner:'.length);
    },

    async ownerCounts(after, limit) {
      const rows = await table.query<Counts>(`${later(after)} and RowKey eq '${countsRow}'`, limit);
      const last = rows.length < limit ? undefined : rows.at(-1)?.partitionKey.slice('owner:'.length);
      return {
        counts: rows.flatMap(({ value }) => (value === undefined ? [] : [value])),
        ...defined({ next: last }),
      };
    },

    mark: (marked) => table.put(markRow(marked)),
    async unmark(owner, bindingId) {
      await table.remove(markKey(owner, bindingId));
    },
    async marked(from, owner, limit) {
      const begin =
        from === undefined
          ? `${owner ?? ''}${owner === undefined ? '' : '!'}`
          : `${from.owner}!${from.bindingId ?? ''}`;
      // `"` is the character after `!`.
      const end = owner === undefined ? '~' : `${owner}"`;
      const rows = await table.query<MarkedKey>(
        odata`PartitionKey eq 'marks' and RowKey ge ${begin} and RowKey lt ${end}`,
        limit,
      );
      return { marks: rows.flatMap(({ value }) => value ?? []), isLast: rows.length < limit };
    },
  };
}

/**
 * A partition has the entries of a month twice: `o:` oldest first, and `n:` newest first. So an entry costs one call,
 * and a page one for each month.
 */
const partitionOf = (month: string): string => `time:${month}`;
const monthOf = (ms: EpochMs): string => iso(ms).slice(0, 'yyyy-mm'.length);
/** Counts down: later times have lower texts. */
const lastMs = 9_999_999_999_999;
const lastMsDigits = 13;
const inverted = (ms: EpochMs): string => String(lastMs - ms).padStart(lastMsDigits, '0');

interface Order {
  readonly mark: 'o:' | 'n:';
  /** Sorts right before the entries of the moment, in this order. */
  textOf(ms: EpochMs): string;
  /** NaN: it is the text of no moment. */
  momentOf(text: string): EpochMs;
  sequenceText(sequence: number): string;
}

const lastSequence = 9_999_999_999;
const orders: Readonly<Record<TimelineOrder, Order>> = {
  oldest: { mark: 'o:', textOf: iso, momentOf: (text) => Date.parse(text.slice(0, 24)), sequenceText: positionText },
  newest: {
    mark: 'n:',
    textOf: inverted,
    momentOf: (text) => lastMs - Number(text.slice(0, lastMsDigits)),
    sequenceText: (sequence) => positionText(lastSequence - sequence),
  },
};

/** The row keys of an entry are in the order of the table within a month. */
function timeKey(order: TimelineOrder, { at, chain, sequence }: EntryPosition): RowKey {
  const { mark, textOf, sequenceText } = orders[order];
  const ms = Date.parse(at);
  return { partitionKey: partitionOf(monthOf(ms)), rowKey: `${mark}${textOf(ms)}:${chain}:${sequenceText(sequence)}` };
}

/** Each entry has two rows, and a batch 100. */
const entriesTogether = 50;

export function createTimelineIndex(open: OpenTable): TimelineIndex {
  const table = open('overview');

  return {
    async add(entries) {
      for (const ofMonth of Map.groupBy(entries, ({ entry }) => monthOf(Date.parse(entry.at))).values())
        for (let from = 0; from < ofMonth.length; from += entriesTogether) {
          const rows = ofMonth
            .slice(from, from + entriesTogether)
            .flatMap((one) => (['oldest', 'newest'] as const).map((order) => rowOf(timeKey(order, one.entry), one)));
          await table.transact(rows.map((put) => ({ put, etag: '*' })));
        }
    },
    async remove(entries) {
      const dated = entries.filter(({ at }) => !Number.isNaN(Date.parse(at)));
      for (let from = 0; from < dated.length; from += entriesTogether) {
        const some = dated.slice(from, from + entriesTogether);
        const keys = some.flatMap((one) => [timeKey('oldest', one), timeKey('newest', one)]);
        await Promise.all(keys.map((key) => table.remove(key)));
      }
    },
    has: async (entry) => (await table.readEtag(timeKey('oldest', entry))) !== undefined,

    async page({ order, from, to, limit, after }) {
      const { mark, textOf, momentOf } = orders[order];
      const [first, last] = order === 'oldest' ? [from, to - 1] : [to - 1, from];
      const begin = after ?? textOf(first);
      const end = order === 'oldest' ? iso(to) : inverted(from - 1);
      const moment = momentOf(begin);
      const month = monthOf(Number.isNaN(moment) ? last : Math.min(Math.max(moment, from), to - 1));
      const range = odata`RowKey gt ${`${mark}${begin}`} and RowKey lt ${`${mark}${end}`}`;
      const rows = await table.query<TimelineEntry>(
        `${odata`PartitionKey eq ${partitionOf(month)}`} and ${range}`,
        limit,
      );
      const read = rows.map(({ rowKey, value }) => ({
        at: rowKey.slice(mark.length),
        ...defined({ entry: value }),
      }));
      const position = read.at(-1)?.at;
      if (position !== undefined && rows.length === limit) return { rows: read, next: position };
      if (month === monthOf(last)) return { rows: read };
      return { rows: read, next: textOf(order === 'oldest' ? beginAfter(month) : Date.parse(month) - 1) };
    },
  };
}

/** Of the month that follows. */
function beginAfter(month: string): EpochMs {
  const [year = 0, number = 0] = month.split('-').map(Number);
  return Date.UTC(year, number);
}
